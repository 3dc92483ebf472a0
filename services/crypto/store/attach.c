/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Attachments: changed, read, listed. */
#include <string.h>

#include "lib/diagf.h"
#include "services/crypto/store/internal.h"

static bool same_what(const struct vd_kstore_attachment *a, const struct vd_kstore_attachment *b)
{
    return a->kind == b->kind && a->name_size == b->name_size &&
           memcmp(a->name, b->name, a->name_size) == 0;
}

static vd_status check_change(const struct vd_kstore_attach_change *change, struct vd_diag *diag)
{
    if (change->count == 0 || change->count > VD_KSTORE_BATCH_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "one change has 1 to 4096 attachments");
    for (size_t i = 0; i < change->count; i++) {
        const struct vd_kstore_attach *a = &change->list[i];
        if (a->action < VD_KSTORE_PUT || a->action > VD_KSTORE_REMOVE)
            return vd_diag_fail(diag, VD_E_USAGE, "an attachment is put, added or removed");
        if (a->what.name_size > VD_KSTORE_ATTACH_NAME_MAX || a->size > VD_KSTORE_VALUE_MAX)
            return vd_diag_fail(diag, VD_E_LIMIT,
                                "an attachment's name has at most 64 bytes, its value 65536");
        for (size_t n = 0; n < i; n++) {
            if (same_what(&a->what, &change->list[n].what))
                return vd_diag_fail(diag, VD_E_USAGE, "one change names an attachment once");
        }
    }
    return VD_OK;
}

static vd_status put_one(struct vd_ktxn *txn, struct vd_kentry *entry,
                         const struct vd_kstore_attach *a, struct vd_diag *diag)
{
    struct vd_krec record = {.table = VD_KREC_ATTACHMENT,
                             .attachment = {.what = a->what, .size = (uint32_t)a->size}};
    struct vd_kput put = {.entry = entry, .record = &record, .body = a->value};
    bool there;
    size_t at = vd_kentry_place(entry, &a->what, &there);

    if (there && a->action == VD_KSTORE_ADD)
        return vd_diag_fail(diag, VD_E_EXISTS, "the key has this attachment already");
    if (!there && a->action == VD_KSTORE_REMOVE)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "the key has no such attachment");
    if (a->action == VD_KSTORE_REMOVE)
        return vd_ktxn_remove(txn, entry, entry->attached[at], diag);
    put.old = there ? entry->attached[at] : NULL;
    return vd_ktxn_put(txn, &put, diag);
}

static vd_status put_all(struct vd_ktxn *txn, const uint8_t *id,
                         const struct vd_kstore_attach_change *change, struct vd_diag *diag)
{
    struct vd_kentry *entry;
    struct vd_krec key;

    VD_TRY(vd_ktxn_key(txn, id, &entry, &key, diag));
    if (entry->attached_count + change->count > VD_KSTORE_ATTACHMENTS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "the key %s has too many attachments",
                        key.key.attributes.name);
    txn->raise = change->final;
    for (size_t i = 0; i < change->count; i++)
        VD_TRY(put_one(txn, entry, &change->list[i], diag));
    return VD_OK;
}

vd_status vd_kstore_attach(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                           const struct vd_kstore_attach_change *change, struct vd_diag *diag)
{
    struct vd_ktxn txn;

    VD_TRY(check_change(change, diag));
    VD_TRY(vd_ktxn_begin(&txn, store, change->now, diag));
    return vd_ktxn_end(&txn, put_all(&txn, id, change, diag), diag);
}

static vd_status read_one(struct vd_kstore *store, const uint8_t *id,
                          const struct vd_kstore_attachment *what, struct vd_bytes *ret,
                          bool *ret_stale)
{
    struct vd_kentry *entry = vd_kindex_get(&store->index, id);
    struct vd_krec key;
    bool there;
    size_t at;

    if (entry == NULL)
        return VD_E_NOT_FOUND;
    vd_krow_record(entry->key, &key);
    if (key.key.state == VD_KSTORE_DESTROYED)
        return VD_E_REVOKED;
    at = vd_kentry_place(entry, what, &there);
    return there ? vd_krow_body(store, entry->attached[at], ret, ret_stale, NULL) : VD_E_NOT_FOUND;
}

vd_status vd_kstore_attached(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                             const struct vd_kstore_attachment *what, struct vd_bytes *ret,
                             struct vd_diag *diag)
{
    if (what->name_size > VD_KSTORE_ATTACH_NAME_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "an attachment's name has at most 64 bytes");
    for (bool still = false;; still = true) {
        bool stale = false;
        vd_status status;

        vd_kstore_lock_reading(store, still);
        status = read_one(store, id, what, ret, &stale);
        vd_kstore_unlock_reading(store, still);
        if (stale && !still)
            continue;
        if (status == VD_E_NOT_FOUND)
            return vd_diag_fail(diag, status, "there is no such key or attachment");
        if (status == VD_E_SIGNATURE)
            return vd_kstore_changed(store, diag);
        return status == VD_OK ? VD_OK
                               : vd_diag_fail(diag, status, "the attachment cannot be read");
    }
}

vd_status vd_kstore_attachments(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                                const struct vd_kstore_attach_page *page, size_t *ret_count)
{
    const struct vd_kentry *entry;
    size_t at = 0, n = 0;

    if (page->after != NULL && page->after->name_size > VD_KSTORE_ATTACH_NAME_MAX)
        return VD_E_LIMIT;
    pthread_rwlock_rdlock(&store->index_lock);
    entry = vd_kindex_get(&store->index, id);
    if (entry != NULL && page->after != NULL) {
        bool there;
        at = vd_kentry_place(entry, page->after, &there);
        at += there;
    }
    for (; entry != NULL && n < page->max && at < entry->attached_count; at++, n++) {
        struct vd_krec record;
        vd_krow_record(entry->attached[at], &record);
        page->list[n] = record.attachment.what;
    }
    pthread_rwlock_unlock(&store->index_lock);
    if (entry == NULL)
        return VD_E_NOT_FOUND;
    *ret_count = n;
    return VD_OK;
}
