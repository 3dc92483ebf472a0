/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Policy capabilities, statements that say nothing to this policy's blob, and
 * those that are refused.
 */
#include "tools/sepolicy/parse/parser.h"

/* policycap NAME; */
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

bool vd_sp_st_unsupported(struct vd_sp_parser *parser)
{
    vd_sp_error(&parser->sp->messages, parser->start, "'%s' is not supported yet",
                vd_sp_str(parser->sp, parser->keyword));
    return false;
}
