/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/gen/pool.h"

#include <string.h>

#include "core/base/htab.h"

#define FIRST_SLOTS 256u

static uint32_t hash_bytes(const uint8_t *data, size_t size)
{
    /* Four lanes, so that a block of 768 bytes costs no chain of multiplications. */
    uint64_t lane[4] = {size, 0x9e3779b97f4a7c15u, 0x6a09e667f3bcc909u, 0x3c6ef372fe94f82bu};
    uint32_t last = 0;
    uint64_t words[4];

    for (; size >= 32; data += 32, size -= 32) {
        memcpy(words, data, 32);
        for (int i = 0; i < 4; i++) {
            lane[i] = (lane[i] ^ words[i]) * 0xbf58476d1ce4e5b9u;
            lane[i] ^= lane[i] >> 29;
        }
    }
    for (; size >= 4; data += 4, size -= 4) {
        memcpy(&last, data, 4);
        lane[0] = vd_hash_mix(lane[0] + last);
    }
    for (int i = 1; i < 4; i++)
        lane[0] = vd_hash_mix(lane[0] * 3 + lane[i]);
    return (uint32_t)(lane[0] ^ lane[0] >> 32);
}

void vd_sp_pool_init(struct vd_sp_pool *pool, struct vd_sp_arena *arena, uint32_t unit)
{
    *pool = (struct vd_sp_pool){.arena = arena, .unit = unit, .mask = FIRST_SLOTS - 1};
    pool->table = vd_sp_alloc_array(arena, FIRST_SLOTS, sizeof(*pool->table));
}

static uint32_t *find_slot(const struct vd_sp_pool *pool, const void *data, uint32_t units,
                           uint32_t hash)
{
    for (uint32_t i = hash;; i++) {
        uint32_t *slot = &pool->table[i & pool->mask];
        const struct vd_sp_pool_entry *entry;

        if (*slot == 0)
            return slot;
        entry = &pool->entries.data[*slot - 1];
        if (entry->hash == hash && entry->units == units &&
            memcmp(pool->data + (size_t)entry->start * pool->unit, data,
                   (size_t)units * pool->unit) == 0)
            return slot;
    }
}

static void grow_table(struct vd_sp_pool *pool)
{
    uint32_t slots = (pool->mask + 1) * 2;

    vd_sp_release(pool->arena, pool->table, (size_t)(pool->mask + 1) * sizeof(*pool->table));
    pool->table = vd_sp_alloc_array(pool->arena, slots, sizeof(*pool->table));
    pool->mask = slots - 1;
    for (uint32_t i = 0; i < pool->entries.count; i++) {
        uint32_t at = pool->entries.data[i].hash;

        while (pool->table[at & pool->mask] != 0)
            at++;
        pool->table[at & pool->mask] = i + 1;
    }
}

static void append(struct vd_sp_pool *pool, const void *data, uint32_t units)
{
    while (units > pool->room - pool->count)
        vd_sp_vec_grow(pool->arena, (void **)&pool->data, pool->count, &pool->room, pool->unit);
    if (units > 0)
        memcpy(pool->data + (size_t)pool->count * pool->unit, data, (size_t)units * pool->unit);
    pool->count += units;
}

uint32_t vd_sp_pool_add(struct vd_sp_pool *pool, const void *data, uint32_t units)
{
    uint32_t hash = hash_bytes(data, (size_t)units * pool->unit);
    uint32_t *slot = find_slot(pool, data, units, hash);
    struct vd_sp_pool_entry *entry;

    if (*slot != 0)
        return *slot - 1;
    if (pool->entries.count > pool->mask / 2) {
        grow_table(pool);
        slot = find_slot(pool, data, units, hash);
    }
    *slot = pool->entries.count + 1;
    entry = VD_SP_PUSH(pool->arena, &pool->entries);
    *entry = (struct vd_sp_pool_entry){.start = pool->count, .units = units, .hash = hash};
    append(pool, data, units);
    return pool->entries.count - 1;
}

void vd_sp_pool_freeze(struct vd_sp_pool *pool)
{
    if (pool->table == NULL)
        return;
    vd_sp_release(pool->arena, pool->table, ((size_t)pool->mask + 1) * sizeof(*pool->table));
    pool->table = NULL;
}

void vd_sp_pool_release(struct vd_sp_pool *pool)
{
    vd_sp_pool_freeze(pool);
    VD_SP_VEC_RELEASE(pool->arena, &pool->entries);
    vd_sp_release(pool->arena, pool->data, (size_t)pool->room * pool->unit);
    pool->data = NULL;
    pool->count = pool->room = 0;
}
