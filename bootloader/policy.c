/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/policy.h"
#include "bootloader/judgement.h"

/*
 * What this machine has. Encrypted storage and a rollback anchor are not known
 * here, so a policy that requires them refuses.
 */
static uint32_t capabilities(const struct vd_machine *machine)
{
    uint32_t found = 0;

    if (machine->secure_boot->enabled)
        found |= VD_BOOT_CAP_SECURE_BOOT;
    if (machine->measure->tcg2)
        found |= VD_BOOT_CAP_MEASURED_BOOT;
    if (machine->measure->tcg2 && machine->measure->quotable)
        found |= VD_BOOT_CAP_ATTESTATION;
    return found;
}

void vd_policy_judge(const struct vd_span *file, const struct vd_trust *trust,
                     const struct vd_machine *machine, struct vd_boot_verdict *ret_verdict,
                     struct vd_diag *diag)
{
    const struct vd_boot_case what = {
        .image = *file,
        .root = trust->root,
        .policy = trust->policy,
        .capabilities = capabilities(machine),
    };

    vd_judgement(&what, &machine->secure_boot->dbx, ret_verdict, diag);
}
