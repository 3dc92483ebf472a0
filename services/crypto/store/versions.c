/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The material of versions: written, read, written anew; and reading any row's body. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/store/internal.h"

vd_status vd_ktxn_put_version(struct vd_ktxn *txn, const struct vd_kput *put,
                              const struct vd_kmaterial *from, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes body = {};
    struct vd_krec *record = put->record;
    struct vd_kcrypt_place place = {
        .version = record, .attributes = from->attributes, .public_part = from->public_part};
    struct vd_kput with_body = *put;

    record->generation = txn->header.generation;
    vd_copy(record->id, put->entry->id, sizeof(record->id));
    body.size = vd_krec_body_size(record);
    body.data = calloc(1, body.size + 1);
    if (body.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a key");
    if (!record->version.destroyed) {
        if (record->version.public_size != 0)
            vd_copy(body.data, from->public_part, record->version.public_size);
        if (record->version.material_size != 0)
            VD_TRY(vd_kcrypt_wrap(txn->crypt, &place, from->material,
                                  body.data + record->version.public_size, diag));
    }
    with_body.body = body.data;
    return vd_ktxn_put(txn, &with_body, diag);
}

vd_status vd_krow_body(struct vd_kstore *store, const struct vd_krow *row, struct vd_bytes *ret,
                       bool *ret_stale, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes body = {};
    struct vd_krec_row view = vd_krow_view(row);
    uint8_t tag[VD_KREC_MAC_SIZE];
    struct vd_krec record;
    vd_status status;

    *ret_stale = false;
    vd_krow_record(row, &record);
    if (row->has_body) {
        body.data = malloc((size_t)row->body_size + 1);
        if (body.data == NULL)
            return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a row");
        body.size = row->body_size;
        if (body.size != 0)
            vd_copy(body.data, view.body, body.size);
        body.data[body.size] = 0;
    } else {
        status = vd_kdb_body(&store->db, record.table, row->seq, &body, diag);
        *ret_stale = status == VD_E_NOT_FOUND;
        if (status != VD_OK)
            return status == VD_E_NOT_FOUND ? VD_E_SIGNATURE : status;
    }
    if (row->body_size != 0) {
        view.body = body.data;
        view.body_size = body.size;
        VD_TRY(vd_kcrypt_tag(store->crypt, &view, tag, diag));
        if (body.size != row->body_size || !vd_ct_equal(tag, row->tag, sizeof(tag))) {
            *ret_stale = !row->has_body;
            return VD_E_SIGNATURE;
        }
    }
    *ret = body;
    body = (struct vd_bytes){};
    return VD_OK;
}

void vd_kstore_lock_reading(struct vd_kstore *store, bool still)
{
    if (still)
        pthread_mutex_lock(&store->writer);
    pthread_rwlock_rdlock(&store->index_lock);
}

void vd_kstore_unlock_reading(struct vd_kstore *store, bool still)
{
    pthread_rwlock_unlock(&store->index_lock);
    if (still)
        pthread_mutex_unlock(&store->writer);
}

vd_status vd_kstore_changed(const struct vd_kstore *store, struct vd_diag *diag)
{
    /* A commit that failed may have reached the disk after all. */
    if (store->failed != VD_OK)
        return vd_diag_fail(diag, store->failed, "the store's disk failed before");
    return vd_diag_fail(diag, VD_E_SIGNATURE, "a row of the store was changed by someone else");
}

/* The material of a version whose row and key are given. */
static vd_status open_material(struct vd_kstore *store, const struct vd_krow *row,
                               const struct vd_kstore_attributes *attributes, struct vd_secret *ret,
                               bool *ret_stale)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes body = {};
    struct vd_kcrypt_place place = {.attributes = attributes};
    struct vd_krec record;

    VD_TRY(vd_krow_body(store, row, &body, ret_stale, NULL));
    vd_krow_record(row, &record);
    place.version = &record;
    place.public_part = body.data;
    return record.version.material_size == 0
               ? vd_secret_init(ret, 0, NULL)
               : vd_kcrypt_unwrap(store->crypt, &place, body.data + record.version.public_size, ret,
                                  NULL);
}

static vd_status tell(struct vd_kstore *store, vd_status status, struct vd_diag *diag)
{
    if (status == VD_E_NOT_FOUND)
        return vd_diag_fail(diag, status, "there is no such key or version");
    if (status == VD_E_REVOKED)
        return vd_diag_fail(diag, status, "the key or this version of it has been destroyed");
    if (status == VD_E_SIGNATURE)
        return vd_kstore_changed(store, diag);
    return status == VD_OK ? VD_OK : vd_diag_fail(diag, status, "the key cannot be read");
}

vd_status vd_ktxn_rewrap(struct vd_ktxn *txn, struct vd_kentry *entry,
                         const struct vd_kstore_attributes *attributes, struct vd_diag *diag)
{
    struct vd_kstore *store = txn->store;
    struct vd_krec key;

    vd_krow_record(entry->key, &key);
    for (size_t i = 0; i < entry->version_count; i++) {
        VD_AUTO(vd_secret_done) struct vd_secret material = {};
        VD_AUTO(vd_bytes_free) struct vd_bytes body = {};
        struct vd_krec record;
        struct vd_kput put = {.entry = entry, .old = entry->versions[i], .record = &record};
        struct vd_kmaterial from = {.attributes = attributes, .material = &material};
        bool stale;

        vd_krow_record(put.old, &record);
        if (!record.version.destroyed) {
            vd_status status = vd_krow_body(store, put.old, &body, &stale, diag);
            if (status == VD_OK)
                status = open_material(store, put.old, &key.key.attributes, &material, &stale);
            if (status != VD_OK)
                return tell(store, status, diag);
            from.public_part = body.data;
        }
        VD_TRY(vd_ktxn_put_version(txn, &put, &from, diag));
    }
    return VD_OK;
}

/* The row of a version (0: the newest) and its key's attributes. */
static vd_status find_version(struct vd_kstore *store, const uint8_t *id, uint32_t version,
                              struct vd_krow **ret, struct vd_krec *ret_key)
{
    struct vd_kentry *entry = vd_kindex_get(&store->index, id);
    struct vd_krec record;

    if (entry == NULL)
        return VD_E_NOT_FOUND;
    vd_krow_record(entry->key, ret_key);
    if (ret_key->key.state == VD_KSTORE_DESTROYED)
        return VD_E_REVOKED;
    if (version > entry->version_count)
        return VD_E_NOT_FOUND;
    *ret = entry->versions[version == 0 ? entry->version_count - 1 : version - 1];
    vd_krow_record(*ret, &record);
    return record.version.destroyed ? VD_E_REVOKED : VD_OK;
}

vd_status vd_kstore_load(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                         uint32_t version, struct vd_secret *ret, struct vd_diag *diag)
{
    for (bool still = false;; still = true) {
        struct vd_krow *row;
        struct vd_krec key;
        bool stale = false;
        vd_status status;

        vd_kstore_lock_reading(store, still);
        status = find_version(store, id, version, &row, &key);
        if (status == VD_OK)
            status = open_material(store, row, &key.key.attributes, ret, &stale);
        vd_kstore_unlock_reading(store, still);
        if (!stale || still)
            return tell(store, status, diag);
    }
}

static vd_status copy_public(struct vd_kstore *store, const struct vd_krow *row,
                             struct vd_bytes *ret, bool *ret_stale)
{
    struct vd_bytes body;
    struct vd_krec record;

    VD_TRY(vd_krow_body(store, row, &body, ret_stale, NULL));
    vd_krow_record(row, &record);
    body.size = record.version.public_size;
    body.data[body.size] = 0;
    *ret = body;
    return VD_OK;
}

vd_status vd_kstore_public(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                           uint32_t version, struct vd_bytes *ret, struct vd_diag *diag)
{
    for (bool still = false;; still = true) {
        struct vd_krow *row;
        struct vd_krec key;
        bool stale = false;
        vd_status status;

        vd_kstore_lock_reading(store, still);
        status = find_version(store, id, version, &row, &key);
        if (status == VD_OK)
            status = copy_public(store, row, ret, &stale);
        vd_kstore_unlock_reading(store, still);
        if (!stale || still)
            return tell(store, status, diag);
    }
}

vd_status vd_kstore_version(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                            uint32_t version, struct vd_kstore_version *ret)
{
    struct vd_kentry *entry;
    struct vd_krec record;
    vd_status status = VD_E_NOT_FOUND;

    pthread_rwlock_rdlock(&store->index_lock);
    entry = vd_kindex_get(&store->index, id);
    if (entry != NULL && version <= entry->version_count) {
        vd_krow_record(entry->versions[version == 0 ? entry->version_count - 1 : version - 1],
                       &record);
        *ret = (struct vd_kstore_version){
            .version = record.version.version,
            .destroyed = record.version.destroyed,
            .created = record.version.created,
            .material_size = record.version.destroyed ? 0 : record.version.material_size,
            .public_size = record.version.destroyed ? 0 : record.version.public_size,
        };
        status = VD_OK;
    }
    pthread_rwlock_unlock(&store->index_lock);
    return status;
}
