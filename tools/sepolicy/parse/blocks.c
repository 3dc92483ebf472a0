/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Blocks: if on booleans, optional and require.
 */
#include "tools/sepolicy/parse/replay.h"

static bool enter(struct vd_sp_parser *parser)
{
    if (parser->depth == VD_SP_MAX_NESTING) {
        vd_sp_error(&parser->sp->messages, parser->start, "blocks are nested more than %u deep",
                    VD_SP_MAX_NESTING);
        return false;
    }
    parser->depth++;
    return true;
}

/* { STATEMENTS }, with the closing brace. */
static bool parse_body(struct vd_sp_parser *parser)
{
    uint32_t start = parser->start;
    uint32_t open = parser->token.place;

    if (!vd_sp_expect(parser, '{', "'{'"))
        return false;
    if (!enter(parser))
        return false;
    while (vd_sp_parse_statement(parser))
        continue;
    parser->depth--;
    parser->braces = 0;
    parser->start = start;
    if (vd_sp_accept(parser, '}'))
        return true;
    vd_sp_error(&parser->sp->messages, open, "this '{' has no closing '}'");
    return false;
}

struct condition {
    struct vd_sp_parser *parser;
    uint32_t nesting, depth, deepest, count;
};

static void emit(struct condition *c, enum vd_pdb_cond_op op, const struct vd_sp_item *name)
{
    struct vd_sp *sp = c->parser->sp;
    struct vd_sp_cond_node *node = VD_SP_PUSH(&sp->arena, &sp->cond_nodes);

    node->op = op;
    if (name != NULL)
        node->name = *name;
    c->count++;
    if (op == VD_COND_BOOL)
        c->depth++;
    else if (op != VD_COND_NOT)
        c->depth--;
    c->deepest = c->depth > c->deepest ? c->depth : c->deepest;
}

/* Binary operators of conditions, by rising precedence. */
static const struct {
    uint32_t kind, keyword;
    enum vd_pdb_cond_op op;
    uint32_t level;
} operators[] = {
    {VD_SP_TOKEN_OR, VD_SP_KW_OR, VD_COND_OR, 0},
    {'^', VD_SP_KW_XOR, VD_COND_XOR, 1},
    {VD_SP_TOKEN_AND, VD_SP_KW_AND, VD_COND_AND, 2},
    {VD_SP_TOKEN_EQ, 0, VD_COND_EQ, 3},
    {VD_SP_TOKEN_NE, 0, VD_COND_NEQ, 3},
};

#define LEVELS 4u

static bool parse_binary(struct condition *c, uint32_t level);

static bool parse_primary(struct condition *c)
{
    struct vd_sp_parser *parser = c->parser;
    struct vd_sp_item name;
    bool negated = false;

    while (vd_sp_accept(parser, '!') || vd_sp_accept_word(parser, VD_SP_KW_NOT))
        negated = !negated;
    if (vd_sp_accept(parser, '(')) {
        if (++c->nesting > VD_SP_MAX_NESTING) {
            vd_sp_error(&parser->sp->messages, parser->token.place,
                        "parentheses are nested more than %u deep", VD_SP_MAX_NESTING);
            return false;
        }
        if (!parse_binary(c, 0) || !vd_sp_expect(parser, ')', "')'"))
            return false;
        c->nesting--;
    } else {
        if (!vd_sp_expect_name(parser, "a boolean or '('", &name))
            return false;
        emit(c, VD_COND_BOOL, &name);
    }
    if (negated)
        emit(c, VD_COND_NOT, NULL);
    return true;
}

static bool accept_operator(struct vd_sp_parser *parser, uint32_t level, enum vd_pdb_cond_op *ret)
{
    for (size_t i = 0; i < VD_COUNT(operators); i++) {
        if (operators[i].level == level &&
            (vd_sp_accept(parser, operators[i].kind) ||
             (operators[i].keyword != 0 && vd_sp_accept_word(parser, operators[i].keyword)))) {
            *ret = operators[i].op;
            return true;
        }
    }
    return false;
}

static bool parse_binary(struct condition *c, uint32_t level)
{
    enum vd_pdb_cond_op op;

    if (level == LEVELS)
        return parse_primary(c);
    if (!parse_binary(c, level + 1))
        return false;
    while (accept_operator(c->parser, level, &op)) {
        if (!parse_binary(c, level + 1))
            return false;
        emit(c, op, NULL);
    }
    return true;
}

static bool parse_condition(struct vd_sp_parser *parser, struct vd_sp_cond *ret)
{
    struct condition c = {.parser = parser};

    *ret = (struct vd_sp_cond){.place = parser->start, .node_first = parser->sp->cond_nodes.count};
    if (!parse_binary(&c, 0))
        return false;
    ret->node_count = c.count;
    if (c.count > VD_PDB_MAX_COND || c.deepest > VD_PDB_MAX_DEPTH) {
        vd_sp_error(&parser->sp->messages, ret->place,
                    "this condition is too large: at most %u parts, %u values at once",
                    VD_PDB_MAX_COND, VD_PDB_MAX_DEPTH);
        return false;
    }
    return true;
}

/* if CONDITION { RULES } [else { RULES }] */
bool vd_sp_st_if(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_cond cond;
    bool good;

    if (!parse_condition(parser, &cond))
        return false;
    *VD_SP_PUSH(&sp->arena, &sp->conds) = cond;
    parser->cond = sp->conds.count;
    parser->otherwise = false;
    good = parse_body(parser);
    if (good && vd_sp_accept_word(parser, VD_SP_KW_ELSE)) {
        parser->otherwise = true;
        good = parse_body(parser);
    }
    parser->cond = 0;
    parser->otherwise = false;
    return good;
}

static uint32_t block_new(struct vd_sp_parser *parser, uint32_t rival)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_block *block = VD_SP_PUSH(&sp->arena, &sp->blocks);

    block->place = parser->start;
    block->parent = parser->block;
    block->rival = rival;
    return sp->blocks.count - 1;
}

/* optional { STATEMENTS } [else { STATEMENTS }] */
bool vd_sp_st_optional(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    uint32_t outer = parser->block;
    uint32_t block = block_new(parser, 0);
    bool good;

    parser->block = block;
    good = parse_body(parser);
    parser->block = outer;
    if (good && vd_sp_accept_word(parser, VD_SP_KW_ELSE)) {
        uint32_t other = block_new(parser, block);

        sp->blocks.data[block].otherwise = other;
        parser->block = other;
        good = parse_body(parser);
        parser->block = outer;
    }
    return good;
}

static const struct {
    uint32_t keyword;
    enum vd_sp_space space;
    bool attribute;
    const char *what;
} required[] = {
    {VD_SP_KW_TYPE, VD_SP_TYPE, false, "a type"},
    {VD_SP_KW_ATTRIBUTE, VD_SP_TYPE, true, "an attribute"},
    {VD_SP_KW_ROLE, VD_SP_ROLE, false, "a role"},
    {VD_SP_KW_ATTRIBUTE_ROLE, VD_SP_ROLE, true, "a role attribute"},
    {VD_SP_KW_USER, VD_SP_USER, false, "a user"},
    {VD_SP_KW_BOOL, VD_SP_BOOL, false, "a boolean"},
    {VD_SP_KW_TUNABLE, VD_SP_BOOL, false, "a boolean"},
    {VD_SP_KW_SENSITIVITY, VD_SP_SENS, false, "a sensitivity"},
    {VD_SP_KW_CATEGORY, VD_SP_CAT, false, "a category"},
};

static void require(struct vd_sp_parser *parser, enum vd_sp_space space, bool attribute,
                    const struct vd_sp_item *item, uint32_t perm)
{
    struct vd_sp_require *row = VD_SP_PUSH(&parser->sp->arena, &parser->sp->requires);

    *row = (struct vd_sp_require){.item = *item,
                                  .perm = perm,
                                  .block = parser->block,
                                  .space = (uint8_t)space,
                                  .attribute = attribute};
}

/* class NAME PERMS; */
static bool require_class(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;
    struct vd_sp_set perms;

    if (!vd_sp_expect_name(parser, "a class", &name))
        return false;
    require(parser, VD_SP_CLASS, false, &name, 0);
    if (parser->token.kind == ';')
        return vd_sp_end_statement(parser);
    if (!vd_sp_parse_set(parser, "a permission", &perms))
        return false;
    for (uint32_t i = 0; i < perms.count; i++)
        require(parser, VD_SP_CLASS, false, &name, perms.items[i].name);
    return vd_sp_end_statement(parser);
}

static bool require_names(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    for (size_t i = 0; i < VD_COUNT(required); i++) {
        if (!vd_sp_accept_word(parser, required[i].keyword))
            continue;
        do {
            if (!vd_sp_expect_name(parser, required[i].what, &name))
                return false;
            require(parser, required[i].space, required[i].attribute, &name, 0);
        } while (vd_sp_accept(parser, ','));
        return vd_sp_end_statement(parser);
    }
    return vd_sp_unexpected(parser, "'type', 'attribute', 'class', 'role', 'bool' or '}'");
}

/* require { type a, b; class c { p }; … } */
bool vd_sp_st_require(struct vd_sp_parser *parser)
{
    uint32_t first = parser->sp->requires.count;

    if (!vd_sp_expect(parser, '{', "'{'"))
        return false;
    parser->braces++;
    while (!vd_sp_accept(parser, '}')) {
        bool good = vd_sp_accept_word(parser, VD_SP_KW_CLASS) ? require_class(parser)
                                                              : require_names(parser);

        if (!good)
            return false;
    }
    parser->braces--;
    vd_sp_replay_note_require(parser, first);
    return true;
}
