/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The access decision, as the seed's diagram draws it:
 *
 *   AVC (avc.h) → type enforcement (te.h) → roles (rbac.h) → MLS (mls.h) and
 *   constraints (constraint.h) → result (decide.h); new contexts: transition.h
 *
 * This header has what those share: the decision.
 *
 * Every part is compiled for the host and for BPF from the same source: static
 * inline functions without loops of unknown length, without calls into libc.
 * Deny is zero: a decision that was never computed allows nothing.
 */
#ifndef VD_CORE_MAC_MAC_H
#define VD_CORE_MAC_MAC_H

#include "core/policydb/policydb.h"

#define VD_DECISION_PERMISSIVE (1u << 0) /* the source type is permissive */

/* What a source may do to a target of a class; bit masks of the class's permissions. */
struct vd_decision {
    uint32_t allowed;
    uint32_t auditallow; /* audit when allowed */
    uint32_t auditdeny;  /* audit when denied; all ones without dontaudit */
    uint32_t flags;      /* VD_DECISION_… */
    /* Which layer took a permission away (or never gave it), for explanations. */
    uint32_t without_te;         /* no allow rule */
    uint32_t without_constraint; /* a constraint, MLS ones included */
    uint32_t without_role;       /* no role allow for a process transition */
    uint32_t without_bounds;     /* beyond the bounding type */
};

/* A verdict on one request: allow is a wide constant, everything else denies. */
#define VD_VERDICT_ALLOW 0x5a3c96e1u
struct vd_verdict {
    uint32_t value;   /* VD_VERDICT_ALLOW or a denial */
    uint32_t denied;  /* permissions refused */
    uint32_t audited; /* permissions whose use or refusal is to be recorded */
};

VD_INLINE bool vd_verdict_allows(struct vd_verdict verdict)
{
    return verdict.value == VD_VERDICT_ALLOW;
}

/* Applies a decision to the requested permissions; no request at all is denied. */
VD_INLINE struct vd_verdict vd_decision_apply(const struct vd_decision *decision,
                                              uint32_t requested)
{
    struct vd_verdict verdict = {};

    verdict.denied = requested & ~decision->allowed;
    verdict.audited = verdict.denied != 0 ? verdict.denied & decision->auditdeny
                                          : requested & decision->auditallow;
    if (requested != 0 && verdict.denied == 0)
        verdict.value = VD_VERDICT_ALLOW;
    return verdict;
}

#endif
