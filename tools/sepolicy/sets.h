/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sets of names as written, and a table that keeps equal ones once.
 */
#ifndef VD_TOOLS_SEPOLICY_SETS_H
#define VD_TOOLS_SEPOLICY_SETS_H

#include "tools/sepolicy/memory.h"

#define VD_SP_PLACE_MASK 0x7fffffffu /* VD_SEPOLICY_MAX_SOURCE fits */

/* A name in a list; `minus`: taken away ("-name"). */
struct vd_sp_item {
    uint32_t name;
    uint32_t place : 31;
    uint32_t minus : 1;
};

/* Names as written: `*`, `~{ … }`, `{ a b -c }`, `a`. Nested braces are flattened. */
struct vd_sp_set {
    struct vd_sp_item *items;
    uint32_t count;
    uint32_t place;
    bool star;       /* everything */
    bool complement; /* everything but this */
};

/* Shared sets, without places: 100,000 rules name a few thousand different ones. */
struct vd_sp_sets {
    VD_SP_VEC(struct vd_sp_set) list;
    uint32_t *table, mask; /* rows + 1 */
};

/* The row of the set with these names in this order, added if it is new. */
uint32_t vd_sp_share_set(struct vd_sp_sets *sets, struct vd_sp_arena *arena,
                         const struct vd_sp_set *set);

#endif
