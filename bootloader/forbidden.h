/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The forbidden list: whether dbx forbids an image, a kernel or a certificate.
 *
 * Source: UEFI Specification 2.10, section 32.6.3.3 (authorization process).
 * dbx carries SHA-256 digests of files, whole certificates, and digests of
 * certificates' signed parts; a whole certificate stands for its signed part,
 * whatever the bytes of the signature around it. The time of revocation counts
 * for nothing: a revoked certificate is forbidden whenever it signed. Any thread.
 */
#ifndef VD_BOOTLOADER_FORBIDDEN_H
#define VD_BOOTLOADER_FORBIDDEN_H

#include "core/boot/judge.h"

/* Checks the database's form, so that a later look-up cannot fail on it. */
vd_status vd_forbidden_check_form(const struct vd_span *dbx, struct vd_diag *diag);

/*
 * The `forbidden` operation of struct vd_boot_ops; `ctx` is a
 * `const struct vd_span *`, dbx' content (size 0: nothing is forbidden).
 */
vd_status vd_forbidden(void *ctx, enum vd_boot_forbidden_kind kind, const struct vd_span *thing);

/*
 * Looks an EFI program up by the digest that firmware uses for it, Authenticode's
 * (dbx lists published by vendors hold those). VD_E_REVOKED: forbidden;
 * VD_E_INVALID or another input status: not a PE file. Costs nothing where dbx
 * is empty, else one pass over the file.
 */
vd_status vd_forbidden_program(const struct vd_span *dbx, const struct vd_span *program,
                               struct vd_diag *diag);

#endif
