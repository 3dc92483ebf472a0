/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Statements that declare classes, types, attributes, booleans, initial contexts.
 */
#include "tools/sepolicy/parse/parser.h"

#include <string.h>

/* { a b c }: permissions in the order of their bits. */
static bool parse_perms(struct vd_sp_parser *parser, struct vd_sp_common *ret)
{
    struct vd_sp_item item;

    if (!vd_sp_expect(parser, '{', "'{' and permissions"))
        return false;
    parser->braces++;
    ret->count = 0;
    while (!vd_sp_accept(parser, '}')) {
        if (!vd_sp_expect_name(parser, "a permission or '}'", &item))
            return false;
        if (ret->count == VD_PDB_MAX_PERMS) {
            vd_sp_error(&parser->sp->messages, item.place, "a class has at most %u permissions",
                        VD_PDB_MAX_PERMS);
            return false;
        }
        for (uint32_t i = 0; i < ret->count; i++) {
            if (ret->perms[i].name == item.name)
                vd_sp_error(&parser->sp->messages, item.place, "permission '%s' is declared twice",
                            vd_sp_str(parser->sp, item.name));
        }
        ret->perms[ret->count++] = item;
    }
    parser->braces--;
    return true;
}

static void set_perms(struct vd_sp_parser *parser, const struct vd_sp_item *name, uint32_t inherits,
                      const struct vd_sp_common *perms)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_symbol *symbol = vd_sp_symbol_of(sp, VD_SP_CLASS, name->name);
    struct vd_sp_class *class;

    if (symbol == NULL) {
        vd_sp_error_hint(
            &sp->messages, name->place,
            vd_sp_text(&sp->arena, "declare it first: class %s", vd_sp_str(sp, name->name)),
            "class '%s' is not declared", vd_sp_str(sp, name->name));
        return;
    }
    class = &sp->classes.data[symbol->row];
    if (class->place != 0) {
        vd_sp_error_hint(&sp->messages, name->place,
                         vd_sp_text(&sp->arena, "the first ones are at %s",
                                    vd_sp_place_text(&sp->messages, class->place)),
                         "class '%s' has permissions already", vd_sp_str(sp, name->name));
        return;
    }
    class->place = name->place;
    class->inherits = inherits;
    class->own = *perms;
}

/* class NAME | class NAME [inherits COMMON] [{ PERMS }] */
bool vd_sp_st_class(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_common perms = {};
    struct vd_sp_item name, common = {};
    struct vd_sp_symbol *symbol;

    if (!vd_sp_expect_name(parser, "a class", &name))
        return false;
    sp->has_class |= !sp->messages.sources.data[parser->lexer.source].builtin;
    if (vd_sp_accept_word(parser, VD_SP_KW_INHERITS)) {
        if (!vd_sp_expect_name(parser, "a common permission set", &common))
            return false;
        if (parser->token.kind == '{' && !parse_perms(parser, &perms))
            return false;
        set_perms(parser, &name, common.name, &perms);
        return true;
    }
    if (parser->token.kind == '{') {
        if (!parse_perms(parser, &perms))
            return false;
        set_perms(parser, &name, 0, &perms);
        return true;
    }
    symbol = vd_sp_declare(parser, VD_SP_CLASS, VD_SP_PLAIN, &name);
    if (symbol != NULL) {
        symbol->row = sp->classes.count;
        VD_SP_PUSH(&sp->arena, &sp->classes)->symbol =
            sp->names.list.data[name.name].symbols[VD_SP_CLASS];
    }
    return true;
}

/* common NAME { PERMS } */
bool vd_sp_st_common(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_common perms = {};
    struct vd_sp_item name;
    struct vd_sp_symbol *symbol;

    if (!vd_sp_expect_name(parser, "a common permission set", &name) ||
        !parse_perms(parser, &perms))
        return false;
    symbol = vd_sp_declare(parser, VD_SP_COMMON, VD_SP_PLAIN, &name);
    if (symbol != NULL) {
        symbol->row = sp->commons.count;
        *VD_SP_PUSH(&sp->arena, &sp->commons) = perms;
    }
    return true;
}

/* sid NAME | sid NAME CONTEXT */
bool vd_sp_st_sid(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_context context = {};
    struct vd_sp_item name;
    struct vd_sp_sid *sid;

    if (!vd_sp_expect_name(parser, "an initial context's name", &name))
        return false;
    if (parser->token.kind != VD_SP_TOKEN_NAME || parser->token.name < VD_SP_KW_RESERVED_END) {
        (void)vd_sp_declare(parser, VD_SP_SID, VD_SP_PLAIN, &name);
        return true;
    }
    if (!vd_sp_parse_context(parser, &context))
        return false;
    for (uint32_t i = 0; i < sp->sids.count; i++) {
        if (sp->sids.data[i].name.name == name.name) {
            vd_sp_error(&sp->messages, name.place, "'%s' has its context already",
                        vd_sp_str(sp, name.name));
            return true;
        }
    }
    sid = VD_SP_PUSH(&sp->arena, &sp->sids);
    sid->name = name;
    sid->context = context;
    (void)vd_sp_accept(parser, ';');
    return true;
}

/* attribute NAME; */
bool vd_sp_st_attribute(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    if (!vd_sp_expect_name(parser, "an attribute", &name))
        return false;
    (void)vd_sp_declare(parser, VD_SP_TYPE, VD_SP_ATTRIBUTE, &name);
    return vd_sp_end_statement(parser);
}

static void declare_alias(struct vd_sp_parser *parser, enum vd_sp_space space, uint32_t target,
                          const struct vd_sp_set *names)
{
    for (uint32_t i = 0; i < names->count; i++) {
        struct vd_sp_symbol *symbol = vd_sp_declare(parser, space, VD_SP_ALIAS, &names->items[i]);

        if (symbol != NULL)
            symbol->target = target;
    }
}

/* Reads `alias NAMES` after the word. */
static bool parse_alias(struct vd_sp_parser *parser, enum vd_sp_space space, uint32_t target)
{
    struct vd_sp_set names;

    if (!vd_sp_parse_set(parser, "an alias", &names))
        return false;
    declare_alias(parser, space, target, &names);
    return true;
}

static void belong(struct vd_sp_parser *parser, const struct vd_sp_item *type,
                   const struct vd_sp_item *attribute)
{
    struct vd_sp_pair *pair = VD_SP_PUSH(&parser->sp->arena, &parser->sp->type_attributes);

    pair->left = *type;
    pair->right = *attribute;
    pair->block = parser->block;
}

/* `a, b, c`: the attributes of `type`. */
static bool parse_attributes(struct vd_sp_parser *parser, const struct vd_sp_item *type)
{
    struct vd_sp_item attribute;

    do {
        if (!vd_sp_expect_name(parser, "an attribute", &attribute))
            return false;
        belong(parser, type, &attribute);
    } while (vd_sp_accept(parser, ','));
    return true;
}

/* type NAME [alias NAMES] [, ATTRIBUTE…]; */
bool vd_sp_st_type(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    if (!vd_sp_expect_name(parser, "a type", &name))
        return false;
    (void)vd_sp_declare(parser, VD_SP_TYPE, VD_SP_PLAIN, &name);
    if (vd_sp_accept_word(parser, VD_SP_KW_ALIAS) && !parse_alias(parser, VD_SP_TYPE, name.name))
        return false;
    if (vd_sp_accept(parser, ',') && !parse_attributes(parser, &name))
        return false;
    return vd_sp_end_statement(parser);
}

/* typealias TYPE alias NAMES; */
bool vd_sp_st_typealias(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    return vd_sp_expect_name(parser, "a type", &name) &&
           vd_sp_expect_word(parser, VD_SP_KW_ALIAS, "'alias'") &&
           parse_alias(parser, VD_SP_TYPE, name.name) && vd_sp_end_statement(parser);
}

/* typeattribute TYPE ATTRIBUTE[, …]; */
bool vd_sp_st_typeattribute(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    return vd_sp_expect_name(parser, "a type", &name) && parse_attributes(parser, &name) &&
           vd_sp_end_statement(parser);
}

/* typebounds TYPE TYPE[, TYPE…]; */
bool vd_sp_st_typebounds(struct vd_sp_parser *parser)
{
    struct vd_sp_item parent, child;

    if (!vd_sp_expect_name(parser, "the bounding type", &parent))
        return false;
    do {
        struct vd_sp_pair *pair;

        if (!vd_sp_expect_name(parser, "a bounded type", &child))
            return false;
        pair = VD_SP_PUSH(&parser->sp->arena, &parser->sp->bounds);
        pair->left = parent;
        pair->right = child;
        pair->block = parser->block;
    } while (vd_sp_accept(parser, ','));
    return vd_sp_end_statement(parser);
}

/* permissive TYPE; neveraudit TYPE; */
bool vd_sp_st_permissive(struct vd_sp_parser *parser)
{
    struct vd_sp_permissive *row;
    struct vd_sp_item name;

    if (!vd_sp_expect_name(parser, "a type", &name))
        return false;
    row = VD_SP_PUSH(&parser->sp->arena, &parser->sp->permissives);
    row->type = name;
    row->block = parser->block;
    row->neveraudit = parser->keyword == VD_SP_KW_NEVERAUDIT;
    return vd_sp_end_statement(parser);
}

/* bool NAME true|false; tunable NAME true|false; */
bool vd_sp_st_bool(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_symbol *symbol;
    struct vd_sp_item name;
    bool value;

    if (!vd_sp_expect_name(parser, "a boolean", &name))
        return false;
    value = vd_sp_accept_word(parser, VD_SP_KW_TRUE);
    if (!value && !vd_sp_expect_word(parser, VD_SP_KW_FALSE, "'true' or 'false'"))
        return false;
    symbol = vd_sp_declare(parser, VD_SP_BOOL, VD_SP_PLAIN, &name);
    if (symbol != NULL) {
        symbol->row = sp->bool_values.count;
        symbol->tunable = parser->keyword == VD_SP_KW_TUNABLE;
        *VD_SP_PUSH(&sp->arena, &sp->bool_values) = value;
    }
    return vd_sp_end_statement(parser);
}
