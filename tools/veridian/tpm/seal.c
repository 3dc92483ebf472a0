/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/tpm/seal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "tools/veridian/attest/make.h"
#include "tools/veridian/tpm/sealed_file.h"

#define KEY_SIZE 32u /* AES-256-GCM, where the data are larger than a TPM takes */

struct seal_args {
    const char *tpm;
    const char *pcrs;
    const char *in;
    const char *out;
    const char *log;
    const char *public_file;
    const char *private_file;
};

/* What one run holds; everything is let go at its end. */
struct run {
    struct vd_tpm tpm;
    struct vd_tpm_link link;
    struct vd_tpm_storage_key parent;
    struct vd_tpm_session session;
    struct vd_tpm_object object;
    struct vd_bytes log;
    struct vd_tpm_secret secret;
};

static void run_done(struct run *run)
{
    vd_wipe(&run->secret, sizeof(run->secret));
    if (run->object.handle != 0)
        (void)!vd_tpm_flush(&run->tpm, run->object.handle, NULL);
    vd_tpm_session_end(&run->link, &run->session);
    vd_tpm_crypto_free(run->link.crypto);
    vd_tpm_close(&run->tpm);
    vd_bytes_free(&run->log);
}

/* The event log named, or the kernel's; none of the latter is no error. */
static vd_status load_log(struct run *run, const char *path, struct vd_diag *diag)
{
    struct vd_diag missing = {};
    vd_status status = vd_file_load(path != NULL ? path : VD_ATTEST_KERNEL_LOG,
                                    VD_EVENTLOG_MAX_BYTES, &run->log, &missing);

    if (status == VD_OK || (status == VD_E_NOT_FOUND && path == NULL))
        return VD_OK;
    *diag = missing;
    return status;
}

static vd_status run_begin(struct run *run, const struct seal_args *args, struct vd_diag *diag)
{
    VD_TRY(load_log(run, args->log, diag));
    VD_TRY(vd_tpm_open(&run->tpm, args->tpm, diag));
    run->link.tpm = &run->tpm;
    VD_TRY(vd_tpm_crypto_new(&run->link.crypto, diag));
    return vd_tpm_srk(&run->link, &run->parent, diag);
}

/* The events of the sealed PCRs, in the order of the log. `ret` has room for VD_SEALED_EVENTS_MAX. */
static vd_status collect_events(const struct run *run, const struct vd_pcr_bank *bank,
                                struct vd_sealed_event *ret, uint32_t *ret_count,
                                struct vd_diag *diag)
{
    struct vd_logged_event event;
    struct vd_eventlog log;
    int index;

    *ret_count = 0;
    if (run->log.size == 0)
        return VD_OK;
    VD_TRY(vd_eventlog_open(run->log.data, run->log.size, &log, diag));
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

static vd_status policy_digest(struct run *run, const struct vd_tpm_selection *selection,
                               const struct vd_pcr_bank *bank, uint8_t ret[VD_TPM_HASH_SIZE])
{
    uint8_t pcrs[VD_TPM_HASH_SIZE];

    for (size_t i = 0; i < VD_TPM_HASH_SIZE; i++)
        ret[i] = 0;
    VD_TRY(vd_tpm_pcr_digest(run->link.crypto, bank, selection->bank[0].pcrs, pcrs));
    return vd_tpm_policy_pcr_digest(run->link.crypto, selection, pcrs, ret);
}

/* AES-256-GCM of file->data in place; the public area is authenticated too. */
static bool envelope(struct vd_sealed_file *file, const uint8_t *key, bool encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0, size = (int)file->data_size;
    bool good = ctx != NULL &&
                EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, file->nonce, encrypt) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &len, file->object.public_area,
                                 (int)file->object.public_size) == 1 &&
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
        VD_TRY(vd_file_store(args->public_file, file->object.public_area, file->object.public_size,
                             0644, diag));
    if (args->private_file != NULL)
        VD_TRY(vd_file_store(args->private_file, file->object.private_area,
                             file->object.private_size, 0600, diag));
    VD_TRY(vd_sealed_file_write(file, &bytes, diag));
    return vd_file_store(args->out, bytes.data, bytes.size, 0600, diag);
}

static vd_status seal_in(struct run *run, const struct seal_args *args, struct vd_sealed_file *file,
                         const struct vd_bytes *data, struct vd_diag *diag)
{
    struct vd_tpm_seal_request request = {.parent = &file->parent, .secret = &run->secret};
    struct vd_tpm_selection selection;
    uint8_t policy[VD_TPM_HASH_SIZE];

    VD_TRY(vd_tpm_selection_parse(args->pcrs, &selection, diag));
    VD_TRY(run_begin(run, args, diag));
    file->parent = run->parent;
    VD_TRY(vd_tpm_pcr_read(&run->tpm, &selection.bank[0], &file->bank, diag));
    file->events = calloc(VD_SEALED_EVENTS_MAX, sizeof(*file->events));
    if (file->events == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    VD_TRY(collect_events(run, &file->bank, file->events, &file->event_count, diag));
    VD_TRY(take_data(run, data, file, diag));
    VD_TRY(policy_digest(run, &selection, &file->bank, policy));
    VD_TRY(
        vd_tpm_session_start(&run->link, VD_TPM_SESSION_HMAC, &run->parent, &run->session, diag));
    request.policy = policy;
    VD_TRY(vd_tpm_seal(&run->link, &run->session, &request, &file->object, diag));
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
    vd_wipe(data.data, data.size);
    return vd_cli_report(status, &diag);
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
        if (a == NULL || b == NULL || !vd_ct_equal(a->digest, b->digest, file->bank.digest_size))
            break;
    }
    if (a == NULL && b == NULL)
        return;
    if (a != NULL)
        vd_hex_encode(a->digest, file->bank.digest_size, was_hex);
    if (b != NULL)
        vd_hex_encode(b->digest, file->bank.digest_size, now_hex);
    type = vd_event_type_name(a != NULL ? a->type : b->type);
    fprintf(stderr, "  event %u of this PCR (%s): was %s, is %s\n", number,
            type != NULL ? type : "of another type", was_hex, now_hex);
}

/* Says which PCRs are not what the data were sealed to, and the first event that differs. */
static void explain(struct run *run, const struct vd_sealed_file *file)
{
    struct vd_tpm_bank want = {.algorithm = file->bank.algorithm, .pcrs = file->bank.extended};
    struct vd_sealed_event *events = calloc(VD_SEALED_EVENTS_MAX, sizeof(*events));
    char was[2 * VD_DIGEST_MAX_SIZE + 1], is[2 * VD_DIGEST_MAX_SIZE + 1];
    struct vd_pcr_bank now;
    uint32_t count = 0;

    if (events == NULL || vd_tpm_pcr_read(&run->tpm, &want, &now, NULL) != VD_OK) {
        free(events);
        return;
    }
    if (collect_events(run, &file->bank, events, &count, NULL) != VD_OK)
        count = 0;
    for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
        if ((want.pcrs >> pcr & 1) == 0 ||
            vd_ct_equal(file->bank.value[pcr], now.value[pcr], now.digest_size))
            continue;
        vd_hex_encode(file->bank.value[pcr], now.digest_size, was);
        vd_hex_encode(now.value[pcr], now.digest_size, is);
        fprintf(stderr, "PCR %u (%s): sealed to %s, is %s\n", pcr, vd_tpm_alg_name(now.algorithm),
                was, is);
        if (count > 0 && file->event_count > 0)
            explain_event(file, events, count, pcr);
    }
    free(events);
}

/* Two files of tpm2-tools instead of one of ours. */
static vd_status load_parts(const struct seal_args *args, struct run *run,
                            struct vd_sealed_file *file, struct vd_diag *diag)
{
    struct vd_bytes public VD_AUTO(vd_bytes_free) = {}, private VD_AUTO(vd_bytes_free) = {};

    VD_TRY(vd_file_load(args->public_file, sizeof(file->object.public_area), &public, diag));
    VD_TRY(vd_file_load(args->private_file, sizeof(file->object.private_area), &private, diag));
    vd_copy(file->object.public_area, public.data, public.size);
    vd_copy(file->object.private_area, private.data, private.size);
    file->object.public_size = public.size;
    file->object.private_size = private.size;
    VD_TRY(run_begin(run, args, diag));
    file->parent = run->parent;
    return VD_OK;
}

static vd_status load_file(const struct seal_args *args, struct run *run,
                           struct vd_sealed_file *file, struct vd_tpm_selection *selection,
                           struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};

    VD_TRY(vd_file_load(args->in, VD_SEALED_FILE_MAX, &bytes, diag));
    vd_diag_file(diag, args->in);
    VD_TRY(vd_sealed_file_read(bytes.data, bytes.size, file, diag));
    vd_diag_file(diag, "");
    *selection = (struct vd_tpm_selection){
        .count = 1, .bank = {{.algorithm = file->bank.algorithm, .pcrs = file->bank.extended}}};
    VD_TRY(run_begin(run, args, diag));
    if (!vd_ct_equal(run->parent.name.bytes, file->parent.name.bytes, VD_TPM_NAME_SIZE))
        return vd_diag_fail(diag, VD_E_DENIED,
                            "this TPM's storage root key is not the one it was sealed under: "
                            "another TPM, or it was cleared since");
    return VD_OK;
}

static vd_status unseal_in(struct run *run, const struct seal_args *args,
                           struct vd_sealed_file *file, struct vd_diag *diag)
{
    struct vd_tpm_selection selection;
    vd_status status;

    if ((args->public_file == NULL) != (args->private_file == NULL) ||
        (args->in == NULL) == (args->public_file == NULL) ||
        (args->pcrs == NULL) != (args->public_file == NULL))
        return vd_diag_fail(diag, VD_E_USAGE,
                            "give --in, or all of --public, --private and --pcrs");
    if (args->pcrs != NULL)
        VD_TRY(vd_tpm_selection_parse(args->pcrs, &selection, diag));
    if (args->in != NULL)
        VD_TRY(load_file(args, run, file, &selection, diag));
    else
        VD_TRY(load_parts(args, run, file, diag));
    /* The salt is for the key that the file names: who sits on the bus does not have it. */
    VD_TRY(vd_tpm_session_start(&run->link, VD_TPM_SESSION_POLICY, &file->parent, &run->session,
                                diag));
    VD_TRY(vd_tpm_load(&run->link, &file->parent, &file->object, &run->object, diag));
    VD_TRY(vd_tpm_policy_pcr(&run->tpm, &run->session, &selection, diag));
    status = vd_tpm_unseal(&run->link, &run->session, &run->object, &run->secret, diag);
    if (status == VD_E_DENIED && args->in != NULL)
        explain(run, file);
    VD_TRY(status);
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
    MUST("pcrs", pcrs, "PCRs of one bank to seal to, as in 0,7 or sha384:4-7", "LIST"),
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
    TEXT("tpm", tpm, "device:PATH, swtpm:path=PATH or swtpm:host=A,port=N", "NAME"),
    {},
};

const struct vd_cli_command vd_tpm_seal_command = {
    .name = "seal",
    .usage = "--pcrs LIST --in FILE --out FILE [--event-log FILE] [--tpm NAME]\n"
             "    [--public FILE] [--private FILE]",
    .summary = "seals data to the state of this machine",
    .details = "Only this TPM gives the data out again, and only while the PCRs have the values\n"
               "they have now. What is secret is encrypted between here and the TPM.\n"
               "\n"
               "Exit codes: 0 sealed; 2 the call or input is wrong; 3 there is no TPM.\n"
               "\n"
               "Example: veridian tpm seal --pcrs 4,7 --in key --out key.sealed",
    .options = seal_options,
    .args_size = sizeof(struct seal_args),
    .run = seal,
};

const struct vd_cli_command vd_tpm_unseal_command = {
    .name = "unseal",
    .usage = "--in FILE --out FILE [--event-log FILE] [--tpm NAME]\n"
             "    or: --public FILE --private FILE --pcrs LIST --out FILE [--tpm NAME]",
    .summary = "gives sealed data back if the machine is in the state they were sealed to",
    .details =
        "A refusal says which PCRs differ, and with event logs of both times the first\n"
        "event that does.\n"
        "\n"
        "Exit codes: 0 unsealed; 1 refused; 2 the call or file is wrong; 3 there is no TPM.\n"
        "\n"
        "Example: veridian tpm unseal --in key.sealed --out key",
    .options = unseal_options,
    .args_size = sizeof(struct seal_args),
    .run = unseal,
};
