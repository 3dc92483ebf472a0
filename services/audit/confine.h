/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The daemon's own sandbox, entered before the first event is read: user,
 * capabilities, no_new_privs, Landlock, seccomp. What a kernel does not have is
 * named in `ret_missing`, never passed over in silence.
 */
#ifndef VD_SERVICES_AUDIT_CONFINE_H
#define VD_SERVICES_AUDIT_CONFINE_H

#include "core/base/diag.h"

struct vd_audit_confinement {
    int log_dir;    /* may be read, written and renamed in */
    int policy_dir; /* may be read; -1: none */
};

/* "UID:GID" → numbers; VD_E_USAGE for anything else. */
vd_status vd_audit_user_parse(const char *text, uint32_t *ret_uid, uint32_t *ret_gid,
                              struct vd_diag *diag);

/* Becomes the user (NULL: stays who it is): no supplementary groups, no capabilities. */
vd_status vd_audit_confine_user(const char *user, struct vd_diag *diag);

/*
 * Everything else, for ever. `ret_missing` (of `size` bytes) lists what this
 * kernel lacks; empty if nothing.
 */
vd_status vd_audit_confine(const struct vd_audit_confinement *c, char *ret_missing, size_t size,
                           struct vd_diag *diag);

#endif
