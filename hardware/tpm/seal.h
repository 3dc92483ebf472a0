/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Secrets that a TPM gives out only in a certain state: the storage root key,
 * policies over PCRs, sealing and unsealing.
 *
 * The storage root key (SRK) is the persistent key at the TCG's handle, made where there is
 * none, so that our objects and those of other tools have the same parent. A sealed object
 * has no password: its policy alone decides. Its bytes are TPM2B_PUBLIC and TPM2B_PRIVATE,
 * as tpm2-tools stores them.
 *
 * Source: TCG TPM 2.0 Library 1.59, part 3, 12, 23.7, 24.1; part 1, 19.7;
 * TCG TPM v2.0 Provisioning Guidance 1.0, table 2.
 */
#ifndef VD_HARDWARE_TPM_SEAL_H
#define VD_HARDWARE_TPM_SEAL_H

#include "hardware/tpm/pcr.h"
#include "hardware/tpm/session.h"

#define VD_TPM_SRK         0x81000001u
#define VD_TPM_SEAL_MAX    128u /* bytes of a secret: every TPM takes so many */
#define VD_TPM_PRIVATE_MAX 512u
#define VD_TPM_OBJECT_MAX  512u /* of a public area */

/* A sealed object outside the TPM; both with their sizes in front (TPM2B). */
struct vd_tpm_sealed {
    uint8_t public_area[VD_TPM_OBJECT_MAX];
    size_t public_size;
    uint8_t private_area[VD_TPM_PRIVATE_MAX];
    size_t private_size;
};

/*
 * The SRK: ECC P-256, restricted, decrypting with AES-128-CFB. VD_E_MISSING: another kind of
 * key has its handle; VD_E_DENIED: the owner hierarchy has a password and there is no SRK.
 */
vd_status vd_tpm_srk(const struct vd_tpm_link *link, struct vd_tpm_storage_key *ret,
                     struct vd_diag *diag);

/* VD_E_DENIED if the TPM's SRK is not `expected`; makes none. */
vd_status vd_tpm_srk_check(const struct vd_tpm_link *link,
                           const struct vd_tpm_storage_key *expected, struct vd_diag *diag);

/*
 * Extends a policy digest by PolicyPCR for these values of the selected PCRs: what a session
 * gets when the PCRs have them. A fresh digest is all zero.
 */
vd_status vd_tpm_policy_pcr_digest(struct vd_tpm_crypto *crypto,
                                   const struct vd_tpm_selection *selection,
                                   const uint8_t *pcr_digest, uint8_t digest[VD_TPM_HASH_SIZE]);

/* SHA-256 over the selected PCRs of `bank` in their order, as PolicyPCR and quotes use it. */
vd_status vd_tpm_pcr_digest(struct vd_tpm_crypto *crypto, const struct vd_pcr_bank *bank,
                            uint32_t pcrs, uint8_t ret[VD_TPM_HASH_SIZE]);

struct vd_tpm_seal_request {
    const struct vd_tpm_storage_key *parent;
    const uint8_t *policy;              /* VD_TPM_HASH_SIZE bytes */
    const struct vd_tpm_secret *secret; /* of 1 to VD_TPM_SEAL_MAX bytes */
    const struct vd_tpm_auth *auth;     /* NULL, or the password that the policy asks for; wrong
                                           ones then count against the TPM's limit */
};

/* Seals under `session` (HMAC, for `parent`), which encrypts the secret on its way. */
vd_status vd_tpm_seal(const struct vd_tpm_link *link, struct vd_tpm_session *session,
                      const struct vd_tpm_seal_request *request, struct vd_tpm_sealed *ret,
                      struct vd_diag *diag);

/* A secret; the owner wipes it. */
struct vd_tpm_secret {
    uint8_t bytes[VD_TPM_SEAL_MAX];
    size_t size;
};

/* An object in the TPM. */
struct vd_tpm_object {
    uint32_t handle;
    struct vd_tpm_name name;
};

/*
 * Loads a sealed object; without a session, since nothing secret is sent and the TPM's name
 * for the object is checked. Ends with vd_tpm_flush. VD_E_DENIED: it was made under another key,
 * by another TPM, or its bytes were changed; VD_E_INVALID: it is not a sealed object.
 */
vd_status vd_tpm_load(const struct vd_tpm_link *link, const struct vd_tpm_storage_key *parent,
                      const struct vd_tpm_sealed *sealed, struct vd_tpm_object *ret,
                      struct vd_diag *diag);

/* The sessions of an unsealing. */
struct vd_tpm_opening {
    struct vd_tpm_session *policy;  /* whose state the object's policy accepts */
    struct vd_tpm_session *hider;   /* NULL: `policy` encrypts the secret on its way; else this one,
                                      salted: for an object whose password the caller lacks */
    const struct vd_tpm_auth *auth; /* NULL, or what the policy asks for */
};

/*
 * Unseals; the policy session starts afresh afterwards, or ends if it is the last call.
 * VD_E_DENIED: the TPM's state is not the one it was sealed to, the password is wrong, or the TPM
 * is locked after too many wrong ones.
 */
vd_status vd_tpm_unseal(const struct vd_tpm_link *link, const struct vd_tpm_opening *opening,
                        const struct vd_tpm_object *object, struct vd_tpm_secret *ret,
                        struct vd_diag *diag);

#endif
