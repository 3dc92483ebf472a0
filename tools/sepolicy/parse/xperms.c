/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Extended permissions: allow and its kin for single ioctl commands or netlink
 * messages, by their numbers.
 */
#include "tools/sepolicy/parse/parser.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER 0xffffu

static uint8_t rule_kind(uint32_t keyword)
{
    switch (keyword) {
    case VD_SP_KW_ALLOWXPERM:
        return VD_SP_ALLOW;
    case VD_SP_KW_AUDITALLOWXPERM:
        return VD_SP_AUDITALLOW;
    case VD_SP_KW_DONTAUDITXPERM:
        return VD_SP_DONTAUDIT;
    default:
        return VD_SP_NEVERALLOW;
    }
}

static bool parse_number(struct vd_sp_parser *parser, uint16_t *ret)
{
    if (parser->token.kind != VD_SP_TOKEN_NUMBER)
        return vd_sp_unexpected(parser, "a number, as 0x8910");
    if (parser->token.number > MAX_NUMBER) {
        vd_sp_error(&parser->sp->messages, parser->token.place,
                    "extended permissions have numbers up to 0x%x", MAX_NUMBER);
        return false;
    }
    *ret = (uint16_t)parser->token.number;
    vd_sp_next(parser);
    return true;
}

/* NUMBER or NUMBER - NUMBER */
static bool parse_range(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    uint32_t place = parser->token.place;
    struct vd_sp_xperm_range range;

    if (!parse_number(parser, &range.low))
        return false;
    range.high = range.low;
    if (vd_sp_accept(parser, '-') && !parse_number(parser, &range.high))
        return false;
    if (range.high < range.low) {
        vd_sp_error(&sp->messages, place, "this range ends before it begins");
        return false;
    }
    *VD_SP_PUSH(&sp->arena, &sp->xperm_ranges) = range;
    return true;
}

/* What stands between braces, the nested ones included; the first is open already. */
static bool parse_braces(struct vd_sp_parser *parser)
{
    uint32_t depth = 1;
    uint32_t open = parser->last_end;

    parser->braces++;
    while (depth > 0) {
        if (vd_sp_accept(parser, '{')) {
            parser->braces++;
            if (++depth > VD_SP_MAX_NESTING) {
                vd_sp_error(&parser->sp->messages, parser->token.place,
                            "sets are nested more than %u deep", VD_SP_MAX_NESTING);
                return false;
            }
        } else if (vd_sp_accept(parser, '}')) {
            parser->braces--;
            depth--;
        } else if (parser->token.kind == VD_SP_TOKEN_END || parser->token.kind == ';') {
            vd_sp_error(&parser->sp->messages, open - 1, "this '{' has no closing '}'");
            return false;
        } else if (!parse_range(parser)) {
            return false;
        }
    }
    return true;
}

static int compare(const void *pa, const void *pb)
{
    const struct vd_sp_xperm_range *a = pa, *b = pb;

    return a->low != b->low ? (a->low < b->low ? -1 : 1) : 0;
}

/* Sorts the ranges from `first` on and joins those that touch. */
static void normalize(struct vd_sp *sp, uint32_t first)
{
    struct vd_sp_xperm_range *list = sp->xperm_ranges.data + first;
    uint32_t count = sp->xperm_ranges.count - first, kept = 1;

    if (count == 0)
        return;
    qsort(list, count, sizeof(*list), compare);
    for (uint32_t i = 1; i < count; i++) {
        if (list[i].low > list[kept - 1].high + 1u)
            list[kept++] = list[i];
        else if (list[i].high > list[kept - 1].high)
            list[kept - 1].high = list[i].high;
    }
    sp->xperm_ranges.count = first + kept;
}

/* Puts the numbers that the ranges from `first` on leave out in their place. */
static void complement(struct vd_sp *sp, uint32_t first)
{
    uint32_t count = sp->xperm_ranges.count - first, next = 0;
    struct vd_sp_xperm_range *list = vd_sp_alloc_array(&sp->arena, count, sizeof(*list));

    memcpy(list, sp->xperm_ranges.data + first, count * sizeof(*list));
    sp->xperm_ranges.count = first;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].low > next)
            *VD_SP_PUSH(&sp->arena, &sp->xperm_ranges) = (struct vd_sp_xperm_range){
                .low = (uint16_t)next, .high = (uint16_t)(list[i].low - 1)};
        next = list[i].high + 1u;
    }
    if (next <= MAX_NUMBER)
        *VD_SP_PUSH(&sp->arena, &sp->xperm_ranges) =
            (struct vd_sp_xperm_range){.low = (uint16_t)next, .high = MAX_NUMBER};
}

/* [~] NUMBERS, as ranges of the model. */
static bool parse_xperms(struct vd_sp_parser *parser, struct vd_sp_xperm_rule *rule)
{
    struct vd_sp *sp = parser->sp;
    bool others = vd_sp_accept(parser, '~');

    rule->range_first = sp->xperm_ranges.count;
    if (vd_sp_accept(parser, '{')) {
        if (!parse_braces(parser))
            return false;
    } else if (!parse_range(parser)) {
        return false;
    }
    normalize(sp, rule->range_first);
    if (others)
        complement(sp, rule->range_first);
    rule->range_count = sp->xperm_ranges.count - rule->range_first;
    return true;
}

/* KINDxperm TYPES TYPES:CLASSES ioctl|nlmsg NUMBERS; */
bool vd_sp_st_xperm_rule(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_xperm_rule rule = {.kind = rule_kind(parser->keyword),
                                    .place = parser->start,
                                    .block = parser->block,
                                    .cond = parser->cond,
                                    .otherwise = parser->otherwise};

    if (!vd_sp_parse_set(parser, "a type", &rule.source) ||
        !vd_sp_parse_set(parser, "a type", &rule.target) ||
        !vd_sp_expect(parser, ':', "':' and a class") ||
        !vd_sp_parse_set(parser, "a class", &rule.classes))
        return false;
    rule.nlmsg = vd_sp_accept_word(parser, VD_SP_KW_NLMSG);
    if (!rule.nlmsg && !vd_sp_expect_word(parser, VD_SP_KW_IOCTL, "'ioctl' or 'nlmsg'"))
        return false;
    if (!parse_xperms(parser, &rule))
        return false;
    *VD_SP_PUSH(&sp->arena, &sp->xperm_rules) = rule;
    return vd_sp_end_statement(parser);
}
