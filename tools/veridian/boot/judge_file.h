/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Judging an image file on the host: `boot verify`.
 *
 * The judgement is the bootloader's (bootloader/judgement.h). The machine on
 * which the image will boot is not this one, so that all capabilities are taken
 * as given; only what the image itself must satisfy is decided here.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_JUDGE_FILE_H
#define VD_TOOLS_VERIDIAN_BOOT_JUDGE_FILE_H

#include "core/boot/judge.h"
#include "lib/file.h"

struct vd_boot_verify {
    const char *image;
    const char *root;   /* certificate, PEM or DER */
    const char *policy; /* the bootloader's policy, either form; NULL: it demands nothing */
    const char *const *forbidden; /* see vd_enroll_forbid */
    size_t forbidden_count;
};

/*
 * Judges; `ret_file` holds the image that the verdict borrows, the caller frees
 * it. A status other than VD_OK means that no judgement was possible; `diag`
 * also carries the reason of a refusal.
 */
vd_status vd_boot_verify(const struct vd_boot_verify *request, struct vd_bytes *ret_file,
                         struct vd_boot_verdict *ret, struct vd_diag *diag);

#endif
