/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/pcr.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "hardware/tpm/capability.h"
#include "lib/diagf.h"

#define SELECT_BYTES 3u /* of a PCR bitmap: 24 PCRs */

void vd_tpm_selection_write(struct vd_writer *w, const struct vd_tpm_selection *selection)
{
    vd_write_be32(w, selection->count);
    for (uint32_t i = 0; i < selection->count; i++) {
        const struct vd_tpm_bank *bank = &selection->bank[i];
        vd_write_be16(w, bank->algorithm);
        vd_write_u8(w, SELECT_BYTES);
        for (uint32_t byte = 0; byte < SELECT_BYTES; byte++)
            vd_write_u8(w, (uint8_t)(bank->pcrs >> 8 * byte));
    }
}

static vd_status read_bank(struct vd_reader *r, struct vd_tpm_bank *ret)
{
    uint8_t size, bits;

    ret->pcrs = 0;
    VD_TRY(vd_read_be16(r, &ret->algorithm));
    VD_TRY(vd_read_u8(r, &size));
    for (uint32_t byte = 0; byte < size; byte++) {
        VD_TRY(vd_read_u8(r, &bits));
        if (byte >= SELECT_BYTES && bits != 0)
            return VD_E_LIMIT;
        if (byte < SELECT_BYTES)
            ret->pcrs |= (uint32_t)bits << 8 * byte;
    }
    return VD_OK;
}

vd_status vd_tpm_selection_read(struct vd_reader *r, struct vd_tpm_selection *ret)
{
    struct vd_tpm_selection selection = {};
    struct vd_reader next = *r;

    VD_TRY(vd_read_be32(&next, &selection.count));
    if (selection.count > VD_TPM_BANKS_MAX)
        return VD_E_LIMIT;
    for (uint32_t i = 0; i < selection.count; i++)
        VD_TRY(read_bank(&next, &selection.bank[i]));
    *ret = selection;
    *r = next;
    return VD_OK;
}

/* A number or a range; false if it is neither or above 23. */
static bool parse_range(const char **text, uint32_t *pcrs)
{
    unsigned long first, last;
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    first = last = strtoul(*text, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        last = strtoul(end + 1, &end, 10);
    if (first > last || last >= VD_PCR_COUNT)
        return false;
    for (unsigned long i = first; i <= last; i++)
        *pcrs |= 1u << i;
    *text = end;
    return true;
}

vd_status vd_tpm_selection_parse(const char *text, struct vd_tpm_selection *ret,
                                 struct vd_diag *diag)
{
    struct vd_tpm_bank bank = {.algorithm = VD_TPM_ALG_SHA256};
    const char *colon = strchr(text, ':');
    const char *rest = colon == NULL ? text : colon + 1;
    bool good = true;

    if (colon != NULL)
        bank.algorithm = vd_tpm_alg_find(text, (size_t)(colon - text));
    if (bank.algorithm == 0)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\": the bank is not sha1, sha256, sha384 or sha512",
                        text);
    while (good) {
        good = parse_range(&rest, &bank.pcrs);
        if (!good || *rest == '\0')
            break;
        good = *rest++ == ',';
    }
    if (!good)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\": expected PCR numbers 0 to 23, as in 0,4,8-11",
                        text);
    *ret = (struct vd_tpm_selection){.count = 1, .bank = {bank}};
    return VD_OK;
}

vd_status vd_tpm_pcr_banks(struct vd_tpm *tpm, struct vd_tpm_selection *ret, struct vd_diag *diag)
{
    const struct vd_tpm_question question = {VD_TPM_CAP_PCRS, 0, 1};
    struct vd_tpm_selection all;
    struct vd_tpm_response response;

    VD_TRY(vd_tpm_capability(tpm, &question, &response, NULL, diag));
    if (vd_tpm_selection_read(&response.parameters, &all) != VD_OK ||
        vd_read_done(&response.parameters) != VD_OK)
        return vd_tpm_malformed(diag, "list of PCR banks");
    *ret = (struct vd_tpm_selection){};
    for (uint32_t i = 0; i < all.count; i++) {
        if (all.bank[i].pcrs != 0)
            ret->bank[ret->count++] = all.bank[i];
    }
    return VD_OK;
}

/* Reads what the TPM gives at once (up to 8); `ret_got` names the PCRs. */
static vd_status read_group(struct vd_tpm *tpm, const struct vd_tpm_bank *wanted,
                            struct vd_pcr_bank *values, uint32_t *ret_got, struct vd_diag *diag)
{
    struct vd_tpm_selection selection = {.count = 1, .bank = {*wanted}};
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    struct vd_reader *r = &response.parameters;
    uint32_t counter, count;

    vd_tpm_begin(&command, VD_TPM_CC_PCR_READ);
    vd_tpm_selection_write(&command.w, &selection);
    VD_TRY(vd_tpm_run(tpm, &command, &response, diag));
    if (vd_read_be32(r, &counter) != VD_OK || vd_tpm_selection_read(r, &selection) != VD_OK ||
        vd_read_be32(r, &count) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_PCR_Read");
    *ret_got = selection.count == 1 ? selection.bank[0].pcrs & wanted->pcrs : 0;
    if (count != (uint32_t)__builtin_popcount(*ret_got))
        return vd_tpm_malformed(diag, "TPM2_PCR_Read");
    for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
        const uint8_t *digest;
        size_t size;
        if ((*ret_got >> pcr & 1) == 0)
            continue;
        if (vd_tpm_read_2b(r, VD_TPM_DIGEST_MAX, &digest, &size) != VD_OK ||
            size != values->digest_size)
            return vd_tpm_malformed(diag, "TPM2_PCR_Read");
        vd_copy(values->value[pcr], digest, size);
    }
    return vd_read_done(r) == VD_OK ? VD_OK : vd_tpm_malformed(diag, "TPM2_PCR_Read");
}

vd_status vd_tpm_pcr_read(struct vd_tpm *tpm, const struct vd_tpm_bank *bank,
                          struct vd_pcr_bank *ret, struct vd_diag *diag)
{
    struct vd_tpm_bank left = *bank;
    struct vd_pcr_bank values;

    if (vd_pcr_bank_init(&values, bank->algorithm) != VD_OK)
        return vd_diagf(diag, VD_E_UNSUPPORTED, "the bank 0x%04x is not known", bank->algorithm);
    values.extended = 0;
    while (left.pcrs != 0) {
        uint32_t got = 0;
        VD_TRY(read_group(tpm, &left, &values, &got, diag));
        if (got == 0)
            return vd_diagf(diag, VD_E_UNSUPPORTED, "the TPM has no bank %s or not all PCRs of it",
                            vd_tpm_alg_name(bank->algorithm));
        values.extended |= got;
        left.pcrs &= ~got;
    }
    *ret = values;
    return VD_OK;
}

vd_status vd_tpm_pcr_extend(struct vd_tpm *tpm, uint32_t pcr, const struct vd_tpm_digest *digests,
                            uint32_t count, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;

    if (pcr >= VD_PCR_COUNT)
        return vd_diag_fail(diag, VD_E_RANGE, "a PCR is 0 to 23");
    vd_tpm_begin_authorised(&command, VD_TPM_CC_PCR_EXTEND, pcr);
    vd_write_be32(&command.w, count);
    for (uint32_t i = 0; i < count; i++) {
        vd_write_be16(&command.w, digests[i].algorithm);
        vd_write_bytes(&command.w, digests[i].bytes, vd_tpm_alg_size(digests[i].algorithm));
    }
    return vd_tpm_run(tpm, &command, &response, diag);
}
