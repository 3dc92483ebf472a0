/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A quote's bytes: TPMS_ATTEST and TPMT_SIGNATURE, read with bounds and to the
 * last byte. Form only: the signature is checked elsewhere.
 *
 * Source: TCG TPM 2.0 Library 1.59, part 2, 10.12.12 and 11.3.4.
 */
#ifndef VD_HARDWARE_TPM_ATTEST_H
#define VD_HARDWARE_TPM_ATTEST_H

#include "hardware/tpm/pcr.h"

#define VD_TPM_GENERATED      0xff544347u /* "\xffTCG" */
#define VD_TPM_ST_QUOTE       0x8018u
#define VD_TPM_ALG_RSASSA     0x0014u
#define VD_TPM_ALG_RSAPSS     0x0016u
#define VD_TPM_ALG_ECDSA      0x0018u
#define VD_TPM_ATTEST_MAX     2048u
#define VD_TPM_SIGNATURE_MAX  1024u
#define VD_TPM_NONCE_MAX      64u
#define VD_TPM_NAME_MAX       68u
#define VD_TPM_RSA_MAX        512u
#define VD_TPM_COORDINATE_MAX 66u

struct vd_tpm_bytes {
    const uint8_t *data; /* borrowed */
    size_t size;
};

struct vd_tpm_quote {
    struct vd_tpm_bytes signer; /* qualified name of the key */
    struct vd_tpm_bytes nonce;  /* extraData */
    uint64_t clock_ms;
    uint32_t reset_count;
    uint32_t restart_count;
    bool clock_safe;
    uint64_t firmware;
    struct vd_tpm_selection selection;
    struct vd_tpm_bytes digest; /* over the selected PCRs' values */
};

struct vd_tpm_signature {
    uint16_t scheme;       /* VD_TPM_ALG_ECDSA, …RSASSA, …RSAPSS */
    uint16_t hash;         /* TPM_ALG_ID */
    struct vd_tpm_bytes r; /* ECDSA; RSA: the signature */
    struct vd_tpm_bytes s; /* ECDSA */
};

/* VD_E_MAGIC if it was not made by a TPM, VD_E_INVALID if it is no quote. */
vd_status vd_tpm_quote_parse(const void *data, size_t size, struct vd_tpm_quote *ret,
                             struct vd_diag *diag);

/* VD_E_INVALID for another scheme than the three. */
vd_status vd_tpm_signature_parse(const void *data, size_t size, struct vd_tpm_signature *ret,
                                 struct vd_diag *diag);

#endif
