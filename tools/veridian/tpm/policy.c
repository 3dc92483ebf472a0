/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "hardware/tpm/signer.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "tools/veridian/attest/internal.h"
#include "tools/veridian/tpm/policy_text.h"
#include "tools/veridian/tpm/seal.h"

#define PREDICTION_MAX (16u << 20)
#define TEXT_SIZE      512u

struct policy_args {
    const char *tpm;
    const char *key;
    const char *reference;
    const char *policy;
    const char *predict;
    const char *out;
    const char *digest;
    bool json;
};

struct run {
    struct vd_tpm tpm;
    struct vd_tpm_link link;
    struct vd_pcr_bank predicted[VD_POLICY_BANKS_MAX];
    uint32_t predicted_count;
    struct vd_tpm_policy policy;
    struct vd_tpm_approval approval;
};

static void run_done(struct run *run)
{
    vd_tpm_crypto_free(run->link.crypto);
    vd_tpm_close(&run->tpm);
}

/* The values of `boot predict --json`. */
static vd_status load_prediction(struct run *run, const char *path, struct vd_diag *diag)
{
    static const uint16_t algorithms[] = {VD_TPM_ALG_SHA256, VD_TPM_ALG_SHA384};
    json_t *json = NULL;
    vd_status status;

    VD_TRY(vd_json_load(path, PREDICTION_MAX, &json, diag));
    for (size_t i = 0; i < VD_COUNT(algorithms); i++) {
        struct vd_pcr_bank *bank = &run->predicted[run->predicted_count++];

        status = vd_pcr_bank_init(bank, algorithms[i]);
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT && status == VD_OK; pcr++) {
            status = vd_attest_json_pcr(json, algorithms[i], pcr, bank->value[pcr], diag);
            if (status == VD_OK)
                bank->extended |= 1u << pcr;
            if (status == VD_E_NOT_FOUND)
                status = VD_OK;
        }
        if (status != VD_OK)
            break;
    }
    json_decref(json);
    return status;
}

/* The conditions, which must be one branch of what the TPM can check by itself. */
static vd_status take_conditions(struct run *run, const struct policy_args *args,
                                 struct vd_diag *diag)
{
    const struct vd_policy_source source = {
        .link = &run->link, .predicted = run->predicted, .predicted_count = run->predicted_count};
    const struct vd_tpm_branch *branch = &run->policy.branch[0];

    VD_TRY(vd_policy_text_parse(args->policy, &source, &run->policy, diag));
    if (run->policy.count != 1 || vd_tpm_branch_has_auth(branch) ||
        branch->step[0].kind == VD_TPM_STEP_AUTHORIZE)
        return vd_diag_fail(diag, VD_E_USAGE,
                            "what is approved is one list of pcr() and nv(), without \"or\"");
    run->approval.branch = *branch;
    return VD_OK;
}

static vd_status sign_in(struct run *run, const struct policy_args *args, struct vd_diag *diag)
{
    uint8_t bytes[VD_TPM_APPROVAL_MAX], approved[VD_TPM_HASH_SIZE];
    char hex[2 * VD_TPM_HASH_SIZE + 1];
    struct vd_writer w;

    VD_TRY(vd_tpm_crypto_new(&run->link.crypto, diag));
    if (args->predict != NULL) {
        VD_TRY(load_prediction(run, args->predict, diag));
    } else {
        VD_TRY(vd_tpm_open(&run->tpm, args->tpm, diag));
        run->link.tpm = &run->tpm;
    }
    VD_TRY(vd_tpm_signer_load(args->key, args->reference, &run->approval.signer, diag));
    VD_TRY(take_conditions(run, args, diag));
    VD_TRY(vd_tpm_approval_sign(run->link.crypto, args->key, &run->approval, diag));
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_tpm_approval_write(&w, &run->approval);
    if (vd_write_done(&w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the approval would be too large");
    VD_TRY(vd_tpm_branch_digest(run->link.crypto, &run->approval.branch, approved));
    if (args->digest != NULL)
        VD_TRY(vd_file_store(args->digest, approved, sizeof(approved), 0644, diag));
    VD_TRY(vd_file_store(args->out, bytes, w.len, 0644, diag));
    vd_hex_encode(approved, sizeof(approved), hex);
    printf("approved %s\n", hex);
    return VD_OK;
}

static int sign(const struct vd_cli_call *call)
{
    struct run run VD_AUTO(run_done) = {.tpm = {.fd = -1}};
    struct vd_diag diag = {};

    return vd_cli_report(sign_in(&run, call->args, &diag), &diag);
}

/* The values of the PCRs that a branch names, as JSON or lines. */
static json_t *step_json(const struct vd_tpm_step *step)
{
    char hex[2 * VD_DIGEST_MAX_SIZE + 1], number[8];
    json_t *values;

    if (step->kind != VD_TPM_STEP_PCR)
        return NULL;
    values = json_object();
    for (uint32_t i = 0; i < VD_PCR_COUNT; i++) {
        if ((step->bank.extended >> i & 1) == 0)
            continue;
        vd_hex_encode(step->bank.value[i], step->bank.digest_size, hex);
        (void)snprintf(number, sizeof(number), "%u", i);
        json_object_set_new(values, number, json_string(hex));
    }
    return json_pack("{s:{s:o}}", "pcrs", vd_tpm_alg_name(step->bank.algorithm), values);
}

static vd_status show_in(struct run *run, const struct vd_cli_call *call, struct vd_diag *diag)
{
    const struct policy_args *args = call->args;
    const struct vd_tpm_approval *approval = &run->approval;
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    uint8_t approved[VD_TPM_HASH_SIZE];
    char hex[2 * VD_TPM_HASH_SIZE + 1], text[TEXT_SIZE] = "";
    json_t *steps;

    VD_TRY(vd_file_load(call->operands[0], VD_TPM_APPROVAL_MAX, &bytes, diag));
    vd_diag_file(diag, call->operands[0]);
    VD_TRY(vd_tpm_approval_read(bytes.data, bytes.size, &run->approval, diag));
    vd_diag_file(diag, "");
    VD_TRY(vd_tpm_crypto_new(&run->link.crypto, diag));
    VD_TRY(vd_tpm_branch_digest(run->link.crypto, &approval->branch, approved));
    vd_hex_encode(approved, sizeof(approved), hex);
    vd_policy_text_branch(&approval->branch, text, sizeof(text));
    if (!args->json) {
        printf("conditions: %s\napproved:   %s\nreference:  %.*s\n", text, hex,
               (int)approval->signer.reference_size, (const char *)approval->signer.reference);
        return VD_OK;
    }
    steps = json_array();
    for (uint32_t i = 0; i < approval->branch.count; i++) {
        json_t *step = step_json(&approval->branch.step[i]);

        if (step != NULL)
            json_array_append_new(steps, step);
    }
    return vd_json_print(
        json_pack("{s:s, s:s, s:o}", "conditions", text, "approved", hex, "values", steps), diag);
}

static int show(const struct vd_cli_call *call)
{
    struct run run VD_AUTO(run_done) = {.tpm = {.fd = -1}};
    struct vd_diag diag = {};

    return vd_cli_report(show_in(&run, call, &diag), &diag);
}

#define OPTION(name_, field_, help_, argument_, required_)                                 \
    {                                                                                      \
        .name = name_, .kind = VD_CLI_TEXT, .store = offsetof(struct policy_args, field_), \
        .help = help_, .argument = argument_, .required = required_                        \
    }

static const struct vd_cli_option sign_options[] = {
    OPTION("key", key, "private key that approves: ECDSA P-256 in PEM", "FILE", true),
    OPTION("policy", policy, "what is approved: pcr() and nv(), as in \"pcr(4,7)\"", "TEXT", true),
    OPTION("predict", predict, "values of `boot predict --json` instead of the TPM's", "FILE",
           false),
    OPTION("reference", reference, "the purpose, as in authorize(FILE, TEXT)", "TEXT", false),
    OPTION("out", out, "the approval", "FILE", true),
    OPTION("digest", digest, "also the approved digest, for tpm2_policyauthorize -i", "FILE",
           false),
    OPTION("tpm", tpm, "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N", "NAME", false),
    {},
};

static const struct vd_cli_option show_options[] = {
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct policy_args, json),
     .help = "print JSON"},
    {},
};

static const struct vd_cli_command sign_command = {
    .name = "sign",
    .usage = "--key KEY.pem --policy TEXT --out FILE [--predict FILE] [--reference TEXT]\n"
             "    [--digest FILE] [--tpm NAME]",
    .summary = "approves a state in which data sealed with --authorize open",
    .details = "The state may be one that is yet to come: `boot predict --json` computes it.\n"
               "\n"
               "Example: veridian tpm policy sign --key approve.pem --policy \"pcr(4,11)\" \\\n"
               "             --predict next.json --out next.approval",
    .options = sign_options,
    .args_size = sizeof(struct policy_args),
    .run = sign,
};

static const struct vd_cli_command show_command = {
    .name = "show",
    .usage = "[--json] FILE",
    .summary = "prints what an approval approves; its signature is checked by the TPM",
    .options = show_options,
    .args_size = sizeof(struct policy_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = show,
};

static const struct vd_cli_command *const verbs[] = {&sign_command, &show_command, NULL};

const struct vd_cli_command vd_tpm_policy_command = {
    .name = "policy",
    .summary = "approvals of states for sealed data",
    .commands = verbs,
};
