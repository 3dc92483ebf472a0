/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "tools/veridian/hsm/connect.h"

#define INPUT_MAX (256u << 20) /* bytes of a file that is signed */

struct use_args {
    struct vd_hsm_options common;
    const char *in;
    const char *out;
    const char *aad;
    uint32_t scheme;
    uint32_t hash;
    uint32_t cipher;
    bool digest;
};

/* ---- Signing ---- */

/* A file too large for the token to hash is hashed here. */
static vd_status take_message(const struct use_args *args, const struct vd_bytes *data,
                              uint8_t *digest, struct vd_hsm_message *ret, struct vd_diag *diag)
{
    static const enum vd_hash_algorithm algorithms[] = {VD_HASH_SHA256, VD_HASH_SHA384,
                                                        VD_HASH_SHA512};

    ret->hash = args->hash;
    ret->data = data->data;
    ret->size = data->size;
    ret->is_digest = args->digest;
    if (args->digest || data->size <= VD_HSM_DATA_MAX)
        return VD_OK;
    ret->data = digest;
    ret->size = vd_hash_size(algorithms[args->hash]);
    ret->is_digest = true;
    return vd_hash(algorithms[args->hash], data->data, data->size, digest, diag);
}

static vd_status sign_in(const struct use_args *args, const char *uri, struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    struct vd_bytes data VD_AUTO(vd_bytes_free) = {};
    struct vd_hsm_message message = {};
    struct vd_hsm_block signature;
    struct vd_hsm_key key;
    uint8_t digest[VD_HASH_MAX_SIZE];

    VD_TRY(vd_file_load(args->in, INPUT_MAX, &data, diag));
    VD_TRY(take_message(args, &data, digest, &message, diag));
    VD_TRY(vd_hsm_connect(&args->common, uri, true, &c, diag));
    VD_TRY(vd_hsm_find(c.hsm, &c.uri, VD_HSM_PRIVATE, &key, diag));
    message.scheme = key.kind == VD_HSM_EC ? VD_HSM_ECDSA
                     : args->scheme == 1   ? VD_HSM_PKCS1
                                           : VD_HSM_PSS;
    if (key.kind == VD_HSM_EC && args->scheme != 0)
        return vd_diag_fail(diag, VD_E_USAGE, "--scheme is for RSA keys; this one is EC");
    VD_TRY(vd_hsm_sign(c.hsm, &key, &message, &signature, diag));
    return vd_file_store(args->out, signature.data, signature.size, 0644, diag);
}

/* ---- Encryption ---- */

/* The ciphertext is at most a few bytes longer than what may be encrypted. */
static vd_status begin(const struct use_args *args, const char *uri, struct vd_bytes bytes[2],
                       struct vd_hsm_connection *c, struct vd_diag *diag)
{
    VD_TRY(vd_file_load(args->in, VD_HSM_DATA_MAX + 64, &bytes[0], diag));
    if (args->aad != NULL)
        VD_TRY(vd_file_load(args->aad, VD_HSM_DATA_MAX, &bytes[1], diag));
    return vd_hsm_connect(&args->common, uri, true, c, diag);
}

static struct vd_hsm_crypt request_of(const struct use_args *args, const struct vd_bytes bytes[2],
                                      const struct vd_hsm_key *key)
{
    return (struct vd_hsm_crypt){
        .cipher = key->kind == VD_HSM_RSA ? VD_HSM_OAEP
                  : args->cipher == 1     ? VD_HSM_AES_CBC
                                          : VD_HSM_AES_GCM,
        .hash = args->hash,
        .data = bytes[0].data,
        .size = bytes[0].size,
        .aad = bytes[1].data,
        .aad_size = bytes[1].size,
    };
}

/* A secret key, or of a pair the half that the URI or `pair` says. */
static vd_status find_key(struct vd_hsm_connection *c, enum vd_hsm_class pair,
                          struct vd_hsm_key *ret, struct vd_diag *diag)
{
    struct vd_diag first = {};
    vd_status status;

    if (c->uri.class != VD_HSM_ANY_CLASS)
        return vd_hsm_find(c->hsm, &c->uri, c->uri.class, ret, diag);
    status = vd_hsm_find(c->hsm, &c->uri, VD_HSM_SECRET_KEY, ret, &first);
    if (status == VD_E_NOT_FOUND)
        return vd_hsm_find(c->hsm, &c->uri, pair, ret, diag);
    if (status != VD_OK)
        *diag = first;
    return status;
}

static vd_status encrypt_in(const struct use_args *args, const char *uri, struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    struct vd_bytes out VD_AUTO(vd_bytes_free) = {}, in[2] = {};
    struct vd_hsm_crypt request;
    struct vd_hsm_key key;
    vd_status status = begin(args, uri, in, &c, diag);

    if (status == VD_OK)
        status = find_key(&c, VD_HSM_PUBLIC, &key, diag);
    if (status == VD_OK) {
        request = request_of(args, in, &key);
        status = vd_hsm_encrypt(c.hsm, &key, &request, &out, diag);
    }
    vd_wipe(in[0].data, in[0].size);
    vd_bytes_free(&in[0]);
    vd_bytes_free(&in[1]);
    VD_TRY(status);
    return vd_file_store(args->out, out.data, out.size, 0644, diag);
}

static vd_status decrypt_in(const struct use_args *args, const char *uri, struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    struct vd_secret out VD_AUTO(vd_secret_done) = {};
    struct vd_bytes in[2] = {};
    struct vd_hsm_crypt request;
    struct vd_hsm_key key;
    vd_status status = begin(args, uri, in, &c, diag);

    if (status == VD_OK)
        status = find_key(&c, VD_HSM_PRIVATE, &key, diag);
    if (status == VD_OK) {
        request = request_of(args, in, &key);
        status = vd_hsm_decrypt(c.hsm, &key, &request, &out, diag);
    }
    vd_bytes_free(&in[0]);
    vd_bytes_free(&in[1]);
    VD_TRY(status);
    return vd_file_store(args->out, out.data, out.size, 0600, diag);
}

#define VERB(name_)                                                                    \
    static int name_(const struct vd_cli_call *call)                                   \
    {                                                                                  \
        struct vd_diag diag = {};                                                      \
                                                                                       \
        return vd_cli_report(name_##_in(call->args, call->operands[0], &diag), &diag); \
    }

VERB(sign)
VERB(encrypt)
VERB(decrypt)

#define FILES(in_, out_)                                                                           \
    {.name = "in",                                                                                 \
     .kind = VD_CLI_TEXT,                                                                          \
     .store = offsetof(struct use_args, in),                                                       \
     .help = in_,                                                                                  \
     .argument = "FILE",                                                                           \
     .required = true},                                                                            \
    {                                                                                              \
        .name = "out", .kind = VD_CLI_TEXT, .store = offsetof(struct use_args, out), .help = out_, \
        .argument = "FILE", .required = true                                                       \
    }

#define CHOICE(name_, field_, help_, words_, standard_)                                   \
    {                                                                                     \
        .name = name_, .kind = VD_CLI_CHOICE, .store = offsetof(struct use_args, field_), \
        .help = help_, .argument = words_, .standard = standard_                          \
    }

static const struct vd_cli_option sign_options[] = {
    VD_HSM_OPTIONS(struct use_args),
    FILES("what to sign, at most 256 MiB", "the signature: raw, of EC keys DER"),
    {.name = "digest",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct use_args, digest),
     .help = "the input is the digest already"},
    CHOICE("scheme", scheme, "of RSA keys", "pss|pkcs1", "pss"),
    CHOICE("hash", hash, "the digest", "sha256|sha384|sha512", "sha256"),
    {},
};

#define CRYPT_OPTIONS                                                                \
    CHOICE("cipher", cipher, "of AES keys; cbc is not authentic", "gcm|cbc", "gcm"), \
        CHOICE("hash", hash, "of RSA-OAEP", "sha256|sha384|sha512|sha1", "sha256"),  \
    {                                                                                \
        .name = "aad", .kind = VD_CLI_TEXT, .store = offsetof(struct use_args, aad), \
        .help = "associated data of AES-GCM", .argument = "FILE"                     \
    }

static const struct vd_cli_option encrypt_options[] = {
    VD_HSM_OPTIONS(struct use_args),
    FILES("what to encrypt, at most 64 KiB; with RSA a few bytes", "the ciphertext"),
    CRYPT_OPTIONS,
    {},
};

static const struct vd_cli_option decrypt_options[] = {
    VD_HSM_OPTIONS(struct use_args),
    FILES("the ciphertext", "where the plaintext goes, mode 0600"),
    CRYPT_OPTIONS,
    {},
};

#define COMMAND(verb_, usage_, summary_)                                                          \
    const struct vd_cli_command vd_hsm_##verb_##_command = {.name = #verb_,                       \
                                                            .usage = usage_,                      \
                                                            .summary = summary_,                  \
                                                            .options = verb_##_options,           \
                                                            .args_size = sizeof(struct use_args), \
                                                            .operands_min = 1,                    \
                                                            .operands_max = 1,                    \
                                                            .run = verb_}

COMMAND(sign,
        "--in FILE --out FILE [--digest] [--scheme pss|pkcs1] [--hash HASH]\n"
        "    [--module PATH] [--pin-file FILE] URI",
        "signs a file, and verifies the signature before it is written");
COMMAND(encrypt,
        "--in FILE --out FILE [--cipher gcm|cbc] [--hash HASH] [--aad FILE]\n"
        "    [--module PATH] [--pin-file FILE] URI",
        "encrypts with a key of the token");
COMMAND(decrypt,
        "--in FILE --out FILE [--cipher gcm|cbc] [--hash HASH] [--aad FILE]\n"
        "    [--module PATH] [--pin-file FILE] URI",
        "decrypts with a key of the token");
