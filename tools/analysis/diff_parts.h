/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside vd_diff_run: its parts. Not for other modules.
 */
#ifndef VD_TOOLS_ANALYSIS_DIFF_PARTS_H
#define VD_TOOLS_ANALYSIS_DIFF_PARTS_H

#include "tools/analysis/diff.h"

/* Facts are written to `out`, each ended by NUL. */

/* diff_symbols.c */
void vd_diff_properties(const struct vd_policydb *db, FILE *out);
void vd_diff_classes(const struct vd_policydb *db, FILE *out);
void vd_diff_types(const struct vd_policydb *db, FILE *out);
void vd_diff_attributes(const struct vd_policydb *db, FILE *out);
void vd_diff_roles(const struct vd_policydb *db, FILE *out);
void vd_diff_users(const struct vd_policydb *db, FILE *out);
void vd_diff_booleans(const struct vd_policydb *db, FILE *out);
void vd_diff_levels(const struct vd_policydb *db, FILE *out);

/* diff_statements.c */
void vd_diff_constraints(const struct vd_policydb *db, FILE *out);
void vd_diff_transitions(const struct vd_policydb *db, FILE *out);
void vd_diff_labels(const struct vd_policydb *db, FILE *out);

/* diff_rows.c: type enforcement. */
vd_status vd_diff_rows(const struct vd_policydb *one, const struct vd_policydb *other,
                       vd_diff_fn found, void *arg);

/* The first row of a table of an opened policy, and the number of its rows. */
VD_INLINE const void *vd_diff_table(const struct vd_policydb *db, enum vd_pdb_section section)
{
    return db->base + vd_policydb_header(db)->sections[section].offset;
}

VD_INLINE uint32_t vd_diff_count(const struct vd_policydb *db, enum vd_pdb_section section)
{
    return vd_policydb_header(db)->sections[section].count;
}

#endif
