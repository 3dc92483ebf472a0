/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/tpm/explain.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "tools/veridian/attest/make.h"
#include "tools/veridian/tpm/policy_text.h"

#define BRANCH_TEXT_SIZE 160u

vd_status vd_sealed_log_load(const char *path, struct vd_bytes *ret, struct vd_diag *diag)
{
    struct vd_diag missing = {};
    vd_status status = vd_file_load(path != NULL ? path : VD_ATTEST_KERNEL_LOG,
                                    VD_EVENTLOG_MAX_BYTES, ret, &missing);

    if (status == VD_OK || (status == VD_E_NOT_FOUND && path == NULL))
        return VD_OK;
    *diag = missing;
    return status;
}

/* The PCRs of that bank which the policy speaks of; the first bank found if it is 0 so far. */
static uint32_t policy_pcrs(const struct vd_tpm_policy *policy, uint16_t *algorithm)
{
    uint32_t pcrs = 0;

    for (uint32_t i = 0; i < policy->count; i++) {
        const struct vd_tpm_branch *branch = &policy->branch[i];

        for (uint32_t s = 0; s < branch->count; s++) {
            const struct vd_tpm_step *step = &branch->step[s];

            if (step->kind != VD_TPM_STEP_PCR)
                continue;
            if (*algorithm == 0)
                *algorithm = step->bank.algorithm;
            if (step->bank.algorithm == *algorithm)
                pcrs |= step->bank.extended;
        }
    }
    return pcrs;
}

/* The events of these PCRs, in the order of the log. `ret` has room for VD_SEALED_EVENTS_MAX. */
static vd_status collect(const struct vd_bytes *bytes, const struct vd_pcr_bank *bank,
                         struct vd_sealed_event *ret, uint32_t *ret_count, struct vd_diag *diag)
{
    struct vd_logged_event event;
    struct vd_eventlog log;
    int index;

    *ret_count = 0;
    if (bytes->size == 0)
        return VD_OK;
    VD_TRY(vd_eventlog_open(bytes->data, bytes->size, &log, diag));
    index = vd_eventlog_find(&log, bank->algorithm);
    while (index >= 0 && vd_eventlog_more(&log)) {
        VD_TRY(vd_eventlog_next(&log, &event, diag));
        if (event.type == VD_EV_NO_ACTION || (bank->extended >> event.pcr & 1) == 0)
            continue;
        if (*ret_count == VD_SEALED_EVENTS_MAX)
            return vd_diagf(diag, VD_E_LIMIT, "the event log has more than %u events of these PCRs",
                            VD_SEALED_EVENTS_MAX);
        ret[*ret_count] = (struct vd_sealed_event){.pcr = event.pcr, .type = event.type};
        vd_copy(ret[*ret_count].digest, event.digest[index].data, bank->digest_size);
        (*ret_count)++;
    }
    return VD_OK;
}

vd_status vd_sealed_events_keep(const struct vd_bytes *log, struct vd_sealed_file *file,
                                struct vd_diag *diag)
{
    struct vd_pcr_bank bank = {};
    uint16_t algorithm = 0;
    uint32_t pcrs = policy_pcrs(&file->lock.policy, &algorithm);

    if (algorithm == 0 || log->size == 0)
        return VD_OK;
    VD_TRY(vd_pcr_bank_init(&bank, algorithm));
    bank.extended = pcrs;
    file->events = calloc(VD_SEALED_EVENTS_MAX, sizeof(*file->events));
    if (file->events == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    file->event_algorithm = algorithm;
    file->digest_size = bank.digest_size;
    return collect(log, &bank, file->events, &file->event_count, diag);
}

/* The first event of a PCR that is not the one it was sealed with. */
static void explain_event(const struct vd_sealed_file *file, const struct vd_sealed_event *now,
                          uint32_t now_count, uint32_t pcr)
{
    char was_hex[2 * VD_DIGEST_MAX_SIZE + 1] = "no event",
                                          now_hex[2 * VD_DIGEST_MAX_SIZE + 1] = "no event";
    const struct vd_sealed_event *a = NULL, *b = NULL;
    uint32_t i = 0, j = 0, number = 0;
    const char *type;

    for (;; i++, j++) {
        while (i < file->event_count && file->events[i].pcr != pcr)
            i++;
        while (j < now_count && now[j].pcr != pcr)
            j++;
        a = i < file->event_count ? &file->events[i] : NULL;
        b = j < now_count ? &now[j] : NULL;
        number++;
        if (a == NULL || b == NULL || !vd_ct_equal(a->digest, b->digest, file->digest_size))
            break;
    }
    if (a == NULL && b == NULL)
        return;
    if (a != NULL)
        vd_hex_encode(a->digest, file->digest_size, was_hex);
    if (b != NULL)
        vd_hex_encode(b->digest, file->digest_size, now_hex);
    type = vd_event_type_name(a != NULL ? a->type : b->type);
    fprintf(stderr, "  event %u of this PCR (%s): was %s, is %s\n", number,
            type != NULL ? type : "of another type", was_hex, now_hex);
}

/* Which PCRs of a condition are not what the data were sealed to, and the first event of each. */
static void explain_pcrs(const struct vd_sealed_explanation *e, const struct vd_pcr_bank *was)
{
    const struct vd_tpm_bank want = {.algorithm = was->algorithm, .pcrs = was->extended};
    struct vd_sealed_event *events = calloc(VD_SEALED_EVENTS_MAX, sizeof(*events));
    char was_hex[2 * VD_DIGEST_MAX_SIZE + 1], is_hex[2 * VD_DIGEST_MAX_SIZE + 1];
    struct vd_pcr_bank now;
    uint32_t count = 0;

    if (events == NULL || vd_tpm_pcr_read(e->tpm, &want, &now, NULL) != VD_OK) {
        free(events);
        return;
    }
    if (e->file->event_algorithm != was->algorithm ||
        collect(e->log, was, events, &count, NULL) != VD_OK)
        count = 0;
    for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
        if ((want.pcrs >> pcr & 1) == 0 ||
            vd_ct_equal(was->value[pcr], now.value[pcr], now.digest_size))
            continue;
        vd_hex_encode(was->value[pcr], now.digest_size, was_hex);
        vd_hex_encode(now.value[pcr], now.digest_size, is_hex);
        fprintf(stderr, "PCR %u (%s): sealed to %s, is %s\n", pcr, vd_tpm_alg_name(now.algorithm),
                was_hex, is_hex);
        if (count > 0 && e->file->event_count > 0)
            explain_event(e->file, events, count, pcr);
    }
    free(events);
}

void vd_sealed_explain(const struct vd_sealed_explanation *e)
{
    const struct vd_tpm_policy *policy = &e->file->lock.policy;

    for (uint32_t i = 0; i < policy->count; i++) {
        const struct vd_tpm_branch *branch = &policy->branch[i];
        char text[BRANCH_TEXT_SIZE];

        if (e->refusals->text[i][0] == '\0')
            continue;
        vd_policy_text_branch(branch, text, sizeof(text));
        if (policy->count > 1)
            fprintf(stderr, "branch %u, %s: %s\n", i + 1, text, e->refusals->text[i]);
        for (uint32_t s = 0; s < branch->count; s++) {
            if (branch->step[s].kind == VD_TPM_STEP_PCR)
                explain_pcrs(e, &branch->step[s].bank);
        }
    }
    for (uint32_t i = 0; i < e->approval_count; i++) {
        const struct vd_tpm_branch *branch = &e->approvals[i].branch;

        for (uint32_t s = 0; s < branch->count; s++) {
            if (branch->step[s].kind == VD_TPM_STEP_PCR)
                explain_pcrs(e, &branch->step[s].bank);
        }
    }
}
