/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The symbol tables of SELinux's binary policy: common permission sets,
 * classes, roles, types and attributes, users, booleans, sensitivities,
 * categories. Each begins with its highest number and its count of names.
 */
#include "tools/sepolicy/selinux/write.h"

#include <string.h>

#define SE_TYPE_PRIMARY   1u
#define SE_TYPE_ATTRIBUTE 2u

static uint32_t length(const struct vd_sp_se *se, uint32_t name)
{
    return se->c->sp->names.list.data[name].size;
}

static void put_name(struct vd_sp_se *se, uint32_t name)
{
    vd_sp_se_text(se, vd_sp_str(se->c->sp, name));
}

/* Permission `name`, the `number`th of its class from 1 on. */
static void put_perm(struct vd_sp_se *se, uint32_t name, uint32_t number)
{
    vd_sp_se_u32(se, length(se, name));
    vd_sp_se_u32(se, number);
    put_name(se, name);
}

/* Symbols of a space and kind that are in force, in the order of the text. */
static const struct vd_sp_symbol *next_symbol(const struct vd_sp_se *se, enum vd_sp_space space,
                                              enum vd_sp_symbol_kind kind, uint32_t *at)
{
    const struct vd_sp *sp = se->c->sp;

    while (*at < sp->symbols.count) {
        const struct vd_sp_symbol *symbol = &sp->symbols.data[(*at)++];

        if (symbol->space == space && symbol->kind == kind && symbol->name != 0 &&
            vd_sp_on(sp, symbol->block))
            return symbol;
    }
    return NULL;
}

static uint32_t count_symbols(const struct vd_sp_se *se, enum vd_sp_space space,
                              enum vd_sp_symbol_kind kind)
{
    uint32_t at = 1, count = 0;

    while (next_symbol(se, space, kind, &at) != NULL)
        count++;
    return count;
}

/* The number of what an alias stands for. */
static uint32_t meant(struct vd_sp_se *se, const struct vd_sp_symbol *alias)
{
    struct vd_sp_item item = {.name = alias->name, .place = alias->place & VD_SP_PLACE_MASK};
    const struct vd_sp_symbol *symbol =
        vd_sp_find(se->c->sp, (enum vd_sp_space)alias->space, &item);

    return symbol == NULL ? 0 : symbol->number;
}

static void put_commons(struct vd_sp_se *se)
{
    uint32_t count = count_symbols(se, VD_SP_COMMON, VD_SP_PLAIN), number = 0, at = 1;
    const struct vd_sp_symbol *symbol;

    vd_sp_se_u32(se, count);
    vd_sp_se_u32(se, count);
    while ((symbol = next_symbol(se, VD_SP_COMMON, VD_SP_PLAIN, &at)) != NULL) {
        const struct vd_sp_common *common = &se->c->sp->commons.data[symbol->row];

        vd_sp_se_u32(se, length(se, symbol->name));
        vd_sp_se_u32(se, ++number);
        vd_sp_se_u32(se, common->count);
        vd_sp_se_u32(se, common->count);
        put_name(se, symbol->name);
        for (uint32_t i = 0; i < common->count; i++)
            put_perm(se, common->perms[i].name, i + 1);
    }
}

static uint32_t count_constraints(const struct vd_sp_se *se, uint32_t class)
{
    const struct vd_pdb_class *row = &se->image->classes.data[class];
    uint32_t count = 0;

    for (uint32_t i = 0; i < row->node_count; i++)
        count += se->image->nodes.data[row->node_first + i].op == VD_CX_END;
    return count;
}

static void put_class(struct vd_sp_se *se, uint32_t number)
{
    const struct vd_sp_class *class = vd_sp_class_of(se->c, number);
    uint32_t name = vd_sp_se_symbol(se, &se->c->classes, number)->name;
    uint32_t own = class->own.count;

    vd_sp_se_u32(se, length(se, name));
    vd_sp_se_u32(se, class->inherits == 0 ? 0 : length(se, class->inherits));
    vd_sp_se_u32(se, number);
    vd_sp_se_u32(se, class->count);
    vd_sp_se_u32(se, own);
    vd_sp_se_u32(se, count_constraints(se, number));
    put_name(se, name);
    if (class->inherits != 0)
        put_name(se, class->inherits);
    for (uint32_t i = class->count - own; i < class->count; i++)
        put_perm(se, class->perms[i], i + 1);
    vd_sp_se_put_constraints(se, number, false);
    vd_sp_se_put_constraints(se, number, true);
    vd_sp_se_u32(se, class->flags >> VD_PDB_CLASS_USER_SHIFT & 3);
    vd_sp_se_u32(se, class->flags >> VD_PDB_CLASS_ROLE_SHIFT & 3);
    vd_sp_se_u32(se, class->flags >> VD_PDB_CLASS_RANGE_SHIFT & 7);
    vd_sp_se_u32(se, class->flags >> VD_PDB_CLASS_TYPE_SHIFT & 3);
}

static void put_roles(struct vd_sp_se *se)
{
    struct vd_sp_checked *c = se->c;

    vd_sp_se_u32(se, c->roles.count - 1);
    vd_sp_se_u32(se, c->roles.count - 1);
    for (uint32_t i = 1; i < c->roles.count; i++) {
        uint32_t name = vd_sp_se_symbol(se, &c->roles, i)->name;

        vd_sp_se_u32(se, length(se, name));
        vd_sp_se_u32(se, i);
        vd_sp_se_u32(se, 0); /* no bounds */
        put_name(se, name);
        vd_sp_se_bitmap(se, c->role_dominates[i], c->role_words, 1);
        vd_sp_se_bitmap(se, c->role_types[i], c->type_words, 1);
    }
}

static void put_type(struct vd_sp_se *se, uint32_t name, uint32_t number, uint32_t properties)
{
    vd_sp_se_u32(se, length(se, name));
    vd_sp_se_u32(se, number);
    vd_sp_se_u32(se, properties);
    /* An alias has no bound of its own. */
    vd_sp_se_u32(se, properties == SE_TYPE_PRIMARY ? se->c->bounds[number] : 0);
    put_name(se, name);
}

static void put_types(struct vd_sp_se *se)
{
    struct vd_sp_checked *c = se->c;
    const struct vd_sp_symbol *alias;
    uint32_t at = 1;

    vd_sp_se_u32(se, c->types.count - 1);
    vd_sp_se_u32(se, c->types.count - 1 + count_symbols(se, VD_SP_TYPE, VD_SP_ALIAS));
    for (uint32_t i = 1; i < c->types.count; i++)
        put_type(se, vd_sp_se_symbol(se, &c->types, i)->name, i,
                 SE_TYPE_PRIMARY | (i >= c->type_count ? SE_TYPE_ATTRIBUTE : 0));
    while ((alias = next_symbol(se, VD_SP_TYPE, VD_SP_ALIAS, &at)) != NULL)
        put_type(se, alias->name, meant(se, alias), 0);
}

static void put_users(struct vd_sp_se *se)
{
    struct vd_sp_checked *c = se->c;

    vd_sp_se_u32(se, c->users.count - 1);
    vd_sp_se_u32(se, c->users.count - 1);
    for (uint32_t i = 1; i < c->users.count; i++) {
        uint32_t name = vd_sp_se_symbol(se, &c->users, i)->name;

        vd_sp_se_u32(se, length(se, name));
        vd_sp_se_u32(se, i);
        vd_sp_se_u32(se, 0); /* no bounds */
        put_name(se, name);
        vd_sp_se_bitmap(se, c->user[i].roles, c->role_words, 1);
        vd_sp_se_range(se, &c->user[i].low, &c->user[i].high);
        vd_sp_se_level(se, &c->user[i].level);
    }
}

static void put_bools(struct vd_sp_se *se)
{
    struct vd_sp_checked *c = se->c;

    vd_sp_se_u32(se, c->bools.count - 1);
    vd_sp_se_u32(se, c->bools.count - 1);
    for (uint32_t i = 1; i < c->bools.count; i++) {
        const struct vd_sp_symbol *symbol = vd_sp_se_symbol(se, &c->bools, i);

        vd_sp_se_u32(se, i);
        vd_sp_se_u32(se, c->sp->bool_values.data[symbol->row]);
        vd_sp_se_u32(se, length(se, symbol->name));
        put_name(se, symbol->name);
    }
}

static void put_sensitivity(struct vd_sp_se *se, uint32_t name, uint32_t number, bool alias)
{
    vd_sp_se_u32(se, length(se, name));
    vd_sp_se_u32(se, alias);
    put_name(se, name);
    vd_sp_se_u32(se, number);
    vd_sp_se_bitmap(se, se->c->sens_cats[number], VD_MLS_CAT_WORDS, 0);
}

static void put_category(struct vd_sp_se *se, uint32_t name, uint32_t number, bool alias)
{
    vd_sp_se_u32(se, length(se, name));
    vd_sp_se_u32(se, number);
    vd_sp_se_u32(se, alias);
    put_name(se, name);
}

/* One table of levels, aliases behind; empty without multi-level security. */
static void put_levels(struct vd_sp_se *se, enum vd_sp_space space,
                       const struct vd_sp_numbers *numbers,
                       void (*put)(struct vd_sp_se *, uint32_t, uint32_t, bool))
{
    uint32_t count = se->c->sp->mls ? numbers->count : 1, at = 1;
    const struct vd_sp_symbol *alias;

    vd_sp_se_u32(se, count - 1);
    vd_sp_se_u32(se, se->c->sp->mls ? count - 1 + count_symbols(se, space, VD_SP_ALIAS) : 0);
    for (uint32_t i = 1; i < count; i++)
        put(se, vd_sp_se_symbol(se, numbers, i)->name, i, false);
    while (se->c->sp->mls && (alias = next_symbol(se, space, VD_SP_ALIAS, &at)) != NULL)
        put(se, alias->name, meant(se, alias), true);
}

void vd_sp_se_put_symbols(struct vd_sp_se *se)
{
    put_commons(se);
    vd_sp_se_u32(se, se->c->classes.count - 1);
    vd_sp_se_u32(se, se->c->classes.count - 1);
    for (uint32_t i = 1; i < se->c->classes.count; i++)
        put_class(se, i);
    put_roles(se);
    put_types(se);
    put_users(se);
    put_bools(se);
    put_levels(se, VD_SP_SENS, &se->c->sens, put_sensitivity);
    put_levels(se, VD_SP_CAT, &se->c->cats, put_category);
}
