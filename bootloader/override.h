/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Answers the firmware's authentication of loaded images for exactly one buffer,
 * between begin and end; every other image goes to the firmware's own check.
 *
 * Source: Platform Initialization Specification 1.8, volume 2, sections 12.9 and
 * 12.10: LoadImage asks Security2's FileAuthentication, or where the platform has
 * none, Security's FileAuthenticationState, which is told the path alone.
 */
#ifndef VD_BOOTLOADER_OVERRIDE_H
#define VD_BOOTLOADER_OVERRIDE_H

#include "bootloader/efi/efi.h"
#include "core/boot/image.h"

/*
 * From now on `buffer` with device path `path` (both borrowed until end) counts
 * as authenticated. VD_E_BUSY if it has begun already.
 */
vd_status vd_override_begin(const struct vd_efi *efi, const struct efi_device_path *path,
                            const struct vd_span *buffer, struct vd_diag *diag);

/* Puts the firmware's own functions back. */
void vd_override_end(void);

#endif
