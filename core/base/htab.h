/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fixed hash table from 64-bit keys to 32-bit values in memory of the caller:
 * open addressing, linear probing, never more than three quarters full.
 *
 * Use: a bounded index whose largest size is known. It neither grows nor
 * allocates. The hash is not keyed: where an attacker picks the keys the worst
 * case is a scan of the table, which the caller's size bounds.
 */
#ifndef VD_CORE_BASE_HTAB_H
#define VD_CORE_BASE_HTAB_H

#include "core/base/status.h"

struct vd_htab_slot {
    uint64_t key;
    uint32_t value;
    uint32_t used; /* 0 or 1 */
};

struct vd_htab {
    struct vd_htab_slot *slots; /* borrowed, `mask + 1` of them */
    uint32_t mask;
    uint32_t count;
};

/*
 * Starts an empty table in `slots`, whose number is a power of two from 4 to
 * 2^31 (else VD_E_RANGE).
 */
vd_status vd_htab_init(struct vd_htab *table, struct vd_htab_slot *slots, uint32_t slot_count);

/* VD_E_EXISTS if the key is there (its value stays), VD_E_LIMIT if the table is full. */
vd_status vd_htab_insert(struct vd_htab *table, uint64_t key, uint32_t value);

/* VD_E_NOT_FOUND if the key is not there. */
vd_status vd_htab_find(const struct vd_htab *table, uint64_t key, uint32_t *ret);

/* Removes the key; VD_E_NOT_FOUND if it is not there. */
vd_status vd_htab_remove(struct vd_htab *table, uint64_t key);

/* A good mix of all bits (the finaliser of SplitMix64; public domain, S. Vigna). */
VD_INLINE uint64_t vd_hash_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}

#endif
