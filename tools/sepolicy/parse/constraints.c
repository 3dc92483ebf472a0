/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Constraints: expressions over the parts of contexts, kept in postfix order.
 */
#include "tools/sepolicy/parse/parser.h"

/* A part of a context, as an operand. */
static const struct {
    uint32_t keyword;
    uint8_t part; /* enum vd_pdb_node_part */
    char kind;    /* u, r, t, l */
    uint8_t third;
} operands[] = {
    {VD_SP_KW_U1, VD_PART_U1, 'u', 0}, {VD_SP_KW_U2, VD_PART_U2, 'u', 0},
    {VD_SP_KW_U3, VD_PART_U3, 'u', 1}, {VD_SP_KW_R1, VD_PART_R1, 'r', 0},
    {VD_SP_KW_R2, VD_PART_R2, 'r', 0}, {VD_SP_KW_R3, VD_PART_R3, 'r', 1},
    {VD_SP_KW_T1, VD_PART_T1, 't', 0}, {VD_SP_KW_T2, VD_PART_T2, 't', 0},
    {VD_SP_KW_T3, VD_PART_T3, 't', 1}, {VD_SP_KW_L1, VD_PART_L1, 'l', 0},
    {VD_SP_KW_L2, VD_PART_L2, 'l', 0}, {VD_SP_KW_H1, VD_PART_H1, 'l', 0},
    {VD_SP_KW_H2, VD_PART_H2, 'l', 0},
};

/* The pairs that may be compared with each other, in this order. */
static const uint8_t pairs[][2] = {
    {VD_PART_U1, VD_PART_U2}, {VD_PART_T1, VD_PART_T2}, {VD_PART_R1, VD_PART_R2},
    {VD_PART_L1, VD_PART_L2}, {VD_PART_L1, VD_PART_H2}, {VD_PART_H1, VD_PART_L2},
    {VD_PART_H1, VD_PART_H2}, {VD_PART_L1, VD_PART_H1}, {VD_PART_L2, VD_PART_H2},
};

struct expression {
    struct vd_sp_parser *parser;
    struct vd_sp_constraint *constraint;
    uint32_t nesting;
};

static struct vd_sp_node *emit(struct expression *e, enum vd_pdb_node_op op)
{
    struct vd_sp *sp = e->parser->sp;
    struct vd_sp_node *node = VD_SP_PUSH(&sp->arena, &sp->nodes);

    node->node.op = (uint8_t)op;
    e->constraint->node_count++;
    return node;
}

static int find_operand(const struct vd_sp_parser *parser)
{
    for (size_t i = 0; i < VD_COUNT(operands); i++) {
        if (vd_sp_is_word(parser, operands[i].keyword))
            return (int)i;
    }
    return -1;
}

static int operand_of(uint8_t part)
{
    int i = 0;

    while (operands[i].part != part)
        i++;
    return i;
}

static uint8_t parse_relation(struct vd_sp_parser *parser)
{
    if (vd_sp_accept(parser, VD_SP_TOKEN_EQ) || vd_sp_accept_word(parser, VD_SP_KW_EQ))
        return VD_REL_EQ;
    if (vd_sp_accept(parser, VD_SP_TOKEN_NE))
        return VD_REL_NE;
    if (vd_sp_accept_word(parser, VD_SP_KW_DOM))
        return VD_REL_DOM;
    if (vd_sp_accept_word(parser, VD_SP_KW_DOMBY))
        return VD_REL_DOMBY;
    if (vd_sp_accept_word(parser, VD_SP_KW_INCOMP))
        return VD_REL_INCOMP;
    return 0;
}

static bool compare_parts(struct expression *e, int left, int right, uint8_t rel, uint32_t place)
{
    struct vd_sp_messages *messages = &e->parser->sp->messages;
    uint8_t a = operands[left].part, b = operands[right].part;
    struct vd_sp_node *node;

    for (size_t i = 0; i < VD_COUNT(pairs); i++) {
        if (pairs[i][0] != a || pairs[i][1] != b)
            continue;
        if (rel > VD_REL_NE && (operands[left].kind == 'u' || operands[left].kind == 't')) {
            vd_sp_error(messages, place, "users and types know only == and !=");
            return false;
        }
        if (operands[left].kind == 'l' && e->parser->sp->mls_place == 0)
            e->parser->sp->mls_place = place;
        node = emit(e, VD_CX_ATTR);
        node->node.rel = rel;
        node->node.left = a;
        node->node.right = b;
        return true;
    }
    vd_sp_error(messages, place, "these two parts of a context cannot be compared in this order");
    return false;
}

static bool compare_names(struct expression *e, int left, uint8_t rel, uint32_t place)
{
    struct vd_sp *sp = e->parser->sp;
    struct vd_sp_node *node;
    struct vd_sp_set names;

    if (operands[left].kind == 'l') {
        vd_sp_error(&sp->messages, place, "a level can only be compared with another level");
        return false;
    }
    if (rel > VD_REL_NE) {
        vd_sp_error(&sp->messages, place, "names are compared with == or != only");
        return false;
    }
    if (operands[left].third && !e->constraint->transition) {
        vd_sp_error(&sp->messages, place, "u3, r3 and t3 belong to validatetrans");
        return false;
    }
    if (!vd_sp_parse_set(e->parser, "a name", &names))
        return false;
    node = emit(e, VD_CX_NAMES);
    node->node.rel = rel;
    node->node.left = operands[left].part;
    node->names = sp->constraint_sets.count;
    *VD_SP_PUSH(&sp->arena, &sp->constraint_sets) = names;
    return true;
}

/*
 * The old forms: `source role NAMES`, `target type NAMES`, … and `role RELATION`.
 * False in `ret_good` if it is broken; false: it is none of these.
 */
static bool parse_old_form(struct expression *e, bool *ret_good)
{
    struct vd_sp_parser *parser = e->parser;
    uint32_t place = parser->token.place;
    bool target;
    uint8_t rel;

    if (vd_sp_accept_word(parser, VD_SP_KW_ROLE)) {
        rel = parse_relation(parser);
        *ret_good =
            rel == 0 ? vd_sp_unexpected(parser, "==, !=, dom, domby or incomp")
                     : compare_parts(e, operand_of(VD_PART_R1), operand_of(VD_PART_R2), rel, place);
        return true;
    }
    target = vd_sp_is_word(parser, VD_SP_KW_TARGET);
    if (!vd_sp_accept_word(parser, VD_SP_KW_SOURCE) && !vd_sp_accept_word(parser, VD_SP_KW_TARGET))
        return false;
    if (vd_sp_accept_word(parser, VD_SP_KW_ROLE))
        *ret_good =
            compare_names(e, operand_of(target ? VD_PART_R2 : VD_PART_R1), VD_REL_EQ, place);
    else if (vd_sp_accept_word(parser, VD_SP_KW_TYPE))
        *ret_good =
            compare_names(e, operand_of(target ? VD_PART_T2 : VD_PART_T1), VD_REL_EQ, place);
    else
        *ret_good = vd_sp_unexpected(parser, "'role' or 'type'");
    return true;
}

static bool parse_or(struct expression *e);

static bool parse_primary(struct expression *e)
{
    struct vd_sp_parser *parser = e->parser;
    uint32_t place = parser->token.place;
    int left, right;
    uint8_t rel;
    bool good;

    if (vd_sp_accept(parser, '(')) {
        if (++e->nesting > VD_SP_MAX_NESTING) {
            vd_sp_error(&parser->sp->messages, place, "parentheses are nested more than %u deep",
                        VD_SP_MAX_NESTING);
            return false;
        }
        if (!parse_or(e) || !vd_sp_expect(parser, ')', "')'"))
            return false;
        e->nesting--;
        return true;
    }
    if (vd_sp_accept_word(parser, VD_SP_KW_SAMEUSER))
        return compare_parts(e, 0, 1, VD_REL_EQ, place);
    if (parse_old_form(e, &good))
        return good;
    left = find_operand(parser);
    if (left < 0)
        return vd_sp_unexpected(parser, "an expression (u1, r1, t1, l1, h1, ... or '(')");
    vd_sp_next(parser);
    rel = parse_relation(parser);
    if (rel == 0)
        return vd_sp_unexpected(parser, "==, !=, dom, domby or incomp");
    right = find_operand(parser);
    if (right < 0)
        return compare_names(e, left, rel, place);
    vd_sp_next(parser);
    return compare_parts(e, left, right, rel, place);
}

static bool parse_not(struct expression *e)
{
    bool negated = false;

    /* Two negations are none: the loop keeps "! ! ! …" from nesting. */
    while (vd_sp_accept(e->parser, '!') || vd_sp_accept_word(e->parser, VD_SP_KW_NOT))
        negated = !negated;
    if (!parse_primary(e))
        return false;
    if (negated)
        (void)emit(e, VD_CX_NOT);
    return true;
}

static bool parse_and(struct expression *e)
{
    if (!parse_not(e))
        return false;
    while (vd_sp_accept(e->parser, VD_SP_TOKEN_AND) || vd_sp_accept_word(e->parser, VD_SP_KW_AND)) {
        if (!parse_not(e))
            return false;
        (void)emit(e, VD_CX_AND);
    }
    return true;
}

static bool parse_or(struct expression *e)
{
    if (!parse_and(e))
        return false;
    while (vd_sp_accept(e->parser, VD_SP_TOKEN_OR) || vd_sp_accept_word(e->parser, VD_SP_KW_OR)) {
        if (!parse_and(e))
            return false;
        (void)emit(e, VD_CX_OR);
    }
    return true;
}

/* The value stack the expression needs; the engine has VD_PDB_MAX_DEPTH. */
static bool check_depth(struct expression *e)
{
    struct vd_sp *sp = e->parser->sp;
    uint32_t depth = 0, deepest = 0;

    for (uint32_t i = 0; i < e->constraint->node_count; i++) {
        switch (sp->nodes.data[e->constraint->node_first + i].node.op) {
        case VD_CX_AND:
        case VD_CX_OR:
            depth--;
            break;
        case VD_CX_NOT:
            break;
        default:
            depth++;
            break;
        }
        deepest = depth > deepest ? depth : deepest;
    }
    if (deepest > VD_PDB_MAX_DEPTH) {
        vd_sp_error(&sp->messages, e->constraint->place,
                    "this expression needs %u values at once; the limit is %u", deepest,
                    VD_PDB_MAX_DEPTH);
        return false;
    }
    return true;
}

/* constrain CLASSES PERMS EXPRESSION; validatetrans CLASSES EXPRESSION; and the mls… ones */
bool vd_sp_st_constraint(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_constraint constraint = {
        .place = parser->start, .block = parser->block, .node_first = sp->nodes.count};
    struct expression e = {.parser = parser, .constraint = &constraint};
    uint32_t word = parser->keyword;

    constraint.mls = word == VD_SP_KW_MLSCONSTRAIN || word == VD_SP_KW_MLSVALIDATETRANS;
    constraint.transition = word == VD_SP_KW_VALIDATETRANS || word == VD_SP_KW_MLSVALIDATETRANS;
    if (!vd_sp_parse_set(parser, "a class", &constraint.classes) ||
        (!constraint.transition && !vd_sp_parse_set(parser, "a permission", &constraint.perms)) ||
        !parse_or(&e) || !check_depth(&e))
        return false;
    if (constraint.mls && !sp->messages.sources.data[parser->lexer.source].builtin) {
        sp->has_mlsconstrain = true;
        if (sp->mls_place == 0)
            sp->mls_place = constraint.place;
    }
    *VD_SP_PUSH(&sp->arena, &sp->constraints) = constraint;
    return vd_sp_end_statement(parser);
}
