/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which permissions carry information, which way and how much of it: weights from
 * 1 (hardly any) to 10 (the object's content), 0 for none.
 *
 * The standard map knows the kernel's classes and the usual user-space ones by the
 * names of their permissions. A file has setools' form: the number of classes,
 * then for each `class NAME COUNT` and COUNT lines `PERMISSION r|w|b|n|u [WEIGHT]`;
 * `#` begins a comment.
 */
#ifndef VD_TOOLS_ANALYSIS_PERM_MAP_H
#define VD_TOOLS_ANALYSIS_PERM_MAP_H

#include "core/policydb/policydb.h"

#define VD_PERM_MAP_MAX_FILE (1u << 20)
#define VD_PERM_MAP_MAX      10u /* the highest weight */

struct vd_perm_weight {
    uint8_t read, write;
};

struct vd_perm_map {
    uint32_t classes;                              /* rows */
    struct vd_perm_weight (*of)[VD_PDB_MAX_PERMS]; /* by class and bit, owned */
};

/* The standard map for the policy's classes. VD_E_NO_MEMORY. */
vd_status vd_perm_map_standard(const struct vd_policydb *db, struct vd_perm_map *ret);

/*
 * The map in `size` bytes at `text`, `name` for messages; classes and permissions
 * that the policy does not have are passed over, what the map does not have
 * carries nothing. VD_E_SYNTAX with the line.
 */
vd_status vd_perm_map_parse(const struct vd_policydb *db, const char *text, size_t size,
                            struct vd_perm_map *ret, struct vd_diag *diag);

void vd_perm_map_done(struct vd_perm_map *map);

/* The permissions of a class that read, or write, with at least that weight. */
uint32_t vd_perm_map_mask(const struct vd_perm_map *map, uint32_t class, bool write,
                          uint32_t min_weight);

#endif
