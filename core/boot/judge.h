/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The one judgement about an image in memory. The bootloader and
 * `veridian boot verify` both come here through bootloader/judgement.h, which
 * adds dbx' word on the root and on the kernel as an EFI program.
 *
 * Order: form, chain and signature, forbidden list, payload digests, boot
 * policies, kernel. The first failure is the reason. Nothing of a payload is
 * used before its digest fits the signed header. Cryptography comes from the
 * caller (bootloader/crypto_mbedtls, on the host too). Validity dates are
 * not judged: at boot there is no trusted clock; use the signer generation and
 * the forbidden list instead. No memory is allocated; any thread.
 */
#ifndef VD_CORE_BOOT_JUDGE_H
#define VD_CORE_BOOT_JUDGE_H

#include "core/boot/certs.h"
#include "core/boot/image.h"
#include "core/boot/policy.h"

/* What the signature is about. */
struct vd_boot_signed {
    struct vd_span root;          /* the trusted root, one DER certificate */
    const struct vd_certs *chain; /* the signer's certificate first, without the root */
    struct vd_span message;       /* the header's 512 bytes */
    struct vd_span signature;     /* 96 bytes: r || s */
};

enum vd_boot_forbidden_kind {
    VD_BOOT_FORBIDDEN_SHA256,      /* 32 bytes: digest of the header or of the kernel file */
    VD_BOOT_FORBIDDEN_CERTIFICATE, /* one DER certificate of the chain */
};

/* The caller's part. Each returns VD_OK only for success; `ctx` is passed through. */
struct vd_boot_ops {
    void *ctx;

    /* SHA-256 of `size` bytes (`data` may be NULL where size is 0). */
    vd_status (*sha256)(void *ctx, const void *data, size_t size,
                        uint8_t ret[VD_IMAGE_DIGEST_SIZE]);

    /*
     * Verifies the chain up to the root, and with the key of the first
     * certificate (P-384) the ECDSA signature over the SHA-384 of the message.
     * Each certificate is signed by the next, the last by the root; all but the
     * first are CAs; the first is not one and, where it has a key usage, may
     * sign, where it has an extended one, code. Dates are ignored. Fails with
     * VD_E_INVALID for a certificate that is malformed or not fit,
     * VD_E_UNTRUSTED for a chain that does not end at the root, VD_E_SIGNATURE
     * for a wrong signature; anything else is a fault.
     */
    vd_status (*verify)(void *ctx, const struct vd_boot_signed *what);

    /* VD_E_REVOKED if the thing is on the forbidden list, VD_OK if it is not, else a fault. */
    vd_status (*forbidden)(void *ctx, enum vd_boot_forbidden_kind kind,
                           const struct vd_span *thing);
};

struct vd_boot_case {
    struct vd_span image;         /* the whole file */
    struct vd_span root;          /* the trusted root, DER */
    struct vd_boot_policy policy; /* the bootloader's own */
    uint32_t capabilities;        /* what the machine has: VD_BOOT_CAP_… */
    uint32_t rollback_floor;      /* lowest security version allowed; 0: none known */
};

/* Accepted only if vd_boot_allowed says so; zero refuses. */
struct vd_boot_verdict {
    uint64_t allow;
    enum vd_boot_reason reason;
    uint32_t required; /* for a policy's reason: see vd_boot_policy_verdict */
    uint32_t actual;
    struct vd_image image;                       /* valid if allowed; borrows the case's image */
    struct vd_boot_policy image_policy;          /* valid if allowed; zero where it has none */
    uint8_t header_sha256[VD_IMAGE_DIGEST_SIZE]; /* valid once the form is good */
};

/*
 * Judges. `ret` is always filled; `diag` tells where and what for a refusal.
 * Cost: one SHA-256 pass over each payload, two signature checks or more.
 */
void vd_boot_judge(const struct vd_boot_case *what, const struct vd_boot_ops *ops,
                   struct vd_boot_verdict *ret, struct vd_diag *diag);

/* True if the verdict accepts the image. */
VD_INLINE bool vd_boot_allowed(const struct vd_boot_verdict *verdict)
{
    return verdict->allow == VD_BOOT_ALLOW && verdict->reason == VD_BOOT_REASON_NONE;
}

#endif
