/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/tpm/policy_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "hardware/tpm/nv.h"
#include "hardware/tpm/seal.h"
#include "hardware/tpm/signer.h"
#include "lib/diagf.h"
#include "lib/hash.h"

#define ARGUMENT_MAX 1024u

struct parser {
    const char *start;
    const char *pos;
    const struct vd_policy_source *source;
    struct vd_diag *diag;
};

static vd_status wrong(const struct parser *p, const char *expected)
{
    return vd_diagf(p->diag, VD_E_USAGE, "policy, character %zu: expected %s",
                    (size_t)(p->pos - p->start) + 1, expected);
}

static void skip_spaces(struct parser *p)
{
    while (isspace((unsigned char)*p->pos))
        p->pos++;
}

/* Takes the word if it stands here, and no letter follows. */
static bool take_word(struct parser *p, const char *word)
{
    size_t len = strlen(word);

    skip_spaces(p);
    if (strncmp(p->pos, word, len) != 0 || isalnum((unsigned char)p->pos[len]))
        return false;
    p->pos += len;
    return true;
}

/* What stands in parentheses, without spaces around it. */
static vd_status take_argument(struct parser *p, char ret[ARGUMENT_MAX])
{
    const char *end;
    size_t len;

    skip_spaces(p);
    if (*p->pos != '(')
        return wrong(p, "\"(\"");
    p->pos++;
    skip_spaces(p);
    end = strchr(p->pos, ')');
    if (end == NULL)
        return wrong(p, "\")\" somewhere behind");
    len = (size_t)(end - p->pos);
    while (len > 0 && isspace((unsigned char)p->pos[len - 1]))
        len--;
    if (len == 0 || len >= ARGUMENT_MAX)
        return wrong(p, "something between the parentheses");
    vd_copy(ret, p->pos, len);
    ret[len] = '\0';
    p->pos = end + 1;
    return VD_OK;
}

/* The values of the bank's PCRs: predicted, or the TPM's. */
static vd_status find_values(const struct parser *p, const struct vd_tpm_bank *want,
                             struct vd_pcr_bank *ret)
{
    const struct vd_policy_source *source = p->source;

    for (uint32_t i = 0; i < source->predicted_count; i++) {
        const struct vd_pcr_bank *bank = &source->predicted[i];

        if (bank->algorithm != want->algorithm || (want->pcrs & ~bank->extended) != 0)
            continue;
        *ret = *bank;
        ret->extended = want->pcrs;
        return VD_OK;
    }
    if (source->predicted_count > 0 || source->link->tpm == NULL)
        return vd_diag_fail(p->diag, VD_E_NOT_FOUND,
                            "the prediction does not have every PCR of the policy");
    return vd_tpm_pcr_read(source->link->tpm, want, ret, p->diag);
}

static vd_status parse_pcr(struct parser *p, struct vd_tpm_step *step)
{
    struct vd_tpm_selection selection;
    char argument[ARGUMENT_MAX], *value;

    VD_TRY(take_argument(p, argument));
    value = strchr(argument, '=');
    if (value != NULL)
        *value++ = '\0';
    VD_TRY(vd_tpm_selection_parse(argument, &selection, p->diag));
    step->kind = VD_TPM_STEP_PCR;
    if (value == NULL)
        return find_values(p, &selection.bank[0], &step->bank);
    if (__builtin_popcount(selection.bank[0].pcrs) != 1)
        return wrong(p, "one PCR before \"=\", as in pcr(7=HEX)");
    VD_TRY(vd_pcr_bank_init(&step->bank, selection.bank[0].algorithm));
    step->bank.extended = selection.bank[0].pcrs;
    return vd_hex_decode(value, step->bank.value[__builtin_ctz(step->bank.extended)],
                         step->bank.digest_size, p->diag);
}

/* The counter's value now, through a session that nobody on the way can answer for the TPM. */
static vd_status read_counter(const struct parser *p, const struct vd_tpm_nv *nv, uint64_t *ret)
{
    const struct vd_tpm_link *link = p->source->link;
    struct vd_tpm_session session = {};
    struct vd_tpm_storage_key key;
    struct vd_reader r;
    uint8_t value[8];
    vd_status status;

    VD_TRY(vd_tpm_srk(link, &key, p->diag));
    VD_TRY(vd_tpm_session_start(link, VD_TPM_SESSION_HMAC, &key, &session, p->diag));
    status = vd_tpm_nv_read(link, &session, nv, value, p->diag);
    vd_tpm_session_end(link, &session);
    VD_TRY(status);
    vd_reader_init(&r, value, sizeof(value));
    return vd_read_be64(&r, ret);
}

/* "0x01800010 >= 5": the operator's place, and what it is. */
static const char *find_operator(const char *text, enum vd_tpm_comparison *ret)
{
    static const struct {
        const char *text;
        enum vd_tpm_comparison comparison;
    } operators[] = {{"==", VD_TPM_EQUAL}, {">=", VD_TPM_AT_LEAST}, {"<=", VD_TPM_AT_MOST}};

    for (size_t i = 0; i < VD_COUNT(operators); i++) {
        const char *at = strstr(text, operators[i].text);

        if (at == NULL)
            continue;
        *ret = operators[i].comparison;
        return at;
    }
    return NULL;
}

static bool has_tpm(const struct parser *p)
{
    return p->source->link->tpm != NULL;
}

/* The index of the TPM; without one a counter as `tpm nv define --counter` makes it. */
static vd_status find_index(const struct parser *p, uint32_t index, struct vd_tpm_nv *ret)
{
    if (!has_tpm(p))
        return vd_tpm_nv_counter_public(p->source->link->crypto, index, ret);
    VD_TRY(vd_tpm_nv_public(p->source->link, index, ret, p->diag));
    if (ret->size != 8 || (ret->attributes & VD_TPM_NV_WRITTEN) == 0)
        return vd_diagf(p->diag, VD_E_INVALID, "index 0x%08x is no counter, or it was never raised",
                        index);
    return VD_OK;
}

static vd_status parse_nv(struct parser *p, struct vd_tpm_step *step)
{
    struct vd_tpm_nv_condition *want = &step->nv;
    char argument[ARGUMENT_MAX], *end;
    const char *at;
    struct vd_tpm_nv nv;
    unsigned long index;

    VD_TRY(take_argument(p, argument));
    step->kind = VD_TPM_STEP_NV;
    at = find_operator(argument, &want->comparison);
    index = strtoul(argument, &end, 0);
    if (at == NULL || end == argument || strspn(end, " ") != (size_t)(at - end))
        return wrong(p, "nv(INDEX OP NUMBER), OP one of ==, >=, <=");
    if (index > VD_TPM_NV_LAST || (index > 0xffffff && index < VD_TPM_NV_FIRST))
        return wrong(p, "an index of 0x01000000 to 0x01ffffff");
    want->index = VD_TPM_NV_FIRST | (uint32_t)index;
    VD_TRY(find_index(p, want->index, &nv));
    want->name = nv.name;
    at += 2 + strspn(at + 2, " ");
    if (strcmp(at, "now") == 0 && has_tpm(p))
        return read_counter(p, &nv, &want->operand);
    want->operand = strtoull(at, &end, 0);
    return end != at && *end == '\0' && *at != '-' ? VD_OK
                                                   : wrong(p, "a number, or, with a TPM, now");
}

static vd_status parse_authorize(struct parser *p, struct vd_tpm_step *step)
{
    char argument[ARGUMENT_MAX], *reference;

    VD_TRY(take_argument(p, argument));
    reference = strchr(argument, ',');
    if (reference != NULL) {
        *reference++ = '\0';
        reference += strspn(reference, " ");
    }
    step->kind = VD_TPM_STEP_AUTHORIZE;
    return vd_tpm_signer_load(argument, reference, &step->signer, p->diag);
}

static vd_status parse_step(struct parser *p, struct vd_tpm_step *step)
{
    if (take_word(p, "pcr"))
        return parse_pcr(p, step);
    if (take_word(p, "nv"))
        return parse_nv(p, step);
    if (take_word(p, "authorize"))
        return parse_authorize(p, step);
    if (!take_word(p, "auth"))
        return wrong(p, "pcr(…), nv(…), authorize(…) or auth");
    step->kind = VD_TPM_STEP_AUTH;
    return VD_OK;
}

static vd_status parse_branch(struct parser *p, struct vd_tpm_branch *branch)
{
    branch->count = 0;
    do {
        if (branch->count == VD_TPM_STEPS_MAX)
            return vd_diagf(p->diag, VD_E_USAGE, "a branch has at most %u conditions",
                            VD_TPM_STEPS_MAX);
        VD_TRY(parse_step(p, &branch->step[branch->count++]));
        if (branch->count > 1 && branch->step[branch->count - 1].kind == VD_TPM_STEP_AUTHORIZE)
            return vd_diag_fail(p->diag, VD_E_USAGE,
                                "authorize() stands first in its branch: the TPM starts the "
                                "policy afresh there");
    } while (take_word(p, "and"));
    return VD_OK;
}

vd_status vd_policy_text_parse(const char *text, const struct vd_policy_source *source,
                               struct vd_tpm_policy *ret, struct vd_diag *diag)
{
    struct parser p = {.start = text, .pos = text, .source = source, .diag = diag};

    ret->count = 0;
    do {
        if (ret->count == VD_TPM_BRANCHES_MAX)
            return vd_diagf(diag, VD_E_USAGE, "a policy has at most %u branches",
                            VD_TPM_BRANCHES_MAX);
        VD_TRY(parse_branch(&p, &ret->branch[ret->count++]));
    } while (take_word(&p, "or"));
    skip_spaces(&p);
    return *p.pos == '\0' ? VD_OK : wrong(&p, "\"and\", \"or\" or the end");
}

static size_t put_pcrs(const struct vd_pcr_bank *bank, char *ret, size_t size)
{
    int len = snprintf(ret, size, "pcr(%s:", vd_tpm_alg_name(bank->algorithm));
    const char *comma = "";

    for (uint32_t i = 0; i < VD_PCR_COUNT; i++) {
        if ((bank->extended >> i & 1) == 0 || (size_t)len >= size)
            continue;
        len += snprintf(ret + len, size - (size_t)len, "%s%u", comma, i);
        comma = ",";
    }
    if ((size_t)len < size)
        len += snprintf(ret + len, size - (size_t)len, ")");
    return (size_t)len;
}

static size_t put_step(const struct vd_tpm_step *step, char *ret, size_t size)
{
    const struct vd_tpm_nv_condition *nv = &step->nv;
    const char *comparison;

    switch (step->kind) {
    case VD_TPM_STEP_PCR:
        return put_pcrs(&step->bank, ret, size);
    case VD_TPM_STEP_NV:
        comparison = nv->comparison == VD_TPM_EQUAL      ? "=="
                     : nv->comparison == VD_TPM_AT_LEAST ? ">="
                                                         : "<=";
        return (size_t)snprintf(ret, size, "nv(0x%08x %s %" PRIu64 ")", nv->index, comparison,
                                nv->operand);
    case VD_TPM_STEP_AUTHORIZE:
        return (size_t)snprintf(ret, size, "authorize");
    default:
        return (size_t)snprintf(ret, size, "auth");
    }
}

void vd_policy_text_branch(const struct vd_tpm_branch *branch, char *ret, size_t size)
{
    size_t len = 0;

    for (uint32_t i = 0; i < branch->count && len < size; i++) {
        if (i > 0)
            len += (size_t)snprintf(ret + len, size - len, " and ");
        if (len < size)
            len += put_step(&branch->step[i], ret + len, size - len);
    }
}
