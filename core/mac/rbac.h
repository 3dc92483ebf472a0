/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Roles and users: which role may become which, which role dominates which,
 * which types a role and which roles a user may have.
 */
#ifndef VD_CORE_MAC_RBAC_H
#define VD_CORE_MAC_RBAC_H

#include "core/policydb/policydb.h"

/* True if a process may change its role from `from` to `to` (the role allow rules). */
VD_INLINE bool vd_rbac_allows(const struct vd_policydb *db, uint32_t from, uint32_t to)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    const uint64_t *word;

    if (head == NULL || from >= head->roles || to >= head->roles)
        return false;
    word = vd_pdb_row(db, VD_PDB_ROLE_ALLOW, from * VD_BITMAP_WORDS(head->roles) + to / 64,
                      sizeof(*word));
    return word != NULL && (*word >> (to % 64) & 1) != 0;
}

/* True if role `a` dominates role `b`; every role but object_r dominates itself. */
VD_INLINE bool vd_rbac_dominates(const struct vd_policydb *db, uint32_t a, uint32_t b)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    const struct vd_pdb_role *row = vd_pdb_row(db, VD_PDB_ROLES, a, sizeof(*row));

    return head != NULL && row != NULL && b < head->roles && vd_pdb_bit(db, row->dominates, b);
}

/* True if the role may have the type. object_r may have every type. */
VD_INLINE bool vd_rbac_role_has_type(const struct vd_policydb *db, uint32_t role, uint32_t type)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    const struct vd_pdb_role *row = vd_pdb_row(db, VD_PDB_ROLES, role, sizeof(*row));

    if (head == NULL || row == NULL || type == 0 || type >= head->types)
        return false;
    return role == VD_PDB_ROLE_OBJECT || vd_pdb_bit(db, row->types, type);
}

/* True if the user may have the role. Every user may have object_r. */
VD_INLINE bool vd_rbac_user_has_role(const struct vd_policydb *db, uint32_t user, uint32_t role)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    const struct vd_pdb_user *row = vd_pdb_row(db, VD_PDB_USERS, user, sizeof(*row));

    if (head == NULL || row == NULL || user == 0 || role == 0 || role >= head->roles)
        return false;
    return role == VD_PDB_ROLE_OBJECT || vd_pdb_bit(db, row->roles, role);
}

#endif
