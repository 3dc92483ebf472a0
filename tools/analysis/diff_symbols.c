/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Facts about symbols: what there is, and what belongs to what.
 */
#include "tools/analysis/diff_parts.h"

#include <string.h>

#include "core/policydb/policycap.h"
#include "tools/analysis/lookup.h"
#include "tools/analysis/rules.h"

static void end(FILE *out)
{
    fputc('\0', out);
}

void vd_diff_properties(const struct vd_policydb *db, FILE *out)
{
    uint32_t flags = vd_policydb_header(db)->flags;

    fprintf(out, "mls %s;", (flags & VD_PDB_MLS) != 0 ? "true" : "false");
    end(out);
    fprintf(out, "handle_unknown %s;",
            (flags & VD_PDB_UNKNOWN_REJECT) != 0  ? "reject"
            : (flags & VD_PDB_UNKNOWN_ALLOW) != 0 ? "allow"
                                                  : "deny");
    end(out);
    for (uint32_t i = 0; i < VD_POLICYCAP_COUNT; i++) {
        if (!vd_policydb_policycap(db, i))
            continue;
        fprintf(out, "policycap %s;", vd_policycap_name(i));
        end(out);
    }
}

static void write_defaults(const char *name, uint32_t flags, FILE *out)
{
    static const char *const sides[] = {NULL, "source", "target"};
    static const char *const ranges[] = {
        NULL,         "source low",  "source high",     "source low_high",
        "target low", "target high", "target low_high", "glblub"};
    static const struct {
        const char *keyword;
        uint32_t shift;
    } parts[] = {{"default_user", VD_PDB_CLASS_USER_SHIFT},
                 {"default_role", VD_PDB_CLASS_ROLE_SHIFT},
                 {"default_type", VD_PDB_CLASS_TYPE_SHIFT}};

    for (size_t i = 0; i < VD_COUNT(parts); i++) {
        uint32_t value = flags >> parts[i].shift & 3;

        if (value != 0 && value < VD_COUNT(sides)) {
            fprintf(out, "%s %s %s;", parts[i].keyword, name, sides[value]);
            end(out);
        }
    }
    if ((flags >> VD_PDB_CLASS_RANGE_SHIFT & 7) != 0) {
        fprintf(out, "default_range %s %s;", name, ranges[flags >> VD_PDB_CLASS_RANGE_SHIFT & 7]);
        end(out);
    }
}

void vd_diff_classes(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_class *rows = vd_diff_table(db, VD_PDB_CLASSES);

    for (uint32_t i = 1; i < vd_policydb_header(db)->classes; i++) {
        const char *name = vd_lookup_name(db, VD_SYM_CLASS, i), *perm;

        if (name == NULL)
            continue;
        fprintf(out, "class %s;", name);
        end(out);
        for (uint32_t bit = 0; bit < rows[i].perm_count; bit++) {
            perm = vd_policydb_perm_name(db, i, bit);
            fprintf(out, "class %s { %s };", name, perm == NULL ? "?" : perm);
            end(out);
        }
        write_defaults(name, rows[i].flags, out);
    }
}

/* The aliases of a kind: rows whose number has another name. */
static void write_aliases(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                          const char *keyword, FILE *out)
{
    const struct vd_pdb_symbol *rows = vd_diff_table(db, VD_PDB_SYMBOLS);

    for (uint32_t i = 0; i < vd_diff_count(db, VD_PDB_SYMBOLS); i++) {
        const char *name = vd_policydb_string(db, rows[i].name);
        const char *meant = vd_policydb_name(db, kind, rows[i].value);

        if (rows[i].kind != (uint32_t)kind || strcmp(name, meant) == 0)
            continue;
        fprintf(out, "%s %s alias %s;", keyword, meant, name);
        end(out);
    }
}

void vd_diff_types(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_type *rows = vd_diff_table(db, VD_PDB_TYPES);

    for (uint32_t i = 1; i < vd_policydb_header(db)->types; i++) {
        const char *name = vd_lookup_name(db, VD_SYM_TYPE, i);

        if (name == NULL)
            continue;
        fprintf(out, "type %s;", name);
        end(out);
        if ((rows[i].flags & VD_PDB_TYPE_PERMISSIVE) != 0) {
            fprintf(out, "permissive %s;", name);
            end(out);
        }
        if (rows[i].bounds != 0) {
            fprintf(out, "typebounds %s %s;", vd_policydb_name(db, VD_SYM_TYPE, rows[i].bounds),
                    name);
            end(out);
        }
    }
    write_aliases(db, VD_SYM_TYPE, "typealias", out);
}

void vd_diff_attributes(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_type *rows = vd_diff_table(db, VD_PDB_TYPES);
    uint32_t types = vd_policydb_header(db)->types;

    for (uint32_t i = types; i < vd_diff_count(db, VD_PDB_TYPES); i++) {
        const char *name = vd_lookup_name(db, VD_SYM_TYPE, i);

        if (name == NULL)
            continue;
        fprintf(out, "attribute %s;", name);
        end(out);
        for (uint32_t type = 1; type < types; type++) {
            if (!vd_pdb_bit(db, rows[i].bitmap, type))
                continue;
            fprintf(out, "typeattribute %s %s;", vd_policydb_name(db, VD_SYM_TYPE, type), name);
            end(out);
        }
    }
}

void vd_diff_roles(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_role *rows = vd_diff_table(db, VD_PDB_ROLES);
    const struct vd_pdb_header *head = vd_policydb_header(db);
    const uint64_t *allow = vd_diff_table(db, VD_PDB_ROLE_ALLOW);

    for (uint32_t i = 1; i < head->roles; i++) {
        const char *name = vd_lookup_name(db, VD_SYM_ROLE, i);

        if (name == NULL)
            continue;
        fprintf(out, "role %s;", name);
        end(out);
        for (uint32_t type = 1; i != VD_PDB_ROLE_OBJECT && type < head->types; type++) {
            if (!vd_pdb_bit(db, rows[i].types, type))
                continue;
            fprintf(out, "role %s types %s;", name, vd_policydb_name(db, VD_SYM_TYPE, type));
            end(out);
        }
        for (uint32_t role = 1; role < head->roles; role++) {
            const char *second = vd_policydb_name(db, VD_SYM_ROLE, role);

            if (role != i && vd_pdb_bit(db, rows[i].dominates, role)) {
                fprintf(out, "dominance { role %s { role %s; } }", name, second);
                end(out);
            }
            if (vd_bitmap_get(allow + (size_t)i * VD_BITMAP_WORDS(head->roles), role)) {
                fprintf(out, "allow %s %s;", name, second);
                end(out);
            }
        }
    }
}

void vd_diff_users(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_user *rows = vd_diff_table(db, VD_PDB_USERS);
    const struct vd_pdb_header *head = vd_policydb_header(db);

    for (uint32_t i = 1; i < head->users; i++) {
        const char *name = vd_lookup_name(db, VD_SYM_USER, i);

        if (name == NULL)
            continue;
        fprintf(out, "user %s;", name);
        end(out);
        for (uint32_t role = 1; role < head->roles; role++) {
            if (role == VD_PDB_ROLE_OBJECT || !vd_pdb_bit(db, rows[i].roles, role))
                continue;
            fprintf(out, "user %s roles %s;", name, vd_policydb_name(db, VD_SYM_ROLE, role));
            end(out);
        }
        if ((head->flags & VD_PDB_MLS) == 0)
            continue;
        fprintf(out, "user %s level ", name);
        vd_range_write(db, &(struct vd_pdb_range){rows[i].default_level, rows[i].default_level},
                       out);
        fputs(" range ", out);
        vd_range_write(db, &(struct vd_pdb_range){rows[i].low, rows[i].high}, out);
        fputc(';', out);
        end(out);
    }
}

void vd_diff_booleans(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_bool *rows = vd_diff_table(db, VD_PDB_BOOLS);

    for (uint32_t i = 1; i < vd_diff_count(db, VD_PDB_BOOLS); i++) {
        if (rows[i].name == 0)
            continue;
        fprintf(out, "bool %s %s;", vd_policydb_string(db, rows[i].name),
                rows[i].value != 0 ? "true" : "false");
        end(out);
    }
}

/* ":c0.c3,c5", neighbours as runs; nothing if the level may have none. */
static void write_categories(const struct vd_policydb *db, uint32_t bitmap, FILE *out)
{
    uint32_t count = vd_policydb_header(db)->cats;
    char before = ':';

    for (uint32_t low = 0, high; low < count; low = high + 1) {
        high = low;
        if (!vd_pdb_bit(db, bitmap, low))
            continue;
        while (high + 1 < count && vd_pdb_bit(db, bitmap, high + 1))
            high++;
        fprintf(out, "%c%s", before, vd_policydb_name(db, VD_SYM_CAT, low));
        if (high != low)
            fprintf(out, ".%s", vd_policydb_name(db, VD_SYM_CAT, high));
        before = ',';
    }
}

void vd_diff_levels(const struct vd_policydb *db, FILE *out)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    const struct vd_pdb_sens *rows = vd_diff_table(db, VD_PDB_SENS);
    const char *before = NULL;

    for (uint32_t i = 1; i < head->sens; i++) {
        const char *name = vd_lookup_name(db, VD_SYM_SENS, i);

        if (name == NULL)
            continue;
        fprintf(out, "sensitivity %s;", name);
        end(out);
        if (before != NULL) {
            fprintf(out, "dominance { %s %s }", before, name);
            end(out);
        }
        before = name;
        fprintf(out, "level %s", name);
        write_categories(db, rows[i].cats, out);
        fputc(';', out);
        end(out);
    }
    for (uint32_t cat = 0; cat < head->cats; cat++) {
        const char *name = vd_lookup_name(db, VD_SYM_CAT, cat);

        if (name == NULL)
            continue;
        fprintf(out, "category %s;", name);
        end(out);
    }
    write_aliases(db, VD_SYM_SENS, "sensitivity", out);
    write_aliases(db, VD_SYM_CAT, "category", out);
}
