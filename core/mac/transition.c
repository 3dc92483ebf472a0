/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/transition.h"

vd_status vd_mac_create(const struct vd_policydb *db, const struct vd_context *source,
                        const struct vd_context *target, const struct vd_making *making,
                        struct vd_context *ret)
{
    struct vd_context context;

    VD_TRY(vd_transition(db, source, target, making, &context));
    *ret = context;
    return VD_OK;
}

vd_status vd_mac_transition(const struct vd_policydb *db, const struct vd_context *source,
                            const struct vd_context *target, uint32_t class, uint32_t kind,
                            struct vd_context *ret)
{
    struct vd_making making = {.class = class, .kind = kind, .creators = VD_MAKING_LIBSEPOL};

    return vd_mac_create(db, source, target, &making, ret);
}

uint32_t vd_mac_named_type(const struct vd_policydb *db, uint32_t source, uint32_t target,
                           uint32_t class, const struct vd_file_name *name)
{
    return vd_transition_by_name(db, source, target, class, name);
}

bool vd_mac_context_valid(const struct vd_policydb *db, const struct vd_context *context)
{
    return vd_context_valid(db, context);
}
