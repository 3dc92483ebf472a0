/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/judgement.h"
#include "bootloader/crypto_mbedtls.h"
#include "bootloader/forbidden.h"

static void refuse(struct vd_boot_verdict *verdict, enum vd_boot_reason reason)
{
    *verdict = (struct vd_boot_verdict){.reason = reason};
}

/* The judgement looks up the chain alone; the root may be revoked as well. */
static bool root_is_good(const struct vd_span *root, const struct vd_span *dbx,
                         struct vd_boot_verdict *verdict, struct vd_diag *diag)
{
    vd_status status = vd_forbidden((void *)dbx, VD_BOOT_FORBIDDEN_CERTIFICATE, root);

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

void vd_judgement(const struct vd_boot_case *what, const struct vd_span *dbx,
                  struct vd_boot_verdict *ret, struct vd_diag *diag)
{
    const struct vd_boot_ops ops = {
        .ctx = (void *)dbx,
        .sha256 = vd_crypto_sha256,
        .verify = vd_crypto_verify,
        .forbidden = vd_forbidden,
    };

    if (!root_is_good(&what->root, dbx, ret, diag))
        return;
    vd_boot_judge(what, &ops, ret, diag);
    if (vd_boot_allowed(ret))
        kernel_is_good(&ret->image, dbx, ret, diag);
}
