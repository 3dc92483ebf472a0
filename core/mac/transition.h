/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Contexts of new subjects and objects (the seed's transition_context and
 * label_object; SELinux's security_compute_sid is the model: libsepol,
 * services.c).
 *
 * kind VD_TRANS_TYPE: the context of a process after executing `target`
 * (class process) or of a new object of `class` made by `source` in `target`;
 * VD_TRANS_MEMBER, VD_TRANS_CHANGE: the same for type_member and type_change.
 */
#ifndef VD_CORE_MAC_TRANSITION_H
#define VD_CORE_MAC_TRANSITION_H

#include "core/mac/mac.h"

#ifndef __VMLINUX_H__
/*
 * VD_OK and the new context; VD_E_INVALID if the rules give a context that the
 * policy does not allow (role not for the user, type not for the role, range
 * outside the clearance); VD_E_RANGE for an unknown class or context.
 */
vd_status vd_mac_transition(const struct vd_policydb *db, const struct vd_context *source,
                            const struct vd_context *target, uint32_t class, uint32_t kind,
                            struct vd_context *ret);

/* True if the policy allows this combination of user, role, type and range. */
bool vd_mac_context_valid(const struct vd_policydb *db, const struct vd_context *context);

/*
 * Reads "user:role:type[:low[-high]]" of `len` bytes; every name must exist and
 * the context be valid, else VD_E_SYNTAX, VD_E_NOT_FOUND or VD_E_INVALID with
 * the offset in `diag`.
 */
vd_status vd_mac_context_parse(const struct vd_policydb *db, const char *text, size_t len,
                               struct vd_context *ret, struct vd_diag *diag);

/* Writes a context as text, categories in SELinux's short form (c0.c3,c7). */
void vd_mac_context_text(const struct vd_policydb *db, const struct vd_context *context,
                         struct vd_text *text);
#endif

#endif
