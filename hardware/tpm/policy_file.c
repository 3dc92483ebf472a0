/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/crc64.h"
#include "core/base/mem.h"
#include "hardware/tpm/nv.h"
#include "hardware/tpm/policy.h"

#define MAGIC    "VDAPPROV" /* 8 bytes, no NUL */
#define VERSION  1u
#define CRC_SIZE 8u

static void write_pcrs(struct vd_writer *w, const struct vd_pcr_bank *bank)
{
    vd_write_le16(w, bank->algorithm);
    vd_write_le32(w, bank->extended);
    for (uint32_t i = 0; i < VD_PCR_COUNT; i++) {
        if ((bank->extended >> i & 1) != 0)
            vd_write_bytes(w, bank->value[i], bank->digest_size);
    }
}

static void write_signer(struct vd_writer *w, const struct vd_tpm_signer *signer)
{
    vd_write_bytes(w, signer->point.x, VD_TPM_P256_SIZE);
    vd_write_bytes(w, signer->point.y, VD_TPM_P256_SIZE);
    vd_write_le16(w, (uint16_t)signer->reference_size);
    vd_write_bytes(w, signer->reference, signer->reference_size);
}

static void write_nv(struct vd_writer *w, const struct vd_tpm_nv_condition *nv)
{
    vd_write_le32(w, nv->index);
    vd_write_bytes(w, nv->name.bytes, sizeof(nv->name.bytes));
    vd_write_le16(w, (uint16_t)nv->comparison);
    vd_write_le64(w, nv->operand);
}

static void write_branch(struct vd_writer *w, const struct vd_tpm_branch *branch)
{
    vd_write_u8(w, (uint8_t)branch->count);
    for (uint32_t i = 0; i < branch->count; i++) {
        const struct vd_tpm_step *step = &branch->step[i];

        vd_write_u8(w, (uint8_t)step->kind);
        if (step->kind == VD_TPM_STEP_PCR)
            write_pcrs(w, &step->bank);
        else if (step->kind == VD_TPM_STEP_AUTHORIZE)
            write_signer(w, &step->signer);
        else if (step->kind == VD_TPM_STEP_NV)
            write_nv(w, &step->nv);
    }
}

void vd_tpm_policy_write(struct vd_writer *w, const struct vd_tpm_policy *policy)
{
    vd_write_u8(w, (uint8_t)policy->count);
    for (uint32_t i = 0; i < policy->count; i++)
        write_branch(w, &policy->branch[i]);
}

static vd_status read_pcrs(struct vd_reader *r, struct vd_pcr_bank *bank)
{
    uint16_t algorithm;
    uint32_t pcrs;

    VD_TRY(vd_read_le16(r, &algorithm));
    VD_TRY(vd_read_le32(r, &pcrs));
    if (vd_pcr_bank_init(bank, algorithm) != VD_OK || pcrs == 0 || pcrs >> VD_PCR_COUNT != 0)
        return VD_E_RANGE;
    bank->extended = pcrs;
    for (uint32_t i = 0; i < VD_PCR_COUNT; i++) {
        if ((pcrs >> i & 1) != 0)
            VD_TRY(vd_read_copy(r, bank->value[i], bank->digest_size));
    }
    return VD_OK;
}

static vd_status read_signer(struct vd_reader *r, struct vd_tpm_signer *signer)
{
    uint16_t size;

    VD_TRY(vd_read_copy(r, signer->point.x, VD_TPM_P256_SIZE));
    VD_TRY(vd_read_copy(r, signer->point.y, VD_TPM_P256_SIZE));
    VD_TRY(vd_read_le16(r, &size));
    if (size > VD_TPM_REFERENCE_MAX)
        return VD_E_LIMIT;
    signer->reference_size = size;
    return vd_read_copy(r, signer->reference, size);
}

static vd_status read_nv(struct vd_reader *r, struct vd_tpm_nv_condition *nv)
{
    uint16_t comparison;

    VD_TRY(vd_read_le32(r, &nv->index));
    VD_TRY(vd_read_copy(r, nv->name.bytes, sizeof(nv->name.bytes)));
    VD_TRY(vd_read_le16(r, &comparison));
    VD_TRY(vd_read_le64(r, &nv->operand));
    if (nv->index < VD_TPM_NV_FIRST || nv->index > VD_TPM_NV_LAST)
        return VD_E_RANGE;
    if (comparison != VD_TPM_EQUAL && comparison != VD_TPM_AT_LEAST && comparison != VD_TPM_AT_MOST)
        return VD_E_RANGE;
    nv->comparison = (enum vd_tpm_comparison)comparison;
    return VD_OK;
}

static vd_status read_branch(struct vd_reader *r, struct vd_tpm_branch *branch)
{
    uint8_t count, kind;

    VD_TRY(vd_read_u8(r, &count));
    if (count == 0)
        return VD_E_RANGE;
    if (count > VD_TPM_STEPS_MAX)
        return VD_E_LIMIT;
    for (branch->count = 0; branch->count < count; branch->count++) {
        struct vd_tpm_step *step = &branch->step[branch->count];

        VD_TRY(vd_read_u8(r, &kind));
        step->kind = (enum vd_tpm_step_kind)kind;
        if (kind == VD_TPM_STEP_PCR)
            VD_TRY(read_pcrs(r, &step->bank));
        else if (kind == VD_TPM_STEP_AUTHORIZE && branch->count == 0)
            VD_TRY(read_signer(r, &step->signer));
        else if (kind == VD_TPM_STEP_NV)
            VD_TRY(read_nv(r, &step->nv));
        else if (kind != VD_TPM_STEP_AUTH)
            return VD_E_RANGE;
    }
    return VD_OK;
}

vd_status vd_tpm_policy_read(struct vd_reader *r, struct vd_tpm_policy *ret)
{
    uint8_t count;

    VD_TRY(vd_read_u8(r, &count));
    if (count == 0)
        return VD_E_RANGE;
    if (count > VD_TPM_BRANCHES_MAX)
        return VD_E_LIMIT;
    for (ret->count = 0; ret->count < count; ret->count++)
        VD_TRY(read_branch(r, &ret->branch[ret->count]));
    return VD_OK;
}

void vd_tpm_approval_write(struct vd_writer *w, const struct vd_tpm_approval *approval)
{
    size_t start = w->len;

    vd_write_bytes(w, MAGIC, 8);
    vd_write_le32(w, VERSION);
    write_signer(w, &approval->signer);
    write_branch(w, &approval->branch);
    vd_write_bytes(w, approval->r, sizeof(approval->r));
    vd_write_bytes(w, approval->s, sizeof(approval->s));
    vd_write_le64(w, w->full ? 0 : vd_crc64(0, w->buf + start, w->len - start));
}

static vd_status read_approval(struct vd_reader *r, struct vd_tpm_approval *approval)
{
    VD_TRY(read_signer(r, &approval->signer));
    VD_TRY(read_branch(r, &approval->branch));
    if (approval->branch.step[0].kind == VD_TPM_STEP_AUTHORIZE ||
        vd_tpm_branch_has_auth(&approval->branch))
        return VD_E_RANGE;
    VD_TRY(vd_read_copy(r, approval->r, sizeof(approval->r)));
    VD_TRY(vd_read_copy(r, approval->s, sizeof(approval->s)));
    return vd_read_done(r);
}

vd_status vd_tpm_approval_read(const void *data, size_t size, struct vd_tpm_approval *ret,
                               struct vd_diag *diag)
{
    struct vd_tpm_approval approval = {};
    struct vd_reader whole, r, end;
    const uint8_t *magic;
    uint32_t version;
    vd_status status;
    uint64_t crc;

    vd_reader_init(&whole, data, size);
    if (vd_read_bytes(&whole, 8, &magic) != VD_OK || __builtin_memcmp(magic, MAGIC, 8) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "not an approval: expected VDAPPROV");
    if (vd_read_le32(&whole, &version) != VD_OK || version != VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 8, "expected version 1 of an approval");
    if (vd_reader_left(&whole) < CRC_SIZE || size > VD_TPM_APPROVAL_MAX)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, 12, "no approval has this size");
    vd_reader_init(&end, (const uint8_t *)data + size - CRC_SIZE, CRC_SIZE);
    VD_TRY(vd_read_le64(&end, &crc));
    if (crc != vd_crc64(0, data, size - CRC_SIZE))
        return vd_diag_fail_at(diag, VD_E_CHECKSUM, size - CRC_SIZE,
                               "the checksum does not fit the content: the file is damaged");
    VD_TRY(vd_read_sub(&whole, vd_reader_left(&whole) - CRC_SIZE, &r));
    status = read_approval(&r, &approval);
    if (status != VD_OK)
        return vd_diag_fail_at(diag, status, 12 + vd_reader_offset(&r),
                               "a field of the approval is wrong");
    *ret = approval;
    return VD_OK;
}
