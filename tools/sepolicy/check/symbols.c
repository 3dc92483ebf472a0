/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Numbers of symbols, permissions of classes, members of attributes.
 */
#include "tools/sepolicy/check/checker.h"

#include <string.h>

#include "tools/sepolicy/suggest.h"

const char *vd_sp_space_text(enum vd_sp_space space)
{
    static const char *const texts[VD_SP_SPACES] = {
        [VD_SP_CLASS] = "class",        [VD_SP_COMMON] = "common permission set",
        [VD_SP_TYPE] = "type",          [VD_SP_ROLE] = "role",
        [VD_SP_USER] = "user",          [VD_SP_BOOL] = "boolean",
        [VD_SP_SENS] = "sensitivity",   [VD_SP_CAT] = "category",
        [VD_SP_SID] = "initial context"};

    return texts[space];
}

struct vd_sp_symbol *vd_sp_find(struct vd_sp *sp, enum vd_sp_space space,
                                const struct vd_sp_item *item)
{
    struct vd_sp_symbol *symbol = vd_sp_symbol_of(sp, space, item->name);

    /* An alias of an alias is one step more; a ring has no plain symbol at its end. */
    for (uint32_t steps = 0; symbol != NULL && symbol->kind == VD_SP_ALIAS; steps++) {
        symbol = steps == VD_SP_MAX_NESTING ? NULL : vd_sp_symbol_of(sp, space, symbol->target);
    }
    if (symbol == NULL) {
        vd_sp_error_hint(&sp->messages, item->place, vd_sp_suggest_symbol(sp, space, item->name),
                         "unknown %s '%s'",
                         space == VD_SP_TYPE ? "type or attribute" : vd_sp_space_text(space),
                         vd_sp_str(sp, item->name));
        return NULL;
    }
    if (!vd_sp_on(sp, symbol->block)) {
        vd_sp_error_hint(&sp->messages, item->place,
                         vd_sp_text(&sp->arena, "it is declared at %s",
                                    vd_sp_place_text(&sp->messages, symbol->place)),
                         "%s '%s' is declared only in an optional block that is not in force",
                         vd_sp_space_text(space), vd_sp_str(sp, item->name));
        return NULL;
    }
    return symbol;
}

/* Numbers the symbols of a kind from `first` on, in the order of their declarations. */
static void number(struct vd_sp_checked *c, enum vd_sp_space space, enum vd_sp_symbol_kind kind,
                   uint32_t max, struct vd_sp_numbers *ret)
{
    struct vd_sp *sp = c->sp;
    VD_SP_VEC(uint32_t) list = {ret->symbols, ret->count, ret->count};

    if (list.count == 0)
        *VD_SP_PUSH(&sp->arena, &list) = 0;
    for (uint32_t i = 1; i < sp->symbols.count; i++) {
        struct vd_sp_symbol *symbol = &sp->symbols.data[i];

        if (symbol->space != space || symbol->kind != kind || symbol->tunable ||
            !vd_sp_on(sp, symbol->block))
            continue;
        if (list.count >= max) {
            vd_sp_error(&sp->messages, symbol->place, "more than %u of kind '%s'", max - 1,
                        vd_sp_space_text(space));
            vd_sp_escape(&sp->arena, VD_E_LIMIT);
        }
        symbol->number = list.count;
        *VD_SP_PUSH(&sp->arena, &list) = i;
    }
    ret->symbols = list.data;
    ret->count = list.count;
}

static void class_perms(struct vd_sp *sp, struct vd_sp_class *class)
{
    const struct vd_sp_symbol *common = NULL;
    const struct vd_sp_symbol *symbol = &sp->symbols.data[class->symbol];

    class->count = 0;
    if (class->inherits != 0) {
        common = vd_sp_symbol_of(sp, VD_SP_COMMON, class->inherits);
        if (common == NULL)
            vd_sp_error_hint(&sp->messages, class->place,
                             vd_sp_suggest_symbol(sp, VD_SP_COMMON, class->inherits),
                             "class '%s' inherits the unknown common permission set '%s'",
                             vd_sp_str(sp, symbol->name), vd_sp_str(sp, class->inherits));
    }
    if (common != NULL) {
        const struct vd_sp_common *from = &sp->commons.data[common->row];

        for (uint32_t i = 0; i < from->count; i++)
            class->perms[class->count++] = from->perms[i].name;
    }
    for (uint32_t i = 0; i < class->own.count; i++) {
        const struct vd_sp_item *perm = &class->own.perms[i];

        for (uint32_t j = 0; j < class->count; j++) {
            if (class->perms[j] == perm->name && common != NULL)
                vd_sp_error(&sp->messages, perm->place, "'%s' inherits permission '%s' already",
                            vd_sp_str(sp, symbol->name), vd_sp_str(sp, perm->name));
        }
        if (class->count == VD_PDB_MAX_PERMS) {
            vd_sp_error(&sp->messages, perm->place, "a class has at most %u permissions",
                        VD_PDB_MAX_PERMS);
            return;
        }
        class->perms[class->count++] = perm->name;
    }
}

/* Sensitivities are numbered in the order of their dominance. */
static void number_sensitivities(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    uint32_t next = 1;

    number(c, VD_SP_SENS, VD_SP_PLAIN, VD_PDB_MAX_SENS, &c->sens);
    if (c->sens.count <= 1)
        return;
    for (uint32_t i = 1; i < c->sens.count; i++)
        sp->symbols.data[c->sens.symbols[i]].number = 0;
    for (uint32_t i = 0; i < sp->dominance.count; i++) {
        struct vd_sp_symbol *symbol = vd_sp_find(sp, VD_SP_SENS, &sp->dominance.data[i]);

        if (symbol == NULL)
            continue;
        if (symbol->number != 0) {
            vd_sp_error(&sp->messages, sp->dominance.data[i].place,
                        "sensitivity '%s' stands twice in the dominance",
                        vd_sp_str(sp, symbol->name));
            continue;
        }
        symbol->number = next++;
    }
    for (uint32_t i = 1; i < sp->symbols.count; i++) {
        struct vd_sp_symbol *symbol = &sp->symbols.data[i];

        if (symbol->space != VD_SP_SENS || symbol->kind != VD_SP_PLAIN ||
            !vd_sp_on(sp, symbol->block))
            continue;
        if (symbol->number == 0)
            vd_sp_error(&sp->messages, symbol->place,
                        "sensitivity '%s' does not stand in the dominance",
                        vd_sp_str(sp, symbol->name));
        c->sens.symbols[symbol->number] = i;
    }
}

void vd_sp_check_symbols(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;

    number(c, VD_SP_CLASS, VD_SP_PLAIN, VD_PDB_MAX_CLASSES, &c->classes);
    number(c, VD_SP_TYPE, VD_SP_PLAIN, VD_PDB_MAX_TYPES, &c->types);
    c->type_count = c->types.count;
    number(c, VD_SP_TYPE, VD_SP_ATTRIBUTE, VD_PDB_MAX_TYPES, &c->types);
    number(c, VD_SP_ROLE, VD_SP_PLAIN, VD_PDB_MAX_ROLES, &c->roles);
    number(c, VD_SP_ROLE, VD_SP_ATTRIBUTE, VD_PDB_MAX_ROLES, &c->role_attributes);
    number(c, VD_SP_USER, VD_SP_PLAIN, VD_PDB_MAX_USERS, &c->users);
    number(c, VD_SP_BOOL, VD_SP_PLAIN, VD_PDB_MAX_BOOLS, &c->bools);
    number(c, VD_SP_CAT, VD_SP_PLAIN, VD_MLS_CATS_MAX + 1, &c->cats);
    number_sensitivities(c);
    c->type_words = VD_BITMAP_WORDS(c->type_count);
    c->role_words = VD_BITMAP_WORDS(c->roles.count);
    c->user_words = VD_BITMAP_WORDS(c->users.count);
    for (uint32_t i = 0; i < sp->classes.count; i++)
        class_perms(sp, &sp->classes.data[i]);
}

static void join_attribute(struct vd_sp_checked *c, const struct vd_sp_pair *pair)
{
    struct vd_sp *sp = c->sp;
    struct vd_sp_symbol *type = vd_sp_find(sp, VD_SP_TYPE, &pair->left);
    struct vd_sp_symbol *attribute = vd_sp_find(sp, VD_SP_TYPE, &pair->right);

    if (type == NULL || attribute == NULL)
        return;
    if (type->kind == VD_SP_ATTRIBUTE) {
        vd_sp_error(&sp->messages, pair->left.place, "'%s' is an attribute, not a type",
                    vd_sp_str(sp, pair->left.name));
        return;
    }
    if (attribute->kind != VD_SP_ATTRIBUTE) {
        vd_sp_error_hint(&sp->messages, pair->right.place,
                         vd_sp_text(&sp->arena, "a type belongs to attributes; write 'attribute "
                                                "NAME;' to declare one"),
                         "'%s' is a type, not an attribute", vd_sp_str(sp, pair->right.name));
        return;
    }
    vd_bitmap_set(c->attributes[attribute->number - c->type_count], type->number);
}

static void check_expands(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    uint32_t count = c->types.count - c->type_count;
    bool *kept = vd_sp_alloc_array(&sp->arena, count, sizeof(*kept));

    c->expanded = vd_sp_alloc_array(&sp->arena, count, sizeof(*c->expanded));
    for (uint32_t i = 0; i < sp->expands.count; i++) {
        const struct vd_sp_expand *row = &sp->expands.data[i];
        struct vd_sp_symbol *attribute =
            vd_sp_on(sp, row->block) ? vd_sp_find(sp, VD_SP_TYPE, &row->attribute) : NULL;

        if (attribute == NULL)
            continue;
        if (attribute->kind != VD_SP_ATTRIBUTE) {
            vd_sp_error(&sp->messages, row->attribute.place, "'%s' is a type, not an attribute",
                        vd_sp_str(sp, row->attribute.name));
            continue;
        }
        *(row->value ? &c->expanded[attribute->number - c->type_count]
                     : &kept[attribute->number - c->type_count]) = true;
    }
    /* Where both are said, checkpolicy lets `false` count. */
    for (uint32_t i = 0; i < count; i++)
        c->expanded[i] = c->expanded[i] && !kept[i];
}

void vd_sp_check_attributes(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    uint32_t count = c->types.count - c->type_count;

    c->all_types = vd_sp_alloc_array(&sp->arena, c->type_words, sizeof(uint64_t));
    for (uint32_t i = 1; i < c->type_count; i++)
        vd_bitmap_set(c->all_types, i);
    c->attributes = vd_sp_alloc_array(&sp->arena, count, sizeof(*c->attributes));
    for (uint32_t i = 0; i < count; i++)
        c->attributes[i] = vd_sp_alloc_array(&sp->arena, c->type_words, sizeof(uint64_t));
    for (uint32_t i = 0; i < sp->type_attributes.count; i++) {
        if (vd_sp_on(sp, sp->type_attributes.data[i].block))
            join_attribute(c, &sp->type_attributes.data[i]);
    }
    check_expands(c);
    for (uint32_t i = 0; i < sp->permissives.count; i++) {
        const struct vd_sp_permissive *row = &sp->permissives.data[i];
        struct vd_sp_symbol *type =
            vd_sp_on(sp, row->block) ? vd_sp_find(sp, VD_SP_TYPE, &row->type) : NULL;

        if (type != NULL && type->kind == VD_SP_ATTRIBUTE)
            vd_sp_error(&sp->messages, row->type.place, "'%s' is an attribute, not a type",
                        vd_sp_str(sp, row->type.name));
        else if (type != NULL)
            *(row->neveraudit ? &type->neveraudit : &type->permissive) = true;
    }
    for (uint32_t i = 1; i < sp->symbols.count; i++) {
        const struct vd_sp_symbol *symbol = &sp->symbols.data[i];

        if (symbol->kind == VD_SP_ALIAS && vd_sp_on(sp, symbol->block)) {
            struct vd_sp_item item = {.name = symbol->target,
                                      .place = symbol->place & VD_SP_PLACE_MASK};

            (void)vd_sp_find(sp, (enum vd_sp_space)symbol->space, &item);
        }
    }
}
