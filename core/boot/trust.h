/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The trust block: whom the bootloader trusts and what it demands, inside its
 * own signed file.
 *
 * The bootloader has a PE section named `.vdtrust` of VD_TRUST_CAPACITY bytes,
 * linked with an empty block (vd_trust_encode with no root). `veridian boot
 * build` fills it before the file is signed, so the firmware's signature check
 * and measurement cover it. An empty block trusts nobody: nothing boots.
 * Source: docs/formats/trust-block.md.
 */
#ifndef VD_CORE_BOOT_TRUST_H
#define VD_CORE_BOOT_TRUST_H

#include "core/boot/image.h"
#include "core/boot/policy.h"

#define VD_TRUST_MAGIC       "VDTRUST1"
#define VD_TRUST_SECTION     ".vdtrust" /* 8 bytes: the PE section's whole name field */
#define VD_TRUST_CAPACITY    8192u      /* of the section, in bytes */
#define VD_TRUST_HEADER_SIZE 32u

/*
 * The linked placeholder's first 32 bytes: magic, version 1, capacity, no root,
 * no policy. For `static const uint8_t trust[VD_TRUST_CAPACITY] =
 * VD_TRUST_PLACEHOLDER;` with the rest zero.
 */
#define VD_TRUST_PLACEHOLDER                                        \
    {                                                               \
        'V', 'D', 'T', 'R', 'U', 'S', 'T', '1', 1, 0, 0, 0, 0, 0x20 \
    }

struct vd_trust {
    struct vd_span root;         /* the root certificate, DER; borrowed */
    struct vd_span policy_bytes; /* the policy as it stands in the block; borrowed */
    struct vd_boot_policy policy;
};

/*
 * Parses the VD_TRUST_CAPACITY bytes of the section. VD_E_NOT_FOUND means the
 * placeholder was never filled. Everything behind the content must be zero.
 */
vd_status vd_trust_parse(const void *data, size_t size, struct vd_trust *ret, struct vd_diag *diag);

/*
 * Fills a whole block. `root` may be empty (size 0): then the block is the
 * placeholder and `policy` is not used. VD_E_LIMIT if the certificate does not fit.
 */
vd_status vd_trust_encode(const struct vd_span *root, const struct vd_boot_policy *policy,
                          uint8_t ret[VD_TRUST_CAPACITY], struct vd_diag *diag);

#endif
