/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside the comparison of type enforcement: what its two files share. Not for
 * other modules.
 */
#ifndef VD_TOOLS_ANALYSIS_DIFF_ROWS_H
#define VD_TOOLS_ANALYSIS_DIFF_ROWS_H

#include "tools/analysis/diff_parts.h"

/* A policy's tables, and its conditions by the numbers that both policies share. */
struct vd_diff_side {
    const struct vd_policydb *db;
    const struct vd_pdb_leaf *leaves;
    const struct vd_pdb_cond_rule *rules;
    const struct vd_pdb_xperm *xperms;
    uint8_t bit[VD_PDB_MAX_PERMS]; /* of the class at hand: shared bit by own bit */
};

enum vd_diff_rule { VD_DIFF_ALLOW, VD_DIFF_AUDITALLOW, VD_DIFF_DONTAUDIT };

/* What a leaf says: permissions (shared bits) by rule, condition and branch. */
struct vd_diff_part {
    uint32_t cond; /* shared number + 1; 0: always */
    uint8_t branch, rule;
    uint64_t mask;
    char *text; /* an extended rule: what stands behind the class; owned; else NULL */
};

struct vd_diff_parts {
    struct vd_diff_part *list;
    uint32_t count, room;
};

/* Conditions by their text, numbered from 0. */
struct vd_diff_conds {
    char **texts;
    uint32_t count, room;
    uint32_t *table, mask; /* number + 1, by hash */
};

/* diff_leaf.c */

/* The parts of a leaf, sorted, each once. VD_E_NO_MEMORY. */
vd_status vd_diff_leaf(const struct vd_diff_side *side, uint32_t leaf, struct vd_diff_conds *conds,
                       struct vd_diff_parts *ret);

/* Orders parts; 0: the same but for the mask. */
int vd_diff_order(const struct vd_diff_part *a, const struct vd_diff_part *b);

/* Empties the list, and gives it back. */
void vd_diff_parts_clear(struct vd_diff_parts *parts);
void vd_diff_parts_done(struct vd_diff_parts *parts);
void vd_diff_conds_done(struct vd_diff_conds *conds);

#endif
