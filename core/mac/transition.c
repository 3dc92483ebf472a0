/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/transition.h"

vd_status vd_mac_transition(const struct vd_policydb *db, const struct vd_context *source,
                            const struct vd_context *target, uint32_t class, uint32_t kind,
                            struct vd_context *ret)
{
    struct vd_context context;

    VD_TRY(vd_transition(db, source, target, class, kind, &context));
    *ret = context;
    return VD_OK;
}

bool vd_mac_context_valid(const struct vd_policydb *db, const struct vd_context *context)
{
    return vd_context_valid(db, context);
}
