/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The boot policy: what an image and the machine must be for a boot.
 *
 * There are up to two: the bootloader's own, in its trust block, and the
 * image's, covered by the image's signature. Each can only demand; an image
 * boots if it satisfies both. Source: docs/formats/boot-policy.md.
 */
#ifndef VD_CORE_BOOT_POLICY_H
#define VD_CORE_BOOT_POLICY_H

#include "core/base/diag.h"
#include "core/boot/reason.h"

#define VD_BOOT_POLICY_MAGIC   "VDBOOTPL"
#define VD_BOOT_POLICY_VERSION 1u
#define VD_BOOT_POLICY_SIZE    32u /* encoded, in bytes */

/* Capabilities: what the machine provides, and what a policy requires. */
#define VD_BOOT_CAP_SECURE_BOOT         (1u << 0) /* firmware verified the bootloader */
#define VD_BOOT_CAP_MEASURED_BOOT       (1u << 1) /* a TPM takes the measurements */
#define VD_BOOT_CAP_ENCRYPTED_STORAGE   (1u << 2) /* the root file system's key is sealed */
#define VD_BOOT_CAP_ATTESTATION         (1u << 3) /* the TPM can quote with an event log */
#define VD_BOOT_CAP_ROLLBACK_PROTECTION (1u << 4) /* a monotonic anchor holds the version */
#define VD_BOOT_CAP_ALL                 ((1u << 5) - 1)

struct vd_boot_policy {
    uint32_t required_capabilities; /* VD_BOOT_CAP_… */
    uint32_t min_security_version;
    uint32_t min_signer_generation;
};

/* What is known of the image and the machine when the policy is evaluated. */
struct vd_boot_facts {
    uint32_t capabilities; /* VD_BOOT_CAP_… that the machine has */
    uint32_t security_version;
    uint32_t signer_generation;
    uint32_t rollback_floor; /* lowest version the machine's anchor allows; 0: no anchor */
};

/* Accepted only if `allow` is VD_BOOT_ALLOW; zero refuses. */
#define VD_BOOT_ALLOW 0x5a3c'9e17'b4d2'68f1u

struct vd_boot_policy_verdict {
    uint64_t allow;
    enum vd_boot_reason reason; /* the first rule that was broken, else NONE */
    uint32_t required;          /* what that rule demands: a version, or a capability's bit */
    uint32_t actual;            /* what was found: a version, or the capabilities */
};

/*
 * Parses exactly VD_BOOT_POLICY_SIZE bytes. Unknown capabilities are an error:
 * a demand that is not understood cannot be met.
 */
vd_status vd_boot_policy_parse(const void *data, size_t size, struct vd_boot_policy *ret,
                               struct vd_diag *diag);

/* Encodes a policy; the inverse of parse. */
void vd_boot_policy_encode(const struct vd_boot_policy *policy, uint8_t ret[VD_BOOT_POLICY_SIZE]);

/*
 * Evaluates the rules in the order versions, rollback floor, capabilities from
 * bit 0, and stops at the first that is broken. The rollback floor counts
 * whether or not the policy requires rollback protection.
 */
void vd_boot_policy_evaluate(const struct vd_boot_policy *policy, const struct vd_boot_facts *facts,
                             struct vd_boot_policy_verdict *ret);

/* The name of a capability by its bit number ("secure-boot"); NULL if there is none. */
const char *vd_boot_capability_name(unsigned bit);

#endif
