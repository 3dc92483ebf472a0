/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Multi-level security: the lattice of levels (a sensitivity and a set of
 * categories) and the ranges that contexts hold.
 *
 * Level a dominates level b if its sensitivity is at least b's and it has all
 * of b's categories. That is a partial order: two levels may be incomparable.
 * Source: Bell and LaPadula; SELinux's mls_level_dom.
 */
#ifndef VD_CORE_MAC_MLS_H
#define VD_CORE_MAC_MLS_H

#include "core/policydb/policydb.h"

/* What vd_mls_compare answers: one bit, both (equal) or none (incomparable). */
#define VD_MLS_DOM   (1u << 0) /* a dominates b */
#define VD_MLS_DOMBY (1u << 1) /* a is dominated by b */
#define VD_MLS_EQUAL (VD_MLS_DOM | VD_MLS_DOMBY)

/*
 * 1 if the value is not zero, else 0. In BPF without a branch: each one that
 * the verifier meets in the comparison doubles what it has to walk.
 */
VD_INLINE uint32_t vd_mls_nonzero(uint64_t value)
{
#ifdef __BPF__
    uint64_t negative = -value;

    /* Keeps the compiler from turning this back into the branch. */
    __asm__ volatile("" : "+r"(negative));
    return (uint32_t)((value | negative) >> 63);
#else
    return value != 0;
#endif
}

/* The body of vd_mls_compare. */
VD_INLINE uint32_t vd_mls_relation(const struct vd_mls_level *a, const struct vd_mls_level *b)
{
    uint64_t only_a = 0;
    uint64_t only_b = 0;

    for (uint32_t i = 0; i < VD_MLS_CAT_WORDS; i++) {
        uint64_t wa = a->cats[i];
        uint64_t wb = b->cats[i];
        only_a |= wa & ~wb;
        only_b |= wb & ~wa;
    }
    /* Sensitivities are 32 bits wide: the top bit of the difference says which is less. */
    only_a |= ((uint64_t)b->sens - a->sens) >> 63;
    only_b |= ((uint64_t)a->sens - b->sens) >> 63;
    return (vd_mls_nonzero(only_b) ^ 1) * VD_MLS_DOM | (vd_mls_nonzero(only_a) ^ 1) * VD_MLS_DOMBY;
}

/* How level `a` stands to level `b`. Cost: 16 words each, no branch on their content. */
#ifdef __BPF__
/* A global function: the verifier walks it once, not at each call. */
__attribute__((noinline, weak)) int vd_mls_compare(const struct vd_mls_level *a,
                                                   const struct vd_mls_level *b)
{
    return a == NULL || b == NULL ? 0 : (int)vd_mls_relation(a, b);
}
#else
VD_INLINE uint32_t vd_mls_compare(const struct vd_mls_level *a, const struct vd_mls_level *b)
{
    return vd_mls_relation(a, b);
}
#endif

VD_INLINE bool vd_mls_dominates(const struct vd_mls_level *a, const struct vd_mls_level *b)
{
    return (vd_mls_compare(a, b) & VD_MLS_DOM) != 0;
}

/* True if the level has no sensitivity and no categories, as in a policy without MLS. */
VD_INLINE bool vd_mls_level_empty(const struct vd_mls_level *level)
{
    uint64_t any = level->sens;

    for (uint32_t i = 0; i < VD_MLS_CAT_WORDS; i++)
        any |= level->cats[i];
    return any == 0;
}

/* True if the sensitivity exists and may have these categories. */
VD_INLINE bool vd_mls_level_valid(const struct vd_policydb *db, const struct vd_mls_level *level)
{
    const struct vd_pdb_sens *sens = vd_pdb_row(db, VD_PDB_SENS, level->sens, sizeof(*sens));
    const struct vd_pdb_section_row *pool;
    const uint64_t *cats;

    if (sens == NULL || level->sens == 0)
        return false;
    /* Sixteen words at once: the section's own bounds, then the blob's. */
    pool = vd_pdb_at(db, offsetof(struct vd_pdb_header, sections[VD_PDB_BITMAPS]), sizeof(*pool));
    if (pool == NULL || (uint64_t)sens->cats + VD_MLS_CAT_WORDS > pool->count)
        return false;
    cats = vd_pdb_at(db, pool->offset + (uint64_t)sens->cats * sizeof(*cats),
                     VD_MLS_CAT_WORDS * sizeof(*cats));
    return cats != NULL && vd_bitmap_covers(cats, level->cats, VD_MLS_CAT_WORDS);
}

#endif
