/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/policy.h"
#include "bootloader/crypto_mbedtls.h"
#include "bootloader/forbidden.h"

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

static void refuse(struct vd_boot_verdict *verdict, enum vd_boot_reason reason)
{
    *verdict = (struct vd_boot_verdict){.reason = reason};
}

/* The judgement looks up the chain alone; the root may be revoked as well. */
static bool root_is_good(const struct vd_trust *trust, const struct vd_span *dbx,
                         struct vd_boot_verdict *verdict, struct vd_diag *diag)
{
    vd_status status = vd_forbidden((void *)dbx, VD_BOOT_FORBIDDEN_CERTIFICATE, &trust->root);

    if (status == VD_OK)
        return true;
    refuse(verdict, status == VD_E_REVOKED ? VD_BOOT_REASON_FORBIDDEN : VD_BOOT_REASON_TRUST);
    return vd_diag_fail(diag, status, "the trusted root is on the forbidden list or malformed") ==
           VD_OK;
}

static bool kernel_is_good(const struct vd_image *image, const struct vd_span *dbx,
                           struct vd_boot_verdict *verdict, struct vd_diag *diag)
{
    vd_status status = vd_forbidden_program(dbx, &image->part[VD_IMAGE_KERNEL], diag);

    if (status == VD_OK)
        return true;
    refuse(verdict, status == VD_E_REVOKED ? VD_BOOT_REASON_FORBIDDEN : VD_BOOT_REASON_KERNEL);
    return false;
}

void vd_policy_judge(const struct vd_span *file, const struct vd_trust *trust,
                     const struct vd_machine *machine, struct vd_boot_verdict *ret_verdict,
                     struct vd_diag *diag)
{
    const struct vd_span *dbx = &machine->secure_boot->dbx;
    const struct vd_boot_ops ops = {
        .ctx = (void *)dbx,
        .sha256 = vd_crypto_sha256,
        .verify = vd_crypto_verify,
        .forbidden = vd_forbidden,
    };
    const struct vd_boot_case what = {
        .image = *file,
        .root = trust->root,
        .policy = trust->policy,
        .capabilities = capabilities(machine),
    };

    if (!root_is_good(trust, dbx, ret_verdict, diag))
        return;
    vd_boot_judge(&what, &ops, ret_verdict, diag);
    if (vd_boot_allowed(ret_verdict))
        kernel_is_good(&ret_verdict->image, dbx, ret_verdict, diag);
}
