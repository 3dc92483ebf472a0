/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A policy as the server holds it: the enforcement blob in memory of its own,
 * opened, with the booleans that were set. Immutable once made.
 */
#ifndef VD_SERVICES_SECURITY_POLICY_H
#define VD_SERVICES_SECURITY_POLICY_H

#include "lib/file.h"
#include "services/security/state.h"

struct vd_secd_policy {
    struct vd_bytes blob;
    struct vd_policydb db; /* of the blob; zero: no policy */
};

void vd_secd_policy_done(struct vd_secd_policy *policy);

/*
 * Takes the bytes of a policy file (the caller's are emptied): keeps the
 * enforcement blob, drops what stands behind it, checks it whole.
 */
vd_status vd_secd_policy_open(struct vd_bytes *bytes, struct vd_secd_policy *ret,
                              struct vd_diag *diag);

/*
 * Reads a policy that a client handed over: `fd` must be a memfd sealed against
 * every change, so that nothing can block and nothing can change while it is read.
 */
vd_status vd_secd_policy_receive(int fd, struct vd_secd_policy *ret, struct vd_diag *diag);

/* A copy of `policy` in which the state's booleans are set; those it does not have are passed over. */
vd_status vd_secd_policy_apply(const struct vd_secd_policy *policy,
                               const struct vd_secd_state *state, struct vd_secd_policy *ret,
                               struct vd_diag *diag);

#endif
