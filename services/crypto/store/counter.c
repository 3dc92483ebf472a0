/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The counter's protocol. The header says which value is expected; a change that must not be undone
 * commits a header that expects one more and then increments. So the counter is at the expected
 * value, or one behind where the increment is missing; a store that expects less is an older one.
 */
#include "lib/diagf.h"
#include "services/crypto/store/internal.h"

static vd_status accept_or(struct vd_kstore *store, bool accept, vd_status status,
                           struct vd_diag *diag)
{
    if (accept) {
        store->header.restored++;
        return VD_OK;
    }
    vd_diag_hint(diag,
                 "accept it once if it was put back on purpose: --accept-restored-store; and no "
                 "two stores can share a counter (--counter)");
    return status;
}

vd_status vd_kcounter_check(struct vd_kstore *store, uint32_t flags, bool *ret_changed,
                            struct vd_diag *diag)
{
    struct vd_krec_header *header = &store->header;
    bool accept = (flags & VD_KSTORE_ACCEPT_RESTORED) != 0, has = store->counter != NULL;
    struct vd_diag refusal = {};
    uint64_t now = 0;
    vd_status status = VD_OK;

    if (has)
        VD_TRY(store->counter->read(store->counter->ctx, &now, diag));
    *ret_changed = true;
    if (has != header->has_counter)
        status = vd_diag_fail(&refusal, VD_E_DIFFERS,
                              has ? "the store was made without a counter: it may be an old one"
                                  : "the store was kept with a counter, which is not there");
    else if (has && header->expected < now)
        status = vd_diagf(&refusal, VD_E_ROLLBACK,
                          "the store is older than its counter says: it expects %llu, the counter "
                          "is at %llu",
                          (unsigned long long)header->expected, (unsigned long long)now);
    else if (has && header->expected - now > 1)
        status = vd_diagf(&refusal, VD_E_DIFFERS,
                          "the counter is not the one of this store: %llu is expected, it is at "
                          "%llu",
                          (unsigned long long)header->expected, (unsigned long long)now);
    if (status != VD_OK) {
        status = accept_or(store, accept, status, &refusal);
        if (status != VD_OK) {
            if (diag != NULL && diag->text[0] == '\0')
                *diag = refusal;
            return status;
        }
        header->has_counter = has;
        header->expected = now;
        return VD_OK;
    }
    *ret_changed = has;
    store->unanchored = has && header->expected != now;
    return VD_OK;
}

static vd_status anchored(struct vd_kstore *store, uint64_t at, struct vd_diag *diag)
{
    if (at != store->header.expected)
        return vd_diagf(diag, VD_E_DIFFERS, "the counter is at %llu, %llu was expected",
                        (unsigned long long)at, (unsigned long long)store->header.expected);
    pthread_rwlock_wrlock(&store->index_lock);
    store->unanchored = false;
    pthread_rwlock_unlock(&store->index_lock);
    return VD_OK;
}

vd_status vd_kcounter_settle(struct vd_kstore *store, struct vd_diag *diag)
{
    const struct vd_kstore_counter *counter = store->counter;
    uint64_t at;

    if (!store->unanchored)
        return VD_OK;
    /* The increment that failed may have been done all the same. */
    VD_TRY(counter->read(counter->ctx, &at, diag));
    if (at + 1 == store->header.expected)
        VD_TRY(counter->increment(counter->ctx, &at, diag));
    return anchored(store, at, diag);
}

vd_status vd_kcounter_raise(struct vd_kstore *store, struct vd_diag *diag)
{
    struct vd_diag why = {};
    uint64_t at;
    vd_status status;

    pthread_rwlock_wrlock(&store->index_lock);
    store->unanchored = true;
    pthread_rwlock_unlock(&store->index_lock);
    status = store->counter->increment(store->counter->ctx, &at, &why);
    if (status == VD_OK)
        status = anchored(store, at, &why);
    if (status != VD_OK)
        return vd_diagf(diag, status,
                        "the change is on the disk, but the counter could not be raised: %s",
                        why.text);
    return VD_OK;
}
