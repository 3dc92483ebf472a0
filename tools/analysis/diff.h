/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What two compiled policies say differently: as `sediff` of setools, from the
 * blobs alone, by name, whatever numbers the two give to their symbols.
 *
 * Everything but type enforcement is a set of facts, each a statement of one line;
 * the facts of a category are written out for both policies, sorted and compared.
 * Type enforcement is compared row by row (source type and class) over all target
 * types: of rows that both policies share between many sources each pair is
 * compared once. So memory is that of the two policies, of one category's facts and
 * of one row.
 */
#ifndef VD_TOOLS_ANALYSIS_DIFF_H
#define VD_TOOLS_ANALYSIS_DIFF_H

#include <stdio.h>

#include "core/policydb/policydb.h"

enum vd_diff_category {
    VD_DIFF_PROPERTIES, /* MLS, handle_unknown, policycap */
    VD_DIFF_CLASSES,    /* classes, permissions, defaults */
    VD_DIFF_TYPES,      /* types, aliases, permissive, bounds */
    VD_DIFF_ATTRIBUTES, /* attributes and who has them */
    VD_DIFF_ROLES,      /* roles, their types, dominance, role allow */
    VD_DIFF_USERS,
    VD_DIFF_BOOLEANS,
    VD_DIFF_LEVELS, /* sensitivities, categories */
    VD_DIFF_CONSTRAINTS,
    VD_DIFF_TRANSITIONS, /* of types, roles, ranges, by file name, conditional */
    VD_DIFF_LABELS,      /* initial contexts, fs_use, genfscon, portcon, … */
    VD_DIFF_RULES,       /* allow, auditallow, dontaudit, the extended ones */
    VD_DIFF_COUNT,
};

/* A difference: a statement that only one of the policies has. */
struct vd_difference {
    enum vd_diff_category category;
    bool added;       /* only the second has it */
    const char *text; /* without a line's end; valid during the call */
};

typedef void (*vd_diff_fn)(void *arg, const struct vd_difference *difference);

/* The category's name: "types", … */
const char *vd_diff_name(enum vd_diff_category category);

/*
 * Compares the categories of `mask` (bit 1 << category) and calls `found` for each
 * difference, category by category, sorted within one; rules by class and source.
 * VD_E_NO_MEMORY.
 */
vd_status vd_diff_run(const struct vd_policydb *one, const struct vd_policydb *other, uint32_t mask,
                      vd_diff_fn found, void *arg);

#endif
