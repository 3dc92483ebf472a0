/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/decide.h"

void vd_mac_decide(const struct vd_policydb *db, const struct vd_context *source,
                   const struct vd_context *target, uint32_t class, struct vd_decision *ret)
{
    vd_decide(db, source, target, class, ret);
}

bool vd_mac_validatetrans(const struct vd_policydb *db, const struct vd_context *old,
                          const struct vd_context *new, const struct vd_context *process,
                          uint32_t class)
{
    return vd_decide_validatetrans(db, old, new, process, class);
}
