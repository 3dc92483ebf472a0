/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/tpm/seal.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "tools/veridian/tpm/explain.h"
#include "tools/veridian/tpm/policy_text.h"

#define KEY_SIZE 32u /* AES-256-GCM, where the data are larger than a TPM takes */

#define APPROVALS_MAX 16u

struct seal_args {
    const char *tpm;
    const char *pcrs;
    const char *policy;
    const char *authorize;
    const char *auth;
    const char *in;
    const char *out;
    const char *log;
    const char *public_file;
    const char *private_file;
    struct vd_cli_list approvals;
};

/* What one run holds; everything is let go at its end. */
struct run {
    struct vd_tpm tpm;
    struct vd_tpm_link link;
    struct vd_tpm_session session;
    struct vd_tpm_unsealer unsealer;
    struct vd_bytes log;
    struct vd_tpm_secret secret;
    struct vd_tpm_auth auth;
    struct vd_tpm_approval *approvals;
    uint32_t approval_count;
};

static void run_done(struct run *run)
{
    vd_wipe(&run->secret, sizeof(run->secret));
    vd_wipe(&run->auth, sizeof(run->auth));
    vd_tpm_unsealer_done(&run->unsealer);
    vd_tpm_session_end(&run->link, &run->session);
    vd_tpm_crypto_free(run->link.crypto);
    vd_tpm_close(&run->tpm);
    vd_bytes_free(&run->log);
    free(run->approvals);
}

/* The first line of a file, as the TPM's password. */
static vd_status load_auth(const char *path, struct vd_tpm_auth *ret, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    vd_status status;
    size_t size;

    VD_TRY(vd_file_load(path, VD_TPM_PASSWORD_MAX + 2, &bytes, diag));
    size = strcspn((const char *)bytes.data, "\n");
    status = vd_tpm_auth_from(bytes.data, size < bytes.size ? size : bytes.size, ret, diag);
    vd_wipe(bytes.data, bytes.size);
    return status;
}

static vd_status load_approvals(struct run *run, const struct vd_cli_list *paths,
                                struct vd_diag *diag)
{
    if (paths->count > APPROVALS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "at most %u approvals", APPROVALS_MAX);
    run->approvals = calloc(paths->count + 1, sizeof(*run->approvals));
    if (run->approvals == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    for (; run->approval_count < paths->count; run->approval_count++) {
        struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
        const char *path = paths->item[run->approval_count];

        VD_TRY(vd_file_load(path, VD_TPM_APPROVAL_MAX, &bytes, diag));
        vd_diag_file(diag, path);
        VD_TRY(vd_tpm_approval_read(bytes.data, bytes.size, &run->approvals[run->approval_count],
                                    diag));
        vd_diag_file(diag, "");
    }
    return VD_OK;
}

static vd_status run_begin(struct run *run, const struct seal_args *args, struct vd_diag *diag)
{
    VD_TRY(vd_sealed_log_load(args->log, &run->log, diag));
    if (args->auth != NULL)
        VD_TRY(load_auth(args->auth, &run->auth, diag));
    VD_TRY(load_approvals(run, &args->approvals, diag));
    VD_TRY(vd_tpm_open(&run->tpm, args->tpm, diag));
    run->link.tpm = &run->tpm;
    return vd_tpm_crypto_new(&run->link.crypto, diag);
}

/* The policy of the one option that was given. */
static vd_status take_policy(const struct run *run, const struct seal_args *args,
                             struct vd_tpm_policy *ret, struct vd_diag *diag)
{
    const struct vd_policy_source source = {.link = &run->link};
    char text[PATH_MAX + 16];

    if ((args->pcrs != NULL) + (args->policy != NULL) + (args->authorize != NULL) != 1)
        return vd_diag_fail(diag, VD_E_USAGE, "give one of --pcrs, --policy and --authorize");
    if (args->policy != NULL)
        VD_TRY(vd_policy_text_parse(args->policy, &source, ret, diag));
    else {
        (void)snprintf(text, sizeof(text), "%s(%s)", args->pcrs != NULL ? "pcr" : "authorize",
                       args->pcrs != NULL ? args->pcrs : args->authorize);
        VD_TRY(vd_policy_text_parse(text, &source, ret, diag));
    }
    return VD_OK;
}

/* AES-256-GCM of file->data in place; the public area is authenticated too. */
static bool envelope(struct vd_sealed_file *file, const uint8_t *key, bool encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0, size = (int)file->data_size;
    bool good = ctx != NULL &&
                EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, file->nonce, encrypt) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &len, file->lock.object.public_area,
                                 (int)file->lock.object.public_size) == 1 &&
                EVP_CipherUpdate(ctx, file->data, &len, file->data, size) == 1;

    if (good && !encrypt)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, VD_SEALED_TAG_SIZE, file->tag) == 1;
    good = good && EVP_CipherFinal_ex(ctx, file->data + len, &len) == 1;
    if (good && encrypt)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, VD_SEALED_TAG_SIZE, file->tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* The secret for the TPM: the data, or a key for them if they are too large. */
static vd_status take_data(struct run *run, const struct vd_bytes *data,
                           struct vd_sealed_file *file, struct vd_diag *diag)
{
    if (data->size == 0)
        return vd_diag_fail(diag, VD_E_INVALID, "there is nothing to seal: the input is empty");
    run->secret.size = data->size <= VD_TPM_SEAL_MAX ? data->size : KEY_SIZE;
    if (data->size <= VD_TPM_SEAL_MAX) {
        vd_copy(run->secret.bytes, data->data, data->size);
        return VD_OK;
    }
    file->data = malloc(data->size);
    if (file->data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    vd_copy(file->data, data->data, data->size);
    file->data_size = (uint32_t)data->size;
    VD_TRY(vd_tpm_random(run->secret.bytes, KEY_SIZE));
    return vd_tpm_random(file->nonce, sizeof(file->nonce));
}

static vd_status store(const struct seal_args *args, const struct vd_sealed_file *file,
                       struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};

    if (args->public_file != NULL)
        VD_TRY(vd_file_store(args->public_file, file->lock.object.public_area,
                             file->lock.object.public_size, 0644, diag));
    if (args->private_file != NULL)
        VD_TRY(vd_file_store(args->private_file, file->lock.object.private_area,
                             file->lock.object.private_size, 0600, diag));
    VD_TRY(vd_sealed_file_write(file, &bytes, diag));
    return vd_file_store(args->out, bytes.data, bytes.size, 0600, diag);
}

static vd_status seal_in(struct run *run, const struct seal_args *args, struct vd_sealed_file *file,
                         const struct vd_bytes *data, struct vd_diag *diag)
{
    struct vd_tpm_seal_request request = {.parent = &file->lock.parent, .secret = &run->secret};
    uint8_t policy[VD_TPM_HASH_SIZE];
    bool has_auth;

    VD_TRY(run_begin(run, args, diag));
    VD_TRY(take_policy(run, args, &file->lock.policy, diag));
    has_auth = vd_tpm_policy_has_auth(&file->lock.policy);
    if (has_auth != (args->auth != NULL))
        return vd_diag_fail(diag, VD_E_USAGE,
                            has_auth ? "the policy wants a password: give --auth-file"
                                     : "no branch of the policy asks for the password");
    VD_TRY(vd_tpm_srk(&run->link, &file->lock.parent, diag));
    VD_TRY(vd_sealed_events_keep(&run->log, file, diag));
    VD_TRY(take_data(run, data, file, diag));
    VD_TRY(vd_tpm_policy_digest(run->link.crypto, &file->lock.policy, policy));
    VD_TRY(
        vd_tpm_session_start(&run->link, VD_TPM_SESSION_HMAC, request.parent, &run->session, diag));
    request.policy = policy;
    request.auth = has_auth ? &run->auth : NULL;
    run->session.last = true;
    VD_TRY(vd_tpm_seal(&run->link, &run->session, &request, &file->lock.object, diag));
    if (file->data_size > 0 && !envelope(file, run->secret.bytes, true))
        return vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL cannot encrypt the data");
    return store(args, file, diag);
}

static int seal(const struct vd_cli_call *call)
{
    const struct seal_args *args = call->args;
    struct vd_sealed_file file VD_AUTO(vd_sealed_file_done) = {};
    struct run run VD_AUTO(run_done) = {.tpm = {.fd = -1}};
    struct vd_bytes data VD_AUTO(vd_bytes_free) = {};
    struct vd_diag diag = {};
    vd_status status = vd_file_load(args->in, VD_SEALED_DATA_MAX, &data, &diag);

    if (status == VD_OK)
        status = seal_in(&run, args, &file, &data, &diag);
    if (data.data != NULL)
        vd_wipe(data.data, data.size);
    return vd_cli_report(status, &diag);
}

/* Two files of tpm2-tools instead of one of ours. */
static vd_status load_parts(const struct seal_args *args, struct run *run,
                            struct vd_sealed_file *file, struct vd_diag *diag)
{
    struct vd_bytes public VD_AUTO(vd_bytes_free) = {}, private VD_AUTO(vd_bytes_free) = {};
    struct vd_tpm_sealed *object = &file->lock.object;

    VD_TRY(vd_file_load(args->public_file, sizeof(object->public_area), &public, diag));
    VD_TRY(vd_file_load(args->private_file, sizeof(object->private_area), &private, diag));
    vd_copy(object->public_area, public.data, public.size);
    vd_copy(object->private_area, private.data, private.size);
    object->public_size = public.size;
    object->private_size = private.size;
    VD_TRY(run_begin(run, args, diag));
    VD_TRY(take_policy(run, args, &file->lock.policy, diag));
    return vd_tpm_srk(&run->link, &file->lock.parent, diag);
}

static vd_status load_file(const struct seal_args *args, struct run *run,
                           struct vd_sealed_file *file, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};

    VD_TRY(vd_file_load(args->in, VD_SEALED_FILE_MAX, &bytes, diag));
    vd_diag_file(diag, args->in);
    VD_TRY(vd_sealed_file_read(bytes.data, bytes.size, file, diag));
    vd_diag_file(diag, "");
    return run_begin(run, args, diag);
}

/* The secret, or why not. */
static vd_status open_lock(struct run *run, const struct seal_args *args,
                           const struct vd_sealed_file *file, struct vd_diag *diag)
{
    const struct vd_tpm_evidence evidence = {.auth = args->auth != NULL ? &run->auth : NULL,
                                             .approvals = run->approvals,
                                             .approval_count = run->approval_count};
    struct vd_tpm_refusals refusals;
    vd_status status;

    /* The salt is for the key that the file names: who sits on the bus does not have it. */
    run->unsealer = (struct vd_tpm_unsealer){.link = run->link, .lock = &file->lock};
    status = vd_tpm_unsealer_run(&run->unsealer, &evidence, &run->secret, &refusals, diag);
    if (status == VD_E_DENIED && run->tpm.fd >= 0) {
        const struct vd_sealed_explanation explanation = {.tpm = &run->tpm,
                                                          .file = file,
                                                          .log = &run->log,
                                                          .refusals = &refusals,
                                                          .approvals = run->approvals,
                                                          .approval_count = run->approval_count};

        vd_sealed_explain(&explanation);
    }
    return status;
}

static vd_status unseal_in(struct run *run, const struct seal_args *args,
                           struct vd_sealed_file *file, struct vd_diag *diag)
{
    if ((args->public_file == NULL) != (args->private_file == NULL) ||
        (args->in == NULL) == (args->public_file == NULL))
        return vd_diag_fail(diag, VD_E_USAGE, "give --in, or --public, --private and the policy");
    if (args->in != NULL && (args->pcrs != NULL || args->policy != NULL || args->authorize != NULL))
        return vd_diag_fail(diag, VD_E_USAGE, "a sealed file has its policy: give none");
    VD_TRY(args->in != NULL ? load_file(args, run, file, diag) : load_parts(args, run, file, diag));
    VD_TRY(open_lock(run, args, file, diag));
    if (file->data_size == 0)
        return vd_file_store(args->out, run->secret.bytes, run->secret.size, 0600, diag);
    if (run->secret.size != KEY_SIZE || !envelope(file, run->secret.bytes, false))
        return vd_diag_fail(diag, VD_E_DENIED, "the sealed data were changed");
    return vd_file_store(args->out, file->data, file->data_size, 0600, diag);
}

static int unseal(const struct vd_cli_call *call)
{
    struct vd_sealed_file file VD_AUTO(vd_sealed_file_done) = {};
    struct run run VD_AUTO(run_done) = {.tpm = {.fd = -1}};
    struct vd_diag diag = {};
    vd_status status = unseal_in(&run, call->args, &file, &diag);

    if (file.data != NULL)
        vd_wipe(file.data, file.data_size);
    return vd_cli_report(status, &diag);
}

#define OPTION(name_, field_, help_, argument_, required_)                               \
    {                                                                                    \
        .name = name_, .kind = VD_CLI_TEXT, .store = offsetof(struct seal_args, field_), \
        .help = help_, .argument = argument_, .required = required_                      \
    }
#define TEXT(name_, field_, help_, argument_) OPTION(name_, field_, help_, argument_, false)
#define MUST(name_, field_, help_, argument_) OPTION(name_, field_, help_, argument_, true)

static const struct vd_cli_option seal_options[] = {
    TEXT("pcrs", pcrs, "PCRs of one bank to seal to, as in 0,7 or sha384:4-7", "LIST"),
    TEXT("policy", policy, "or conditions, as in \"pcr(7) and nv(0x1800010>=now) or auth\"",
         "TEXT"),
    TEXT("authorize", authorize, "or every state that the key in this PEM file approved", "FILE"),
    TEXT("auth-file", auth, "the password that the policy asks for, first line of a file", "FILE"),
    MUST("in", in, "what to seal, at most 1 MiB", "FILE"),
    MUST("out", out, "the sealed file", "FILE"),
    TEXT("event-log", log, "event log to keep for explanations (default: the kernel's)", "FILE"),
    TEXT("public", public_file, "also write the object's public area, for tpm2_load -u", "FILE"),
    TEXT("private", private_file, "and its private area, for tpm2_load -r", "FILE"),
    TEXT("tpm", tpm, "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N", "NAME"),
    {},
};

static const struct vd_cli_option unseal_options[] = {
    TEXT("in", in, "the sealed file", "FILE"),
    MUST("out", out, "where the data go, mode 0600", "FILE"),
    TEXT("event-log", log, "event log to explain a refusal with (default: the kernel's)", "FILE"),
    TEXT("public", public_file, "instead of --in: an object's public area", "FILE"),
    TEXT("private", private_file, "and its private area, as tpm2_create writes them", "FILE"),
    TEXT("pcrs", pcrs, "and the PCRs of its policy", "LIST"),
    TEXT("policy", policy, "or the whole policy, as it was sealed with", "TEXT"),
    TEXT("authorize", authorize, "or whose approval it wants", "FILE"),
    TEXT("auth-file", auth, "the password that the policy asks for, first line of a file", "FILE"),
    {.name = "approval",
     .kind = VD_CLI_LIST,
     .store = offsetof(struct seal_args, approvals),
     .help = "of the present state, as `tpm policy sign` writes it; may be given several times",
     .argument = "FILE"},
    TEXT("tpm", tpm, "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N", "NAME"),
    {},
};

const struct vd_cli_command vd_tpm_seal_command = {
    .name = "seal",
    .usage =
        "(--pcrs LIST | --policy TEXT | --authorize KEY.pem) [--auth-file FILE]\n"
        "    --in FILE --out FILE [--event-log FILE] [--tpm NAME] [--public FILE] [--private FILE]",
    .summary = "seals data to the state of this machine",
    .details =
        "Only this TPM gives the data out again, and only while the policy holds: PCRs with\n"
        "the values they have now, a state that a key approved, a counter, a password, or\n"
        "several of these (docs/tpm-policies.md). What is secret is encrypted between here and the TPM.\n"
        "\n"
        "Exit codes: 0 sealed; 2 the call or input is wrong; 3 there is no TPM.\n"
        "\n"
        "Examples: veridian tpm seal --pcrs 4,7 --in key --out key.sealed\n"
        "          veridian tpm seal --policy \"pcr(4,7) or auth\" --auth-file pin \\\n"
        "              --in key --out key.sealed",
    .options = seal_options,
    .args_size = sizeof(struct seal_args),
    .run = seal,
};

const struct vd_cli_command vd_tpm_unseal_command = {
    .name = "unseal",
    .usage =
        "--in FILE --out FILE [--approval FILE]… [--auth-file FILE] [--event-log FILE]\n"
        "    [--tpm NAME]\n"
        "    or: --public FILE --private FILE (--pcrs LIST | --policy TEXT | --authorize KEY.pem)\n"
        "    --out FILE [--approval FILE]… [--auth-file FILE] [--tpm NAME]",
    .summary = "gives sealed data back if the machine is in the state they were sealed to",
    .details =
        "A refusal says of each branch of the policy which condition does not hold: which\n"
        "PCRs differ, and with event logs of both times the first event that does; the counter's\n"
        "value; a wrong password, and when the TPM takes another one if it is locked.\n"
        "\n"
        "Exit codes: 0 unsealed; 1 refused; 2 the call or file is wrong; 3 there is no TPM.\n"
        "\n"
        "Example: veridian tpm unseal --in key.sealed --out key",
    .options = unseal_options,
    .args_size = sizeof(struct seal_args),
    .run = unseal,
};
