/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/verify.h"

/* What is wrong with a row, NULL if nothing. */
static const char *check_row(const struct vd_pdb_check *c, const struct vd_pdb_xperm *row)
{
    const char *wrong;

    if (row->rule < VD_XPERM_ALLOW || row->rule > VD_XPERM_DONTAUDIT ||
        row->kind < VD_XPERM_IOCTL || row->kind > VD_XPERM_NLMSG)
        return "an unknown kind of rule or of numbers";
    if ((row->flags & ~VD_XPERM_FLAGS_ALL) != 0 || row->branch > 1 ||
        ((row->flags & VD_XPERM_WHOLE) != 0 && row->driver != 0))
        return "flags that have no meaning, or a driver of whole drivers";
    if (row->cond_count != 0) {
        wrong = vd_pdb_condition_wrong(c, row->cond_first, row->cond_count);
        if (wrong != NULL)
            return wrong;
    } else if (row->cond_first != 0 || row->branch != 0 || (row->flags & VD_XPERM_IN_FORCE) == 0) {
        return "without a condition, but not in force or with a branch";
    }
    return (row->bits[0] | row->bits[1] | row->bits[2] | row->bits[3]) == 0 ? "no number" : NULL;
}

vd_status vd_pdb_check_xperms(const struct vd_pdb_check *c)
{
    const struct vd_pdb_xperm *rows = vd_pdb_rows(c, VD_PDB_XPERMS);
    const struct vd_pdb_leaf *leaves = vd_pdb_rows(c, VD_PDB_TE_LEAVES);

    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_XPERMS); i++) {
        const char *wrong = check_row(c, &rows[i]);
        if (wrong != NULL)
            return vd_pdb_bad(c, VD_PDB_XPERMS, i, VD_E_INVALID, wrong);
    }
    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_TE_LEAVES); i++) {
        const struct vd_pdb_leaf *leaf = &leaves[i];
        if (leaf->xperm_count > VD_PDB_MAX_XPERMS ||
            !vd_pdb_span(c, VD_PDB_XPERMS, leaf->xperm_first, leaf->xperm_count) ||
            (leaf->xperm_count == 0 && leaf->xperm_first != 0))
            return vd_pdb_bad(c, VD_PDB_TE_LEAVES, i, VD_E_RANGE,
                              "its extended permissions lie outside their table");
        if (i == 0 && leaf->xperm_count != 0)
            return vd_pdb_bad(c, VD_PDB_TE_LEAVES, i, VD_E_RANGE, "the empty leaf is not empty");
    }
    return VD_OK;
}
