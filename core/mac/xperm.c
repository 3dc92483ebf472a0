/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/xperm.h"

#include "core/mac/decide.h"

vd_status vd_mac_decide_xperm(const struct vd_policydb *db, const struct vd_context *source,
                              const struct vd_context *target, const struct vd_xperm_question *q,
                              struct vd_decision *ret)
{
    uint32_t said = VD_XPERM_DEFINED;

    vd_mac_decide(db, source, target, q->class, ret);
    if (q->number <= VD_XPERM_NUMBER_MAX)
        said = vd_xperm_said(db, source->type, target->type, q->class,
                             vd_xperm_key(q->kind, q->number));
    vd_xperm_apply(said, q->perms, ret);
    return q->number <= VD_XPERM_NUMBER_MAX ? VD_OK : VD_E_RANGE;
}
