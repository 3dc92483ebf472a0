/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Policy capabilities, expandattribute, and statements that are refused.
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

/* expandattribute ATTRIBUTES true|false; about how SELinux stores rules */
bool vd_sp_st_expandattribute(struct vd_sp_parser *parser)
{
    struct vd_sp_expand row = {.block = parser->block};
    struct vd_sp_set names;

    if (!vd_sp_parse_set(parser, "an attribute", &names))
        return false;
    row.value = vd_sp_accept_word(parser, VD_SP_KW_TRUE);
    if (!row.value && !vd_sp_expect_word(parser, VD_SP_KW_FALSE, "'true' or 'false'"))
        return false;
    for (uint32_t i = 0; i < names.count; i++) {
        row.attribute = names.items[i];
        *VD_SP_PUSH(&parser->sp->arena, &parser->sp->expands) = row;
    }
    return vd_sp_end_statement(parser);
}

/* module NAME VERSION; policy_module(NAME, VERSION) */
bool vd_sp_st_module(struct vd_sp_parser *parser)
{
    vd_sp_error_hint(&parser->sp->messages, parser->start,
                     "compile the modules together with the base policy, as one text",
                     "this is a loadable module, not a policy");
    return false;
}

bool vd_sp_st_xen(struct vd_sp_parser *parser)
{
    vd_sp_error(&parser->sp->messages, parser->start,
                "'%s' is about Xen's resources: policies for Xen are not compiled",
                vd_sp_str(parser->sp, parser->keyword));
    return false;
}
