/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key that approves states of a TPM: ECDSA P-256, in PEM files as openssl has them.
 */
#ifndef VD_HARDWARE_TPM_SIGNER_H
#define VD_HARDWARE_TPM_SIGNER_H

#include "hardware/tpm/policy.h"

/*
 * Fills `ret` with the public point of a PEM file (a public or a private key, without a
 * passphrase) and the reference (a text of at most VD_TPM_REFERENCE_MAX bytes; NULL: none).
 * VD_E_INVALID: no PEM file of a P-256 key.
 */
vd_status vd_tpm_signer_load(const char *path, const char *reference, struct vd_tpm_signer *ret,
                             struct vd_diag *diag);

/*
 * Signs the approval with the private key of a PEM file; `approval->signer` and `->branch` are
 * filled already, the signer from the same file.
 */
vd_status vd_tpm_approval_sign(struct vd_tpm_crypto *crypto, const char *path,
                               struct vd_tpm_approval *approval, struct vd_diag *diag);

#endif
