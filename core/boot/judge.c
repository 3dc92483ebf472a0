/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/judge.h"
#include "core/base/mem.h"
#include "core/boot/pe.h"

/* Everything one judgement carries from step to step. */
struct trial {
    const struct vd_boot_case *what;
    const struct vd_boot_ops *ops;
    struct vd_boot_verdict *verdict; /* refused until the last step */
    struct vd_diag *diag;
    struct vd_certs chain;
};

/* Each step is true if the trial goes on; a refusal, whose status is never VD_OK, is false. */
static bool refuse(struct trial *t, vd_status status, enum vd_boot_reason reason)
{
    t->verdict->reason = reason;
    return vd_diag_fail(t->diag, status, vd_boot_reason_text(reason)) == VD_OK;
}

static bool refuse_at(struct trial *t, vd_status status, enum vd_boot_reason reason,
                      uint64_t offset)
{
    t->verdict->reason = reason;
    return vd_diag_fail_at(t->diag, status, offset, vd_boot_reason_text(reason)) == VD_OK;
}

static bool check_form(struct trial *t)
{
    const struct vd_span *file = &t->what->image;
    struct vd_image *image = &t->verdict->image;
    enum vd_boot_reason reason = VD_BOOT_REASON_FAULT;

    if (vd_image_parse(file->data, file->size, image, &reason, t->diag) != VD_OK) {
        t->verdict->reason = reason;
        return false;
    }
    if (t->ops->sha256(t->ops->ctx, image->header_bytes.data, image->header_bytes.size,
                       t->verdict->header_sha256) != VD_OK)
        return refuse(t, VD_E_BUG, VD_BOOT_REASON_FAULT);
    return true;
}

static bool check_signature(struct trial *t)
{
    const struct vd_image *image = &t->verdict->image;
    const struct vd_span *certs = &image->part[VD_IMAGE_CERTIFICATES];
    uint64_t certs_at = image->header.part[VD_IMAGE_CERTIFICATES].offset;
    struct vd_boot_signed what = {
        .root = t->what->root,
        .chain = &t->chain,
        .message = image->header_bytes,
        .signature = image->part[VD_IMAGE_SIGNATURE],
    };

    if (vd_certs_parse(certs->data, certs->size, &t->chain, NULL) != VD_OK)
        return refuse_at(t, VD_E_INVALID, VD_BOOT_REASON_CERTIFICATE, certs_at);
    switch (t->ops->verify(t->ops->ctx, &what)) {
    case VD_OK:
        return true;
    case VD_E_INVALID:
        return refuse_at(t, VD_E_INVALID, VD_BOOT_REASON_CERTIFICATE, certs_at);
    case VD_E_UNTRUSTED:
        return refuse_at(t, VD_E_UNTRUSTED, VD_BOOT_REASON_UNTRUSTED, certs_at);
    case VD_E_SIGNATURE:
        return refuse_at(t, VD_E_SIGNATURE, VD_BOOT_REASON_SIGNATURE,
                         image->header.part[VD_IMAGE_SIGNATURE].offset);
    default:
        return refuse(t, VD_E_BUG, VD_BOOT_REASON_FAULT);
    }
}

static bool check_forbidden(struct trial *t, enum vd_boot_forbidden_kind kind, const uint8_t *data,
                            size_t size)
{
    struct vd_span thing = {.data = data, .size = size};

    switch (t->ops->forbidden(t->ops->ctx, kind, &thing)) {
    case VD_OK:
        return true;
    case VD_E_REVOKED:
        return refuse(t, VD_E_REVOKED, VD_BOOT_REASON_FORBIDDEN);
    default:
        return refuse(t, VD_E_BUG, VD_BOOT_REASON_FAULT);
    }
}

/* The header's digest forbids one image, the kernel's all images with it, a certificate a signer. */
static bool check_all_forbidden(struct trial *t)
{
    const struct vd_image_header *h = &t->verdict->image.header;

    if (!check_forbidden(t, VD_BOOT_FORBIDDEN_SHA256, t->verdict->header_sha256,
                         VD_IMAGE_DIGEST_SIZE) ||
        !check_forbidden(t, VD_BOOT_FORBIDDEN_SHA256, h->digest[VD_IMAGE_KERNEL],
                         VD_IMAGE_DIGEST_SIZE))
        return false;
    for (uint32_t i = 0; i < t->chain.count; i++) {
        if (!check_forbidden(t, VD_BOOT_FORBIDDEN_CERTIFICATE, t->chain.cert[i].data,
                             t->chain.cert[i].size))
            return false;
    }
    return true;
}

static bool check_digests(struct trial *t)
{
    static const enum vd_boot_reason reasons[VD_IMAGE_PAYLOAD_COUNT] = {
        [VD_IMAGE_KERNEL] = VD_BOOT_REASON_DIGEST_KERNEL,
        [VD_IMAGE_INITRD] = VD_BOOT_REASON_DIGEST_INITRD,
        [VD_IMAGE_CMDLINE] = VD_BOOT_REASON_DIGEST_CMDLINE,
        [VD_IMAGE_POLICY] = VD_BOOT_REASON_DIGEST_POLICY,
    };
    const struct vd_image *image = &t->verdict->image;

    for (size_t i = 0; i < VD_IMAGE_PAYLOAD_COUNT; i++) {
        uint8_t digest[VD_IMAGE_DIGEST_SIZE];

        if (t->ops->sha256(t->ops->ctx, image->part[i].data, image->part[i].size, digest) != VD_OK)
            return refuse(t, VD_E_BUG, VD_BOOT_REASON_FAULT);
        if (!vd_ct_equal(digest, image->header.digest[i], sizeof(digest)))
            return refuse_at(t, VD_E_DIFFERS, reasons[i], image->header.part[i].offset);
    }
    return true;
}

static bool check_policy(struct trial *t, const struct vd_boot_policy *policy)
{
    const struct vd_image_header *h = &t->verdict->image.header;
    struct vd_boot_facts facts = {
        .capabilities = t->what->capabilities,
        .security_version = h->security_version,
        .signer_generation = h->signer_generation,
        .rollback_floor = t->what->rollback_floor,
    };
    struct vd_boot_policy_verdict verdict;

    vd_boot_policy_evaluate(policy, &facts, &verdict);
    if (verdict.allow == VD_BOOT_ALLOW && verdict.reason == VD_BOOT_REASON_NONE)
        return true;
    t->verdict->required = verdict.required;
    t->verdict->actual = verdict.actual;
    return refuse(t, verdict.reason == VD_BOOT_REASON_ROLLBACK ? VD_E_ROLLBACK : VD_E_DENIED,
                  verdict.reason);
}

/* The bootloader's policy, then the image's own where it has one. */
static bool check_policies(struct trial *t)
{
    const struct vd_image *image = &t->verdict->image;
    const struct vd_span *bytes = &image->part[VD_IMAGE_POLICY];

    if (!check_policy(t, &t->what->policy))
        return false;
    if (bytes->size == 0)
        return true;
    if (vd_boot_policy_parse(bytes->data, bytes->size, &t->verdict->image_policy, NULL) != VD_OK)
        return refuse_at(t, VD_E_INVALID, VD_BOOT_REASON_POLICY,
                         image->header.part[VD_IMAGE_POLICY].offset);
    return check_policy(t, &t->verdict->image_policy);
}

/* A header that names an entry point must name the one the kernel has. */
static bool check_kernel(struct trial *t)
{
    const struct vd_image *image = &t->verdict->image;
    const struct vd_span *kernel = &image->part[VD_IMAGE_KERNEL];
    struct vd_pe pe;

    if (image->header.entry_point == 0)
        return true;
    if (vd_pe_parse(kernel->data, kernel->size, &pe, NULL) != VD_OK ||
        pe.entry_point != image->header.entry_point)
        return refuse_at(t, VD_E_INVALID, VD_BOOT_REASON_KERNEL,
                         image->header.part[VD_IMAGE_KERNEL].offset);
    return true;
}

void vd_boot_judge(const struct vd_boot_case *what, const struct vd_boot_ops *ops,
                   struct vd_boot_verdict *ret, struct vd_diag *diag)
{
    struct trial t = {.what = what, .ops = ops, .verdict = ret, .diag = diag};

    *ret = (struct vd_boot_verdict){};
    if (check_form(&t) && check_signature(&t) && check_all_forbidden(&t) && check_digests(&t) &&
        check_policies(&t) && check_kernel(&t)) {
        ret->reason = VD_BOOT_REASON_NONE;
        ret->allow = VD_BOOT_ALLOW;
    }
}
