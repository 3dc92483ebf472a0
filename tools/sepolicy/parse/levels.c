/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sensitivities, categories, levels, ranges, contexts.
 *
 * A name may contain '-' and '.', so that "s0-s15" and "c0.c1023" arrive as one
 * word: a word with '-' that is no declared name is cut there, a category with
 * '.' is cut when it is resolved.
 */
#include "tools/sepolicy/parse/parser.h"

#include <string.h>

/* Splits a word at its first '-' unless all of it is declared in `space`. */
static bool split_word(struct vd_sp *sp, enum vd_sp_space space, const struct vd_sp_item *word,
                       struct vd_sp_item *ret_left, struct vd_sp_item *ret_right)
{
    const char *text = vd_sp_str(sp, word->name);
    const char *sign = strchr(text, '-');
    size_t left;

    if (sign == NULL || vd_sp_symbol_of(sp, space, word->name) != NULL)
        return false;
    left = (size_t)(sign - text);
    *ret_left = *ret_right = *word;
    ret_left->name = vd_sp_name(&sp->names, text, left);
    ret_right->name = vd_sp_name(&sp->names, sign + 1, strlen(sign + 1));
    ret_right->place = (word->place + (uint32_t)left + 1) & VD_SP_PLACE_MASK;
    return true;
}

static void level_used(struct vd_sp_parser *parser, uint32_t place)
{
    struct vd_sp *sp = parser->sp;

    if (sp->mls_place == 0 && !sp->messages.sources.data[parser->lexer.source].builtin)
        sp->mls_place = place;
}

/*
 * `:c0,c2.c5` behind a sensitivity. True in `ret_cut` if the last word held the
 * beginning of the range's high level, which is then in `ret_high`.
 */
static bool parse_categories(struct vd_sp_parser *parser, struct vd_sp_set *ret,
                             struct vd_sp_item *ret_high, bool *ret_cut)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_item item, left;

    *ret_cut = false;
    ret->place = parser->token.place & VD_SP_PLACE_MASK;
    parser->scratch.count = 0;
    do {
        if (!vd_sp_expect_name(parser, "a category", &item))
            return false;
        if (ret_high != NULL && split_word(sp, VD_SP_CAT, &item, &left, ret_high)) {
            item = left;
            *ret_cut = true;
        }
        *VD_SP_PUSH(&sp->arena, &parser->scratch) = item;
    } while (!*ret_cut && vd_sp_accept(parser, ','));
    ret->count = parser->scratch.count;
    ret->items = vd_sp_alloc_array(&sp->arena, ret->count, sizeof(*ret->items));
    memcpy(ret->items, parser->scratch.data, ret->count * sizeof(*ret->items));
    return true;
}

bool vd_sp_parse_level(struct vd_sp_parser *parser, struct vd_sp_level *ret)
{
    bool cut;

    if (!vd_sp_expect_name(parser, "a sensitivity", &ret->sens))
        return false;
    level_used(parser, ret->sens.place);
    return !vd_sp_accept(parser, ':') || parse_categories(parser, &ret->cats, NULL, &cut);
}

bool vd_sp_parse_range(struct vd_sp_parser *parser, struct vd_sp_range *ret)
{
    struct vd_sp_item word, right;
    bool cut = false;

    *ret = (struct vd_sp_range){.part = VD_SP_LEVEL_ONE};
    if (!vd_sp_expect_name(parser, "a sensitivity", &word))
        return false;
    level_used(parser, word.place);
    ret->low.sens = word;
    if (split_word(parser->sp, VD_SP_SENS, &word, &ret->low.sens, &right))
        cut = true;
    else if (vd_sp_accept(parser, ':') && !parse_categories(parser, &ret->low.cats, &right, &cut))
        return false;
    if (cut) {
        ret->part = VD_SP_LEVEL_RANGE;
        ret->high.sens = right;
        return !vd_sp_accept(parser, ':') || parse_categories(parser, &ret->high.cats, NULL, &cut);
    }
    if (vd_sp_accept(parser, '-')) {
        ret->part = VD_SP_LEVEL_RANGE;
        return vd_sp_parse_level(parser, &ret->high);
    }
    ret->high = ret->low;
    return true;
}

bool vd_sp_parse_context(struct vd_sp_parser *parser, struct vd_sp_context *ret)
{
    static const char colon[] = "':' and the context's next part";

    if (!vd_sp_expect_name(parser, "a user", &ret->user) || !vd_sp_expect(parser, ':', colon) ||
        !vd_sp_expect_name(parser, "a role", &ret->role) || !vd_sp_expect(parser, ':', colon) ||
        !vd_sp_expect_name(parser, "a type", &ret->type))
        return false;
    return !vd_sp_accept(parser, ':') || vd_sp_parse_range(parser, &ret->range);
}

static bool parse_aliases(struct vd_sp_parser *parser, enum vd_sp_space space, uint32_t target)
{
    struct vd_sp_set names;

    if (!vd_sp_accept_word(parser, VD_SP_KW_ALIAS))
        return true;
    if (!vd_sp_parse_set(parser, "an alias", &names))
        return false;
    for (uint32_t i = 0; i < names.count; i++) {
        struct vd_sp_symbol *symbol = vd_sp_declare(parser, space, VD_SP_ALIAS, &names.items[i]);

        if (symbol != NULL)
            symbol->target = target;
    }
    return true;
}

/* sensitivity NAME [alias NAMES]; */
bool vd_sp_st_sensitivity(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_item name;

    if (!vd_sp_expect_name(parser, "a sensitivity", &name))
        return false;
    level_used(parser, name.place);
    sp->has_sens |= !sp->messages.sources.data[parser->lexer.source].builtin;
    (void)vd_sp_declare(parser, VD_SP_SENS, VD_SP_PLAIN, &name);
    return parse_aliases(parser, VD_SP_SENS, name.name) && vd_sp_end_statement(parser);
}

/* category NAME [alias NAMES]; */
bool vd_sp_st_category(struct vd_sp_parser *parser)
{
    struct vd_sp_item name;

    if (!vd_sp_expect_name(parser, "a category", &name))
        return false;
    level_used(parser, name.place);
    (void)vd_sp_declare(parser, VD_SP_CAT, VD_SP_PLAIN, &name);
    return parse_aliases(parser, VD_SP_CAT, name.name) && vd_sp_end_statement(parser);
}

/* dominance { s0 s1 … }: sensitivities, lowest first; or of roles: see roles.c */
bool vd_sp_st_dominance(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_item item;
    bool braces = vd_sp_accept(parser, '{');

    if (braces && parser->token.kind == VD_SP_TOKEN_NAME && parser->token.name == VD_SP_KW_ROLE)
        return vd_sp_role_dominance(parser);
    if (sp->dominance.count > 0) {
        vd_sp_error(&sp->messages, parser->start,
                    "the dominance of sensitivities is given already");
        return false;
    }
    parser->braces += braces;
    do {
        if (!vd_sp_expect_name(parser, "a sensitivity", &item))
            return false;
        *VD_SP_PUSH(&sp->arena, &sp->dominance) = item;
    } while (braces && !vd_sp_accept(parser, '}'));
    parser->braces = 0;
    (void)vd_sp_accept(parser, ';');
    return true;
}

/* level SENSITIVITY[:CATEGORIES]; which categories the sensitivity may have */
bool vd_sp_st_level(struct vd_sp_parser *parser)
{
    struct vd_sp_level level = {};

    if (!vd_sp_parse_level(parser, &level))
        return false;
    *VD_SP_PUSH(&parser->sp->arena, &parser->sp->levels) = level;
    return vd_sp_end_statement(parser);
}
