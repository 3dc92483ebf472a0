/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Measuring an accepted image into the TPM, with the firmware's event log.
 *
 * What is measured where, and the events' bytes: core/boot/pcr. Source: TCG EFI
 * Protocol Specification, family 2.0, section 6 (HashLogExtendEvent).
 */
#ifndef VD_BOOTLOADER_MEASURE_H
#define VD_BOOTLOADER_MEASURE_H

#include "bootloader/efi/efi.h"
#include "core/boot/image.h"

struct vd_measure {
    struct efi_tcg2 *tcg2; /* NULL: there is no TPM that measures */
    bool quotable;         /* there is a crypto-agile log for a verifier to replay */
};

/*
 * Looks for a TPM with an active SHA-256 or SHA-384 bank. There being none is no
 * failure: `ret->tcg2` is NULL then, and a policy may refuse that.
 */
void vd_measure_open(const struct vd_efi *efi, struct vd_measure *ret);

/*
 * Measures the image and the bootloader's own policy (`policy`, as it stands in
 * the trust block). Any failure is VD_E_IO or VD_E_NO_MEMORY: a boot that was
 * measured in part must not go on.
 */
vd_status vd_measure_image(const struct vd_measure *measure, const struct vd_image *image,
                           const struct vd_span *policy, struct vd_diag *diag);

#endif
