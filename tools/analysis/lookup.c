/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/lookup.h"

#include <string.h>

#include "lib/cli/cli.h"
#include "lib/diagf.h"

struct near {
    const struct vd_policydb *db;
    uint32_t kind, first;
};

/* Symbols are sorted by kind. */
static const char *next_name(const void *ctx, uint32_t i)
{
    const struct near *near = ctx;
    const struct vd_pdb_symbol *row =
        vd_pdb_row(near->db, VD_PDB_SYMBOLS, near->first + i, sizeof(*row));

    return row == NULL || row->kind != near->kind ? NULL : vd_policydb_string(near->db, row->name);
}

const char *vd_lookup_kind(enum vd_pdb_symbol_kind kind)
{
    switch (kind) {
    case VD_SYM_CLASS:
        return "class";
    case VD_SYM_TYPE:
        return "type or attribute";
    case VD_SYM_ROLE:
        return "role";
    case VD_SYM_USER:
        return "user";
    case VD_SYM_SENS:
        return "sensitivity";
    case VD_SYM_CAT:
        return "category";
    default:
        return "boolean";
    }
}

const char *vd_lookup_name(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                           uint32_t number)
{
    const char *name = vd_policydb_name(db, kind, number);

    return strcmp(name, "?") == 0 ? NULL : name;
}

vd_status vd_lookup(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind, const char *text,
                    uint32_t *ret, struct vd_diag *diag)
{
    return vd_lookup_word(db, kind, &(struct vd_word){.text = text, .len = strlen(text)}, ret,
                          diag);
}

vd_status vd_lookup_word(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                         const struct vd_word *word, uint32_t *ret, struct vd_diag *diag)
{
    struct near near = {.db = db, .kind = kind};
    char copy[VD_PDB_MAX_NAME + 1];
    const char *text = word->text;
    size_t len = word->len;
    const char *meant = NULL;

    if (len > 0 && vd_policydb_find(db, kind, text, len, ret) == VD_OK)
        return VD_OK;
    if (len < sizeof(copy)) {
        const struct vd_pdb_symbol *row;

        memcpy(copy, text, len);
        copy[len] = '\0';
        while ((row = vd_pdb_row(db, VD_PDB_SYMBOLS, near.first, sizeof(*row))) != NULL &&
               row->kind != near.kind)
            near.first++;
        meant = vd_cli_nearest(copy, next_name, &near);
    }
    if (meant != NULL)
        vd_diagf_hint(diag, "did you mean \"%s\"?", meant);
    return vd_diagf(diag, VD_E_NOT_FOUND, "the policy has no %s \"%.*s\"", vd_lookup_kind(kind),
                    (int)(len < VD_PDB_MAX_NAME ? len : VD_PDB_MAX_NAME), text);
}
