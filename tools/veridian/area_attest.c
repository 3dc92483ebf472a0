/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The area `attest`: making a quote of this machine, judging one of another.
 * Options and output; the work is in attest/.
 */
#include "tools/veridian/areas.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/diagf.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "tools/veridian/attest/make.h"
#include "tools/veridian/attest/verify.h"

#define PATH_SIZE     4096
#define KEY_FILE_MAX  (64u << 10)
#define JSON_FILE_MAX (4u << 20)
#define FILE_MAX      VD_EVENTLOG_MAX_BYTES /* the formats have narrower limits of their own */

#define TEXT(type, name_, member, help_, argument_, required_)                              \
    {                                                                                       \
        .name = name_, .kind = VD_CLI_TEXT, .store = offsetof(type, member), .help = help_, \
        .argument = argument_, .required = required_                                        \
    }

static const struct vd_cli_option quote_options[] = {
    TEXT(struct vd_attest_make, "nonce", nonce, "the verifier's challenge, 1 to 64 bytes", "HEX",
         true),
    TEXT(struct vd_attest_make, "pcrs", pcrs, "PCRs of one bank, as in 0-7,11 or sha384:4", "LIST",
         true),
    TEXT(struct vd_attest_make, "out", out, "directory for the evidence; made if need be", "DIR",
         true),
    TEXT(struct vd_attest_make, "tpm", tpm, "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N",
         "NAME", false),
    TEXT(struct vd_attest_make, "event-log", log, "event log to add (default: the kernel's)",
         "FILE", false),
    {},
};

static int quote(const struct vd_cli_call *call)
{
    const struct vd_attest_make *args = call->args;
    struct vd_diag diag = {};
    bool has_log = false;
    vd_status status = vd_attest_make(args, &has_log, &diag);

    if (status == VD_OK && !has_log)
        fprintf(stderr, "note: this machine has no event log (%s): eventlog.bin is left out\n",
                VD_ATTEST_KERNEL_LOG);
    return vd_cli_report(status, &diag);
}

static const struct vd_cli_command quote_command = {
    .name = "quote",
    .usage = "--nonce HEX --pcrs LIST --out DIR [--tpm NAME] [--event-log FILE]",
    .summary = "makes signed evidence of this machine's boot",
    .details =
        "Writes quote.bin (TPMS_ATTEST), quote.sig (TPMT_SIGNATURE), ak.pem and ak.pub (the\n"
        "attestation key), pcrs.json and eventlog.bin. The key is made from a fixed\n"
        "template: the same TPM always has the same one.\n"
        "\n"
        "Example: veridian attest quote --nonce $nonce --pcrs 0-9,11 --out /run/quote",
    .options = quote_options,
    .args_size = sizeof(struct vd_attest_make),
    .run = quote,
};

struct verify_args {
    const char *quote;
    const char *signature;
    const char *nonce;
    const char *ak;
    const char *log;
    const char *expected;
    bool json;
};

static const struct vd_cli_option verify_options[] = {
    TEXT(struct verify_args, "quote", quote, "directory of `attest quote`, or quote.bin",
         "DIR|FILE", true),
    TEXT(struct verify_args, "signature", signature,
         "signature (default: quote.sig beside the quote)", "FILE", false),
    TEXT(struct verify_args, "nonce", nonce, "the challenge that was sent", "HEX", true),
    TEXT(struct verify_args, "ak", ak, "the machine's attestation key, known beforehand", "PEM",
         true),
    TEXT(struct verify_args, "event-log", log, "event log (default: eventlog.bin beside the quote)",
         "FILE", false),
    TEXT(struct verify_args, "expected", expected, "expected PCRs, from `boot predict --json`",
         "JSON", false),
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct verify_args, json),
     .help = "print JSON"},
    {},
};

static void evidence_done(struct vd_attest_evidence *e)
{
    vd_bytes_free(&e->quote);
    vd_bytes_free(&e->signature);
    vd_bytes_free(&e->log);
    EVP_PKEY_free(e->ak);
    json_decref(e->claimed);
    json_decref(e->expected);
}

/* Loads `named`, or the file `name` beside the quote. */
static vd_status load_beside(const struct verify_args *args, const char *named, const char *name,
                             struct vd_bytes *ret, struct vd_diag *diag)
{
    const char *slash = strrchr(args->quote, '/');
    char path[PATH_SIZE];
    struct stat st;
    int len = slash == NULL ? 0 : (int)(slash - args->quote + 1);

    if (named != NULL)
        return vd_file_load(named, FILE_MAX, ret, diag);
    if (stat(args->quote, &st) == 0 && S_ISDIR(st.st_mode))
        len = (int)strlen(args->quote);
    if (snprintf(path, sizeof(path), "%.*s%s%s", len, args->quote,
                 len == 0 || args->quote[len - 1] == '/' ? "" : "/", name) >= (int)sizeof(path))
        return vd_diag_fail(diag, VD_E_USAGE, "the quote's path is too long");
    return vd_file_load(path, FILE_MAX, ret, diag);
}

static vd_status load_quote(const struct verify_args *args, struct vd_bytes *ret,
                            struct vd_diag *diag)
{
    struct stat st;
    bool is_dir = stat(args->quote, &st) == 0 && S_ISDIR(st.st_mode);

    return load_beside(args, is_dir ? NULL : args->quote, "quote.bin", ret, diag);
}

static vd_status load_key(const char *path, EVP_PKEY **ret, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    BIO *bio;

    VD_TRY(vd_file_load(path, KEY_FILE_MAX, &bytes, diag));
    bio = BIO_new_mem_buf(bytes.data, (int)bytes.size);
    *ret = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (*ret == NULL) {
        vd_diag_file(diag, path);
        return vd_diag_fail(diag, VD_E_SYNTAX,
                            "this is no public key in PEM (SubjectPublicKeyInfo)");
    }
    return VD_OK;
}

static vd_status load_evidence(const struct verify_args *args, struct vd_attest_evidence *e,
                               struct vd_diag *diag)
{
    struct vd_bytes claimed VD_AUTO(vd_bytes_free) = {};

    VD_TRY(load_quote(args, &e->quote, diag));
    VD_TRY(load_beside(args, args->signature, "quote.sig", &e->signature, diag));
    VD_TRY(load_beside(args, args->log, "eventlog.bin", &e->log, diag));
    VD_TRY(load_key(args->ak, &e->ak, diag));
    if (args->expected != NULL)
        VD_TRY(vd_json_load(args->expected, JSON_FILE_MAX, &e->expected, diag));
    /* A help for the message alone: what cannot be read is as good as none. */
    if (load_beside(args, NULL, "pcrs.json", &claimed, NULL) == VD_OK)
        e->claimed = json_loadb((const char *)claimed.data, claimed.size, 0, NULL);
    return VD_OK;
}

static json_t *result_json(const struct vd_attest_evidence *e, const struct vd_attest_result *r,
                           const struct vd_diag *diag)
{
    bool verified = r->step == VD_ATTEST_DONE;
    json_t *value =
        json_pack("{s:b, s:s}", "verified", verified, "step", vd_attest_step_name(r->step));
    struct vd_pcr_bank banks[VD_TPM_BANKS_MAX];
    json_t *pcrs;
    uint32_t count = 0;

    if (!verified) {
        json_object_set_new(value, "reason", json_string(diag->text));
        if (diag->has_offset)
            json_object_set_new(value, "offset", json_integer((json_int_t)diag->offset));
    }
    if (r->differing != 0) {
        json_t *list = json_array();
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
            if ((r->differing >> pcr & 1) != 0)
                json_array_append_new(list, json_integer(pcr));
        }
        json_object_set_new(value, "differing_pcrs", list);
    }
    if (r->step < VD_ATTEST_EXPECTED)
        return value;
    json_object_set_new(value, "events", json_integer(r->events));
    json_object_set_new(value, "clock_ms", json_integer((json_int_t)r->quote.clock_ms));
    json_object_set_new(value, "reset_count", json_integer(r->quote.reset_count));
    json_object_set_new(value, "restart_count", json_integer(r->quote.restart_count));
    json_object_set_new(value, "expected_compared", json_boolean(e->expected != NULL));
    for (uint32_t i = 0; i < r->quote.selection.count; i++) {
        if (r->quote.selection.bank[i].pcrs == 0)
            continue;
        banks[count] = r->bank[i];
        banks[count++].extended = r->quote.selection.bank[i].pcrs;
    }
    pcrs = vd_attest_pcrs_json(banks, count);
    json_object_update(value, pcrs);
    json_decref(pcrs);
    return value;
}

static void print_result(const struct vd_attest_evidence *e, const struct vd_attest_result *r)
{
    char hex[2 * VD_DIGEST_MAX_SIZE + 1];

    if (r->step != VD_ATTEST_DONE) {
        printf("not verified: %s\n", vd_attest_step_name(r->step));
        return;
    }
    printf("verified: signature, nonce, %u events, PCRs%s\n", r->events,
           e->expected != NULL ? ", expected values" : "");
    for (uint32_t i = 0; i < r->quote.selection.count; i++) {
        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
            if ((r->quote.selection.bank[i].pcrs >> pcr & 1) == 0)
                continue;
            vd_hex_encode(r->bank[i].value[pcr], r->bank[i].digest_size, hex);
            printf("%s:%-2u %s\n", vd_tpm_alg_name(r->bank[i].algorithm), pcr, hex);
        }
    }
    if (e->expected == NULL)
        puts("note: without --expected this says what was booted, not that it is what you want");
}

static int verify(const struct vd_cli_call *call)
{
    const struct verify_args *args = call->args;
    struct vd_attest_evidence evidence VD_AUTO(evidence_done) = {};
    struct vd_attest_result result;
    uint8_t nonce[VD_TPM_NONCE_MAX];
    struct vd_diag diag = {};
    vd_status status = vd_attest_nonce(args->nonce, nonce, &evidence.nonce.size, &diag);

    evidence.nonce.data = nonce;
    if (status == VD_OK)
        status = load_evidence(args, &evidence, &diag);
    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    status = vd_attest_verify(&evidence, &result, &diag);
    if (args->json && vd_json_print(result_json(&evidence, &result, &diag), NULL) != VD_OK)
        return VD_EXIT_FAULT;
    if (!args->json && vd_cli_exit_code(status) <= VD_EXIT_NO)
        print_result(&evidence, &result);
    return vd_cli_report(status, &diag);
}

static const struct vd_cli_command verify_command = {
    .name = "verify",
    .usage = "--quote DIR|FILE --nonce HEX --ak PEM [--signature FILE] [--event-log FILE]\n"
             "       [--expected JSON] [--json]",
    .summary = "judges a quote, its event log and its PCR values",
    .details = "Exit codes: 0 verified; 1 not: the message says which step failed, and which PCR\n"
               "or event differs; 2 a file is not what it should be. The key of --ak must have\n"
               "reached you on another way than the quote. The machine chooses what it quotes:\n"
               "only --expected demands PCRs. The TPM's clock and reset counts are reported by\n"
               "--json and not judged.\n"
               "\n"
               "Example: veridian attest verify --quote quote --nonce $nonce --ak ak.pem \\\n"
               "             --expected predicted.json",
    .options = verify_options,
    .args_size = sizeof(struct verify_args),
    .run = verify,
};

static const struct vd_cli_command *const verbs[] = {
    &quote_command,
    &verify_command,
    NULL,
};

const struct vd_cli_command vd_area_attest = {
    .name = "attest",
    .summary = "proof of what a machine has booted",
    .commands = verbs,
};
