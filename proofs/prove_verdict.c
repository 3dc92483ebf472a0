/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* proof: unwind 1 */
/*
 * A verdict allows exactly when something was asked for and all of it is
 * allowed, for every decision and request; what is refused is never allowed;
 * an empty decision allows nothing.
 */
#include "core/mac/mac.h"
#include "proofs/proof.h"

int main(void)
{
    struct vd_decision decision = {.allowed = nondet_u32(),
                                   .auditallow = nondet_u32(),
                                   .auditdeny = nondet_u32(),
                                   .flags = nondet_u32()};
    struct vd_decision empty = {};
    uint32_t requested = nondet_u32();
    struct vd_verdict verdict = vd_decision_apply(&decision, requested);
    struct vd_verdict nothing = vd_decision_apply(&empty, requested);

    VD_PROVE(vd_verdict_allows(verdict) ==
             (requested != 0 && (requested & ~decision.allowed) == 0));
    VD_PROVE((verdict.denied & decision.allowed) == 0);
    VD_PROVE((verdict.audited & ~requested) == 0);
    VD_PROVE(!vd_verdict_allows(nothing));
    VD_PROVE_WRONG(!vd_verdict_allows(verdict));
    return 0;
}
