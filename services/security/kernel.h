/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Contexts of clients as the kernel's enforcement gives them: the client's pidfd
 * (SO_PEERPIDFD), the label in task storage, the map of contexts, and the names
 * of the policy that the kernel itself holds. Where the kernel enforces, this
 * decides; a client that it cannot tell the context of has none.
 *
 * Opened while there are privileges; later it only reads maps. One thread.
 */
#ifndef VD_SERVICES_SECURITY_KERNEL_H
#define VD_SERVICES_SECURITY_KERNEL_H

#include "core/abi/kernel.h"
#include "services/security/policy.h"

struct vd_secd_kernel {
    bool there; /* else the rest is empty */
    int tasks;
    int contexts;
    struct vd_secd_policy policy;
};

/*
 * Opens the maps pinned in `dir`. NULL: those of VD_KERNEL_PIN_DIR, if the
 * kernel enforces a policy; if it does not, `ret->there` is false and all is well.
 */
vd_status vd_secd_kernel_open(const char *dir, struct vd_secd_kernel *ret, struct vd_diag *diag);
void vd_secd_kernel_close(struct vd_secd_kernel *kernel);

/*
 * The context, as text on the heap, of the process that made the connection
 * `fd`; NULL if it has none or the kernel does not tell.
 */
char *vd_secd_kernel_context(const struct vd_secd_kernel *kernel, int fd);

#endif
