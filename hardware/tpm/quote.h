/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Making a quote: the attestation key (AK) and TPM2_Quote.
 *
 * The AK is a primary key of the endorsement hierarchy: ECC P-256, restricted,
 * signing with ECDSA and SHA-256. Its template is fixed, so the same TPM always
 * makes the same key and nothing needs to be stored: whoever verifies keeps the
 * public key of each machine. The key exists only while a quote is made.
 */
#ifndef VD_HARDWARE_TPM_QUOTE_H
#define VD_HARDWARE_TPM_QUOTE_H

#include "hardware/tpm/attest.h"
#include "hardware/tpm/crypto.h"

#define VD_TPM_PUBLIC_MAX 256u

struct vd_tpm_ak {
    uint32_t handle;
    uint8_t x[VD_TPM_P256_SIZE]; /* public point, big-endian */
    uint8_t y[VD_TPM_P256_SIZE];
    uint8_t public_area[VD_TPM_PUBLIC_MAX]; /* TPM2B_PUBLIC, as tpm2-tools stores it */
    size_t public_size;
};

/* Makes the AK in the TPM. Ends with vd_tpm_flush. */
vd_status vd_tpm_ak_create(struct vd_tpm *tpm, struct vd_tpm_ak *ret, struct vd_diag *diag);

struct vd_tpm_quote_request {
    uint32_t key; /* handle of the AK */
    struct vd_tpm_selection selection;
    struct vd_tpm_bytes nonce; /* 1 to VD_TPM_NONCE_MAX bytes, borrowed */
};

struct vd_tpm_signed_quote {
    size_t quote_size;
    size_t signature_size;
    uint8_t quote[VD_TPM_ATTEST_MAX];        /* TPMS_ATTEST */
    uint8_t signature[VD_TPM_SIGNATURE_MAX]; /* TPMT_SIGNATURE */
};

/* Quotes the PCRs of the selection. */
vd_status vd_tpm_quote(struct vd_tpm *tpm, const struct vd_tpm_quote_request *request,
                       struct vd_tpm_signed_quote *ret, struct vd_diag *diag);

#endif
