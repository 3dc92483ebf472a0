/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/attest/verify.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/boot/pcr.h"
#include "lib/tpm_hash.h"
#include "lib/diagf.h"
#include "tools/veridian/attest/internal.h"

#define OUR_IPL "veridian " /* our EV_IPL events begin so, and hash their data */

const char *vd_attest_step_name(enum vd_attest_step step)
{
    static const char *const names[] = {
#define NAME(name, text) text,
        VD_ATTEST_STEP_TABLE(NAME)
#undef NAME
    };

    return step < VD_COUNT(names) ? names[step] : "?";
}

static vd_status check_form(const struct vd_attest_evidence *e, struct vd_attest_result *r,
                            struct vd_diag *diag)
{
    struct vd_diag inner = {};
    vd_status status = vd_tpm_quote_parse(e->quote.data, e->quote.size, &r->quote, &inner);

    vd_diag_file(&inner, "quote");
    if (status == VD_OK) {
        status =
            vd_tpm_signature_parse(e->signature.data, e->signature.size, &r->signature, &inner);
        vd_diag_file(&inner, "signature");
    }
    if (status != VD_OK && diag != NULL)
        *diag = inner;
    /* Made by something else than a TPM: that is an answer, not a broken file. */
    return status == VD_E_MAGIC ? VD_E_SIGNATURE : status;
}

static vd_status check_nonce(const struct vd_attest_evidence *e, const struct vd_attest_result *r,
                             struct vd_diag *diag)
{
    if (r->quote.nonce.size != e->nonce.size ||
        !vd_ct_equal(r->quote.nonce.data, e->nonce.data, e->nonce.size))
        return vd_diag_fail(diag, VD_E_DIFFERS,
                            "the quote answers another nonce: it is old, or of another request");
    return VD_OK;
}

static vd_status check_selection(const struct vd_attest_result *r, struct vd_diag *diag)
{
    uint32_t banks = 0;

    for (uint32_t i = 0; i < r->quote.selection.count; i++) {
        const struct vd_tpm_bank *bank = &r->quote.selection.bank[i];
        if (bank->pcrs == 0)
            continue;
        if (vd_tpm_alg_size(bank->algorithm) == 0 || bank->algorithm == VD_TPM_ALG_SHA1)
            return vd_diagf(diag, VD_E_DIFFERS,
                            "the quote covers the bank 0x%04x, which is not accepted",
                            bank->algorithm);
        banks++;
    }
    if (banks == 0)
        return vd_diag_fail(diag, VD_E_DIFFERS, "the quote covers no PCR");
    return VD_OK;
}

/* Our own events are measured over exactly their data (core/boot/pcr.h). */
static bool is_ours(const struct vd_logged_event *event)
{
    struct vd_reader r;
    uint32_t tag;

    if (event->type == VD_EV_IPL)
        return event->data.size > strlen(OUR_IPL) &&
               memcmp(event->data.data, OUR_IPL, strlen(OUR_IPL)) == 0;
    vd_reader_init(&r, event->data.data, event->data.size);
    return event->type == VD_EV_EVENT_TAG && vd_read_le32(&r, &tag) == VD_OK &&
           tag >> 16 == VD_TAG_HEADER >> 16;
}

/* Events whose digest is promised to be that of their data must keep the promise. */
static vd_status check_event(const struct vd_eventlog *log, const struct vd_logged_event *event,
                             uint32_t number, struct vd_diag *diag)
{
    uint8_t digest[VD_DIGEST_MAX_SIZE];

    if (!vd_event_hashes_data(event->type) && !is_ours(event))
        return VD_OK;
    for (uint32_t i = 0; i < log->algorithm_count; i++) {
        if (vd_tpm_md(log->algorithm[i].id) == NULL)
            continue;
        VD_TRY(vd_tpm_hash_ops.hash(NULL, log->algorithm[i].id, event->data.data, event->data.size,
                                    digest));
        if (!vd_ct_equal(digest, event->digest[i].data, event->digest[i].size))
            return vd_diagf_at(diag, VD_E_DIFFERS, event->offset,
                               "event %u (PCR %u): its data does not fit its digest", number,
                               event->pcr);
    }
    return VD_OK;
}

static vd_status check_log(const struct vd_attest_evidence *e, struct vd_attest_result *r,
                           struct vd_diag *diag)
{
    struct vd_eventlog log;
    struct vd_logged_event event;

    vd_diag_file(diag, "event log");
    VD_TRY(vd_eventlog_open(e->log.data, e->log.size, &log, diag));
    while (vd_eventlog_more(&log)) {
        VD_TRY(vd_eventlog_next(&log, &event, diag));
        r->events++;
        VD_TRY(check_event(&log, &event, r->events, diag));
    }
    for (uint32_t i = 0; i < r->quote.selection.count; i++) {
        uint16_t algorithm = r->quote.selection.bank[i].algorithm;
        if (r->quote.selection.bank[i].pcrs == 0)
            continue;
        VD_TRY(vd_eventlog_replay(e->log.data, e->log.size, algorithm, &vd_tpm_hash_ops,
                                  &r->bank[i], diag));
    }
    return VD_OK;
}

/*
 * The digest over the PCRs of the selection, in its order, lowest PCR first
 * (part 1, 17.5), with the signature's hash.
 */
static vd_status composite(const struct vd_attest_result *r, const struct vd_pcr_bank *banks,
                           uint8_t *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, vd_tpm_md(r->signature.hash), NULL) == 1;

    for (uint32_t i = 0; i < r->quote.selection.count && good; i++) {
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT && good; pcr++) {
            if ((r->quote.selection.bank[i].pcrs >> pcr & 1) != 0)
                good = EVP_DigestUpdate(ctx, banks[i].value[pcr], banks[i].digest_size) == 1;
        }
    }
    good = good && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? VD_OK : VD_E_SYSTEM;
}

static bool fits_digest(const struct vd_attest_result *r, const struct vd_pcr_bank *banks)
{
    uint8_t digest[VD_DIGEST_MAX_SIZE];

    return composite(r, banks, digest) == VD_OK &&
           r->quote.digest.size == vd_tpm_alg_size(r->signature.hash) &&
           vd_ct_equal(digest, r->quote.digest.data, r->quote.digest.size);
}

/*
 * The machine's own list is believed only if it gives the signed digest; then it
 * tells which PCRs the log does not explain.
 */
static void find_differing(const struct vd_attest_evidence *e, struct vd_attest_result *r)
{
    struct vd_pcr_bank claimed[VD_TPM_BANKS_MAX] = {};

    for (uint32_t i = 0; i < r->quote.selection.count; i++) {
        const struct vd_tpm_bank *bank = &r->quote.selection.bank[i];
        claimed[i].digest_size = r->bank[i].digest_size;
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
            if ((bank->pcrs >> pcr & 1) != 0 &&
                vd_attest_json_pcr(e->claimed, bank->algorithm, pcr, claimed[i].value[pcr], NULL) !=
                    VD_OK)
                return;
        }
    }
    if (!fits_digest(r, claimed))
        return;
    for (uint32_t i = 0; i < r->quote.selection.count; i++) {
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
            if ((r->quote.selection.bank[i].pcrs >> pcr & 1) != 0 &&
                !vd_ct_equal(claimed[i].value[pcr], r->bank[i].value[pcr], r->bank[i].digest_size))
                r->differing |= 1u << pcr;
        }
    }
}

static vd_status check_digest(const struct vd_attest_evidence *e, struct vd_attest_result *r,
                              struct vd_diag *diag)
{
    struct vd_text text;

    if (fits_digest(r, r->bank))
        return VD_OK;
    if (e->claimed != NULL)
        find_differing(e, r);
    vd_diag_begin(diag, VD_E_DIFFERS, &text);
    vd_text_str(&text, "the event log does not give the quoted PCRs");
    for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
        if ((r->differing >> pcr & 1) == 0)
            continue;
        vd_text_str(&text, (r->differing & ((1u << pcr) - 1)) == 0 ? ": PCR " : ", ");
        vd_text_u64(&text, pcr);
    }
    vd_text_str(&text, r->differing == 0 ? "; which one cannot be told" : " differs");
    return VD_E_DIFFERS;
}

vd_status vd_attest_verify(const struct vd_attest_evidence *evidence, struct vd_attest_result *ret,
                           struct vd_diag *diag)
{
    *ret = (struct vd_attest_result){.step = VD_ATTEST_FORM};
    VD_TRY(check_form(evidence, ret, diag));
    ret->step = VD_ATTEST_SIGNATURE;
    VD_TRY(vd_attest_check_signature(evidence, &ret->signature, diag));
    ret->step = VD_ATTEST_NONCE;
    VD_TRY(check_nonce(evidence, ret, diag));
    ret->step = VD_ATTEST_SELECTION;
    VD_TRY(check_selection(ret, diag));
    ret->step = VD_ATTEST_LOG;
    VD_TRY(check_log(evidence, ret, diag));
    ret->step = VD_ATTEST_DIGEST;
    VD_TRY(check_digest(evidence, ret, diag));
    ret->step = VD_ATTEST_EXPECTED;
    if (evidence->expected != NULL)
        VD_TRY(vd_attest_check_expected(evidence, ret, diag));
    ret->step = VD_ATTEST_DONE;
    return VD_OK;
}
