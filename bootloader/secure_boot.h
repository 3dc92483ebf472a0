/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the firmware's Secure Boot says: whether it is on, and what it forbids.
 *
 * Source: UEFI Specification 2.10, section 3.3 (SecureBoot, SetupMode) and
 * 32.4 (dbx). The bootloader itself has been verified by the firmware before it
 * runs; images are judged by the root in the trust block, and dbx is the
 * firmware owner's veto.
 */
#ifndef VD_BOOTLOADER_SECURE_BOOT_H
#define VD_BOOTLOADER_SECURE_BOOT_H

#include "bootloader/efi/efi.h"
#include "core/boot/image.h"

struct vd_secure_boot {
    bool enabled;       /* on, and not in setup mode, where anyone may enrol keys */
    struct vd_span dbx; /* its form is good; size 0: there is none */
};

/*
 * Reads the state. A flag that is missing, or stored by somebody instead of made
 * by the firmware at this start, means off; no dbx means an empty one. What cannot
 * be read or is malformed is a failure, so that a broken dbx never forbids less.
 */
vd_status vd_secure_boot_read(const struct vd_efi *efi, struct vd_secure_boot *ret,
                              struct vd_diag *diag);

#endif
