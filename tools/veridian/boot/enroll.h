/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The firmware's variables with our keys in them: `boot enroll`.
 *
 * The variable store's format is virt-fw-vars' business. It is given every
 * variable as JSON, with a fixed time, so that the same keys give the same
 * file. Source: UEFI Specification 2.10, 32.4.1 (signature lists).
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_ENROLL_H
#define VD_TOOLS_VERIDIAN_BOOT_ENROLL_H

#include "core/base/writer.h"
#include "tools/veridian/boot/files.h"

#define VD_ENROLL_DBX_MAX_BYTES (64u << 10) /* room in the firmware's variable store */

struct vd_boot_enroll {
    const char *keys_dir;
    const char *base;             /* the firmware's empty variable store (OVMF_VARS_4M.fd) */
    const char *virt_fw_vars;     /* the program */
    const char *const *forbidden; /* for dbx: see vd_enroll_forbid */
    size_t forbidden_count;
};

/*
 * Appends one thing to a dbx that is being written: 64 hexadecimal digits (a
 * SHA-256 digest), or a file: a VERIDIAN image (its header's digest), an EFI
 * program (its Authenticode digest), or a certificate in PEM or DER.
 */
vd_status vd_enroll_forbid(struct vd_writer *dbx, const char *what, struct vd_diag *diag);

/* Writes the variable store as a new file `out`; `scratch` is a directory for the JSON. */
vd_status vd_boot_enroll(const struct vd_boot_enroll *request, const char *scratch, const char *out,
                         struct vd_diag *diag);

#endif
