/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What SELinux's format or its kernel cannot take, though the language has it:
 * each is an error at its place. Nothing is left out silently.
 */
#include "tools/sepolicy/selinux/write.h"

static void check_types(struct vd_sp_se *se)
{
    const struct vd_sp_checked *c = se->c;

    if (c->types.count - 1 > VD_SE_MAX_TYPES)
        vd_sp_error(&c->sp->messages, vd_sp_se_symbol(se, &c->types, VD_SE_MAX_TYPES + 1)->place,
                    "SELinux's format has room for %u types and attributes", VD_SE_MAX_TYPES);
}

static void check_defaults(struct vd_sp_se *se)
{
    struct vd_sp *sp = se->c->sp;

    for (uint32_t i = 0; i < sp->defaults.count && se->version < VD_SE_GLBLUB_VERSION; i++) {
        const struct vd_sp_default *row = &sp->defaults.data[i];

        if (row->kind == VD_SP_DEFAULT_RANGE && row->value == VD_RANGE_GLBLUB &&
            vd_sp_on(sp, row->block))
            vd_sp_error_hint(
                &sp->messages, row->place, "compile it with --selinux-version 32 or higher",
                "version %u of SELinux's format does not have default_range glblub", se->version);
    }
}

/* What is recorded is more then: the policy says it is not to be. */
static void check_neveraudit(struct vd_sp_se *se)
{
    struct vd_sp *sp = se->c->sp;

    for (uint32_t i = 0; se->version < VD_SE_NEVERAUDIT_VERSION && i < sp->permissives.count; i++) {
        const struct vd_sp_permissive *row = &sp->permissives.data[i];

        if (row->neveraudit && vd_sp_on(sp, row->block))
            vd_sp_error_hint(&sp->messages, row->type.place, "compile it with --selinux-version 35",
                             "version %u of SELinux's format does not have neveraudit",
                             se->version);
    }
}

static void check_infiniband(struct vd_sp_se *se)
{
    const struct vd_sp_checked *c = se->c;
    uint32_t first = c->label_first[VD_SP_LABEL_IBPKEY];

    if (se->version < VD_SE_INFINIBAND_VERSION && first < c->label_first[VD_SP_LABEL_IBENDPORT + 1])
        vd_sp_error_hint(&c->sp->messages, c->labels.data[first].label->place,
                         "compile it with --selinux-version 31 or later",
                         "version %u of SELinux's format does not have InfiniBand's contexts",
                         se->version);
}

/* SELinux's kernel refuses a constraint that needs more values at once. */
static void check_constraints(struct vd_sp_se *se)
{
    struct vd_sp *sp = se->c->sp;

    for (uint32_t i = 0; i < sp->constraints.count; i++) {
        const struct vd_sp_constraint *row = &sp->constraints.data[i];
        uint32_t depth = 0, deepest = 0;

        for (uint32_t n = 0; n < row->node_count; n++) {
            uint8_t op = sp->nodes.data[row->node_first + n].node.op;

            if (op == VD_CX_AND || op == VD_CX_OR)
                depth--;
            else if (op != VD_CX_NOT)
                depth++;
            deepest = depth > deepest ? depth : deepest;
        }
        if (deepest > VD_SE_MAX_DEPTH && vd_sp_on(sp, row->block) && (sp->mls || !row->mls))
            vd_sp_error(&sp->messages, row->place,
                        "this expression needs %u values at once; SELinux's kernel takes %u",
                        deepest, VD_SE_MAX_DEPTH);
    }
}

static void check_conditions(struct vd_sp_se *se)
{
    struct vd_sp *sp = se->c->sp;

    for (uint32_t i = 0; i < sp->conds.count; i++) {
        const struct vd_sp_cond *row = &sp->conds.data[i];
        uint32_t depth = 0, deepest = 0;

        for (uint32_t n = 0; n < row->node_count; n++) {
            uint32_t op = sp->cond_nodes.data[row->node_first + n].op;

            if (op == VD_COND_BOOL)
                depth++;
            else if (op != VD_COND_NOT)
                depth--;
            deepest = depth > deepest ? depth : deepest;
        }
        if (deepest > VD_SE_MAX_COND_DEPTH)
            vd_sp_error(&sp->messages, row->place,
                        "this condition needs %u values at once; SELinux's kernel takes %u",
                        deepest, VD_SE_MAX_COND_DEPTH);
    }
}

static void check_xperms(struct vd_sp_se *se)
{
    struct vd_sp *sp = se->c->sp;

    for (uint32_t i = 0; i < sp->xperm_rules.count && se->version < VD_SE_COND_XPERMS_VERSION;
         i++) {
        const struct vd_sp_xperm_rule *row = &sp->xperm_rules.data[i];

        if (row->cond != 0 && vd_sp_on(sp, row->block))
            vd_sp_error_hint(
                &sp->messages, row->place, "compile it with --selinux-version 34",
                "version %u of SELinux's format has no extended permissions inside an if block",
                se->version);
    }
}

void vd_sp_se_check(struct vd_sp_se *se)
{
    check_types(se);
    check_defaults(se);
    check_infiniband(se);
    check_neveraudit(se);
    check_constraints(se);
    check_conditions(se);
    check_xperms(se);
}
