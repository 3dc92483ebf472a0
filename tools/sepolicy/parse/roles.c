/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Statements about roles and users.
 */
#include "tools/sepolicy/parse/parser.h"

/* A role or user may be named by several statements; the first one declares it. */
static void declare_once(struct vd_sp_parser *parser, enum vd_sp_space space,
                         const struct vd_sp_item *name)
{
    struct vd_sp_symbol *symbol = vd_sp_symbol_of(parser->sp, space, name->name);

    if (symbol == NULL)
        (void)vd_sp_declare(parser, space, VD_SP_PLAIN, name);
    else if (parser->block == 0)
        symbol->block = 0; /* declared outside of every optional block as well */
}

static bool parse_role_attributes(struct vd_sp_parser *parser, const struct vd_sp_item *role)
{
    struct vd_sp_item attribute;

    do {
        struct vd_sp_pair *pair;

        if (!vd_sp_expect_name(parser, "a role attribute", &attribute))
            return false;
        pair = VD_SP_PUSH(&parser->sp->arena, &parser->sp->role_attributes);
        pair->left = *role;
        pair->right = attribute;
        pair->block = parser->block;
    } while (vd_sp_accept(parser, ','));
    return true;
}

/* role NAME [, ATTRIBUTE…]; role NAME types SET; the second one may name an attribute */
bool vd_sp_st_role(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    const struct vd_sp_symbol *symbol;
    struct vd_sp_item name;

    if (!vd_sp_expect_name(parser, "a role", &name))
        return false;
    declare_once(parser, VD_SP_ROLE, &name);
    symbol = vd_sp_symbol_of(sp, VD_SP_ROLE, name.name);
    if (symbol->kind == VD_SP_ATTRIBUTE && !vd_sp_is_word(parser, VD_SP_KW_TYPES))
        vd_sp_error(&sp->messages, name.place, "'%s' is a role attribute, not a role",
                    vd_sp_str(sp, name.name));
    if (vd_sp_accept_word(parser, VD_SP_KW_TYPES)) {
        struct vd_sp_set types;
        struct vd_sp_role_types *row;

        if (!vd_sp_parse_set(parser, "a type", &types))
            return false;
        row = VD_SP_PUSH(&sp->arena, &sp->role_types);
        *row = (struct vd_sp_role_types){.role = name, .types = types, .block = parser->block};
    } else if (vd_sp_accept(parser, ',') && !parse_role_attributes(parser, &name)) {
        return false;
    }
    return vd_sp_end_statement(parser);
}

/* attribute_role NAME; */
bool vd_sp_st_attribute_role(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    if (!vd_sp_expect_name(parser, "a role attribute", &name))
        return false;
    (void)vd_sp_declare(parser, VD_SP_ROLE, VD_SP_ATTRIBUTE, &name);
    return vd_sp_end_statement(parser);
}

/* roleattribute ROLE ATTRIBUTE[, …]; */
bool vd_sp_st_roleattribute(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    return vd_sp_expect_name(parser, "a role", &name) && parse_role_attributes(parser, &name) &&
           vd_sp_end_statement(parser);
}

/* role_transition ROLES TYPES[:CLASSES] ROLE; */
bool vd_sp_st_role_transition(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_role_transition rule = {.place = parser->start, .block = parser->block};

    if (!vd_sp_parse_set(parser, "a role", &rule.roles) ||
        !vd_sp_parse_set(parser, "a type", &rule.types))
        return false;
    if (vd_sp_accept(parser, ':') && !vd_sp_parse_set(parser, "a class", &rule.classes))
        return false;
    if (!vd_sp_expect_name(parser, "the new role", &rule.result))
        return false;
    *VD_SP_PUSH(&sp->arena, &sp->role_transitions) = rule;
    return vd_sp_end_statement(parser);
}

/* user NAME roles SET [level LEVEL range RANGE]; */
bool vd_sp_st_user(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_user user = {.block = parser->block};

    if (!vd_sp_expect_name(parser, "a user", &user.name) ||
        !vd_sp_expect_word(parser, VD_SP_KW_ROLES, "'roles'") ||
        !vd_sp_parse_set(parser, "a role", &user.roles))
        return false;
    if (vd_sp_accept_word(parser, VD_SP_KW_LEVEL)) {
        user.has_level = true;
        if (!vd_sp_parse_level(parser, &user.level) ||
            !vd_sp_expect_word(parser, VD_SP_KW_RANGE, "'range'") ||
            !vd_sp_parse_range(parser, &user.range))
            return false;
    }
    declare_once(parser, VD_SP_USER, &user.name);
    *VD_SP_PUSH(&sp->arena, &sp->users) = user;
    return vd_sp_end_statement(parser);
}

/* `role NAME { role NAME; … }` inside dominance: the outer one dominates the inner ones. */
static bool parse_dominance(struct vd_sp_parser *parser, const struct vd_sp_item *above,
                            uint32_t depth)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_item role;

    if (depth > VD_SP_MAX_NESTING) {
        vd_sp_error(&sp->messages, parser->token.place, "roles are nested more than %u deep",
                    VD_SP_MAX_NESTING);
        return false;
    }
    if (!vd_sp_expect_word(parser, VD_SP_KW_ROLE, "'role'") ||
        !vd_sp_expect_name(parser, "a role", &role))
        return false;
    declare_once(parser, VD_SP_ROLE, &role);
    if (above != NULL) {
        struct vd_sp_pair *pair = VD_SP_PUSH(&sp->arena, &sp->dominates);

        *pair = (struct vd_sp_pair){.left = *above, .right = role, .block = parser->block};
    }
    if (vd_sp_accept(parser, ';'))
        return true;
    if (!vd_sp_expect(parser, '{', "'{' or ';'"))
        return false;
    parser->braces++;
    while (!vd_sp_accept(parser, '}')) {
        if (!parse_dominance(parser, &role, depth + 1))
            return false;
    }
    parser->braces--;
    return true;
}

/* dominance { role … }: the brace has been read. */
bool vd_sp_role_dominance(struct vd_sp_parser *parser)
{
    parser->braces++;
    while (!vd_sp_accept(parser, '}')) {
        if (!parse_dominance(parser, NULL, 1))
            return false;
    }
    parser->braces--;
    return true;
}
