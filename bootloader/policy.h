/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Judging the image of this boot: the trust block, the machine's capabilities
 * and the firmware's veto go into the one judgement (bootloader/judgement.h).
 */
#ifndef VD_BOOTLOADER_POLICY_H
#define VD_BOOTLOADER_POLICY_H

#include "bootloader/measure.h"
#include "bootloader/secure_boot.h"
#include "core/boot/judge.h"
#include "core/boot/trust.h"

/* What of this machine goes into the judgement; borrowed. */
struct vd_machine {
    const struct vd_secure_boot *secure_boot;
    const struct vd_measure *measure;
};

/*
 * Judges `file`. `ret_verdict` is always filled. An accepted image's kernel has
 * been looked up in dbx by its Authenticode digest, too.
 */
void vd_policy_judge(const struct vd_span *file, const struct vd_trust *trust,
                     const struct vd_machine *machine, struct vd_boot_verdict *ret_verdict,
                     struct vd_diag *diag);

#endif
