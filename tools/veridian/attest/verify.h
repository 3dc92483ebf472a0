/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Judging a quote away from the machine that made it.
 *
 * In this order, the first failure ends it: form of quote and signature,
 * signature under the AK, nonce, PCR selection, event log (form, digests of
 * the events that hash their data), digest of the replayed PCRs, expected values.
 * Nothing from the quoted machine is believed but what the signature covers.
 */
#ifndef VD_TOOLS_VERIDIAN_ATTEST_VERIFY_H
#define VD_TOOLS_VERIDIAN_ATTEST_VERIFY_H

#include "hardware/tpm/attest.h"
#include "lib/file.h"

#include <jansson.h>
#include <openssl/evp.h>

/* X(NAME, text): steps, in their order; the one that failed is the reason. */
#define VD_ATTEST_STEP_TABLE(X) \
    X(FORM, "form")             \
    X(SIGNATURE, "signature")   \
    X(NONCE, "nonce")           \
    X(SELECTION, "selection")   \
    X(LOG, "event-log")         \
    X(DIGEST, "digest")         \
    X(EXPECTED, "expected")     \
    X(DONE, "verified")

enum vd_attest_step {
#define VD_ATTEST_STEP_(name, text) VD_ATTEST_##name,
    VD_ATTEST_STEP_TABLE(VD_ATTEST_STEP_)
#undef VD_ATTEST_STEP_
};

struct vd_attest_evidence {
    struct vd_bytes quote;     /* TPMS_ATTEST */
    struct vd_bytes signature; /* TPMT_SIGNATURE */
    struct vd_bytes log;       /* event log */
    struct vd_tpm_bytes nonce; /* the verifier's own */
    EVP_PKEY *ak;              /* public key, known beforehand */
    json_t *claimed;  /* the machine's own PCR list, to name the PCR that differs; or NULL */
    json_t *expected; /* `boot predict --json`; or NULL */
};

struct vd_attest_result {
    enum vd_attest_step step; /* VD_ATTEST_DONE: verified */
    struct vd_tpm_quote quote;
    struct vd_tpm_signature signature;
    uint32_t events;                           /* of the log */
    struct vd_pcr_bank bank[VD_TPM_BANKS_MAX]; /* replayed, for each bank of the selection */
    uint32_t differing;                        /* PCRs that differ, where that is known */
};

/* "signature" and so on. */
const char *vd_attest_step_name(enum vd_attest_step step);

/*
 * VD_OK: verified. VD_E_SIGNATURE or VD_E_DIFFERS: not, `diag` and the step say
 * why. Input class: a file cannot be read as what it should be. `ret` is filled as
 * far as the judgement came.
 */
vd_status vd_attest_verify(const struct vd_attest_evidence *evidence, struct vd_attest_result *ret,
                           struct vd_diag *diag);

#endif
