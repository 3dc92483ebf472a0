/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Signing an EFI program (Authenticode), and its digest.
 *
 * Done here rather than by sbsign because sbsign puts the time into each
 * signature: with an RSA key this one is the same whenever it is made.
 * Source: Microsoft Authenticode_PE; UEFI Specification 2.10, 32.2.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_AUTHENTICODE_H
#define VD_TOOLS_VERIDIAN_BOOT_AUTHENTICODE_H

#include "core/boot/eventlog.h"
#include "tools/veridian/boot/pki.h"

/* The digest (a TPM algorithm) that firmware computes of the file and measures into PCR 4. */
vd_status vd_authenticode_digest(const struct vd_bytes *file, uint16_t algorithm, uint8_t *ret,
                                 struct vd_diag *diag);

/* Appends a signature; an unsigned file only. `ret` is a new file. */
vd_status vd_authenticode_sign(const struct vd_bytes *file, const struct vd_pki_pair *signer,
                               struct vd_bytes *ret, struct vd_diag *diag);

#endif
