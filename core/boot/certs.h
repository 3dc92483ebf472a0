/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Splitting concatenated DER certificates, without understanding them.
 *
 * An image carries its chain as DER certificates one after another, the
 * signer's first. Only the outer SEQUENCE is read here (X.690, 8.1.3); what is
 * inside is for the X.509 library that verifies the chain.
 */
#ifndef VD_CORE_BOOT_CERTS_H
#define VD_CORE_BOOT_CERTS_H

#include "core/boot/image.h"

#define VD_CERTS_MAX 4u /* certificates in one chain, without the root */

struct vd_certs {
    struct vd_span cert[VD_CERTS_MAX];
    uint32_t count; /* at least 1 */
};

/*
 * Splits `size` bytes into 1 to VD_CERTS_MAX certificates, borrowed. Lengths
 * must be definite and minimal, nothing may follow the last. `diag` offsets
 * count from `data`.
 */
vd_status vd_certs_parse(const void *data, size_t size, struct vd_certs *ret, struct vd_diag *diag);

#endif
