/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/store/index.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/htab.h"
#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/store/db.h"

#define FIRST_PLACES 64u
#define WHAT_OFFSET  26u /* of an attachment's kind and name in its head */

static vd_status no_memory(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the keys");
}

vd_status vd_krow_new(struct vd_kcrypt *crypt, const struct vd_krec_row *from, struct vd_krow **ret,
                      struct vd_diag *diag)
{
    bool has_body = from->body != NULL && from->body_size <= VD_KDB_INLINE;
    size_t size = from->head_size + (has_body ? from->body_size : 0);
    struct vd_krow *row = malloc(sizeof(*row) + size);
    vd_status status;

    if (row == NULL)
        return no_memory(diag);
    *row = (struct vd_krow){.seq = from->seq,
                            .head_size = (uint32_t)from->head_size,
                            .body_size = (uint32_t)from->body_size,
                            .has_body = has_body || from->body_size == 0};
    if (from->tag != NULL)
        vd_copy(row->tag, from->tag, sizeof(row->tag));
    vd_copy(row->data, from->head, from->head_size);
    if (has_body)
        vd_copy(row->data + from->head_size, from->body, from->body_size);
    status = vd_kcrypt_entry(crypt, from, row->entry, diag);
    if (status != VD_OK) {
        free(row);
        return status;
    }
    *ret = row;
    return VD_OK;
}

struct vd_krec_row vd_krow_view(const struct vd_krow *row)
{
    return (struct vd_krec_row){
        .seq = row->seq,
        .head = row->data,
        .head_size = row->head_size,
        .tag = row->body_size == 0 ? NULL : row->tag,
        .body = row->has_body ? row->data + row->head_size : NULL,
        .body_size = row->body_size,
    };
}

void vd_krow_record(const struct vd_krow *row, struct vd_krec *ret)
{
    if (vd_krec_parse(row->data, row->head_size, ret, NULL) != VD_OK)
        abort(); /* it was parsed before, or we wrote it */
}

void vd_kentry_free(struct vd_kentry *entry)
{
    if (entry == NULL)
        return;
    for (size_t i = 0; i < entry->version_count; i++)
        free(entry->versions[i]);
    for (size_t i = 0; i < entry->attached_count; i++)
        free(entry->attached[i]);
    free(entry->key);
    free(entry->versions);
    free(entry->attached);
    free(entry->usage);
    free(entry);
}

static int compare_bytes(const void *a, size_t a_size, const void *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* Kind, then name, as they stand in both heads. */
static int compare_what(const uint8_t *a, const uint8_t *b)
{
    unsigned a_kind = a[0] | (unsigned)a[1] << 8, b_kind = b[0] | (unsigned)b[1] << 8;

    if (a_kind != b_kind)
        return a_kind < b_kind ? -1 : 1;
    return compare_bytes(a + 3, a[2], b + 3, b[2]);
}

static int compare_attached(const void *a, const void *b)
{
    return compare_what((*(struct vd_krow *const *)a)->data + WHAT_OFFSET,
                        (*(struct vd_krow *const *)b)->data + WHAT_OFFSET);
}

void vd_kentry_sort(struct vd_kentry *entry)
{
    if (entry->attached_count > 1)
        qsort(entry->attached, entry->attached_count, sizeof(struct vd_krow *), compare_attached);
}

size_t vd_kentry_place(const struct vd_kentry *entry, const struct vd_kstore_attachment *what,
                       bool *ret_same)
{
    uint8_t wanted[3 + VD_KSTORE_ATTACH_NAME_MAX] = {(uint8_t)what->kind,
                                                     (uint8_t)(what->kind >> 8), what->name_size};
    size_t low = 0, high = entry->attached_count;

    vd_copy(wanted + 3, what->name, what->name_size);
    *ret_same = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_what(entry->attached[middle]->data + WHAT_OFFSET, wanted);
        if (order == 0)
            *ret_same = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t hash_id(const struct vd_kindex *index, const uint8_t *id)
{
    uint64_t word;

    vd_copy(&word, id, sizeof(word));
    return vd_hash_mix(word ^ index->seed);
}

static uint64_t hash_name(const struct vd_kindex *index, const char *name, size_t size)
{
    uint64_t hash = index->seed ^ size;

    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        vd_copy(&word, name + i, size - i < 8 ? size - i : 8);
        hash = vd_hash_mix(hash ^ word) + index->seed;
    }
    return hash;
}

static const char *name_of(const struct vd_kentry *entry, size_t *ret_size)
{
    return vd_krec_name(entry->key->data, ret_size);
}

static vd_status new_tables(struct vd_kindex *index, size_t places, struct vd_diag *diag)
{
    index->mask = places - 1;
    index->ids = calloc(places, sizeof(*index->ids));
    index->names = calloc(places, sizeof(*index->names));
    index->order = calloc(places, sizeof(*index->order));
    if (index->ids != NULL && index->names != NULL && index->order != NULL)
        return VD_OK;
    vd_kindex_drop(index);
    return no_memory(diag);
}

vd_status vd_kindex_init(struct vd_kindex *index, struct vd_diag *diag)
{
    struct vd_kindex fresh = {};

    VD_TRY(vd_kcrypt_random(&fresh.seed, sizeof(fresh.seed), diag));
    VD_TRY(new_tables(&fresh, FIRST_PLACES, diag));
    *index = fresh;
    return VD_OK;
}

void vd_kindex_drop(struct vd_kindex *index)
{
    free(index->ids);
    free(index->names);
    free(index->order);
    *index = (struct vd_kindex){};
}

void vd_kindex_done(struct vd_kindex *index)
{
    for (size_t i = 0; i < index->count; i++)
        vd_kentry_free(index->order[i]);
    vd_kindex_drop(index);
}

bool vd_kindex_has_room(const struct vd_kindex *index, size_t more)
{
    return index->count + more <= (index->mask + 1) / 2;
}

/* The place of a name, or the free one where it would stand. */
static struct vd_kslot *name_slot(const struct vd_kindex *index, const char *name, size_t size,
                                  uint64_t hash)
{
    size_t at = hash & index->mask;

    for (; index->names[at].entry != NULL; at = (at + 1) & index->mask) {
        size_t other_size;
        const char *other;
        if (index->names[at].hash != hash)
            continue;
        other = name_of(index->names[at].entry, &other_size);
        if (other_size == size && memcmp(other, name, size) == 0)
            break;
    }
    return &index->names[at];
}

void vd_kindex_name(struct vd_kindex *index, struct vd_kentry *entry)
{
    size_t size;
    const char *name = name_of(entry, &size);
    uint64_t hash = hash_name(index, name, size);

    *name_slot(index, name, size, hash) = (struct vd_kslot){.hash = hash, .entry = entry};
}

void vd_kindex_add(struct vd_kindex *index, struct vd_kentry *entry)
{
    uint64_t hash = hash_id(index, entry->id);
    size_t at = hash & index->mask;

    while (index->ids[at].entry != NULL)
        at = (at + 1) & index->mask;
    index->ids[at] = (struct vd_kslot){.hash = hash, .entry = entry};
    vd_kindex_name(index, entry);
    index->order[index->count++] = entry;
}

vd_status vd_kindex_grow(const struct vd_kindex *index, size_t more, struct vd_kindex *ret,
                         struct vd_diag *diag)
{
    struct vd_kindex larger = {.seed = index->seed};
    size_t places = index->mask + 1;

    while (index->count + more > places / 2)
        places *= 2;
    VD_TRY(new_tables(&larger, places, diag));
    for (size_t i = 0; i < index->count; i++)
        vd_kindex_add(&larger, index->order[i]);
    /* The same order, so what was sorted is; but a name's place is another's than the last's. */
    larger.ordered = index->ordered;
    for (size_t i = 0; i <= index->mask; i++) {
        if (index->names[i].entry != NULL)
            vd_kindex_name(&larger, index->names[i].entry);
    }
    *ret = larger;
    return VD_OK;
}

struct vd_kentry *vd_kindex_get(const struct vd_kindex *index, const uint8_t *id)
{
    uint64_t hash = hash_id(index, id);
    size_t at = hash & index->mask;

    for (; index->ids[at].entry != NULL; at = (at + 1) & index->mask) {
        if (index->ids[at].hash == hash &&
            memcmp(index->ids[at].entry->id, id, VD_KSTORE_ID_SIZE) == 0)
            return index->ids[at].entry;
    }
    return NULL;
}

struct vd_kentry *vd_kindex_find(const struct vd_kindex *index, const char *name, size_t size)
{
    return name_slot(index, name, size, hash_name(index, name, size))->entry;
}

static int compare_entry(const struct vd_kentry *a, const struct vd_kentry *b)
{
    size_t a_size, b_size;
    const char *a_name = name_of(a, &a_size), *b_name = name_of(b, &b_size);
    int order = compare_bytes(a_name, a_size, b_name, b_size);

    return order != 0 ? order : memcmp(a->id, b->id, sizeof(a->id));
}

static int compare_entries(const void *a, const void *b)
{
    return compare_entry(*(struct vd_kentry *const *)a, *(struct vd_kentry *const *)b);
}

vd_status vd_kindex_sort(struct vd_kindex *index, struct vd_diag *diag)
{
    size_t fresh = index->count - index->ordered, left = index->ordered, to = index->count;
    struct vd_kentry **tail;

    if (fresh == 0)
        return VD_OK;
    tail = malloc(fresh * sizeof(struct vd_kentry *));
    if (tail == NULL)
        return no_memory(diag);
    vd_copy(tail, index->order + index->ordered, fresh * sizeof(struct vd_kentry *));
    qsort(tail, fresh, sizeof(struct vd_kentry *), compare_entries);
    /* Merged from the end, so that nothing is overwritten before it has moved. */
    while (fresh > 0) {
        bool from_left = left > 0 && compare_entry(index->order[left - 1], tail[fresh - 1]) > 0;
        index->order[--to] = from_left ? index->order[--left] : tail[--fresh];
    }
    free(tail);
    index->ordered = index->count;
    return VD_OK;
}

size_t vd_kindex_place(const struct vd_kindex *index, const char *name, const uint8_t *id)
{
    size_t low = 0, high = index->count, size = strlen(name);

    while (low < high) {
        size_t middle = low + (high - low) / 2, other_size;
        const struct vd_kentry *entry = index->order[middle];
        const char *other = name_of(entry, &other_size);
        int order = compare_bytes(other, other_size, name, size);
        if (order == 0 && id != NULL)
            order = memcmp(entry->id, id, sizeof(entry->id)) <= 0 ? -1 : 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
