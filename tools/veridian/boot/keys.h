/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The keys of a boot chain: `boot keys`.
 *
 *   PK KEK db    RSA-2048, self-signed: the firmware's hierarchy; db signs the bootloader
 *   root         P-384, the image's root, compiled into the bootloader's trust block
 *   image        P-384, issued by root: signs images
 *
 * Each is NAME.key (PEM, mode 0600), NAME.crt (PEM) and NAME.der.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_KEYS_H
#define VD_TOOLS_VERIDIAN_BOOT_KEYS_H

#include "core/base/diag.h"

/* Makes all of them in `dir`, which is made if need be; VD_E_EXISTS if one is there already. */
vd_status vd_boot_keys(const char *dir, struct vd_diag *diag);

#endif
