/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/policy.h"

#include "core/base/mem.h"
#include "hardware/tpm/policy_codes.h"
#include "hardware/tpm/seal.h"

#define ALG_ECC  0x0023u
#define ALG_NULL 0x0010u
#define CURVE    0x0003u
/* userWithAuth, decrypt, sign: as tpm2_loadexternal has it */
#define SIGNER_ATTRIBUTES 0x00060040u

bool vd_tpm_branch_has_auth(const struct vd_tpm_branch *branch)
{
    for (uint32_t i = 0; i < branch->count; i++) {
        if (branch->step[i].kind == VD_TPM_STEP_AUTH)
            return true;
    }
    return false;
}

bool vd_tpm_policy_has_auth(const struct vd_tpm_policy *policy)
{
    for (uint32_t i = 0; i < policy->count; i++) {
        if (vd_tpm_branch_has_auth(&policy->branch[i]))
            return true;
    }
    return false;
}

/* H(digest, command code, more) into `digest`. */
static vd_status update(struct vd_tpm_crypto *crypto, uint32_t code,
                        const struct vd_tpm_piece *more, size_t count,
                        uint8_t digest[VD_TPM_HASH_SIZE])
{
    struct vd_tpm_piece pieces[2 + VD_TPM_BRANCHES_MAX] = {{digest, VD_TPM_HASH_SIZE}};
    struct vd_writer w;
    uint8_t number[4];

    vd_writer_init(&w, number, sizeof(number));
    vd_write_be32(&w, code);
    pieces[1] = (struct vd_tpm_piece){number, sizeof(number)};
    for (size_t i = 0; i < count; i++)
        pieces[2 + i] = more[i];
    return vd_tpm_hash(crypto, pieces, 2 + count, digest);
}

static vd_status update_pcr(struct vd_tpm_crypto *crypto, const struct vd_pcr_bank *bank,
                            uint8_t digest[VD_TPM_HASH_SIZE])
{
    const struct vd_tpm_selection selection = {
        .count = 1, .bank = {{.algorithm = bank->algorithm, .pcrs = bank->extended}}};
    uint8_t pcrs[VD_TPM_HASH_SIZE];

    VD_TRY(vd_tpm_pcr_digest(crypto, bank, bank->extended, pcrs));
    return vd_tpm_policy_pcr_digest(crypto, &selection, pcrs, digest);
}

void vd_tpm_signer_area(const struct vd_tpm_signer *signer, uint8_t ret[VD_TPM_SIGNER_AREA_SIZE])
{
    struct vd_writer w;

    vd_writer_init(&w, ret, VD_TPM_SIGNER_AREA_SIZE);
    vd_write_be16(&w, ALG_ECC);
    vd_write_be16(&w, VD_TPM_ALG_SHA256);
    vd_write_be32(&w, SIGNER_ATTRIBUTES);
    vd_write_be16(&w, 0);        /* no policy */
    vd_write_be16(&w, ALG_NULL); /* no symmetric algorithm */
    vd_write_be16(&w, ALG_NULL); /* any scheme */
    vd_write_be16(&w, CURVE);
    vd_write_be16(&w, ALG_NULL); /* no key derivation */
    vd_tpm_write_2b(&w, signer->point.x, VD_TPM_P256_SIZE);
    vd_tpm_write_2b(&w, signer->point.y, VD_TPM_P256_SIZE);
}

static vd_status update_signer(struct vd_tpm_crypto *crypto, const struct vd_tpm_signer *signer,
                               uint8_t digest[VD_TPM_HASH_SIZE])
{
    uint8_t area[VD_TPM_SIGNER_AREA_SIZE], hash[VD_TPM_HASH_SIZE];
    static const uint8_t algorithm[2] = {VD_TPM_ALG_SHA256 >> 8, VD_TPM_ALG_SHA256 & 0xff};
    const struct vd_tpm_piece whole = {area, sizeof(area)};
    const struct vd_tpm_piece name[] = {{algorithm, 2}, {hash, sizeof(hash)}};
    const struct vd_tpm_piece end[] = {{digest, VD_TPM_HASH_SIZE},
                                       {signer->reference, signer->reference_size}};

    vd_tpm_signer_area(signer, area);
    VD_TRY(vd_tpm_hash(crypto, &whole, 1, hash));
    /* What was approved leaves no trace: it starts from zero. */
    vd_wipe(digest, VD_TPM_HASH_SIZE);
    VD_TRY(update(crypto, CC_POLICY_AUTHORIZE, name, VD_COUNT(name), digest));
    return vd_tpm_hash(crypto, end, VD_COUNT(end), digest);
}

static vd_status update_nv(struct vd_tpm_crypto *crypto, const struct vd_tpm_nv_condition *nv,
                           uint8_t digest[VD_TPM_HASH_SIZE])
{
    uint8_t bytes[12], arguments[VD_TPM_HASH_SIZE];
    const struct vd_tpm_piece all = {bytes, sizeof(bytes)};
    const struct vd_tpm_piece more[] = {{arguments, sizeof(arguments)},
                                        {nv->name.bytes, sizeof(nv->name.bytes)}};
    struct vd_writer w;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_be64(&w, nv->operand);
    vd_write_be16(&w, 0); /* from the first byte */
    vd_write_be16(&w, (uint16_t)nv->comparison);
    VD_TRY(vd_tpm_hash(crypto, &all, 1, arguments));
    return update(crypto, CC_POLICY_NV, more, VD_COUNT(more), digest);
}

vd_status vd_tpm_branch_digest(struct vd_tpm_crypto *crypto, const struct vd_tpm_branch *branch,
                               uint8_t ret[VD_TPM_HASH_SIZE])
{
    uint8_t digest[VD_TPM_HASH_SIZE] = {};

    for (uint32_t i = 0; i < branch->count; i++) {
        const struct vd_tpm_step *step = &branch->step[i];

        switch (step->kind) {
        case VD_TPM_STEP_PCR:
            VD_TRY(update_pcr(crypto, &step->bank, digest));
            break;
        case VD_TPM_STEP_AUTHORIZE:
            VD_TRY(update_signer(crypto, &step->signer, digest));
            break;
        case VD_TPM_STEP_NV:
            VD_TRY(update_nv(crypto, &step->nv, digest));
            break;
        case VD_TPM_STEP_AUTH:
            VD_TRY(update(crypto, CC_POLICY_AUTH_VALUE, NULL, 0, digest));
            break;
        default:
            return VD_E_BUG;
        }
    }
    vd_copy(ret, digest, sizeof(digest));
    return VD_OK;
}

vd_status vd_tpm_policy_digest(struct vd_tpm_crypto *crypto, const struct vd_tpm_policy *policy,
                               uint8_t ret[VD_TPM_HASH_SIZE])
{
    uint8_t branches[VD_TPM_BRANCHES_MAX][VD_TPM_HASH_SIZE], digest[VD_TPM_HASH_SIZE] = {};
    struct vd_tpm_piece pieces[VD_TPM_BRANCHES_MAX];

    for (uint32_t i = 0; i < policy->count; i++) {
        VD_TRY(vd_tpm_branch_digest(crypto, &policy->branch[i], branches[i]));
        pieces[i] = (struct vd_tpm_piece){branches[i], VD_TPM_HASH_SIZE};
    }
    if (policy->count == 1)
        vd_copy(digest, branches[0], sizeof(digest));
    else
        VD_TRY(update(crypto, CC_POLICY_OR, pieces, policy->count, digest));
    vd_copy(ret, digest, sizeof(digest));
    return VD_OK;
}

vd_status vd_tpm_approval_digest(struct vd_tpm_crypto *crypto,
                                 const struct vd_tpm_approval *approval,
                                 uint8_t ret[VD_TPM_HASH_SIZE])
{
    uint8_t approved[VD_TPM_HASH_SIZE];
    const struct vd_tpm_piece pieces[] = {
        {approved, sizeof(approved)},
        {approval->signer.reference, approval->signer.reference_size}};

    VD_TRY(vd_tpm_branch_digest(crypto, &approval->branch, approved));
    return vd_tpm_hash(crypto, pieces, VD_COUNT(pieces), ret);
}
