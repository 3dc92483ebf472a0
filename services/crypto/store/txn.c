/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/store/internal.h"

#define WAL_PAGES 1000 /* of 4 KiB: then the log is brought into the file */

static vd_status no_memory(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a change of the store");
}

void vd_kstore_fail(struct vd_kstore *store, vd_status status)
{
    pthread_rwlock_wrlock(&store->index_lock);
    store->failed = status;
    pthread_rwlock_unlock(&store->index_lock);
}

vd_status vd_ktxn_begin(struct vd_ktxn *txn, struct vd_kstore *store, uint64_t now,
                        struct vd_diag *diag)
{
    if (now > VD_KSTORE_TIME_MAX)
        return vd_diag_fail(diag, VD_E_INVALID, "the time is out of its range");
    pthread_mutex_lock(&store->writer);
    if (store->failed != VD_OK) {
        vd_status status = store->failed;
        pthread_mutex_unlock(&store->writer);
        return vd_diag_fail(diag, status,
                            "the store's disk failed before: it takes no changes until restarted");
    }
    *txn = (struct vd_ktxn){.store = store, .crypt = store->crypt, .header = store->header};
    vd_copy(txn->next_seq, store->next_seq, sizeof(txn->next_seq));
    /* One that a failed commit may have left on the disk is not used again. */
    txn->header.generation = ++store->generation;
    txn->header.latest_time = vd_kstore_now(store, now);
    txn->scheduled = store->scheduled;
    return VD_OK;
}

static void xor_entry(uint8_t set[VD_KREC_MAC_SIZE], const struct vd_krow *row)
{
    for (uint32_t i = 0; i < VD_KREC_MAC_SIZE; i++)
        set[i] ^= row->entry[i];
}

static vd_status add_change(struct vd_ktxn *txn, const struct vd_kchange *change,
                            struct vd_diag *diag)
{
    if (txn->count == txn->room) {
        size_t room = txn->room == 0 ? 8 : txn->room * 2;
        struct vd_kchange *grown = reallocarray(txn->changes, room, sizeof(*grown));
        if (grown == NULL)
            return no_memory(diag);
        txn->changes = grown;
        txn->room = room;
    }
    txn->changes[txn->count++] = *change;
    if (change->old != NULL && !txn->rebuild)
        xor_entry(txn->header.set, change->old);
    if (change->new != NULL)
        xor_entry(txn->header.set, change->new);
    txn->header.rows += (change->old == NULL) - (change->new == NULL);
    txn->new_keys += change->table == VD_KREC_KEY && change->old == NULL;
    return VD_OK;
}

static void count_scheduled(struct vd_ktxn *txn, const struct vd_kput *put)
{
    struct vd_krec before;

    if (put->record->table != VD_KREC_KEY)
        return;
    if (put->old != NULL) {
        vd_krow_record(put->old, &before);
        txn->scheduled -= before.key.state == VD_KSTORE_SCHEDULED;
    }
    txn->scheduled += put->record->key.state == VD_KSTORE_SCHEDULED;
}

static vd_status keep_body(const struct vd_krow *row, const struct vd_kput *put, uint8_t **ret,
                           struct vd_diag *diag)
{
    if (row->has_body)
        return VD_OK;
    *ret = malloc(row->body_size);
    if (*ret == NULL)
        return no_memory(diag);
    vd_copy(*ret, put->body, row->body_size);
    return VD_OK;
}

vd_status vd_ktxn_put(struct vd_ktxn *txn, const struct vd_kput *put, struct vd_diag *diag)
{
    struct vd_kchange change = {.table = put->record->table, .entry = put->entry, .old = put->old};
    uint8_t head[VD_KREC_HEAD_MAX], tag[VD_KREC_MAC_SIZE];
    struct vd_krec_row row = {.head = head, .body = put->body};
    struct vd_writer w;
    vd_status status;

    put->record->generation = txn->header.generation;
    vd_copy(put->record->id, put->entry->id, sizeof(put->record->id));
    vd_writer_init(&w, head, sizeof(head));
    vd_krec_encode(put->record, &w);
    VD_TRY(vd_write_done(&w));
    row.head_size = w.len;
    row.body_size = vd_krec_body_size(put->record);
    row.seq = put->old != NULL ? put->old->seq : txn->next_seq[change.table];
    if (row.body_size != 0) {
        VD_TRY(vd_kcrypt_tag(txn->crypt, &row, tag, diag));
        row.tag = tag;
    }
    VD_TRY(vd_krow_new(txn->crypt, &row, &change.new, diag));
    status = keep_body(change.new, put, &change.body, diag);
    if (status == VD_OK)
        status = add_change(txn, &change, diag);
    if (status != VD_OK) {
        free(change.new);
        free(change.body);
        return status;
    }
    txn->next_seq[change.table] += put->old == NULL;
    count_scheduled(txn, put);
    return VD_OK;
}

vd_status vd_ktxn_remove(struct vd_ktxn *txn, struct vd_kentry *entry, struct vd_krow *old,
                         struct vd_diag *diag)
{
    struct vd_kchange change = {.entry = entry, .old = old};
    struct vd_krec record;

    vd_krow_record(old, &record);
    change.table = record.table;
    return add_change(txn, &change, diag);
}

static vd_status write_change(struct vd_kdb *db, const struct vd_kchange *change,
                              struct vd_diag *diag)
{
    struct vd_krec_row row;

    if (change->new == NULL)
        return vd_kdb_remove(db, change->table, change->old->seq, diag);
    row = vd_krow_view(change->new);
    if (change->body != NULL)
        row.body = change->body;
    return change->old == NULL ? vd_kdb_insert(db, change->table, &row, diag)
                               : vd_kdb_update(db, change->table, &row, diag);
}

static vd_status write_all(struct vd_ktxn *txn, struct vd_diag *diag)
{
    struct vd_kdb *db = &txn->store->db;
    uint8_t header[VD_KREC_HEADER_SIZE];

    VD_TRY(vd_kcrypt_seal_header(txn->crypt, &txn->header, header, diag));
    VD_TRY(vd_kdb_begin(db, diag));
    for (size_t i = 0; i < txn->count; i++)
        VD_TRY(write_change(db, &txn->changes[i], diag));
    return vd_kdb_commit(db, header, diag);
}

/* Only where nothing is unknown may the store go on after a failure. */
static vd_status write_or_fail(struct vd_ktxn *txn, struct vd_diag *diag)
{
    vd_status status = write_all(txn, diag);
    bool known = status == VD_E_NO_SPACE || status == VD_E_NO_MEMORY || status == VD_E_BUSY;

    if (status != VD_OK && (vd_kdb_rollback(&txn->store->db) != VD_OK || !known))
        vd_kstore_fail(txn->store, status);
    return status;
}

/* Room for `need` pointers; readers see the old array or the new one. */
static vd_status grow(struct vd_kstore *store, struct vd_krow ***array, size_t *room, size_t need)
{
    struct vd_krow **old = *array, **grown;
    size_t places = *room == 0 ? 1 : *room;

    if (need <= *room)
        return VD_OK;
    while (places < need)
        places *= 2;
    grown = calloc(places, sizeof(struct vd_krow *));
    if (grown == NULL)
        return VD_E_NO_MEMORY;
    if (*room != 0)
        vd_copy(grown, old, *room * sizeof(struct vd_krow *));
    pthread_rwlock_wrlock(&store->index_lock);
    *array = grown;
    *room = places;
    pthread_rwlock_unlock(&store->index_lock);
    free(old);
    return VD_OK;
}

/* All memory that putting in place will need. */
static vd_status make_room(struct vd_ktxn *txn, struct vd_diag *diag)
{
    struct vd_kstore *store = txn->store;
    struct vd_kindex larger;
    vd_status status = VD_OK;

    for (size_t i = 0; i < txn->count && status == VD_OK; i++) {
        struct vd_kentry *entry = txn->changes[i].entry;
        if (txn->changes[i].old != NULL)
            continue;
        if (txn->changes[i].table == VD_KREC_VERSION)
            status = grow(store, &entry->versions, &entry->version_room, entry->version_count + 1);
        else if (txn->changes[i].table == VD_KREC_ATTACHMENT)
            status = grow(store, &entry->attached, &entry->attached_room,
                          entry->attached_count + txn->count);
    }
    if (status != VD_OK)
        return no_memory(diag);
    if (vd_kindex_has_room(&store->index, txn->new_keys))
        return VD_OK;
    pthread_mutex_lock(&store->list); /* the order stands still while it is copied */
    status = vd_kindex_grow(&store->index, txn->new_keys, &larger, diag);
    if (status == VD_OK) {
        struct vd_kindex old = store->index;
        pthread_rwlock_wrlock(&store->index_lock);
        store->index = larger;
        pthread_rwlock_unlock(&store->index_lock);
        vd_kindex_drop(&old);
    }
    pthread_mutex_unlock(&store->list);
    return status;
}

static void put_attachment(struct vd_kentry *entry, const struct vd_kchange *change)
{
    const struct vd_krow *row = change->new != NULL ? change->new : change->old;
    struct vd_krec record;
    bool same;
    size_t at;

    vd_krow_record(row, &record);
    at = vd_kentry_place(entry, &record.attachment.what, &same);
    if (change->new != NULL && same) {
        entry->attached[at] = change->new;
    } else if (change->new != NULL) {
        memmove(entry->attached + at + 1, entry->attached + at,
                (entry->attached_count - at) * sizeof(struct vd_krow *));
        entry->attached[at] = change->new;
        entry->attached_count++;
    } else {
        entry->attached_count--;
        memmove(entry->attached + at, entry->attached + at + 1,
                (entry->attached_count - at) * sizeof(struct vd_krow *));
    }
}

static void put_in_place(struct vd_kstore *store, struct vd_kchange *change)
{
    struct vd_kentry *entry = change->entry;
    struct vd_krec record;

    if (change->table == VD_KREC_KEY) {
        entry->key = change->new;
        if (change->old == NULL)
            vd_kindex_add(&store->index, entry);
    } else if (change->table == VD_KREC_VERSION) {
        vd_krow_record(change->new, &record);
        entry->versions[record.version.version - 1] = change->new;
        entry->version_count += change->old == NULL;
    } else if (change->table == VD_KREC_ATTACHMENT) {
        put_attachment(entry, change);
        entry->attached_at = store->generation; /* this change's: one writer at a time */
    } else {
        entry->usage = change->new;
    }
    free(change->old);
    change->old = NULL;
    change->new = NULL;
}

static void publish(struct vd_ktxn *txn)
{
    struct vd_kstore *store = txn->store;
    struct vd_kcrypt *old = NULL;

    pthread_rwlock_wrlock(&store->index_lock);
    for (size_t i = 0; i < txn->count; i++)
        put_in_place(store, &txn->changes[i]);
    store->header = txn->header;
    store->scheduled = txn->scheduled;
    vd_copy(store->next_seq, txn->next_seq, sizeof(store->next_seq));
    if (txn->crypt != store->crypt) {
        old = store->crypt;
        store->crypt = txn->crypt;
    }
    pthread_rwlock_unlock(&store->index_lock);
    vd_kcrypt_free(old);
}

static vd_status commit(struct vd_ktxn *txn, struct vd_diag *diag)
{
    struct vd_kstore *store = txn->store;
    bool raise = txn->raise && store->counter != NULL;

    if (raise) {
        VD_TRY(vd_kcounter_settle(store, diag));
        if (!VD_ADD(txn->header.expected, 1, &txn->header.expected))
            return vd_diag_fail(diag, VD_E_OVERFLOW, "the counter is at its end");
    }
    VD_TRY(make_room(txn, diag));
    VD_TRY(write_or_fail(txn, diag));
    publish(txn);
    store->must_empty = store->must_empty || txn->erases;
    /* What was committed stands; only the next change learns that the file cannot be written. */
    if (store->db.wal_pages >= WAL_PAGES) {
        vd_status status = vd_kdb_checkpoint(&store->db, NULL);
        if (status != VD_OK && status != VD_E_NO_SPACE && status != VD_E_NO_MEMORY)
            vd_kstore_fail(store, status);
    }
    return raise ? vd_kcounter_raise(store, diag) : VD_OK;
}

static void release(struct vd_ktxn *txn)
{
    struct vd_kstore *store = txn->store;

    for (size_t i = 0; i < txn->count; i++) {
        struct vd_kchange *change = &txn->changes[i];
        /* What has been put in place is no longer here. */
        if (change->table == VD_KREC_KEY && change->old == NULL && change->new != NULL)
            vd_kentry_free(change->entry);
        free(change->new);
        free(change->body);
    }
    free(txn->changes);
    if (txn->crypt != store->crypt)
        vd_kcrypt_free(txn->crypt);
    pthread_mutex_unlock(&store->writer);
}

vd_status vd_ktxn_end(struct vd_ktxn *txn, vd_status status, struct vd_diag *diag)
{
    if (status == VD_OK)
        status = commit(txn, diag);
    release(txn);
    return status;
}

void vd_ktxn_cancel(struct vd_ktxn *txn)
{
    release(txn);
}

vd_status vd_ktxn_key(struct vd_ktxn *txn, const uint8_t *id, struct vd_kentry **ret_entry,
                      struct vd_krec *ret_key, struct vd_diag *diag)
{
    struct vd_kentry *entry = vd_kindex_get(&txn->store->index, id);
    struct vd_krec key;

    if (entry == NULL)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "there is no such key");
    vd_krow_record(entry->key, &key);
    if (key.key.state == VD_KSTORE_DESTROYED)
        return vd_diagf(diag, VD_E_REVOKED, "the key %s has been destroyed",
                        key.key.attributes.name);
    *ret_entry = entry;
    *ret_key = key;
    return VD_OK;
}
