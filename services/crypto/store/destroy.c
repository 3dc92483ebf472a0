/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Destroying: scheduled, taken back, done. */
#include "lib/diagf.h"
#include "services/crypto/store/internal.h"

#define PURGE_MAX 1024u /* keys in one change */

vd_status vd_kstore_empty_log(struct vd_kstore *store, struct vd_diag *diag)
{
    vd_status status;

    pthread_mutex_lock(&store->db.copy_lock);
    pthread_mutex_lock(&store->writer);
    store->must_empty = true;
    status = store->failed;
    if (status == VD_OK) {
        status = vd_kdb_empty_log(&store->db, diag);
        if (status == VD_OK)
            store->must_empty = false;
        else if (status != VD_E_NO_SPACE && status != VD_E_NO_MEMORY)
            vd_kstore_fail(store, status);
    }
    pthread_mutex_unlock(&store->writer);
    pthread_mutex_unlock(&store->db.copy_lock);
    return status;
}

/* True if something overwritten may still be in the log, since emptying it failed. */
static bool log_is_due(struct vd_kstore *store)
{
    bool due;

    pthread_mutex_lock(&store->writer);
    due = store->must_empty;
    pthread_mutex_unlock(&store->writer);
    return due;
}

static vd_status put_state(struct vd_ktxn *txn, struct vd_kentry *entry, struct vd_krec *key,
                           struct vd_diag *diag)
{
    struct vd_kput put = {.entry = entry, .old = entry->key, .record = key};

    return vd_ktxn_put(txn, &put, diag);
}

static vd_status put_schedule(struct vd_ktxn *txn, const uint8_t *id, uint64_t at,
                              struct vd_diag *diag)
{
    struct vd_kentry *entry;
    struct vd_krec key;

    VD_TRY(vd_ktxn_key(txn, id, &entry, &key, diag));
    if (at < txn->header.latest_time || at > VD_KSTORE_TIME_MAX)
        return vd_diag_fail(diag, VD_E_INVALID, "the time to destroy a key is not before now");
    if (key.key.state == VD_KSTORE_SCHEDULED && key.key.destroy_at <= txn->header.latest_time)
        return vd_diagf(diag, VD_E_REVOKED, "the time of the key %s has come",
                        key.key.attributes.name);
    key.key.state = VD_KSTORE_SCHEDULED;
    key.key.destroy_at = at;
    txn->raise = true;
    return put_state(txn, entry, &key, diag);
}

vd_status vd_kstore_schedule(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                             uint64_t at, uint64_t now, struct vd_diag *diag)
{
    struct vd_ktxn txn;

    VD_TRY(vd_ktxn_begin(&txn, store, now, diag));
    return vd_ktxn_end(&txn, put_schedule(&txn, id, at, diag), diag);
}

static vd_status put_undo(struct vd_ktxn *txn, const uint8_t *id, struct vd_diag *diag)
{
    struct vd_kentry *entry;
    struct vd_krec key;

    VD_TRY(vd_ktxn_key(txn, id, &entry, &key, diag));
    if (key.key.state != VD_KSTORE_SCHEDULED)
        return vd_diagf(diag, VD_E_USAGE, "the key %s is not to be destroyed",
                        key.key.attributes.name);
    if (key.key.destroy_at <= txn->header.latest_time)
        return vd_diagf(diag, VD_E_REVOKED, "the time of the key %s has come",
                        key.key.attributes.name);
    key.key.state = VD_KSTORE_ACTIVE;
    key.key.destroy_at = 0;
    return put_state(txn, entry, &key, diag);
}

vd_status vd_kstore_undo(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE], uint64_t now,
                         struct vd_diag *diag)
{
    struct vd_ktxn txn;

    VD_TRY(vd_ktxn_begin(&txn, store, now, diag));
    return vd_ktxn_end(&txn, put_undo(&txn, id, diag), diag);
}

/* The row stays, with zeros in the place of the blob: SQLite overwrites it where it lies. */
static vd_status erase_version(struct vd_ktxn *txn, struct vd_kentry *entry, size_t at,
                               struct vd_diag *diag)
{
    struct vd_krec record;
    struct vd_kput put = {.entry = entry, .old = entry->versions[at], .record = &record};
    struct vd_kmaterial none = {};

    vd_krow_record(put.old, &record);
    if (record.version.destroyed)
        return VD_OK;
    record.version.destroyed = true;
    txn->erases = true;
    return vd_ktxn_put_version(txn, &put, &none, diag);
}

/* Also after a commit whose counter could not be raised the log is emptied. */
static vd_status end_erasing(struct vd_ktxn *txn, vd_status status, struct vd_diag *diag)
{
    struct vd_kstore *store = txn->store;

    status = vd_ktxn_end(txn, status, diag);
    if (log_is_due(store)) {
        vd_status emptied = vd_kstore_empty_log(store, diag);
        status = status != VD_OK ? status : emptied;
    }
    return status;
}

static vd_status put_erased(struct vd_ktxn *txn, const uint8_t *id, uint32_t version,
                            struct vd_diag *diag)
{
    struct vd_kentry *entry;
    struct vd_krec key, record;

    VD_TRY(vd_ktxn_key(txn, id, &entry, &key, diag));
    if (version == 0 || version > entry->version_count)
        return vd_diagf(diag, VD_E_NOT_FOUND, "the key %s has no version %u",
                        key.key.attributes.name, version);
    if (version == entry->version_count)
        return vd_diag_fail(diag, VD_E_USAGE, "the newest version is destroyed with its key alone");
    vd_krow_record(entry->versions[version - 1], &record);
    if (record.version.destroyed)
        return vd_diag_fail(diag, VD_E_REVOKED, "this version has been destroyed");
    txn->raise = true;
    VD_TRY(erase_version(txn, entry, version - 1, diag));
    return put_state(txn, entry, &key, diag);
}

vd_status vd_kstore_destroy_version(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                                    uint32_t version, uint64_t now, struct vd_diag *diag)
{
    struct vd_ktxn txn;

    VD_TRY(vd_ktxn_begin(&txn, store, now, diag));
    return end_erasing(&txn, put_erased(&txn, id, version, diag), diag);
}

static vd_status put_destroyed(struct vd_ktxn *txn, struct vd_kentry *entry, struct vd_krec *key,
                               struct vd_diag *diag)
{
    key->key.state = VD_KSTORE_DESTROYED;
    key->key.destroy_at = txn->header.latest_time;
    VD_TRY(put_state(txn, entry, key, diag));
    for (size_t i = 0; i < entry->version_count; i++)
        VD_TRY(erase_version(txn, entry, i, diag));
    for (size_t i = 0; i < entry->attached_count; i++)
        VD_TRY(vd_ktxn_remove(txn, entry, entry->attached[i], diag));
    return entry->usage != NULL ? vd_ktxn_remove(txn, entry, entry->usage, diag) : VD_OK;
}

static vd_status put_due(struct vd_ktxn *txn, size_t *count, struct vd_diag *diag)
{
    struct vd_kindex *index = &txn->store->index;

    for (size_t i = 0; i < index->count && *count < PURGE_MAX; i++) {
        struct vd_krec key;
        vd_krow_record(index->order[i]->key, &key);
        if (key.key.state != VD_KSTORE_SCHEDULED || key.key.destroy_at > txn->header.latest_time)
            continue;
        VD_TRY(put_destroyed(txn, index->order[i], &key, diag));
        ++*count;
    }
    txn->raise = *count != 0;
    return VD_OK;
}

static bool any_scheduled(struct vd_kstore *store)
{
    bool any;

    pthread_rwlock_rdlock(&store->index_lock);
    any = store->scheduled != 0;
    pthread_rwlock_unlock(&store->index_lock);
    return any;
}

vd_status vd_kstore_purge(struct vd_kstore *store, uint64_t now, size_t *ret_count,
                          struct vd_diag *diag)
{
    size_t total = 0, count = PURGE_MAX;

    while (count == PURGE_MAX && any_scheduled(store)) {
        struct vd_ktxn txn;
        vd_status status;

        count = 0;
        VD_TRY(vd_ktxn_begin(&txn, store, now, diag));
        /* The order stands still: a list of names would sort it. */
        pthread_mutex_lock(&store->list);
        status = put_due(&txn, &count, diag);
        pthread_mutex_unlock(&store->list);
        if (status == VD_OK && count == 0) {
            vd_ktxn_cancel(&txn);
            break;
        }
        VD_TRY(end_erasing(&txn, status, diag));
        total += count;
    }
    if (log_is_due(store)) /* emptying failed before */
        VD_TRY(vd_kstore_empty_log(store, diag));
    *ret_count = total;
    return VD_OK;
}
