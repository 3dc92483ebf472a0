/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What SELinux's format or its kernel cannot take, though the language has it:
 * each is an error at its place. Nothing is left out silently.
 */
#include "tools/sepolicy/selinux/write.h"

#include <string.h>

/* By number: libsepol's polcaps.c, the kernel's policycap_names.h. */
static const char *const capabilities[] = {
    "network_peer_controls",   "open_perms",         "extended_socket_class",
    "always_check_network",    "cgroup_seclabel",    "nnp_nosuid_transition",
    "genfs_seclabel_symlinks", "ioctl_skip_cloexec", "userspace_initial_context",
    "netlink_xperm",           "netif_wildcard",     "genfs_seclabel_wildcard",
};

static void check_policycaps(struct vd_sp_se *se)
{
    struct vd_sp *sp = se->c->sp;

    for (uint32_t i = 0; i < sp->policycaps.count; i++) {
        const struct vd_sp_policycap *row = &sp->policycaps.data[i];
        const char *name = vd_sp_str(sp, row->name.name);
        size_t number = 0;

        if (!vd_sp_on(sp, row->block))
            continue;
        while (number < VD_COUNT(capabilities) && strcmp(capabilities[number], name) != 0)
            number++;
        if (number == VD_COUNT(capabilities))
            vd_sp_error(&sp->messages, row->name.place,
                        "'%s' is not a policy capability of SELinux's kernel", name);
        else
            se->policycaps |= (uint64_t)1 << number;
    }
}

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
                &sp->messages, row->place, "compile it with --selinux-version 32 or 33",
                "version %u of SELinux's format does not have default_range glblub", se->version);
    }
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

void vd_sp_se_check(struct vd_sp_se *se)
{
    check_policycaps(se);
    check_types(se);
    check_defaults(se);
    check_constraints(se);
    check_conditions(se);
}
