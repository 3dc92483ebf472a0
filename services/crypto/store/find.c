/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What readers ask: status, time, keys by name and id, lists. */
#include <string.h>

#include "core/base/mem.h"
#include "services/crypto/store/internal.h"

void vd_kstore_status(struct vd_kstore *store, struct vd_kstore_status *ret)
{
    *ret = (struct vd_kstore_status){};
    ret->latest_time = vd_kstore_now(store, 0);
    pthread_rwlock_rdlock(&store->index_lock);
    vd_copy(ret->store_id, store->crypt->store_id, sizeof(ret->store_id));
    ret->generation = store->header.generation;
    ret->keys = store->index.count;
    ret->counter = store->header.expected;
    ret->restored = store->header.restored;
    ret->unanchored = store->unanchored;
    ret->failed = store->failed;
    pthread_rwlock_unlock(&store->index_lock);
}

uint64_t vd_kstore_now(struct vd_kstore *store, uint64_t now)
{
    uint64_t seen = __atomic_load_n(&store->latest_seen, __ATOMIC_RELAXED);

    while (now > seen && !__atomic_compare_exchange_n(&store->latest_seen, &seen, now, true,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
    return now > seen ? now : seen;
}

void vd_kentry_describe(const struct vd_kentry *entry, struct vd_kstore_key *ret)
{
    struct vd_krec key, usage = {};

    vd_krow_record(entry->key, &key);
    if (entry->usage != NULL)
        vd_krow_record(entry->usage, &usage);
    *ret = (struct vd_kstore_key){
        .attributes = key.key.attributes,
        .state = key.key.state,
        .versions = key.key.versions,
        .generation = key.generation,
        .attached = (uint32_t)entry->attached_count,
        .revision = key.generation > entry->attached_at ? key.generation : entry->attached_at,
        .created = key.key.created,
        .destroy_at = key.key.destroy_at,
        .used = usage.usage.reserved,
    };
    vd_copy(ret->id, entry->id, sizeof(ret->id));
}

vd_status vd_kstore_find(struct vd_kstore *store, const char *name, struct vd_kstore_key *ret)
{
    size_t size = strnlen(name, VD_KSTORE_NAME_MAX + 1);
    struct vd_kentry *entry;

    if (size > VD_KSTORE_NAME_MAX)
        return VD_E_NOT_FOUND;
    pthread_rwlock_rdlock(&store->index_lock);
    entry = vd_kindex_find(&store->index, name, size);
    if (entry != NULL)
        vd_kentry_describe(entry, ret);
    pthread_rwlock_unlock(&store->index_lock);
    return entry != NULL ? VD_OK : VD_E_NOT_FOUND;
}

vd_status vd_kstore_get(struct vd_kstore *store, const uint8_t id[VD_KSTORE_ID_SIZE],
                        struct vd_kstore_key *ret)
{
    struct vd_kentry *entry;

    pthread_rwlock_rdlock(&store->index_lock);
    entry = vd_kindex_get(&store->index, id);
    if (entry != NULL)
        vd_kentry_describe(entry, ret);
    pthread_rwlock_unlock(&store->index_lock);
    return entry != NULL ? VD_OK : VD_E_NOT_FOUND;
}

vd_status vd_kstore_list(struct vd_kstore *store, const struct vd_kstore_page *page,
                         size_t *ret_count)
{
    struct vd_kindex *index = &store->index;
    size_t prefix = strlen(page->prefix), n = 0, at;
    vd_status status;

    pthread_mutex_lock(&store->list);
    pthread_rwlock_rdlock(&store->index_lock);
    status = vd_kindex_sort(index, NULL);
    if (status == VD_OK) {
        at = vd_kindex_place(index, page->prefix, NULL);
        if (page->after != NULL) {
            size_t behind = vd_kindex_place(index, page->after->attributes.name, page->after->id);
            at = behind > at ? behind : at;
        }
        for (; n < page->max && at < index->count; at++, n++) {
            size_t size;
            const char *name = vd_krec_name(index->order[at]->key->data, &size);
            if (size < prefix || memcmp(name, page->prefix, prefix) != 0)
                break;
            vd_kentry_describe(index->order[at], &page->keys[n]);
        }
        *ret_count = n;
    }
    pthread_rwlock_unlock(&store->index_lock);
    pthread_mutex_unlock(&store->list);
    return status;
}
