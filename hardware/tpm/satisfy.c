/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/unseal.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/mem.h"
#include "hardware/tpm/nv.h"
#include "hardware/tpm/policy_codes.h"
#include "lib/diagf.h"

#define RC_VALUE_1     0x1c4u /* PolicyPCR: the digest is not the one given */
#define RC_POLICY      0x126u /* PolicyNV: the comparison does not hold */
#define RC_NV_UNSET    0x14au
#define RC_SIGNATURE_2 0x2dbu
#define RH_OWNER       0x40000001u
#define ALG_ECDSA      0x0018u
#define TICKET_MAX     128u
#define PCR_TEXT_SIZE  (VD_PCR_COUNT * 4)

/* Which of the PCRs differ now, as "7, 11". */
static void differing(struct vd_tpm *tpm, const struct vd_pcr_bank *want, char ret[PCR_TEXT_SIZE])
{
    const struct vd_tpm_bank bank = {.algorithm = want->algorithm, .pcrs = want->extended};
    struct vd_pcr_bank now;
    size_t len = 0;

    ret[0] = '\0';
    if (vd_tpm_pcr_read(tpm, &bank, &now, NULL) != VD_OK)
        return;
    for (uint32_t i = 0; i < VD_PCR_COUNT; i++) {
        if ((want->extended >> i & 1) == 0 ||
            vd_ct_equal(want->value[i], now.value[i], want->digest_size))
            continue;
        len += (size_t)snprintf(ret + len, PCR_TEXT_SIZE - len, "%s%u", len > 0 ? ", " : "", i);
    }
}

static vd_status run_pcr(const struct vd_tpm_link *link, uint32_t session,
                         const struct vd_pcr_bank *bank, struct vd_diag *diag)
{
    static const uint32_t expected[VD_TPM_EXPECTED] = {RC_VALUE_1};
    const struct vd_tpm_selection selection = {
        .count = 1, .bank = {{.algorithm = bank->algorithm, .pcrs = bank->extended}}};
    struct vd_tpm_response response;
    uint8_t digest[VD_TPM_HASH_SIZE];
    struct vd_tpm_command command;
    char which[PCR_TEXT_SIZE];

    VD_TRY(vd_tpm_pcr_digest(link->crypto, bank, bank->extended, digest));
    vd_tpm_begin(&command, CC_POLICY_PCR);
    vd_write_be32(&command.w, session);
    vd_tpm_write_2b(&command.w, digest, sizeof(digest));
    vd_tpm_selection_write(&command.w, &selection);
    VD_TRY(vd_tpm_run_expecting(link->tpm, &command, expected, &response, diag));
    if (response.code == VD_TPM_RC_SUCCESS)
        return VD_OK;
    differing(link->tpm, bank, which);
    return vd_diagf(diag, VD_E_DENIED, "the policy is not fulfilled: PCR %s (%s) is not as sealed",
                    which[0] != '\0' ? which : "values", vd_tpm_alg_name(bank->algorithm));
}

static const char *comparison_text(enum vd_tpm_comparison comparison)
{
    switch (comparison) {
    case VD_TPM_EQUAL:
        return "exactly";
    case VD_TPM_AT_LEAST:
        return "at least";
    default:
        return "at most";
    }
}

/* The value now, for an explanation: read without a session. */
static vd_status peek(const struct vd_tpm_link *link, const struct vd_tpm_nv *nv, uint64_t *ret)
{
    struct vd_tpm_response response;
    struct vd_tpm_call call;
    const uint8_t *data;
    struct vd_reader r;
    size_t size;

    vd_tpm_call_begin(&call, VD_TPM_CC_NV_READ);
    vd_tpm_call_authorised(&call, nv->index, &nv->name, NULL);
    vd_tpm_call_handle(&call, nv->index, &nv->name);
    vd_write_be16(&call.parameters, 8);
    vd_write_be16(&call.parameters, 0);
    VD_TRY(vd_tpm_call_run(link, &call, &response, NULL));
    VD_TRY(vd_tpm_read_2b(&response.parameters, 8, &data, &size));
    vd_reader_init(&r, data, size);
    return vd_read_be64(&r, ret);
}

static vd_status explain_nv(const struct vd_tpm_link *link, const struct vd_tpm_nv_condition *want,
                            struct vd_diag *diag)
{
    struct vd_tpm_nv nv;
    uint64_t now;

    if (vd_tpm_nv_public(link, want->index, &nv, NULL) != VD_OK)
        return vd_diagf(diag, VD_E_DENIED,
                        "the policy is not fulfilled: the TPM has no index "
                        "0x%08x",
                        want->index);
    if (!vd_ct_equal(nv.name.bytes, want->name.bytes, sizeof(nv.name.bytes)))
        return vd_diagf(diag, VD_E_DENIED,
                        "the policy is not fulfilled: index 0x%08x is another one than it was "
                        "sealed to",
                        want->index);
    if (peek(link, &nv, &now) != VD_OK)
        return vd_diagf(diag, VD_E_DENIED,
                        "the policy is not fulfilled: index 0x%08x cannot be "
                        "read",
                        want->index);
    return vd_diagf(diag, VD_E_DENIED,
                    "the policy is not fulfilled: counter 0x%08x is %" PRIu64 ", not %s %" PRIu64,
                    want->index, now, comparison_text(want->comparison), want->operand);
}

static vd_status run_nv(const struct vd_tpm_link *link, uint32_t session,
                        const struct vd_tpm_nv_condition *want, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_call call;
    struct vd_tpm_nv nv;
    uint8_t operand[8];
    struct vd_writer w;

    /* Where the index is another one the TPM would compare all the same, and the policy fail. */
    if (vd_tpm_nv_public(link, want->index, &nv, NULL) != VD_OK ||
        !vd_ct_equal(nv.name.bytes, want->name.bytes, sizeof(nv.name.bytes)))
        return explain_nv(link, want, diag);
    vd_writer_init(&w, operand, sizeof(operand));
    vd_write_be64(&w, want->operand);
    vd_tpm_call_begin(&call, CC_POLICY_NV);
    call.expected[0] = RC_POLICY;
    call.expected[1] = RC_NV_UNSET;
    vd_tpm_call_authorised(&call, want->index, &want->name, NULL);
    vd_tpm_call_handle(&call, want->index, &want->name);
    vd_tpm_call_handle(&call, session, NULL);
    vd_tpm_write_2b(&call.parameters, operand, sizeof(operand));
    vd_write_be16(&call.parameters, 0);
    vd_write_be16(&call.parameters, (uint16_t)want->comparison);
    VD_TRY(vd_tpm_call_run(link, &call, &response, diag));
    return response.code == VD_TPM_RC_SUCCESS ? VD_OK : explain_nv(link, want, diag);
}

/* TPM2_LoadExternal of the signer's key: in the owner's hierarchy, or its tickets are void. */
static vd_status load_signer(const struct vd_tpm_link *link, const struct vd_tpm_signer *signer,
                             struct vd_tpm_object *ret, struct vd_diag *diag)
{
    uint8_t area[VD_TPM_SIGNER_AREA_SIZE];
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    const uint8_t *name;
    size_t size;

    vd_tpm_signer_area(signer, area);
    vd_tpm_begin(&command, VD_TPM_CC_LOAD_EXTERNAL);
    vd_write_be16(&command.w, 0); /* no private part */
    vd_tpm_write_2b(&command.w, area, sizeof(area));
    vd_write_be32(&command.w, RH_OWNER);
    VD_TRY(vd_tpm_run(link->tpm, &command, &response, diag));
    ret->handle = response.handle;
    if (vd_tpm_read_2b(&response.parameters, VD_TPM_NAME_SIZE, &name, &size) != VD_OK ||
        size != VD_TPM_NAME_SIZE) {
        (void)!vd_tpm_flush(link->tpm, response.handle, NULL);
        return vd_tpm_malformed(diag, "TPM2_LoadExternal");
    }
    vd_copy(ret->name.bytes, name, size);
    return VD_OK;
}

/* TPM2_VerifySignature: the ticket, as it goes into PolicyAuthorize. */
static vd_status verify(const struct vd_tpm_link *link, uint32_t key,
                        const struct vd_tpm_approval *approval, struct vd_writer *ticket,
                        struct vd_diag *diag)
{
    static const uint32_t expected[VD_TPM_EXPECTED] = {RC_SIGNATURE_2};
    struct vd_tpm_response response;
    uint8_t digest[VD_TPM_HASH_SIZE];
    struct vd_tpm_command command;
    const uint8_t *bytes;
    size_t size;

    VD_TRY(vd_tpm_approval_digest(link->crypto, approval, digest));
    vd_tpm_begin(&command, CC_VERIFY_SIGNATURE);
    vd_write_be32(&command.w, key);
    vd_tpm_write_2b(&command.w, digest, sizeof(digest));
    vd_write_be16(&command.w, ALG_ECDSA);
    vd_write_be16(&command.w, VD_TPM_ALG_SHA256);
    vd_tpm_write_2b(&command.w, approval->r, sizeof(approval->r));
    vd_tpm_write_2b(&command.w, approval->s, sizeof(approval->s));
    VD_TRY(vd_tpm_run_expecting(link->tpm, &command, expected, &response, diag));
    if (response.code != VD_TPM_RC_SUCCESS)
        return vd_diag_fail(diag, VD_E_DENIED, "the approval's signature does not hold");
    size = vd_reader_left(&response.parameters);
    VD_TRY(vd_read_bytes(&response.parameters, size, &bytes));
    vd_write_bytes(ticket, bytes, size);
    if (vd_write_done(ticket) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_VerifySignature");
    return VD_OK;
}

/* The conditions that were approved hold already: stands in for them by the approval. */
static vd_status authorize(const struct vd_tpm_link *link, uint32_t session,
                           const struct vd_tpm_approval *approval, struct vd_diag *diag)
{
    uint8_t approved[VD_TPM_HASH_SIZE], bytes[TICKET_MAX];
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    struct vd_tpm_object key = {};
    struct vd_writer ticket;
    vd_status status;

    VD_TRY(vd_tpm_branch_digest(link->crypto, &approval->branch, approved));
    VD_TRY(load_signer(link, &approval->signer, &key, diag));
    vd_writer_init(&ticket, bytes, sizeof(bytes));
    status = verify(link, key.handle, approval, &ticket, diag);
    (void)!vd_tpm_flush(link->tpm, key.handle, NULL);
    VD_TRY(status);
    vd_tpm_begin(&command, CC_POLICY_AUTHORIZE);
    vd_write_be32(&command.w, session);
    vd_tpm_write_2b(&command.w, approved, sizeof(approved));
    vd_tpm_write_2b(&command.w, approval->signer.reference, approval->signer.reference_size);
    vd_tpm_write_2b(&command.w, key.name.bytes, sizeof(key.name.bytes));
    vd_write_bytes(&command.w, bytes, ticket.len);
    return vd_tpm_run(link->tpm, &command, &response, diag);
}

static vd_status run_step(const struct vd_tpm_link *link, uint32_t session,
                          const struct vd_tpm_step *step, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;

    if (step->kind == VD_TPM_STEP_PCR)
        return run_pcr(link, session, &step->bank, diag);
    if (step->kind == VD_TPM_STEP_NV)
        return run_nv(link, session, &step->nv, diag);
    vd_tpm_begin(&command, CC_POLICY_AUTH_VALUE);
    vd_write_be32(&command.w, session);
    return vd_tpm_run(link->tpm, &command, &response, diag);
}

static vd_status restart(const struct vd_tpm_link *link, uint32_t session, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;

    vd_tpm_begin(&command, CC_POLICY_RESTART);
    vd_write_be32(&command.w, session);
    return vd_tpm_run(link->tpm, &command, &response, diag);
}

static bool same_signer(const struct vd_tpm_signer *a, const struct vd_tpm_signer *b)
{
    return vd_ct_equal(&a->point, &b->point, sizeof(a->point)) &&
           a->reference_size == b->reference_size &&
           vd_ct_equal(a->reference, b->reference, a->reference_size);
}

/* The first of the approvals that are this signer's and whose conditions hold. */
static vd_status run_authorize(const struct vd_tpm_link *link, uint32_t session,
                               const struct vd_tpm_signer *signer,
                               const struct vd_tpm_evidence *evidence, struct vd_diag *diag)
{
    uint32_t tried = 0;

    for (uint32_t i = 0; i < evidence->approval_count; i++) {
        const struct vd_tpm_approval *approval = &evidence->approvals[i];
        vd_status status = VD_OK;

        if (!same_signer(signer, &approval->signer))
            continue;
        if (tried++ > 0)
            VD_TRY(restart(link, session, diag));
        for (uint32_t s = 0; status == VD_OK && s < approval->branch.count; s++)
            status = run_step(link, session, &approval->branch.step[s], diag);
        if (status == VD_OK)
            status = authorize(link, session, approval, diag);
        if (status != VD_E_DENIED)
            return status;
    }
    if (tried > 0)
        return VD_E_DENIED;
    return vd_diag_fail(diag, VD_E_DENIED,
                        evidence->approval_count == 0
                            ? "it wants an approval of the present state, and none was given"
                            : "the approval is of another key or for another purpose");
}

vd_status vd_tpm_branch_satisfy(const struct vd_tpm_link *link,
                                const struct vd_tpm_session *session,
                                const struct vd_tpm_branch *branch,
                                const struct vd_tpm_evidence *evidence, struct vd_diag *diag)
{
    for (uint32_t i = 0; i < branch->count; i++) {
        const struct vd_tpm_step *step = &branch->step[i];

        if (step->kind == VD_TPM_STEP_AUTHORIZE)
            VD_TRY(run_authorize(link, session->handle, &step->signer, evidence, diag));
        else
            VD_TRY(run_step(link, session->handle, step, diag));
    }
    return VD_OK;
}
