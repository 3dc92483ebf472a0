/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* encapsulate, decapsulate, derive: shared secrets, into files that only their owner reads. */
#include "tools/veridian/key/commands.h"

#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "tools/veridian/key/common.h"
#include "tools/veridian/key/names.h"

#define CIPHERTEXT_MAX 8192u
#define SECRET_MAX     8192u
#define PEER_MAX       8192u
#define TEXT_MAX       (1u << 20)

struct agree_args {
    struct vd_key_service service;
    const char *in;
    const char *out;
    const char *secret;
    const char *peer;
    const char *salt;
    const char *info;
    uint32_t length;
    uint32_t version;
};

/* A secret, wiped at the end. */
struct secret {
    uint8_t bytes[SECRET_MAX];
};

static void secret_done(struct secret *secret)
{
    vd_wipe(secret, sizeof(*secret));
}

static vd_status do_encapsulate(const struct vd_cli_call *call, struct vd_key_run *run,
                                struct vd_diag *diag)
{
    const struct agree_args *args = call->args;
    struct secret shared VD_AUTO(secret_done) = {};
    uint8_t text[CIPHERTEXT_MAX];
    struct vd_keyclient_op op = {.version = args->version,
                                 .out = {text, sizeof(text), 0},
                                 .second = {shared.bytes, sizeof(shared.bytes), 0}};
    vd_status status;

    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    op.key = run->key;
    status = vd_keyclient_operate(run->client, VD_KEY_ENCAPSULATE, &op, diag);
    vd_key_explain(run->key, status, VD_ALG_ENCAPSULATE, diag);
    VD_TRY(status);
    VD_TRY(vd_key_write(args->secret, shared.bytes, op.second.size, VD_KEY_MODE_SECRET, diag));
    return vd_key_write(args->out, text, op.out.size, VD_KEY_MODE_PUBLIC, diag);
}

static int encapsulate(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_encapsulate(call, &run, &diag), &diag);
}

static vd_status do_decapsulate(const struct vd_cli_call *call, struct vd_key_run *run,
                                struct vd_diag *diag)
{
    const struct agree_args *args = call->args;
    struct vd_bytes text VD_AUTO(vd_bytes_free) = {};
    struct secret shared VD_AUTO(secret_done) = {};
    struct vd_keyclient_op op = {.version = args->version,
                                 .out = {shared.bytes, sizeof(shared.bytes), 0}};
    vd_status status;

    VD_TRY(vd_key_read(args->in, CIPHERTEXT_MAX, &text, diag));
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    op.key = run->key;
    op.text = (struct vd_keyclient_bytes){text.data, text.size};
    status = vd_keyclient_operate(run->client, VD_KEY_DECAPSULATE, &op, diag);
    vd_key_explain(run->key, status, VD_ALG_DECAPSULATE, diag);
    VD_TRY(status);
    return vd_key_write(args->out, shared.bytes, op.out.size, VD_KEY_MODE_SECRET, diag);
}

static int decapsulate(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_decapsulate(call, &run, &diag), &diag);
}

struct derivation {
    struct vd_bytes peer, salt, info; /* owned */
};

static void derivation_done(struct derivation *d)
{
    vd_bytes_free(&d->peer);
    vd_bytes_free(&d->salt);
    vd_bytes_free(&d->info);
}

/* The peer's public key: PEM, SubjectPublicKeyInfo, or the point itself. */
static vd_status take_peer(struct derivation *d, struct vd_keyclient_op *op, struct vd_diag *diag)
{
    static const char *const names[] = {"PUBLIC KEY", NULL};
    const char *pem;

    VD_TRY(vd_key_from_pem(&d->peer, names, &pem, diag));
    op->form = d->peer.size == 32 || d->peer.size == 65 ? VD_ALG_FORM_RAW_PUBLIC : VD_ALG_FORM_SPKI;
    op->text = (struct vd_keyclient_bytes){d->peer.data, d->peer.size};
    return VD_OK;
}

static vd_status do_derive(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct derivation *d, struct vd_diag *diag)
{
    const struct agree_args *args = call->args;
    struct secret shared VD_AUTO(secret_done) = {};
    struct vd_keyclient_op op = {.version = args->version,
                                 .length = args->length,
                                 .out = {shared.bytes, sizeof(shared.bytes), 0}};
    bool hkdf;
    vd_status status;

    VD_TRY(vd_key_read_optional(args->peer, PEER_MAX, &d->peer, diag));
    VD_TRY(vd_key_read_optional(args->salt, TEXT_MAX, &d->salt, diag));
    VD_TRY(vd_key_read_optional(args->info, TEXT_MAX, &d->info, diag));
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    hkdf = vd_keyclient_key_info(run->key)->attributes.type == VD_ALG_HKDF_SHA256;
    if (!hkdf && args->peer == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "name the other side's public key by --peer FILE");
    if (hkdf && (args->peer != NULL || args->length == 0))
        return vd_diag_fail(diag, VD_E_USAGE,
                            "a key of the type hkdf-sha256 takes --length and no --peer");
    if (!hkdf)
        VD_TRY(take_peer(d, &op, diag));
    op.key = run->key;
    op.aux = (struct vd_keyclient_bytes){d->salt.data, d->salt.size};
    op.extra = (struct vd_keyclient_bytes){d->info.data, d->info.size};
    status = vd_keyclient_operate(run->client, VD_KEY_DERIVE, &op, diag);
    vd_key_explain(run->key, status, VD_ALG_DERIVE, diag);
    VD_TRY(status);
    return vd_key_write(args->out, shared.bytes, op.out.size, VD_KEY_MODE_SECRET, diag);
}

static int derive(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct derivation d VD_AUTO(derivation_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_derive(call, &run, &d, &diag), &diag);
}

#define OPTION(name_, kind_, member, help_, argument_)                                             \
    {                                                                                              \
        .name = name_, .kind = kind_, .store = offsetof(struct agree_args, member), .help = help_, \
        .argument = argument_                                                                      \
    }
#define VERSION_OPTION \
    OPTION("version", VD_CLI_U32, version, "of the key (default: the newest)", "N")
#define SECRET_OUT_OPTION                                                                          \
    OPTION("out", VD_CLI_TEXT, out, "where the secret goes, mode 0600 (default: standard output)", \
           "FILE")

static const struct vd_cli_option encapsulate_options[] = {
    OPTION("out", VD_CLI_TEXT, out, "where the encapsulation goes (default: standard output)",
           "FILE"),
    {.name = "secret",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct agree_args, secret),
     .help = "where the shared secret goes, mode 0600",
     .argument = "FILE",
     .required = true},
    VERSION_OPTION,
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_key_encapsulate_command = {
    .name = "encapsulate",
    .usage = "NAME --secret FILE [--out FILE]",
    .summary = "makes a shared secret and its encapsulation for the key's owner",
    .options = encapsulate_options,
    .args_size = sizeof(struct agree_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = encapsulate,
};

static const struct vd_cli_option decapsulate_options[] = {
    OPTION("in", VD_CLI_TEXT, in, "the encapsulation (default: standard input)", "FILE"),
    SECRET_OUT_OPTION,
    VERSION_OPTION,
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_key_decapsulate_command = {
    .name = "decapsulate",
    .usage = "NAME [--in FILE] [--out FILE]",
    .summary = "gives the shared secret of an encapsulation",
    .options = decapsulate_options,
    .args_size = sizeof(struct agree_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = decapsulate,
};

static const struct vd_cli_option derive_options[] = {
    OPTION("peer", VD_CLI_TEXT, peer, "the other side's public key (ECDH): PEM, DER or raw",
           "FILE"),
    OPTION("length", VD_CLI_U32, length,
           "bytes to derive by HKDF-SHA256 (ECDH without it: the shared secret itself)", "N"),
    OPTION("salt", VD_CLI_TEXT, salt, "HKDF's salt", "FILE"),
    OPTION("info", VD_CLI_TEXT, info, "HKDF's info", "FILE"),
    SECRET_OUT_OPTION,
    VERSION_OPTION,
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_key_derive_command = {
    .name = "derive",
    .usage = "NAME [--peer FILE] [--length N] [--salt FILE] [--info FILE] [--out FILE]",
    .summary = "agrees on a secret (ECDH) or derives one (HKDF)",
    .options = derive_options,
    .args_size = sizeof(struct agree_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = derive,
};
