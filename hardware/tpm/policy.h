/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What must hold for a TPM to give a secret out, as data: one of up to eight branches, each of
 * which is a list of conditions that must all hold.
 *
 *   PCR         the PCRs have these values                              TPM2_PolicyPCR
 *   authorize   they have values that the holder of a key approved      TPM2_PolicyAuthorize
 *   nv          a counter equals a number, is at least it, at most it   TPM2_PolicyNV
 *   auth        the caller knows the object's password                  TPM2_PolicyAuthValue
 *
 * Several branches become a TPM2_PolicyOR. An approval is the signed list of conditions that an
 * `authorize` stands for; it is made and signed without a TPM, for states that are yet to come.
 * Neither policy nor approval is secret or trusted: the TPM computes the digest again.
 *
 * Format: docs/formats/tpm-policy.md. Source: TCG TPM 2.0 Library 1.59, part 1, 19.7; part 3, 23.
 */
#ifndef VD_HARDWARE_TPM_POLICY_H
#define VD_HARDWARE_TPM_POLICY_H

#include "hardware/tpm/pcr.h"
#include "hardware/tpm/session.h"

#define VD_TPM_BRANCHES_MAX  8u
#define VD_TPM_STEPS_MAX     4u
#define VD_TPM_REFERENCE_MAX 32u
#define VD_TPM_POLICY_MAX    16384u /* bytes of an encoded policy */
#define VD_TPM_APPROVAL_MAX  8192u  /* of an approval's file */

enum vd_tpm_step_kind {
    VD_TPM_STEP_PCR = 1,
    VD_TPM_STEP_AUTHORIZE = 2, /* the first of its branch, if any */
    VD_TPM_STEP_NV = 3,
    VD_TPM_STEP_AUTH = 4,
};

enum vd_tpm_comparison { /* TPM_EO_EQ, _UNSIGNED_GE, _UNSIGNED_LE */
                         VD_TPM_EQUAL = 0x0000,
                         VD_TPM_AT_LEAST = 0x0007,
                         VD_TPM_AT_MOST = 0x0009,
};

/* Who approves: a P-256 key, and a text that tells its approvals for one purpose from others. */
struct vd_tpm_signer {
    struct vd_tpm_point point;
    uint8_t reference[VD_TPM_REFERENCE_MAX];
    size_t reference_size;
};

struct vd_tpm_nv_condition {
    uint32_t index; /* of 8 bytes */
    struct vd_tpm_name name;
    enum vd_tpm_comparison comparison;
    uint64_t operand;
};

struct vd_tpm_step {
    enum vd_tpm_step_kind kind;
    union {
        struct vd_pcr_bank bank; /* `extended`: the PCRs that are meant, at least one */
        struct vd_tpm_signer signer;
        struct vd_tpm_nv_condition nv;
    };
};

struct vd_tpm_branch {
    uint32_t count; /* at least 1 */
    struct vd_tpm_step step[VD_TPM_STEPS_MAX];
};

struct vd_tpm_policy {
    uint32_t count; /* at least 1 */
    struct vd_tpm_branch branch[VD_TPM_BRANCHES_MAX];
};

struct vd_tpm_approval {
    struct vd_tpm_signer signer;
    struct vd_tpm_branch branch; /* of PCR and nv alone */
    uint8_t r[VD_TPM_P256_SIZE], s[VD_TPM_P256_SIZE];
};

/* True if some branch wants the password: the object then has one. */
bool vd_tpm_policy_has_auth(const struct vd_tpm_policy *policy);
bool vd_tpm_branch_has_auth(const struct vd_tpm_branch *branch);

/* The digest that a session has after these conditions. */
vd_status vd_tpm_branch_digest(struct vd_tpm_crypto *crypto, const struct vd_tpm_branch *branch,
                               uint8_t ret[VD_TPM_HASH_SIZE]);
vd_status vd_tpm_policy_digest(struct vd_tpm_crypto *crypto, const struct vd_tpm_policy *policy,
                               uint8_t ret[VD_TPM_HASH_SIZE]);

#define VD_TPM_SIGNER_AREA_SIZE 86u

/*
 * The signer's public area and its name, as tpm2_loadexternal -G ecc has them for a PEM file:
 * the name is part of policies.
 */
void vd_tpm_signer_area(const struct vd_tpm_signer *signer, uint8_t ret[VD_TPM_SIGNER_AREA_SIZE]);

/* What the signer signs (ECDSA with SHA-256 made already): the approval's digest. */
vd_status vd_tpm_approval_digest(struct vd_tpm_crypto *crypto,
                                 const struct vd_tpm_approval *approval,
                                 uint8_t ret[VD_TPM_HASH_SIZE]);

/*
 * The bytes of a policy in another file's middle. Reading fails at the reader's place: VD_E_LIMIT,
 * VD_E_RANGE, VD_E_RESERVED, VD_E_TRUNCATED.
 */
void vd_tpm_policy_write(struct vd_writer *w, const struct vd_tpm_policy *policy);
vd_status vd_tpm_policy_read(struct vd_reader *r, struct vd_tpm_policy *ret);

/* A file of its own, to its last byte; the error has its offset. */
void vd_tpm_approval_write(struct vd_writer *w, const struct vd_tpm_approval *approval);
vd_status vd_tpm_approval_read(const void *data, size_t size, struct vd_tpm_approval *ret,
                               struct vd_diag *diag);

#endif
