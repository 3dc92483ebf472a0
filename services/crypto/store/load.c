/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The start: every row is read, put into the index, and the whole compared with the header. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/store/internal.h"

#define SEQ_MAX (INT64_MAX / 2)

struct loading {
    struct vd_kstore *store;
    enum vd_krec_table table;
    uint8_t set[VD_KREC_MAC_SIZE];
    uint64_t rows;
    size_t next; /* place of the key whose version is expected */
};

static vd_status wrong(const struct loading *l, int64_t seq, struct vd_diag *diag)
{
    static const char *const names[VD_KREC_TABLES] = {"", "keys", "versions", "attachments",
                                                      "usages"};

    return vd_diagf(diag, VD_E_SIGNATURE, "row %lld of the store's %s was changed", (long long)seq,
                    names[l->table]);
}

static vd_status no_memory(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the keys");
}

/* Room for one more pointer; nobody else looks at the entry yet. */
static bool grow(struct vd_krow ***array, size_t *room, size_t count)
{
    size_t places = *room == 0 ? 1 : *room * 2;
    struct vd_krow **grown;

    if (count < *room)
        return true;
    grown = reallocarray(*array, places, sizeof(struct vd_krow *));
    if (grown == NULL)
        return false;
    *array = grown;
    *room = places;
    return true;
}

static vd_status make_room(struct vd_kindex *index, size_t more, struct vd_diag *diag)
{
    struct vd_kindex larger;

    if (vd_kindex_has_room(index, more))
        return VD_OK;
    VD_TRY(vd_kindex_grow(index, more, &larger, diag));
    vd_kindex_drop(index);
    *index = larger;
    return VD_OK;
}

static vd_status add_key(struct loading *l, const struct vd_krec *record, struct vd_krow *row,
                         struct vd_diag *diag)
{
    struct vd_kindex *index = &l->store->index;
    struct vd_kentry *entry, *named;
    bool gone = record->key.state == VD_KSTORE_DESTROYED;
    struct vd_krec other;

    if (vd_kindex_get(index, record->id) != NULL || index->count >= VD_KSTORE_KEYS_MAX)
        return wrong(l, row->seq, diag);
    VD_TRY(make_room(index, 1, diag));
    named = vd_kindex_find(index, record->key.attributes.name, strlen(record->key.attributes.name));
    if (named != NULL) {
        vd_krow_record(named->key, &other);
        if (other.key.state != VD_KSTORE_DESTROYED && !gone)
            return wrong(l, row->seq, diag);
    }
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return no_memory(diag);
    entry->versions = calloc(record->key.versions, sizeof(struct vd_krow *));
    if (entry->versions == NULL) {
        free(entry);
        return no_memory(diag);
    }
    entry->version_room = record->key.versions;
    vd_copy(entry->id, record->id, sizeof(entry->id));
    entry->key = row;
    vd_kindex_add(index, entry);
    if (named != NULL && gone && other.key.state != VD_KSTORE_DESTROYED)
        vd_kindex_name(index, named);
    l->store->scheduled += record->key.state == VD_KSTORE_SCHEDULED;
    return VD_OK;
}

/* First versions come in the order of their keys: looking there saves finding them by the id. */
static struct vd_kentry *entry_of(struct loading *l, const uint8_t *id)
{
    const struct vd_kindex *index = &l->store->index;

    if (l->next < index->count && memcmp(index->order[l->next]->id, id, VD_KSTORE_ID_SIZE) == 0)
        return index->order[l->next++];
    return vd_kindex_get(index, id);
}

static vd_status add_version(struct loading *l, const struct vd_krec *record, struct vd_krow *row,
                             struct vd_diag *diag)
{
    struct vd_kentry *entry = entry_of(l, record->id);

    /* Rows are appended, so versions come in order. */
    if (entry == NULL || record->version.version != entry->version_count + 1 ||
        entry->version_count == entry->version_room)
        return wrong(l, row->seq, diag);
    entry->versions[entry->version_count++] = row;
    return VD_OK;
}

static vd_status add_other(struct loading *l, const struct vd_krec *record, struct vd_krow *row,
                           struct vd_diag *diag)
{
    struct vd_kentry *entry = vd_kindex_get(&l->store->index, record->id);

    if (entry == NULL || (l->table == VD_KREC_USAGE && entry->usage != NULL))
        return wrong(l, row->seq, diag);
    if (l->table == VD_KREC_USAGE) {
        entry->usage = row;
        return VD_OK;
    }
    if (!grow(&entry->attached, &entry->attached_room, entry->attached_count))
        return no_memory(diag);
    entry->attached[entry->attached_count++] = row;
    if (record->generation > entry->attached_at)
        entry->attached_at = record->generation;
    return VD_OK;
}

static vd_status take_row(void *ctx, const struct vd_krec_row *from, struct vd_diag *diag)
{
    struct loading *l = ctx;
    struct vd_krec record;
    struct vd_krow *row;
    vd_status status;

    if (from->seq <= 0 || from->seq >= SEQ_MAX || from->head_size == 0 ||
        from->head_size > VD_KREC_HEAD_MAX ||
        vd_krec_parse(from->head, from->head_size, &record, NULL) != VD_OK ||
        record.table != l->table || record.generation > l->store->header.generation ||
        from->body_size != vd_krec_body_size(&record) ||
        (from->tag == NULL) != (from->body_size == 0))
        return wrong(l, from->seq, diag);
    VD_TRY(vd_krow_new(l->store->crypt, from, &row, diag));
    for (uint32_t i = 0; i < VD_KREC_MAC_SIZE; i++)
        l->set[i] ^= row->entry[i];
    l->rows++;
    l->store->next_seq[l->table] = row->seq + 1;
    if (l->table == VD_KREC_KEY)
        status = add_key(l, &record, row, diag);
    else if (l->table == VD_KREC_VERSION)
        status = add_version(l, &record, row, diag);
    else
        status = add_other(l, &record, row, diag);
    if (status != VD_OK)
        free(row);
    return status;
}

static vd_status check_entries(struct vd_kstore *store, struct vd_diag *diag)
{
    for (size_t i = 0; i < store->index.count; i++) {
        struct vd_kentry *entry = store->index.order[i];
        if (entry->version_count != entry->version_room)
            return vd_diag_fail(diag, VD_E_SIGNATURE, "versions of a key are missing");
        vd_kentry_sort(entry);
    }
    return VD_OK;
}

vd_status vd_kload(struct vd_kstore *store, struct vd_diag *diag)
{
    struct loading l = {.store = store};
    uint64_t guess = store->header.rows / 2; /* mostly a key and a version */

    VD_TRY(make_room(&store->index, guess < VD_KSTORE_KEYS_MAX ? guess : VD_KSTORE_KEYS_MAX, diag));
    for (uint32_t i = VD_KREC_KEY; i < VD_KREC_TABLES; i++) {
        l.table = (enum vd_krec_table)i;
        store->next_seq[i] = 1;
        VD_TRY(vd_kdb_scan(&store->db, l.table, take_row, &l, diag));
    }
    if (l.rows != store->header.rows || !vd_ct_equal(l.set, store->header.set, sizeof(l.set)))
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the store is not as it was left: rows were changed, removed or put "
                            "back from an older store");
    return check_entries(store, diag);
}
