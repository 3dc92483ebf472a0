/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/policydb.h"

const struct vd_pdb_header *vd_policydb_header(const struct vd_policydb *db)
{
    return (const struct vd_pdb_header *)db->base;
}

const char *vd_policydb_string(const struct vd_policydb *db, uint32_t offset)
{
    const char *s = vd_pdb_row(db, VD_PDB_STRINGS, offset, 1);

    return s == NULL ? "?" : s;
}

/* Orders a NUL-terminated name against one of `len` bytes. */
static int compare(const char *a, const char *b, size_t len)
{
    size_t i = 0;

    while (i < len && a[i] != '\0' && a[i] == b[i])
        i++;
    return (int)(uint8_t)a[i] - (i < len ? (int)(uint8_t)b[i] : 0);
}

vd_status vd_policydb_find(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                           const char *name, size_t len, uint32_t *ret)
{
    uint32_t low = 0;
    uint32_t high = vd_policydb_header(db)->sections[VD_PDB_SYMBOLS].count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct vd_pdb_symbol *row =
            vd_pdb_row(db, VD_PDB_SYMBOLS, middle, sizeof(struct vd_pdb_symbol));
        int order;

        if (row == NULL)
            return VD_E_NOT_FOUND;
        order = row->kind != (uint32_t)kind ? (row->kind < (uint32_t)kind ? -1 : 1)
                                            : compare(vd_policydb_string(db, row->name), name, len);
        if (order == 0) {
            *ret = row->value;
            return VD_OK;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return VD_E_NOT_FOUND;
}

const char *vd_policydb_name(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                             uint32_t value)
{
    static const struct {
        enum vd_pdb_section section;
        uint32_t row_size;
    } tables[] = {
        [VD_SYM_CLASS] = {VD_PDB_CLASSES, sizeof(struct vd_pdb_class)},
        [VD_SYM_TYPE] = {VD_PDB_TYPES, sizeof(struct vd_pdb_type)},
        [VD_SYM_ROLE] = {VD_PDB_ROLES, sizeof(struct vd_pdb_role)},
        [VD_SYM_USER] = {VD_PDB_USERS, sizeof(struct vd_pdb_user)},
        [VD_SYM_SENS] = {VD_PDB_SENS, sizeof(struct vd_pdb_sens)},
        [VD_SYM_CAT] = {VD_PDB_CATS, sizeof(uint32_t)},
        [VD_SYM_BOOL] = {VD_PDB_BOOLS, sizeof(struct vd_pdb_bool)},
    };
    const uint32_t *name;

    if (kind < VD_SYM_CLASS || kind > VD_SYM_BOOL)
        return "?";
    /* The name is the first word of every such row. */
    name = vd_pdb_row(db, tables[kind].section, value, tables[kind].row_size);
    return name == NULL || *name == 0 ? "?" : vd_policydb_string(db, *name);
}

static const struct vd_pdb_class *class_row(const struct vd_policydb *db, uint32_t class)
{
    return vd_pdb_row(db, VD_PDB_CLASSES, class, sizeof(struct vd_pdb_class));
}

const char *vd_policydb_perm_name(const struct vd_policydb *db, uint32_t class, uint32_t bit)
{
    const struct vd_pdb_class *row = class_row(db, class);
    const uint32_t *name;

    if (row == NULL || bit >= row->perm_count)
        return NULL;
    name = vd_pdb_row(db, VD_PDB_PERMS, row->perm_first + bit, sizeof(*name));
    return name == NULL || *name == 0 ? NULL : vd_policydb_string(db, *name);
}

vd_status vd_policydb_find_perm(const struct vd_policydb *db, uint32_t class, const char *name,
                                size_t len, uint32_t *ret_mask)
{
    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *have = vd_policydb_perm_name(db, class, bit);
        if (have != NULL && compare(have, name, len) == 0) {
            *ret_mask = 1u << bit;
            return VD_OK;
        }
    }
    return VD_E_NOT_FOUND;
}

vd_status vd_policydb_initial(const struct vd_policydb *db, const char *name,
                              struct vd_context *ret)
{
    uint32_t count = vd_policydb_header(db)->sections[VD_PDB_INITIAL].count;
    size_t len = 0;

    while (name[len] != '\0')
        len++;
    for (uint32_t i = 0; i < count; i++) {
        const struct vd_pdb_initial *row = vd_pdb_row(db, VD_PDB_INITIAL, i, sizeof(*row));
        const struct vd_context *context;
        if (row == NULL || compare(vd_policydb_string(db, row->name), name, len) != 0)
            continue;
        context = vd_pdb_row(db, VD_PDB_CONTEXTS, row->context, sizeof(*context));
        if (context == NULL)
            return VD_E_NOT_FOUND;
        *ret = *context;
        return VD_OK;
    }
    return VD_E_NOT_FOUND;
}
