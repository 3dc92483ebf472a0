/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The cache beside a compiled policy: OUT.cache, which makes the next compilation of
 * slightly changed sources quick (tools/sepolicy/cache.h). It may be deleted at any time.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_FORMER_H
#define VD_TOOLS_VERIDIAN_POLICY_FORMER_H

#include "core/base/diag.h"
#include "tools/sepolicy/sepolicy.h"

struct vd_policy_former {
    char *path; /* of the cache */
    struct vd_sepolicy_former found;
};

/*
 * Finds what an earlier compilation to `out` left. Never fails: what is missing or cannot be
 * read is not there. False: `out` can have no cache (a device, a pipe). The caller ends with
 * _done either way.
 */
bool vd_policy_former_open(struct vd_policy_former *former, const char *out);
void vd_policy_former_done(struct vd_policy_former *former);

/* Writes the cache of the policy just stored. */
vd_status vd_policy_former_store(const struct vd_policy_former *former,
                                 const struct vd_sepolicy_result *result, struct vd_diag *diag);

#endif
