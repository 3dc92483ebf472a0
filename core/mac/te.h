/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Type enforcement: what the allow, auditallow and dontaudit rules say about a
 * source type, a target type and a class.
 *
 * The rules were expanded by the compiler into a trie with shared pages
 * (core/policydb/format.h), so the answer costs four loads and no search.
 * Conditional rules are already folded in under the current booleans.
 */
#ifndef VD_CORE_MAC_TE_H
#define VD_CORE_MAC_TE_H

#include "core/policydb/policydb.h"

/*
 * The leaf for (source type, target type, class); NULL if one of the numbers is
 * 0 or not the policy's, or the table is damaged.
 */
VD_INLINE const struct vd_pdb_leaf *vd_te_leaf(const struct vd_policydb *db, uint32_t source,
                                               uint32_t target, uint32_t class)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    const uint32_t *row, *block, *leaf;

    if (head == NULL || source == 0 || target == 0 || class == 0 || source >= head->types ||
        target >= head->types || class >= head->classes)
        return NULL;
    row = vd_pdb_row(db, VD_PDB_TE_ROOT, source * head->classes + class, sizeof(*row));
    if (row == NULL)
        return NULL;
    block = vd_pdb_row(db, VD_PDB_TE_ROWS, *row * head->blocks + target / VD_PDB_BLOCK_TYPES,
                       sizeof(*block));
    if (block == NULL)
        return NULL;
    leaf = vd_pdb_row(db, VD_PDB_TE_BLOCKS,
                      *block * VD_PDB_BLOCK_TYPES + target % VD_PDB_BLOCK_TYPES, sizeof(*leaf));
    if (leaf == NULL)
        return NULL;
    return vd_pdb_row(db, VD_PDB_TE_LEAVES, *leaf, sizeof(struct vd_pdb_leaf));
}

/* The type's row; NULL for 0 and for numbers outside the policy. Attributes have rows too. */
VD_INLINE const struct vd_pdb_type *vd_te_type(const struct vd_policydb *db, uint32_t type)
{
    return type == 0 ? NULL : vd_pdb_row(db, VD_PDB_TYPES, type, sizeof(struct vd_pdb_type));
}

#endif
