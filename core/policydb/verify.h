/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside vd_policydb_open: what the checks share. Not for other modules.
 *
 * The checks run in the order of the sections; each relies on those before it.
 * Every check is a pass over a table with a constant bound on the work for a
 * row, so opening takes time linear in the blob's size whatever it holds.
 */
#ifndef VD_CORE_POLICYDB_VERIFY_H
#define VD_CORE_POLICYDB_VERIFY_H

#include "core/policydb/policydb.h"

/* A table of indexes, looked at while the checksum is computed: most of a policy. */
struct vd_pdb_scan {
    uint32_t from, to; /* bytes of the blob; empty where the header makes no sense */
    uint32_t limit;
    bool below; /* every index is below the limit */
};

enum { VD_PDB_SCAN_ROOT, VD_PDB_SCAN_ROWS, VD_PDB_SCAN_BLOCKS, VD_PDB_SCANS };

struct vd_pdb_check {
    const uint8_t *base; /* aligned to 8 */
    uint32_t size;
    const struct vd_pdb_header *head;
    struct vd_diag *diag;
    struct vd_pdb_scan scans[VD_PDB_SCANS];
};

/*
 * The checksum of the blob, and the scans on the way: before anything is checked, so that
 * nothing is relied on. open.c and verify_rules.c.
 */
uint64_t vd_pdb_scan(struct vd_pdb_check *c);

/* Notes that a row of a section is wrong, with the row's offset and a text of both. */
vd_status vd_pdb_bad(const struct vd_pdb_check *c, enum vd_pdb_section section, uint32_t row,
                     vd_status status, const char *text);

/* The first row of a section whose place has been checked. */
VD_INLINE const void *vd_pdb_rows(const struct vd_pdb_check *c, enum vd_pdb_section section)
{
    return c->base + c->head->sections[section].offset;
}

VD_INLINE uint32_t vd_pdb_rows_count(const struct vd_pdb_check *c, enum vd_pdb_section section)
{
    return c->head->sections[section].count;
}

/* True if rows [first, first + count) are in the section. */
VD_INLINE bool vd_pdb_span(const struct vd_pdb_check *c, enum vd_pdb_section section,
                           uint32_t first, uint32_t count)
{
    uint32_t rows = vd_pdb_rows_count(c, section);

    return first <= rows && count <= rows - first;
}

/* The mask of a class's permissions. */
VD_INLINE uint32_t vd_pdb_perm_mask(const struct vd_pdb_class *class)
{
    return class->perm_count >= VD_PDB_MAX_PERMS ? UINT32_MAX : (1u << class->perm_count) - 1;
}

/* Names, classes, types, roles, users, sensitivities, categories, symbols (verify_names.c). */
vd_status vd_pdb_check_names(const struct vd_pdb_check *c);

/* Levels, contexts, ranges, users' clearances (verify_names.c). */
vd_status vd_pdb_check_contexts(const struct vd_pdb_check *c);

/* Trie, role allow, transitions (verify_rules.c). */
vd_status vd_pdb_check_rules(const struct vd_pdb_check *c);

/* Constraint programs and conditions: stack discipline and operands (verify_programs.c). */
vd_status vd_pdb_check_constraints(const struct vd_pdb_check *c);
vd_status vd_pdb_check_conditions(const struct vd_pdb_check *c);

/* Policy capabilities and tables of labels (verify_labels.c). */
vd_status vd_pdb_check_labels(const struct vd_pdb_check *c);
/* What is wrong with a condition of that place and size, NULL if nothing. */
const char *vd_pdb_condition_wrong(const struct vd_pdb_check *c, uint32_t first, uint32_t count);

/* Transitions by file name (verify_named.c). */
vd_status vd_pdb_check_named(const struct vd_pdb_check *c);

/* Extended permissions, those of the leaves among them (verify_xperms.c). */
vd_status vd_pdb_check_xperms(const struct vd_pdb_check *c);

#endif
