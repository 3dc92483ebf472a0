/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/veridian/hsm/connect.h"

#define URI_SIZE 1024u

struct key_args {
    struct vd_hsm_options common;
    uint32_t kind;
    uint32_t use;
    const char *out;
    bool json;
};

/* In the order of the option's words. */
static const struct {
    enum vd_hsm_kind kind;
    uint32_t bits;
    enum vd_hsm_use standard;
} kinds[] = {
    {VD_HSM_EC, 256, VD_HSM_TO_SIGN},     {VD_HSM_RSA, 2048, VD_HSM_TO_SIGN},
    {VD_HSM_RSA, 3072, VD_HSM_TO_SIGN},   {VD_HSM_RSA, 4096, VD_HSM_TO_SIGN},
    {VD_HSM_AES, 256, VD_HSM_TO_DECRYPT},
};

static vd_status put_public(struct vd_hsm *hsm, struct vd_hsm_key *key, const char *out,
                            struct vd_diag *diag)
{
    struct vd_bytes pem VD_AUTO(vd_bytes_free) = {};

    VD_TRY(vd_hsm_public_pem(hsm, key, &pem, diag));
    if (out != NULL)
        return vd_file_store(out, pem.data, pem.size, 0644, diag);
    if (fwrite(pem.data, 1, pem.size, stdout) != pem.size)
        return vd_diag_fail(diag, VD_E_IO, "cannot write the public key");
    return VD_OK;
}

static vd_status create_in(const struct key_args *args, const char *uri, struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    struct vd_hsm_new_key request = {.kind = kinds[args->kind].kind,
                                     .bits = kinds[args->kind].bits,
                                     .use = kinds[args->kind].standard};
    struct vd_hsm_key key;
    char text[URI_SIZE], kind[16];

    VD_TRY(vd_hsm_connect(&args->common, uri, true, &c, diag));
    if (c.uri.object[0] == '\0' || c.uri.id_size > 0)
        return vd_diag_fail(diag, VD_E_USAGE,
                            "the URI names the new key by object=LABEL; its id is made up");
    if (args->use > 0)
        request.use = args->use - 1;
    if (args->out != NULL && request.kind == VD_HSM_AES)
        return vd_diag_fail(diag, VD_E_USAGE, "--out is for pairs: an AES key has no public half");
    request.label = c.uri.object;
    VD_TRY(vd_hsm_generate(c.hsm, &request, &key, diag));
    if (args->out != NULL)
        VD_TRY(put_public(c.hsm, &key, args->out, diag));
    vd_hsm_key_uri(c.hsm, &key, text, sizeof(text));
    vd_hsm_key_kind(&key, kind);
    if (args->json)
        return vd_json_print(json_pack("{s:s, s:s, s:b, s:b}", "uri", text, "kind", kind,
                                       "sensitive", key.sensitive, "extractable", key.extractable),
                             diag);
    puts(text);
    return VD_OK;
}

/* A key of a pair: the private half where the PIN shows it, else the public one. */
static vd_status public_in(const struct key_args *args, const char *uri, struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    struct vd_hsm_key key;

    VD_TRY(vd_hsm_connect(&args->common, uri, false, &c, diag));
    c.uri.class = VD_HSM_PUBLIC;
    VD_TRY(vd_hsm_find(c.hsm, &c.uri, VD_HSM_PUBLIC, &key, diag));
    return put_public(c.hsm, &key, args->out, diag);
}

static vd_status destroy_in(const struct key_args *args, const char *uri, struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    struct vd_hsm_key key;

    VD_TRY(vd_hsm_connect(&args->common, uri, true, &c, diag));
    if (c.uri.class == VD_HSM_ANY_CLASS || (c.uri.object[0] == '\0' && c.uri.id_size == 0))
        return vd_diag_fail(diag, VD_E_USAGE, "to destroy, name the type and the object or id");
    VD_TRY(vd_hsm_find(c.hsm, &c.uri, c.uri.class, &key, diag));
    return vd_hsm_destroy(c.hsm, &key, diag);
}

#define VERB(name_)                                                                    \
    static int name_(const struct vd_cli_call *call)                                   \
    {                                                                                  \
        struct vd_diag diag = {};                                                      \
                                                                                       \
        return vd_cli_report(name_##_in(call->args, call->operands[0], &diag), &diag); \
    }

VERB(create)
VERB(public)
VERB(destroy)

#define OUT_OPTION(help_)                                                            \
    {                                                                                \
        .name = "out", .kind = VD_CLI_TEXT, .store = offsetof(struct key_args, out), \
        .help = help_, .argument = "FILE"                                            \
    }

static const struct vd_cli_option create_options[] = {
    VD_HSM_OPTIONS(struct key_args),
    {.name = "kind",
     .kind = VD_CLI_CHOICE,
     .store = offsetof(struct key_args, kind),
     .help = "what key",
     .argument = "ec-p256|rsa-2048|rsa-3072|rsa-4096|aes-256",
     .standard = "ec-p256"},
    {.name = "use",
     .kind = VD_CLI_CHOICE,
     .store = offsetof(struct key_args, use),
     .help = "the one thing it may do; auto: sign, with AES encrypt",
     .argument = "auto|sign|encrypt|derive|wrap",
     .standard = "auto"},
    OUT_OPTION("also write the public key, PEM"),
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct key_args, json),
     .help = "print JSON"},
    {},
};

static const struct vd_cli_option public_options[] = {
    VD_HSM_OPTIONS(struct key_args),
    OUT_OPTION("where the PEM goes (default: standard output)"),
    {}};

static const struct vd_cli_option destroy_options[] = {VD_HSM_OPTIONS(struct key_args), {}};

const struct vd_cli_command vd_hsm_create_command = {
    .name = "create",
    .usage =
        "[--kind KIND] [--use USE] [--out FILE] [--module PATH] [--pin-file FILE] [--json] URI",
    .summary = "generates a key that stays in the token",
    .details =
        "The key is sensitive and cannot be extracted, which is read back; the URI's object\n"
        "is its label. Prints the new key's URI.\n"
        "\n"
        "Example: veridian hsm create --kind rsa-4096 --out release.pem \\\n"
        "    'pkcs11:token=boot;object=release'",
    .options = create_options,
    .args_size = sizeof(struct key_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = create,
};

const struct vd_cli_command vd_hsm_public_command = {
    .name = "public",
    .usage = "[--out FILE] [--module PATH] URI",
    .summary = "prints a pair's public key as PEM",
    .options = public_options,
    .args_size = sizeof(struct key_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = public,
};

const struct vd_cli_command vd_hsm_destroy_command = {
    .name = "destroy",
    .usage = "[--module PATH] [--pin-file FILE] URI",
    .summary = "destroys a key, of a pair both halves: it is gone",
    .options = destroy_options,
    .args_size = sizeof(struct key_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = destroy,
};
