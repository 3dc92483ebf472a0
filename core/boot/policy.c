/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/policy.h"
#include "core/base/mem.h"
#include "core/base/reader.h"
#include "core/base/writer.h"

struct capability {
    const char *name;
    enum vd_boot_reason missing;
};

/* By bit number. */
static const struct capability capabilities[] = {
    {"secure-boot", VD_BOOT_REASON_SECURE_BOOT},
    {"measured-boot", VD_BOOT_REASON_MEASURED_BOOT},
    {"encrypted-storage", VD_BOOT_REASON_ENCRYPTED_STORAGE},
    {"attestation", VD_BOOT_REASON_ATTESTATION},
    {"rollback-protection", VD_BOOT_REASON_ROLLBACK},
};
_Static_assert((1u << VD_COUNT(capabilities)) - 1 == VD_BOOT_CAP_ALL, "a row for each capability");

static vd_status fail(struct vd_diag *diag, vd_status status, uint64_t at, const char *text)
{
    return vd_diag_fail_at(diag, status, at, text);
}

vd_status vd_boot_policy_parse(const void *data, size_t size, struct vd_boot_policy *ret,
                               struct vd_diag *diag)
{
    struct vd_reader r;
    struct vd_boot_policy policy;
    const uint8_t *magic;
    uint32_t version;
    uint32_t length;
    uint32_t reserved;

    vd_reader_init(&r, data, size);
    if (size < VD_BOOT_POLICY_SIZE)
        return fail(diag, VD_E_TRUNCATED, size, "a boot policy has 32 bytes");
    VD_TRY(vd_read_bytes(&r, 8, &magic));
    VD_TRY(vd_read_le32(&r, &version));
    VD_TRY(vd_read_le32(&r, &length));
    VD_TRY(vd_read_le32(&r, &policy.required_capabilities));
    VD_TRY(vd_read_le32(&r, &policy.min_security_version));
    VD_TRY(vd_read_le32(&r, &policy.min_signer_generation));
    VD_TRY(vd_read_le32(&r, &reserved));
    if (!vd_ct_equal(magic, VD_BOOT_POLICY_MAGIC, 8))
        return fail(diag, VD_E_MAGIC, 0, "a boot policy starts with \"VDBOOTPL\"");
    if (version != VD_BOOT_POLICY_VERSION)
        return fail(diag, VD_E_VERSION, 8, "the boot policy's version is not 1");
    if (length != VD_BOOT_POLICY_SIZE)
        return fail(diag, VD_E_RANGE, 12, "the boot policy's size is not 32");
    if ((policy.required_capabilities & ~VD_BOOT_CAP_ALL) != 0)
        return fail(diag, VD_E_RANGE, 16, "the boot policy requires an unknown capability");
    if (reserved != 0)
        return fail(diag, VD_E_RESERVED, 28, "a reserved field of the boot policy is not zero");
    if (vd_read_done(&r) != VD_OK)
        return fail(diag, VD_E_TRAILING, VD_BOOT_POLICY_SIZE, "there is data after the policy");
    *ret = policy;
    return VD_OK;
}

void vd_boot_policy_encode(const struct vd_boot_policy *policy, uint8_t ret[VD_BOOT_POLICY_SIZE])
{
    struct vd_writer w;

    vd_writer_init(&w, ret, VD_BOOT_POLICY_SIZE);
    vd_write_bytes(&w, VD_BOOT_POLICY_MAGIC, 8);
    vd_write_le32(&w, VD_BOOT_POLICY_VERSION);
    vd_write_le32(&w, VD_BOOT_POLICY_SIZE);
    vd_write_le32(&w, policy->required_capabilities);
    vd_write_le32(&w, policy->min_security_version);
    vd_write_le32(&w, policy->min_signer_generation);
    vd_write_le32(&w, 0);
}

static bool at_least(uint32_t actual, uint32_t required, enum vd_boot_reason reason,
                     struct vd_boot_policy_verdict *ret)
{
    if (actual >= required)
        return true;
    *ret =
        (struct vd_boot_policy_verdict){.reason = reason, .required = required, .actual = actual};
    return false;
}

void vd_boot_policy_evaluate(const struct vd_boot_policy *policy, const struct vd_boot_facts *facts,
                             struct vd_boot_policy_verdict *ret)
{
    uint32_t missing = policy->required_capabilities & ~facts->capabilities;

    *ret = (struct vd_boot_policy_verdict){};
    if (!at_least(facts->security_version, policy->min_security_version,
                  VD_BOOT_REASON_SECURITY_VERSION, ret) ||
        !at_least(facts->signer_generation, policy->min_signer_generation,
                  VD_BOOT_REASON_SIGNER_GENERATION, ret) ||
        !at_least(facts->security_version, facts->rollback_floor, VD_BOOT_REASON_ROLLBACK, ret))
        return;
    for (unsigned bit = 0; bit < VD_COUNT(capabilities); bit++) {
        if ((missing & 1u << bit) != 0) {
            ret->reason = capabilities[bit].missing;
            ret->required = 1u << bit;
            ret->actual = facts->capabilities;
            return;
        }
    }
    /* A required bit without a row cannot be met: refused as undecided. */
    if (missing != 0)
        return;
    ret->reason = VD_BOOT_REASON_NONE;
    ret->allow = VD_BOOT_ALLOW;
}

const char *vd_boot_capability_name(unsigned bit)
{
    return bit < VD_COUNT(capabilities) ? capabilities[bit].name : NULL;
}
