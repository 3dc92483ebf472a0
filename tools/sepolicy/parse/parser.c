/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/parse/replay.h"

#include <string.h>

#include "tools/sepolicy/suggest.h"

/* Where a statement may stand. */
#define IN_IF    (1u << 0)
#define ANYWHERE (1u << 1) /* in the policy and in optional blocks */

static const struct {
    vd_sp_statement_fn parse;
    uint32_t where;
} statements[VD_SP_KW_RESERVED_END] = {
    [VD_SP_KW_CLASS] = {vd_sp_st_class, ANYWHERE},
    [VD_SP_KW_COMMON] = {vd_sp_st_common, ANYWHERE},
    [VD_SP_KW_SID] = {vd_sp_st_sid, ANYWHERE},
    [VD_SP_KW_ATTRIBUTE] = {vd_sp_st_attribute, ANYWHERE},
    [VD_SP_KW_ATTRIBUTE_ROLE] = {vd_sp_st_attribute_role, ANYWHERE},
    [VD_SP_KW_EXPANDATTRIBUTE] = {vd_sp_st_expandattribute, ANYWHERE},
    [VD_SP_KW_TYPE] = {vd_sp_st_type, ANYWHERE},
    [VD_SP_KW_TYPEALIAS] = {vd_sp_st_typealias, ANYWHERE},
    [VD_SP_KW_TYPEATTRIBUTE] = {vd_sp_st_typeattribute, ANYWHERE},
    [VD_SP_KW_TYPEBOUNDS] = {vd_sp_st_typebounds, ANYWHERE},
    [VD_SP_KW_PERMISSIVE] = {vd_sp_st_permissive, ANYWHERE},
    [VD_SP_KW_NEVERAUDIT] = {vd_sp_st_permissive, ANYWHERE},
    [VD_SP_KW_ROLE] = {vd_sp_st_role, ANYWHERE},
    [VD_SP_KW_ROLEATTRIBUTE] = {vd_sp_st_roleattribute, ANYWHERE},
    [VD_SP_KW_ROLE_TRANSITION] = {vd_sp_st_role_transition, ANYWHERE},
    [VD_SP_KW_USER] = {vd_sp_st_user, ANYWHERE},
    [VD_SP_KW_ALLOW] = {vd_sp_st_rule, ANYWHERE | IN_IF},
    [VD_SP_KW_AUDITALLOW] = {vd_sp_st_rule, ANYWHERE | IN_IF},
    [VD_SP_KW_AUDITDENY] = {vd_sp_st_rule, ANYWHERE | IN_IF},
    [VD_SP_KW_DONTAUDIT] = {vd_sp_st_rule, ANYWHERE | IN_IF},
    [VD_SP_KW_DENY] = {vd_sp_st_rule, ANYWHERE},
    [VD_SP_KW_NEVERALLOW] = {vd_sp_st_rule, ANYWHERE},
    [VD_SP_KW_ALLOWXPERM] = {vd_sp_st_xperm_rule, ANYWHERE | IN_IF},
    [VD_SP_KW_AUDITALLOWXPERM] = {vd_sp_st_xperm_rule, ANYWHERE | IN_IF},
    [VD_SP_KW_DONTAUDITXPERM] = {vd_sp_st_xperm_rule, ANYWHERE | IN_IF},
    [VD_SP_KW_NEVERALLOWXPERM] = {vd_sp_st_xperm_rule, ANYWHERE},
    [VD_SP_KW_TYPE_TRANSITION] = {vd_sp_st_transition, ANYWHERE | IN_IF},
    [VD_SP_KW_TYPE_MEMBER] = {vd_sp_st_transition, ANYWHERE | IN_IF},
    [VD_SP_KW_TYPE_CHANGE] = {vd_sp_st_transition, ANYWHERE | IN_IF},
    [VD_SP_KW_RANGE_TRANSITION] = {vd_sp_st_range_transition, ANYWHERE},
    [VD_SP_KW_CONSTRAIN] = {vd_sp_st_constraint, ANYWHERE},
    [VD_SP_KW_MLSCONSTRAIN] = {vd_sp_st_constraint, ANYWHERE},
    [VD_SP_KW_VALIDATETRANS] = {vd_sp_st_constraint, ANYWHERE},
    [VD_SP_KW_MLSVALIDATETRANS] = {vd_sp_st_constraint, ANYWHERE},
    [VD_SP_KW_SENSITIVITY] = {vd_sp_st_sensitivity, ANYWHERE},
    [VD_SP_KW_DOMINANCE] = {vd_sp_st_dominance, ANYWHERE},
    [VD_SP_KW_CATEGORY] = {vd_sp_st_category, ANYWHERE},
    [VD_SP_KW_LEVEL] = {vd_sp_st_level, ANYWHERE},
    [VD_SP_KW_BOOL] = {vd_sp_st_bool, ANYWHERE},
    [VD_SP_KW_TUNABLE] = {vd_sp_st_bool, ANYWHERE},
    [VD_SP_KW_IF] = {vd_sp_st_if, ANYWHERE},
    [VD_SP_KW_OPTIONAL] = {vd_sp_st_optional, ANYWHERE},
    [VD_SP_KW_REQUIRE] = {vd_sp_st_require, ANYWHERE | IN_IF},
    [VD_SP_KW_POLICYCAP] = {vd_sp_st_policycap, ANYWHERE},
    [VD_SP_KW_MODULE] = {vd_sp_st_module, ANYWHERE},
    [VD_SP_KW_POLICY_MODULE] = {vd_sp_st_module, ANYWHERE},
    [VD_SP_KW_DEFAULT_USER] = {vd_sp_st_default, ANYWHERE},
    [VD_SP_KW_DEFAULT_ROLE] = {vd_sp_st_default, ANYWHERE},
    [VD_SP_KW_DEFAULT_TYPE] = {vd_sp_st_default, ANYWHERE},
    [VD_SP_KW_DEFAULT_RANGE] = {vd_sp_st_default, ANYWHERE},
    [VD_SP_KW_FS_USE_XATTR] = {vd_sp_st_fs_use, ANYWHERE},
    [VD_SP_KW_FS_USE_TASK] = {vd_sp_st_fs_use, ANYWHERE},
    [VD_SP_KW_FS_USE_TRANS] = {vd_sp_st_fs_use, ANYWHERE},
    [VD_SP_KW_GENFSCON] = {vd_sp_st_genfscon, ANYWHERE},
    [VD_SP_KW_PORTCON] = {vd_sp_st_portcon, ANYWHERE},
    [VD_SP_KW_NETIFCON] = {vd_sp_st_netifcon, ANYWHERE},
    [VD_SP_KW_NODECON] = {vd_sp_st_nodecon, ANYWHERE},
    [VD_SP_KW_FSCON] = {vd_sp_st_fscon, ANYWHERE},
    [VD_SP_KW_IBPKEYCON] = {vd_sp_st_ibpkeycon, ANYWHERE},
    [VD_SP_KW_IBENDPORTCON] = {vd_sp_st_ibendportcon, ANYWHERE},
    [VD_SP_KW_PIRQCON] = {vd_sp_st_xen, ANYWHERE},
    [VD_SP_KW_IOMEMCON] = {vd_sp_st_xen, ANYWHERE},
    [VD_SP_KW_IOPORTCON] = {vd_sp_st_xen, ANYWHERE},
    [VD_SP_KW_PCIDEVICECON] = {vd_sp_st_xen, ANYWHERE},
    [VD_SP_KW_DEVICETREECON] = {vd_sp_st_xen, ANYWHERE},
};

static const char *const words[] = {"",
#define WORD_(id, word) word,
                                    VD_SP_RESERVED(WORD_) VD_SP_CONTEXTUAL(WORD_)
#undef WORD_
};

_Static_assert(VD_COUNT(words) == VD_SP_KW_COUNT, "a word for each keyword");

/* Words that are not checkpolicy's, and `self`, which is a name to it, have one form only. */
static bool has_capitals(uint32_t keyword)
{
    return keyword != VD_SP_KW_SELF && keyword != VD_SP_KW_DENY &&
           keyword != VD_SP_KW_POLICY_MODULE;
}

/* The word in capitals: a word of the language too. */
static void capitals(const char *word, char ret[VD_SP_MAX_KEYWORD])
{
    size_t i;

    for (i = 0; word[i] != '\0'; i++)
        ret[i] = word[i] >= 'a' && word[i] <= 'z' ? (char)(word[i] - 'a' + 'A') : word[i];
    ret[i] = '\0';
}

void vd_sp_keywords_init(struct vd_sp *sp)
{
    char text[VD_SP_MAX_KEYWORD];

    for (uint32_t i = 1; i < VD_COUNT(words); i++)
        (void)vd_sp_name(&sp->names, words[i], strlen(words[i]));
    /* Where there is no such form, a name that no source can contain keeps the numbers right. */
    for (uint32_t i = 1; i < VD_SP_KW_RESERVED_END; i++) {
        capitals(words[i], text);
        if (!has_capitals(i))
            text[0] = '!';
        (void)vd_sp_name(&sp->names, text, strlen(text));
    }
}

void vd_sp_next(struct vd_sp_parser *parser)
{
    parser->last_end = parser->lexer.first + (uint32_t)(parser->lexer.at - parser->lexer.start);
    vd_sp_lex(&parser->lexer, &parser->token);
    if (parser->token.kind == VD_SP_TOKEN_NAME && parser->token.name >= VD_SP_KW_COUNT &&
        parser->token.name < VD_SP_KW_COUNT + VD_SP_KW_RESERVED_END - 1)
        parser->token.name -= VD_SP_KW_COUNT - 1;
}

bool vd_sp_is_word(const struct vd_sp_parser *parser, uint32_t keyword)
{
    char text[VD_SP_MAX_KEYWORD];

    if (parser->token.kind != VD_SP_TOKEN_NAME || parser->token.name == keyword)
        return parser->token.kind == VD_SP_TOKEN_NAME;
    if (keyword < VD_SP_KW_RESERVED_END || parser->token.name < VD_SP_KW_COUNT)
        return false;
    capitals(words[keyword], text);
    return strcmp(text, vd_sp_str(parser->sp, parser->token.name)) == 0;
}

bool vd_sp_accept(struct vd_sp_parser *parser, uint32_t kind)
{
    if (parser->token.kind != kind)
        return false;
    vd_sp_next(parser);
    return true;
}

bool vd_sp_accept_word(struct vd_sp_parser *parser, uint32_t keyword)
{
    if (!vd_sp_is_word(parser, keyword))
        return false;
    vd_sp_next(parser);
    return true;
}

bool vd_sp_unexpected(struct vd_sp_parser *parser, const char *what)
{
    /* The lexer has reported a bad token already. */
    if (parser->token.kind != VD_SP_TOKEN_BAD)
        vd_sp_error(&parser->sp->messages, parser->token.place, "expected %s, found %s", what,
                    vd_sp_token_text(&parser->lexer, &parser->token));
    return false;
}

bool vd_sp_expect(struct vd_sp_parser *parser, uint32_t kind, const char *what)
{
    return vd_sp_accept(parser, kind) || vd_sp_unexpected(parser, what);
}

bool vd_sp_expect_word(struct vd_sp_parser *parser, uint32_t keyword, const char *what)
{
    return vd_sp_accept_word(parser, keyword) || vd_sp_unexpected(parser, what);
}

static bool at_statement(const struct vd_sp_parser *parser)
{
    return parser->token.kind == VD_SP_TOKEN_NAME && parser->token.name < VD_SP_KW_RESERVED_END &&
           statements[parser->token.name].parse != NULL;
}

bool vd_sp_end_statement(struct vd_sp_parser *parser)
{
    if (vd_sp_accept(parser, ';'))
        return true;
    if (!at_statement(parser) && parser->token.kind != '}' && parser->token.kind != VD_SP_TOKEN_END)
        return vd_sp_unexpected(parser, "';'");
    /* Only the sign is missing: the statement stands, reading goes on with the next one. */
    vd_sp_error(&parser->sp->messages, parser->last_end,
                "expected ';' at the end of the statement");
    return true;
}

bool vd_sp_expect_name(struct vd_sp_parser *parser, const char *what, struct vd_sp_item *ret)
{
    if (parser->token.kind != VD_SP_TOKEN_NAME)
        return vd_sp_unexpected(parser, what);
    if (parser->token.name < VD_SP_KW_RESERVED_END) {
        vd_sp_error(&parser->sp->messages, parser->token.place,
                    "expected %s, found '%s', a word of the language", what,
                    vd_sp_str(parser->sp, parser->token.name));
        return false;
    }
    ret->name = parser->token.name;
    ret->place = parser->token.place & VD_SP_PLACE_MASK;
    ret->minus = 0;
    vd_sp_next(parser);
    return true;
}

/* One name of a set, perhaps with a minus; `self` is a name here. */
static bool parse_item(struct vd_sp_parser *parser, const char *what, bool minus)
{
    struct vd_sp_item *item;

    if (parser->token.kind != VD_SP_TOKEN_NAME ||
        (parser->token.name < VD_SP_KW_RESERVED_END && parser->token.name != VD_SP_KW_SELF)) {
        struct vd_sp_item unused;

        return vd_sp_expect_name(parser, what, &unused);
    }
    item = VD_SP_PUSH(&parser->sp->arena, &parser->scratch);
    item->name = parser->token.name;
    item->place = parser->token.place & VD_SP_PLACE_MASK;
    item->minus = minus;
    vd_sp_next(parser);
    return true;
}

/* What stands between braces, the nested ones included; the first is open already. */
static bool parse_braces(struct vd_sp_parser *parser, const char *what)
{
    uint32_t depth = 1;
    uint32_t open = parser->last_end;

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
        } else {
            bool minus = vd_sp_accept(parser, '-');

            if (!parse_item(parser, what, minus))
                return false;
        }
    }
    return true;
}

static bool parse_names(struct vd_sp_parser *parser, const char *what, struct vd_sp_set *ret)
{
    if (vd_sp_accept(parser, '*')) {
        ret->star = true;
        return true;
    }
    ret->complement = vd_sp_accept(parser, '~');
    if (vd_sp_accept(parser, '{')) {
        parser->braces++;
        return parse_braces(parser, what);
    }
    if (!parse_item(parser, what, false))
        return false;
    /* "a - b": the old way to write { a -b }. */
    return !vd_sp_accept(parser, '-') || parse_item(parser, what, true);
}

bool vd_sp_parse_scratch(struct vd_sp_parser *parser, const char *what, struct vd_sp_set *ret)
{
    uint32_t first = parser->scratch.count;

    *ret = (struct vd_sp_set){.place = parser->token.place};
    if (!parse_names(parser, what, ret))
        return false;
    ret->count = parser->scratch.count - first;
    return true;
}

bool vd_sp_parse_set(struct vd_sp_parser *parser, const char *what, struct vd_sp_set *ret)
{
    size_t size;

    parser->scratch.count = 0;
    if (!vd_sp_parse_scratch(parser, what, ret))
        return false;
    size = ret->count * sizeof(*ret->items);
    ret->items = vd_sp_alloc(&parser->sp->arena, size);
    if (size > 0)
        memcpy(ret->items, parser->scratch.data, size);
    return true;
}

struct vd_sp_symbol *vd_sp_declare(struct vd_sp_parser *parser, enum vd_sp_space space,
                                   enum vd_sp_symbol_kind kind, const struct vd_sp_item *name)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_symbol *symbol = vd_sp_symbol_of(sp, space, name->name);

    if (symbol != NULL) {
        vd_sp_error_hint(&sp->messages, name->place,
                         vd_sp_text(&sp->arena, "the first declaration is at %s",
                                    vd_sp_place_text(&sp->messages, symbol->place)),
                         "'%s' is declared already", vd_sp_str(sp, name->name));
        return NULL;
    }
    sp->names.list.data[name->name].symbols[space] = sp->symbols.count;
    symbol = VD_SP_PUSH(&sp->arena, &sp->symbols);
    symbol->name = name->name;
    symbol->place = name->place;
    symbol->block = parser->block;
    symbol->space = (uint8_t)space;
    symbol->kind = (uint8_t)kind;
    return symbol;
}

/* Behind an error: to the end of the statement and on to a word that begins one. */
static void recover(struct vd_sp_parser *parser)
{
    uint32_t open = parser->braces;

    while (parser->token.kind != VD_SP_TOKEN_END) {
        if (parser->token.kind == '{') {
            open++;
        } else if (parser->token.kind == '}') {
            if (open == 0 && parser->depth > 0)
                return;
            open -= open > 0;
        } else if (parser->token.kind == ';' && open <= parser->braces) {
            vd_sp_next(parser);
            break;
        } else if (at_statement(parser) && parser->token.place != parser->start && open == 0) {
            return;
        }
        vd_sp_next(parser);
    }
    open = parser->braces;
    while (parser->token.kind != VD_SP_TOKEN_END && !at_statement(parser)) {
        if (parser->token.kind == '}' && open == 0 && parser->depth > 0)
            return;
        open -= parser->token.kind == '}' && open > 0;
        vd_sp_next(parser);
    }
}

static bool unknown_statement(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_suggestion s;

    if (parser->token.kind != VD_SP_TOKEN_NAME)
        return vd_sp_unexpected(parser, "a statement");
    vd_sp_suggest_init(&s, vd_sp_str(sp, parser->token.name));
    for (uint32_t i = 1; i < VD_SP_KW_RESERVED_END; i++) {
        if (statements[i].parse != NULL)
            vd_sp_suggest(&s, words[i]);
    }
    vd_sp_error_hint(&sp->messages, parser->token.place, vd_sp_suggest_hint(&s, &sp->arena),
                     "no statement begins with '%s'", vd_sp_str(sp, parser->token.name));
    return false;
}

/* One statement; goes on behind an error. False at the end of the text or block. */
bool vd_sp_parse_statement(struct vd_sp_parser *parser)
{
    bool good;

    while (vd_sp_accept(parser, ';'))
        continue;
    if (parser->token.kind == VD_SP_TOKEN_END || (parser->token.kind == '}' && parser->depth > 0))
        return false;
    parser->start = parser->token.place;
    parser->braces = 0;
    if (parser->replay != NULL && vd_sp_replay_rules(parser))
        return true;
    if (!at_statement(parser)) {
        good = unknown_statement(parser);
    } else if (parser->cond != 0 && (statements[parser->token.name].where & IN_IF) == 0) {
        vd_sp_error(&parser->sp->messages, parser->token.place,
                    "'%s' cannot stand inside an if block",
                    vd_sp_str(parser->sp, parser->token.name));
        vd_sp_next(parser);
        good = false;
    } else {
        parser->keyword = parser->token.name;
        vd_sp_next(parser);
        good = statements[parser->keyword].parse(parser);
    }
    if (!good)
        recover(parser);
    return true;
}

void vd_sp_parse(struct vd_sp *sp, uint32_t first, uint32_t last)
{
    struct vd_sp_replay replay = {.cache = sp->cache};
    struct vd_sp_parser parser = {.sp = sp, .replay = sp->cache == NULL ? NULL : &replay};

    if (sp->cache != NULL)
        replay.set_of = vd_sp_alloc_array(&sp->arena, sp->cache->parts[VD_SP_CACHE_SETS].count,
                                          sizeof(*replay.set_of));
    vd_sp_lexer_init(&parser.lexer, &sp->messages, &sp->names, first, last);
    vd_sp_next(&parser);
    while (vd_sp_parse_statement(&parser))
        continue;
}
