/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Boot policies as people write them, into the form that the bootloader reads.
 *
 *     # what every image and machine must be
 *     require = secure-boot measured-boot
 *     min-security-version = 3
 *     min-signer-generation = 1
 *
 * A line is empty, a comment or one setting; a setting stands once at most and
 * what is missing demands nothing. A file that starts with the binary form's
 * magic is taken as that. Source: docs/formats/boot-policy.md.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_POLICY_TEXT_H
#define VD_TOOLS_VERIDIAN_BOOT_POLICY_TEXT_H

#include "core/boot/policy.h"

#define VD_BOOT_POLICY_TEXT_MAX_BYTES (64u << 10)

/* Parses either form; a failure has line and column (text) or the offset (binary). */
vd_status vd_boot_policy_read(const char *data, size_t size, struct vd_boot_policy *ret,
                              struct vd_diag *diag);

/* Loads and parses a file. */
vd_status vd_boot_policy_load(const char *path, struct vd_boot_policy *ret, struct vd_diag *diag);

#endif
