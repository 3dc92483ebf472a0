/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Extended permissions: which ioctl commands and netlink messages a source may
 * send, by their numbers (SELinux: avc_has_extended_perms,
 * security_compute_xperms_decision).
 *
 * They narrow the permission of their kind (`ioctl`, `nlmsg`): where a pair of
 * types has any such rule in force, of whatever kind, a number needs the
 * permission and an allowxperm rule that names it. Where it has none, the
 * permission alone decides.
 */
#ifndef VD_CORE_MAC_XPERM_H
#define VD_CORE_MAC_XPERM_H

#include "core/mac/mac.h"
#include "core/mac/te.h"

/* What the rules in force say about one number; nothing: there are no such rules. */
#define VD_XPERM_DEFINED    (1u << 0)
#define VD_XPERM_ALLOWED    (1u << 1)
#define VD_XPERM_AUDITED    (1u << 2) /* auditallowxperm */
#define VD_XPERM_UNAUDITED  (1u << 3) /* dontauditxperm */
#define VD_XPERM_NUMBER_MAX 0xffffu

/* A walk over the rows of a leaf. */
struct vd_xperm_walk {
    struct vd_policydb db;
    uint32_t pos, end; /* rows of XPERMS */
    uint32_t kind;     /* enum vd_pdb_xperm_kind */
    uint32_t number;
    uint32_t said; /* VD_XPERM_… */
};

/* The row at `pos`; false at the end or at damage, which allows nothing. */
VD_INLINE bool vd_xperm_step(struct vd_xperm_walk *w)
{
    const struct vd_pdb_xperm *row;
    uint32_t driver = w->number >> 8 & 0xff, bit;

    if (w->pos >= w->end)
        return false;
    row = vd_pdb_row(&w->db, VD_PDB_XPERMS, w->pos, sizeof(*row));
    if (row == NULL) {
        w->said = VD_XPERM_DEFINED;
        return false;
    }
    w->pos++;
    if ((row->flags & VD_XPERM_IN_FORCE) == 0)
        return true;
    w->said |= VD_XPERM_DEFINED;
    bit = (row->flags & VD_XPERM_WHOLE) != 0 ? driver : w->number & 0xff;
    if (row->kind != w->kind || ((row->flags & VD_XPERM_WHOLE) == 0 && row->driver != driver) ||
        (row->bits[bit / 64 & 3] >> (bit % 64) & 1) == 0)
        return true;
    if (row->rule == VD_XPERM_ALLOW)
        w->said |= VD_XPERM_ALLOWED;
    else if (row->rule == VD_XPERM_AUDITALLOW)
        w->said |= VD_XPERM_AUDITED;
    else if (row->rule == VD_XPERM_DONTAUDIT)
        w->said |= VD_XPERM_UNAUDITED;
    return true;
}

#ifdef __BPF__
static __attribute__((unused)) long vd_xperm_callback(uint32_t index, void *data)
{
    (void)index;
    return vd_xperm_step(data) ? 0 : 1;
}
#endif

/*
 * What the rules of two types and a class say about a number of a kind:
 * VD_XPERM_… A class or type that the policy does not have: defined, and
 * nothing allowed. Cost: four loads, and the leaf's rows if it has any.
 */
VD_INLINE uint32_t vd_xperm_said(const struct vd_policydb *db, uint32_t source, uint32_t target,
                                 uint32_t class, uint32_t kind_and_number)
{
    const struct vd_pdb_leaf *leaf = vd_te_leaf(db, source, target, class);
    struct vd_xperm_walk w = {
        .db = *db, .kind = kind_and_number >> 16, .number = kind_and_number & VD_XPERM_NUMBER_MAX};

    if (leaf == NULL)
        return VD_XPERM_DEFINED;
    if (leaf->xperm_count == 0)
        return 0;
    if (leaf->xperm_count > VD_PDB_MAX_XPERMS)
        return VD_XPERM_DEFINED;
    w.pos = leaf->xperm_first;
    w.end = leaf->xperm_first + leaf->xperm_count;
#ifdef __BPF__
    bpf_loop(leaf->xperm_count, vd_xperm_callback, &w, 0);
#else
    while (vd_xperm_step(&w))
        ;
#endif
    return w.said;
}

/* A number with its kind, as vd_xperm_said takes it. */
VD_INLINE uint32_t vd_xperm_key(enum vd_pdb_xperm_kind kind, uint32_t number)
{
    return (uint32_t)kind << 16 | (number & VD_XPERM_NUMBER_MAX);
}

/*
 * Narrows a decision to one number: `perms`, the permissions of its kind, are
 * not allowed, not audited where they are allowed, or not audited where they
 * are refused, as the rules say.
 */
VD_INLINE void vd_xperm_apply(uint32_t said, uint32_t perms, struct vd_decision *decision)
{
    if ((said & VD_XPERM_DEFINED) == 0)
        return;
    if ((said & VD_XPERM_ALLOWED) == 0) {
        decision->without_te |= decision->allowed & perms;
        decision->allowed &= ~perms;
    }
    if ((said & VD_XPERM_AUDITED) == 0)
        decision->auditallow &= ~perms;
    if ((said & VD_XPERM_UNAUDITED) != 0)
        decision->auditdeny &= ~perms;
}

#ifndef __VMLINUX_H__
/*
 * The full decision for one number of a kind (VD_XPERM_IOCTL, VD_XPERM_NLMSG);
 * `perms` is the mask of the class's permission of that kind. `ret` is filled
 * whole, as by vd_mac_decide. VD_E_RANGE for a number above VD_XPERM_NUMBER_MAX;
 * `ret` then allows nothing.
 */
struct vd_xperm_question {
    uint32_t class;
    uint32_t perms;
    enum vd_pdb_xperm_kind kind;
    uint32_t number;
};

vd_status vd_mac_decide_xperm(const struct vd_policydb *db, const struct vd_context *source,
                              const struct vd_context *target, const struct vd_xperm_question *q,
                              struct vd_decision *ret);
#endif

#endif
