/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A pool that keeps equal things once: bytes in, number out. Entries stand in
 * it one after another, in units of a fixed size (a leaf, a block, a word).
 */
#ifndef VD_TOOLS_SEPOLICY_GEN_POOL_H
#define VD_TOOLS_SEPOLICY_GEN_POOL_H

#include "tools/sepolicy/memory.h"

struct vd_sp_pool_entry {
    uint32_t start; /* in units */
    uint32_t units;
    uint32_t hash;
};

struct vd_sp_pool {
    struct vd_sp_arena *arena; /* borrowed */
    uint8_t *data;
    uint32_t unit;        /* bytes */
    uint32_t count, room; /* units */
    VD_SP_VEC(struct vd_sp_pool_entry) entries;
    uint32_t *table, mask;
};

/* Starts an empty pool; `unit` is a multiple of 4. */
void vd_sp_pool_init(struct vd_sp_pool *pool, struct vd_sp_arena *arena, uint32_t unit);

/* The entry (from 0) that holds these `units`, added if it is new. */
uint32_t vd_sp_pool_add(struct vd_sp_pool *pool, const void *data, uint32_t units);

/* Gives the pool's memory back; it is empty then and takes nothing more. */
void vd_sp_pool_release(struct vd_sp_pool *pool);

/* Gives back what finding an entry again took: nothing more is added. */
void vd_sp_pool_freeze(struct vd_sp_pool *pool);

/* Where an entry starts, in units. */
VD_INLINE uint32_t vd_sp_pool_start(const struct vd_sp_pool *pool, uint32_t entry)
{
    return pool->entries.data[entry].start;
}

#endif
