/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rules: allow and its kin, transitions, defaults of new objects.
 */
#include "tools/sepolicy/parse/replay.h"

#include <string.h>

static uint8_t rule_kind(uint32_t keyword)
{
    switch (keyword) {
    case VD_SP_KW_ALLOW:
        return VD_SP_ALLOW;
    case VD_SP_KW_AUDITALLOW:
        return VD_SP_AUDITALLOW;
    case VD_SP_KW_AUDITDENY:
    case VD_SP_KW_DONTAUDIT:
        return VD_SP_DONTAUDIT;
    case VD_SP_KW_DENY:
        return VD_SP_DENY;
    default:
        return VD_SP_NEVERALLOW;
    }
}

/* TYPES TYPES[:CLASSES PERMS]; without the last two `*ret_short` is true. */
static bool parse_rule_sets(struct vd_sp_parser *parser, struct vd_sp_rule_text *ret,
                            bool *ret_short)
{
    struct vd_sp_set *sets[] = {&ret->source, &ret->target, &ret->classes, &ret->perms};
    uint32_t at = 0, count = 2;

    parser->scratch.count = 0;
    if (!vd_sp_parse_scratch(parser, "a type", &ret->source) ||
        !vd_sp_parse_scratch(parser, "a type", &ret->target))
        return false;
    *ret_short = parser->token.kind == ';';
    if (!*ret_short) {
        if (!vd_sp_expect(parser, ':', "':' and a class") ||
            !vd_sp_parse_scratch(parser, "a class", &ret->classes) ||
            !vd_sp_parse_scratch(parser, "a permission", &ret->perms))
            return false;
        count = 4;
    }
    for (uint32_t i = 0; i < count; i++) {
        sets[i]->items = parser->scratch.data + at;
        at += sets[i]->count;
    }
    return true;
}

/* The set with items of its own. */
static struct vd_sp_set keep(struct vd_sp *sp, const struct vd_sp_set *set)
{
    struct vd_sp_set ret = *set;

    ret.items = vd_sp_alloc_array(&sp->arena, set->count, sizeof(*ret.items));
    if (set->count > 0)
        memcpy(ret.items, set->items, set->count * sizeof(*ret.items));
    return ret;
}

static bool end_role_allow(struct vd_sp_parser *parser, const struct vd_sp_rule_text *text)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_role_allow *row = VD_SP_PUSH(&sp->arena, &sp->role_allows);

    *row = (struct vd_sp_role_allow){.from = keep(sp, &text->source),
                                     .to = keep(sp, &text->target),
                                     .place = parser->start,
                                     .block = parser->block};
    if (parser->cond != 0)
        vd_sp_error(&sp->messages, parser->start, "a role allow cannot stand inside an if block");
    return vd_sp_end_statement(parser);
}

/* KIND TYPES TYPES:CLASSES PERMS; and: allow ROLES ROLES; */
bool vd_sp_st_rule(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    uint8_t kind = rule_kind(parser->keyword);
    struct vd_sp_rule_text text = {};
    bool is_short;

    if (!parse_rule_sets(parser, &text, &is_short))
        return false;
    if (is_short)
        return kind == VD_SP_ALLOW ? end_role_allow(parser, &text)
                                   : vd_sp_unexpected(parser, "':' and a class");
    /* What alone is audited when it is denied: dontaudit for all the rest. */
    if (parser->keyword == VD_SP_KW_AUDITDENY)
        text.perms.complement = !text.perms.complement;
    *VD_SP_PUSH(&sp->arena, &sp->rules) =
        (struct vd_sp_rule){.source = vd_sp_share_set(&sp->sets, &sp->arena, &text.source),
                            .target = vd_sp_share_set(&sp->sets, &sp->arena, &text.target),
                            .classes = vd_sp_share_set(&sp->sets, &sp->arena, &text.classes),
                            .perms = vd_sp_share_set(&sp->sets, &sp->arena, &text.perms),
                            .place = parser->start,
                            .block = parser->block,
                            .cond = parser->cond,
                            .kind = kind,
                            .otherwise = parser->otherwise};
    if (!vd_sp_end_statement(parser))
        return false;
    vd_sp_replay_note(parser);
    return true;
}

void vd_sp_reread_rule(struct vd_sp *sp, const struct vd_sp_rule *rule, struct vd_sp_rule_text *ret)
{
    struct vd_sp_parser parser = {.sp = sp, .start = rule->place};
    struct vd_sp_rule_text text = {};
    bool is_short;

    *ret = (struct vd_sp_rule_text){};
    vd_sp_lexer_init_at(&parser.lexer, &sp->messages, &sp->names, rule->place);
    vd_sp_next(&parser); /* the statement's first word */
    vd_sp_next(&parser);
    if (!parse_rule_sets(&parser, &text, &is_short) || is_short)
        return;
    ret->source = keep(sp, &text.source);
    ret->target = keep(sp, &text.target);
    ret->classes = keep(sp, &text.classes);
    ret->perms = keep(sp, &text.perms);
}

/* The name of a new file, in quotes or, where it looks like a name of the language, without. */
static bool parse_file_name(struct vd_sp_parser *parser, struct vd_sp_transition *rule)
{
    struct vd_sp *sp = parser->sp;
    const char *text = vd_sp_str(sp, parser->token.name);
    size_t size = strlen(text);

    rule->name.name = parser->token.name;
    rule->name.place = parser->token.place & VD_SP_PLACE_MASK;
    if (rule->kind != VD_TRANS_TYPE)
        return vd_sp_unexpected(parser, "';'");
    if (size == 0 || size > VD_SP_MAX_IDENTIFIER)
        vd_sp_error(&sp->messages, rule->name.place, "a file's name has 1 to %u bytes, not %zu",
                    VD_SP_MAX_IDENTIFIER, size);
    else if (strchr(text, '/') != NULL)
        vd_sp_error_hint(&sp->messages, rule->name.place, "only the last part of a path is meant",
                         "a file's name has no '/'");
    if (rule->cond != 0)
        vd_sp_error(&sp->messages, rule->place,
                    "a transition by file name cannot stand inside an if block");
    vd_sp_next(parser);
    return true;
}

/* type_transition|type_member|type_change TYPES TYPES:CLASSES TYPE ["NAME"]; */
bool vd_sp_st_transition(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_transition rule = {.place = parser->start,
                                    .block = parser->block,
                                    .cond = parser->cond,
                                    .kind = VD_TRANS_TYPE,
                                    .otherwise = parser->otherwise};

    if (parser->keyword == VD_SP_KW_TYPE_MEMBER)
        rule.kind = VD_TRANS_MEMBER;
    else if (parser->keyword == VD_SP_KW_TYPE_CHANGE)
        rule.kind = VD_TRANS_CHANGE;
    if (!vd_sp_parse_set(parser, "a type", &rule.source) ||
        !vd_sp_parse_set(parser, "a type", &rule.target) ||
        !vd_sp_expect(parser, ':', "':' and a class") ||
        !vd_sp_parse_set(parser, "a class", &rule.classes) ||
        !vd_sp_expect_name(parser, "the new type", &rule.result))
        return false;
    if ((parser->token.kind == VD_SP_TOKEN_STRING ||
         (parser->token.kind == VD_SP_TOKEN_NAME && parser->token.name > VD_SP_KW_RESERVED_END)) &&
        !parse_file_name(parser, &rule))
        return false;
    *VD_SP_PUSH(&sp->arena, &sp->transitions) = rule;
    return vd_sp_end_statement(parser);
}

/* range_transition TYPES TYPES[:CLASSES] RANGE; */
bool vd_sp_st_range_transition(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_transition rule = {
        .place = parser->start, .block = parser->block, .kind = VD_TRANS_RANGE};

    if (!vd_sp_parse_set(parser, "a type", &rule.source) ||
        !vd_sp_parse_set(parser, "a type", &rule.target))
        return false;
    if (vd_sp_accept(parser, ':') && !vd_sp_parse_set(parser, "a class", &rule.classes))
        return false;
    if (!vd_sp_parse_range(parser, &rule.range))
        return false;
    *VD_SP_PUSH(&sp->arena, &sp->transitions) = rule;
    return vd_sp_end_statement(parser);
}

static bool parse_default_range(struct vd_sp_parser *parser, uint32_t *ret)
{
    bool target = parser->token.name == VD_SP_KW_TARGET;
    uint32_t first = target ? VD_RANGE_TARGET_LOW : VD_RANGE_SOURCE_LOW;

    if (vd_sp_accept_word(parser, VD_SP_KW_GLBLUB)) {
        *ret = VD_RANGE_GLBLUB;
        return true;
    }
    if (!vd_sp_accept_word(parser, VD_SP_KW_SOURCE) && !vd_sp_accept_word(parser, VD_SP_KW_TARGET))
        return vd_sp_unexpected(parser, "'source', 'target' or 'glblub'");
    if (vd_sp_accept_word(parser, VD_SP_KW_LOW))
        *ret = first;
    else if (vd_sp_accept_word(parser, VD_SP_KW_HIGH))
        *ret = first + 1;
    else if (vd_sp_accept_word(parser, VD_SP_KW_LOW_DASH_HIGH) ||
             vd_sp_accept_word(parser, VD_SP_KW_LOW_HIGH))
        *ret = first + 2;
    else
        return vd_sp_unexpected(parser, "'low', 'high' or 'low_high'");
    return true;
}

/* default_user|role|type CLASSES source|target; default_range CLASSES …; */
bool vd_sp_st_default(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_default row = {.place = parser->start,
                                .block = parser->block,
                                .kind = (uint8_t)(parser->keyword - VD_SP_KW_DEFAULT_USER)};

    if (!vd_sp_parse_set(parser, "a class", &row.classes))
        return false;
    if (row.kind == VD_SP_DEFAULT_RANGE) {
        if (!parse_default_range(parser, &row.value))
            return false;
    } else if (vd_sp_accept_word(parser, VD_SP_KW_SOURCE)) {
        row.value = VD_PDB_DEFAULT_SOURCE;
    } else if (vd_sp_accept_word(parser, VD_SP_KW_TARGET)) {
        row.value = VD_PDB_DEFAULT_TARGET;
    } else {
        return vd_sp_unexpected(parser, "'source' or 'target'");
    }
    *VD_SP_PUSH(&sp->arena, &sp->defaults) = row;
    return vd_sp_end_statement(parser);
}
