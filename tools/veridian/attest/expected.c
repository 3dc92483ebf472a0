/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/attest/internal.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"

#define HEX_SIZE (2 * VD_DIGEST_MAX_SIZE + 1)

vd_status vd_attest_json_pcr(const json_t *list, uint16_t algorithm, uint32_t pcr, uint8_t *ret,
                             struct vd_diag *diag)
{
    const json_t *pcrs = json_object_get(list, "pcrs");
    const char *bank = vd_tpm_alg_name(algorithm);
    const json_t *value;
    char key[8];

    if (!json_is_object(pcrs))
        return vd_diag_fail(diag, VD_E_INVALID, "expected {\"pcrs\": {BANK: {PCR: HEX}}}");
    snprintf(key, sizeof(key), "%u", pcr);
    value = bank == NULL ? NULL : json_object_get(json_object_get(pcrs, bank), key);
    if (value == NULL)
        return VD_E_NOT_FOUND;
    if (!json_is_string(value) ||
        vd_hex_decode(json_string_value(value), ret, vd_tpm_alg_size(algorithm), NULL) != VD_OK)
        return vd_diagf(diag, VD_E_INVALID, "pcrs.%s.%s is not a digest in hexadecimal", bank, key);
    return VD_OK;
}

/* The next expected event of a PCR from index `*at` on: its digest and text. */
static const char *next_expected(const json_t *events, uint32_t pcr, size_t *at,
                                 const char **ret_text)
{
    while (*at < json_array_size(events)) {
        const json_t *event = json_array_get(events, (*at)++);
        if (json_integer_value(json_object_get(event, "pcr")) != (json_int_t)pcr)
            continue;
        *ret_text = json_string_value(json_object_get(event, "text"));
        return json_string_value(json_object_get(event, "digest"));
    }
    *ret_text = NULL;
    return NULL;
}

/* The next event of the log that extended a PCR; false at the end. */
static bool next_logged(struct vd_eventlog *log, uint32_t pcr, uint32_t *number,
                        struct vd_logged_event *event)
{
    while (vd_eventlog_more(log) && vd_eventlog_next(log, event, NULL) == VD_OK) {
        (*number)++;
        if (event->pcr == pcr && event->type != VD_EV_NO_ACTION)
            return true;
    }
    return false;
}

static const char *type_text(uint32_t type)
{
    const char *name = vd_event_type_name(type);

    return name != NULL ? name : "an unknown type";
}

/* Says which event is the first that differs from the expected ones. */
static vd_status name_event(const struct vd_attest_evidence *e, uint32_t pcr, struct vd_diag *diag)
{
    const json_t *events = json_object_get(e->expected, "events");
    struct vd_eventlog log;
    struct vd_logged_event event = {};
    uint32_t number = 0;
    size_t at = 0;
    int bank;

    if (!json_is_array(events) || vd_eventlog_open(e->log.data, e->log.size, &log, NULL) != VD_OK ||
        (bank = vd_eventlog_find(&log, VD_TPM_ALG_SHA256)) < 0)
        return vd_diagf(diag, VD_E_DIFFERS, "PCR %u has not the expected value", pcr);
    for (;;) {
        char hex[HEX_SIZE];
        const char *text;
        bool logged = next_logged(&log, pcr, &number, &event);
        const char *digest = next_expected(events, pcr, &at, &text);
        if (!logged && digest == NULL)
            return vd_diagf(diag, VD_E_DIFFERS, "PCR %u has not the expected value", pcr);
        if (!logged)
            return vd_diagf(diag, VD_E_DIFFERS, "PCR %u: expected \"%s\", but no more events", pcr,
                            text != NULL ? text : "an event");
        if (digest == NULL)
            return vd_diagf_at(diag, VD_E_DIFFERS, event.offset,
                               "PCR %u: event %u (%s) is one more than expected", pcr, number,
                               type_text(event.type));
        vd_hex_encode(event.digest[bank].data, event.digest[bank].size, hex);
        if (strcmp(hex, digest) != 0)
            return vd_diagf_at(diag, VD_E_DIFFERS, event.offset,
                               "PCR %u: event %u (%s) differs from the expected \"%s\"", pcr,
                               number, type_text(event.type), text != NULL ? text : "event");
    }
}

/* The PCRs for which the expected list has a value in this bank. */
static vd_status expected_of_bank(const struct vd_attest_evidence *e, uint16_t algorithm,
                                  uint32_t *ret_pcrs, struct vd_diag *diag)
{
    uint8_t value[VD_DIGEST_MAX_SIZE];

    *ret_pcrs = 0;
    for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
        vd_status status = vd_attest_json_pcr(e->expected, algorithm, pcr, value, diag);
        if (status == VD_OK)
            *ret_pcrs |= 1u << pcr;
        else if (status != VD_E_NOT_FOUND)
            return status;
    }
    return VD_OK;
}

/*
 * Each expected PCR must be answered in a bank in which it has an expected value:
 * the machine chooses what it quotes, also PCRs of a bank that nothing is known of.
 */
static vd_status check_covered(const struct vd_attest_evidence *e,
                               const struct vd_attest_result *result, struct vd_diag *diag)
{
    json_t *pcrs = json_object_get(e->expected, "pcrs");
    uint32_t expected = 0, answered = 0;
    const char *name;
    json_t *values;

    if (!json_is_object(pcrs))
        return vd_diag_fail(diag, VD_E_INVALID, "expected {\"pcrs\": {BANK: {PCR: HEX}}}");
    json_object_foreach(pcrs, name, values)
    {
        uint16_t algorithm = vd_tpm_alg_find(name, strlen(name));
        uint32_t known;

        if (algorithm == 0)
            return vd_diagf(diag, VD_E_INVALID, "pcrs.%s is no bank known here", name);
        VD_TRY(expected_of_bank(e, algorithm, &known, diag));
        if ((size_t)__builtin_popcount(known) != json_object_size(values))
            return vd_diagf(diag, VD_E_INVALID, "pcrs.%s has a name that is not 0 to 23", name);
        expected |= known;
        for (uint32_t i = 0; i < result->quote.selection.count; i++) {
            if (result->quote.selection.bank[i].algorithm == algorithm)
                answered |= known & result->quote.selection.bank[i].pcrs;
        }
    }
    if (answered == 0)
        return vd_diag_fail(diag, VD_E_DIFFERS, "there is no expected value for what was quoted");
    if ((expected & ~answered) != 0)
        return vd_diagf(diag, VD_E_DIFFERS, "PCR %d is expected but not in the quote",
                        __builtin_ctz(expected & ~answered));
    return VD_OK;
}

vd_status vd_attest_check_expected(const struct vd_attest_evidence *evidence,
                                   struct vd_attest_result *result, struct vd_diag *diag)
{
    VD_TRY(check_covered(evidence, result, diag));
    for (uint32_t i = 0; i < result->quote.selection.count; i++) {
        const struct vd_tpm_bank *bank = &result->quote.selection.bank[i];
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
            uint8_t value[VD_DIGEST_MAX_SIZE];
            if ((bank->pcrs >> pcr & 1) == 0 ||
                vd_attest_json_pcr(evidence->expected, bank->algorithm, pcr, value, NULL) != VD_OK)
                continue;
            if (!vd_ct_equal(value, result->bank[i].value[pcr], result->bank[i].digest_size))
                result->differing |= 1u << pcr;
        }
    }
    if (result->differing == 0)
        return VD_OK;
    return name_event(evidence, (uint32_t)__builtin_ctz(result->differing), diag);
}
