/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The full decision: what `source` may do to `target` as an object of `class`.
 *
 * In this order, as SELinux's context_struct_compute_av: type enforcement,
 * constraints (MLS ones included), role allow for a process that changes its
 * role, type bounds. A permission stays only if no layer takes it away.
 */
#ifndef VD_CORE_MAC_DECIDE_H
#define VD_CORE_MAC_DECIDE_H

#include "core/mac/constraint.h"
#include "core/mac/mac.h"
#include "core/mac/te.h"

/* The mask of a class's permissions. */
VD_INLINE uint32_t vd_class_perms(const struct vd_pdb_class *class)
{
    return class->perm_count >= VD_PDB_MAX_PERMS ? UINT32_MAX : (1u << class->perm_count) - 1;
}

/* One question: the types are given apart, since type bounds ask about others. */
struct vd_question {
    uint64_t policy; /* the policy's checksum: every step must see the same one */
    uint32_t source_type;
    uint32_t target_type;
    uint32_t class;
    uint32_t te;         /* answers: what type enforcement allows, */
    uint32_t constraint; /* what is left after constraints, */
    uint32_t role;       /* and after role allow */
};

/* Answers for the types in `q`; false if the policy has no such types or class. */
VD_INLINE bool vd_decide_question(const struct vd_policydb *db, const struct vd_context *source,
                                  const struct vd_context *target, struct vd_question *q)
{
    const struct vd_pdb_leaf *leaf = vd_te_leaf(db, q->source_type, q->target_type, q->class);
    const struct vd_pdb_class *row = vd_pdb_row(db, VD_PDB_CLASSES, q->class, sizeof(*row));
    struct vd_cx cx = {.db = *db,
                       .source = source,
                       .target = target,
                       .source_type = q->source_type,
                       .target_type = q->target_type};

    q->te = q->constraint = q->role = 0;
    if (leaf == NULL || row == NULL)
        return false;
    q->te = leaf->allowed & vd_class_perms(row);
    cx.allowed = q->te;
    if (row->node_count != 0 && cx.allowed != 0)
        vd_cx_run(&cx, row->node_first, row->node_count);
    q->constraint = cx.allowed;
    q->role = cx.allowed;
    if ((q->role & row->role_perms) != 0 && source->role != target->role &&
        !vd_rbac_allows(db, source->role, target->role))
        q->role &= ~row->role_perms;
    return true;
}

#ifdef __BPF__
/*
 * The same as a global function (kernel/bpf/mac_decide.bpf.h), which the
 * verifier walks once, not at each call. It borrows the policy by itself and
 * answers 0 if that is not the one in `q`; 1 for true.
 */
int vd_bpf_question(const struct vd_context *source, const struct vd_context *target,
                    struct vd_question *q);
#endif

VD_INLINE bool vd_decide_types(const struct vd_policydb *db, const struct vd_context *source,
                               const struct vd_context *target, struct vd_question *q)
{
#ifdef __BPF__
    (void)db;
    return vd_bpf_question(source, target, q) == 1;
#else
    return vd_decide_question(db, source, target, q);
#endif
}

/*
 * What the types that bound the source's type, step by step, leave of
 * `allowed`. A chain longer than VD_PDB_MAX_BOUNDS leaves nothing.
 */
VD_INLINE uint32_t vd_decide_bounds(const struct vd_policydb *db, const struct vd_context *source,
                                    const struct vd_context *target, struct vd_question *q,
                                    uint32_t allowed)
{
    for (uint32_t i = 0; i <= VD_PDB_MAX_BOUNDS; i++) {
        const struct vd_pdb_type *source_row = vd_te_type(db, q->source_type);
        const struct vd_pdb_type *target_row = vd_te_type(db, q->target_type);
        if (source_row == NULL || target_row == NULL)
            return 0;
        if (source_row->bounds == 0)
            return allowed;
        q->source_type = source_row->bounds;
        if (target_row->bounds != 0)
            q->target_type = target_row->bounds;
        if (i == VD_PDB_MAX_BOUNDS || !vd_decide_types(db, source, target, q))
            return 0;
        allowed &= q->role;
    }
    return 0;
}

/* True if the user and the role are numbers of the policy. */
VD_INLINE bool vd_decide_known(const struct vd_pdb_header *head, const struct vd_context *context)
{
    return context->user != 0 && context->user < head->users && context->role != 0 &&
           context->role < head->roles;
}

/*
 * The body of vd_mac_decide, for the host and for BPF, where it is to be called
 * from one place (kernel/bpf/mac_decide.bpf.h) so that the verifier walks it once.
 */
VD_INLINE void vd_decide(const struct vd_policydb *db, const struct vd_context *source,
                         const struct vd_context *target, uint32_t class, struct vd_decision *ret)
{
    const struct vd_pdb_header *head = vd_pdb_head(db);
    const struct vd_pdb_class *row = vd_pdb_row(db, VD_PDB_CLASSES, class, sizeof(*row));
    const struct vd_pdb_type *type = vd_te_type(db, source->type);
    const struct vd_pdb_leaf *leaf = vd_te_leaf(db, source->type, target->type, class);
    struct vd_question q = {
        .source_type = source->type, .target_type = target->type, .class = class};
    uint32_t perms, te, constraint, role, bounds;

    *ret = (struct vd_decision){.auditdeny = UINT32_MAX, .without_te = UINT32_MAX};
    if (head == NULL || row == NULL || type == NULL || leaf == NULL ||
        !vd_decide_known(head, source) || !vd_decide_known(head, target))
        return;
    q.policy = head->checksum;
    if (!vd_decide_types(db, source, target, &q))
        return;
    perms = vd_class_perms(row);
    te = q.te;
    constraint = q.constraint;
    role = q.role;
    bounds = type->bounds != 0 ? vd_decide_bounds(db, source, target, &q, role) : role;
    ret->allowed = bounds;
    if ((type->flags & VD_PDB_TYPE_NEVERAUDIT) == 0) {
        ret->auditallow = leaf->auditallow & perms;
        ret->auditdeny = leaf->auditdeny;
    } else {
        ret->auditdeny = 0;
    }
    ret->flags = (type->flags & VD_PDB_TYPE_PERMISSIVE) != 0 ? VD_DECISION_PERMISSIVE : 0;
    ret->without_te = perms & ~te;
    ret->without_constraint = te & ~constraint;
    ret->without_role = constraint & ~role;
    ret->without_bounds = role & ~bounds;
}

/*
 * True if `object` may be relabelled from `old` to `new` by `process`, as far as
 * the class's validatetrans rules say.
 */
VD_INLINE bool vd_decide_validatetrans(const struct vd_policydb *db, const struct vd_context *old,
                                       const struct vd_context *new,
                                       const struct vd_context *process, uint32_t class)
{
    const struct vd_pdb_class *row = vd_pdb_row(db, VD_PDB_CLASSES, class, sizeof(*row));
    struct vd_cx cx = {.db = *db,
                       .source = old,
                       .target = new,
                       .third = process,
                       .source_type = old->type,
                       .target_type = new->type};

    if (row == NULL || class == 0)
        return false;
    vd_cx_run(&cx, row->vtrans_first, row->vtrans_count);
    return cx.failed == 0;
}

#ifndef __VMLINUX_H__
/*
 * Fills `ret` whole. A context or class that the policy does not have, and any
 * damage found on the way, give no permission. Cost: four loads for type
 * enforcement plus the class's constraint nodes; no allocation.
 */
void vd_mac_decide(const struct vd_policydb *db, const struct vd_context *source,
                   const struct vd_context *target, uint32_t class, struct vd_decision *ret);

/* vd_decide_validatetrans as a function. */
bool vd_mac_validatetrans(const struct vd_policydb *db, const struct vd_context *old,
                          const struct vd_context *new, const struct vd_context *process,
                          uint32_t class);
#endif

#endif
