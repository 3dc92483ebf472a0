/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The daemon's own sandbox, entered before the first event is read: no_new_privs,
 * Landlock, seccomp (user and capabilities: lib/confine.h). What a kernel does not have is
 * named in `ret_missing`, never passed over in silence.
 */
#ifndef VD_SERVICES_AUDIT_CONFINE_H
#define VD_SERVICES_AUDIT_CONFINE_H

#include "core/base/diag.h"

struct vd_audit_confinement {
    int log_dir;    /* may be read, written and renamed in */
    int policy_dir; /* may be read; -1: none */
};

/*
 * Everything else, for ever. `ret_missing` (of `size` bytes) lists what this
 * kernel lacks; empty if nothing.
 */
vd_status vd_audit_confine(const struct vd_audit_confinement *c, char *ret_missing, size_t size,
                           struct vd_diag *diag);

#endif
