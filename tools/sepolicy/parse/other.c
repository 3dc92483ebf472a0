/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Statements that are read but say nothing to this policy's blob, and those
 * that are refused.
 */
#include "tools/sepolicy/parse/parser.h"

/* policycap NAME; how SELinux's kernel behaves: Veridian's hooks have one behaviour. */
bool vd_sp_st_policycap(struct vd_sp_parser *parser)
{
    struct vd_sp_policycap row = {.block = parser->block};

    if (!vd_sp_expect_name(parser, "a policy capability", &row.name))
        return false;
    *VD_SP_PUSH(&parser->sp->arena, &parser->sp->policycaps) = row;
    return vd_sp_end_statement(parser);
}

/* expandattribute ATTRIBUTES true|false; only about how SELinux stores rules */
bool vd_sp_st_ignored(struct vd_sp_parser *parser)
{
    struct vd_sp_set names;

    return vd_sp_parse_set(parser, "an attribute", &names) &&
           (vd_sp_accept_word(parser, VD_SP_KW_TRUE) ||
            vd_sp_expect_word(parser, VD_SP_KW_FALSE, "'true' or 'false'")) &&
           vd_sp_end_statement(parser);
}

/* Contexts of file systems, ports and networks: checked for their form, then left out. */
static const struct {
    uint32_t keyword;
    uint32_t words; /* before the context */
    uint32_t contexts;
    bool file_type; /* genfscon: "-b", "--", … may stand before the context */
} labelling[] = {
    {VD_SP_KW_FS_USE_XATTR, 1, 1, false}, {VD_SP_KW_FS_USE_TASK, 1, 1, false},
    {VD_SP_KW_FS_USE_TRANS, 1, 1, false}, {VD_SP_KW_GENFSCON, 2, 1, true},
    {VD_SP_KW_PORTCON, 2, 1, false},      {VD_SP_KW_NETIFCON, 1, 2, false},
    {VD_SP_KW_NODECON, 2, 1, false},
};

/* Takes `count` words as they stand; the parser's next token is the first of them. */
static void skip_words(struct vd_sp_parser *parser, uint32_t count)
{
    struct vd_sp_token word;

    parser->lexer.at = parser->lexer.start + (parser->token.place - parser->lexer.first);
    for (uint32_t i = 0; i < count; i++)
        vd_sp_lex_word(&parser->lexer, &word);
    vd_sp_next(parser);
}

bool vd_sp_st_labelling(struct vd_sp_parser *parser)
{
    struct vd_sp *sp = parser->sp;
    struct vd_sp_context context;

    for (size_t i = 0; i < VD_COUNT(labelling); i++) {
        if (labelling[i].keyword != parser->keyword)
            continue;
        skip_words(parser, labelling[i].words);
        if (labelling[i].file_type && parser->token.kind == '-')
            skip_words(parser, 1);
        for (uint32_t c = 0; c < labelling[i].contexts; c++) {
            if (!vd_sp_parse_context(parser, &context))
                return false;
        }
        break;
    }
    (void)vd_sp_accept(parser, ';');
    if (!sp->labelling_seen[parser->keyword]) {
        sp->labelling_seen[parser->keyword] = true;
        vd_sp_warning(&sp->messages, parser->start,
                      "files and file systems are labelled by file_contexts and fs_contexts",
                      "'%s' is read, but the compiled policy does not carry it",
                      vd_sp_str(sp, parser->keyword));
    }
    return true;
}

bool vd_sp_st_unsupported(struct vd_sp_parser *parser)
{
    vd_sp_error(&parser->sp->messages, parser->start, "'%s' is not supported yet",
                vd_sp_str(parser->sp, parser->keyword));
    return false;
}
