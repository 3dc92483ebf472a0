/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* create, import, unwrap, set: what gives a key its attributes. */
#include "tools/veridian/key/commands.h"

#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "tools/veridian/key/common.h"
#include "tools/veridian/key/names.h"

#define MATERIAL_MAX 65536u
#define BLOB_MAX     65536u
#define AAD_MAX      (1u << 20)

struct make_args {
    struct vd_key_service service;
    const char *type;
    const char *domain;
    const char *group; /* the option --service */
    const char *label;
    const char *usages;
    const char *expires;
    const char *not_before;
    uint64_t limit;
    bool non_exportable;
    bool fixed;
    const char *in;
    const char *aad;
    const char *form;
    uint32_t min_decrypt;
};

#define OPTION(name_, kind_, member, help_, argument_)                                            \
    {                                                                                             \
        .name = name_, .kind = kind_, .store = offsetof(struct make_args, member), .help = help_, \
        .argument = argument_                                                                     \
    }
#define TYPE_OPTION(required_)                                                           \
    {                                                                                    \
        .name = "type", .kind = VD_CLI_TEXT, .store = offsetof(struct make_args, type),  \
        .help = "what kind of key", .argument = VD_KEY_TYPE_WORDS, .required = required_ \
    }
#define ATTRIBUTE_OPTIONS                                                                        \
    OPTION("label", VD_CLI_TEXT, label, "context by which the policy judges access", "CONTEXT"), \
        OPTION("usage", VD_CLI_TEXT, usages,                                                     \
               "what it may be used for, as in sign,verify "                                     \
               "(default: what fits the type)",                                                  \
               "LIST"),                                                                          \
        OPTION("expires", VD_CLI_TEXT, expires,                                                  \
               "not to be used from then on: RFC 3339, +30d, "                                   \
               "none",                                                                           \
               "TIME"),                                                                          \
        OPTION("not-before", VD_CLI_TEXT, not_before, "not to be used before", "TIME"),          \
        OPTION("limit", VD_CLI_U64, limit, "operations that it may serve", "N"),                 \
        OPTION("non-exportable", VD_CLI_FLAG, non_exportable,                                    \
               "never leaves the service, wrapped or not", NULL),                                \
        OPTION("fixed", VD_CLI_FLAG, fixed, "attributes cannot be changed any more", NULL)
#define PLACE_OPTIONS                                                                   \
    OPTION("domain", VD_CLI_TEXT, domain, "branch of the hierarchy (default)", "NAME"), \
        OPTION("service", VD_CLI_TEXT, group, "branch below the domain (default)", "NAME")

static vd_status take_text(const char *option, const char *text, size_t max, char *ret,
                           struct vd_diag *diag)
{
    if (text == NULL)
        return VD_OK;
    if (strlen(text) > max)
        return vd_diagf(diag, VD_E_USAGE, "%s: at most %zu bytes", option, max);
    vd_copy(ret, text, strlen(text) + 1);
    return VD_OK;
}

static vd_status take_attributes(const struct make_args *args, const char *name,
                                 struct vd_key_attributes *a, struct vd_diag *diag)
{
    *a = (struct vd_key_attributes){.usage_limit = args->limit};
    if (!vd_key_name_valid(name, VD_KEY_NAME_MAX, false))
        return vd_diagf(diag, VD_E_USAGE,
                        "'%s' is no name: 1 to %u letters, digits, '.', '_', '-' and '/'", name,
                        VD_KEY_NAME_MAX);
    VD_TRY(take_text("name", name, VD_KEY_NAME_MAX, a->name, diag));
    VD_TRY(take_text("--domain", args->domain, VD_KEY_DOMAIN_MAX, a->domain, diag));
    VD_TRY(take_text("--service", args->group, VD_KEY_DOMAIN_MAX, a->service, diag));
    VD_TRY(take_text("--label", args->label, VD_KEY_LABEL_MAX, a->label, diag));
    if (args->type != NULL)
        VD_TRY(vd_key_type_find(args->type, &a->type, diag));
    if (args->usages != NULL)
        VD_TRY(vd_key_usages_parse(args->usages, &a->usages, diag));
    if (args->expires != NULL)
        VD_TRY(vd_key_time_parse(args->expires, &a->not_after, diag));
    if (args->not_before != NULL)
        VD_TRY(vd_key_time_parse(args->not_before, &a->not_before, diag));
    a->flags =
        (args->non_exportable ? VD_KEY_NON_EXPORTABLE : 0) | (args->fixed ? VD_KEY_FIXED : 0);
    a->min_decrypt_version = args->min_decrypt;
    return VD_OK;
}

/* What was made, looked up again, so that standard attributes are shown too. */
static vd_status report(struct vd_key_run *run, const struct make_args *args, const uint8_t *id,
                        struct vd_diag *diag)
{
    char name[3 + 2 * VD_KEY_ID_SIZE + 1] = "id:";

    vd_hex_encode(id, VD_KEY_ID_SIZE, name + 3);
    if (!args->service.json) {
        puts(name + 3);
        return VD_OK;
    }
    VD_TRY(vd_keyclient_open(run->client, name, &run->key, diag));
    return vd_json_print(vd_key_info_json(vd_keyclient_key_info(run->key)), diag);
}

static vd_status do_create(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct vd_diag *diag)
{
    const struct make_args *args = call->args;
    struct vd_key_attributes a;
    uint8_t id[VD_KEY_ID_SIZE];

    VD_TRY(take_attributes(args, call->operands[0], &a, diag));
    VD_TRY(vd_key_run_begin(run, &args->service, diag));
    VD_TRY(vd_keyclient_create(run->client, &a, id, diag));
    return report(run, args, id, diag);
}

static int create(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_create(call, &run, &diag), &diag);
}

static const struct vd_cli_option create_options[] = {TYPE_OPTION(true),  ATTRIBUTE_OPTIONS,
                                                      PLACE_OPTIONS,      VD_KEY_SOCKET_OPTION,
                                                      VD_KEY_JSON_OPTION, {}};

const struct vd_cli_command vd_key_create_command = {
    .name = "create",
    .usage = "NAME --type TYPE [OPTION]...",
    .summary = "makes a key; prints its id",
    .options = create_options,
    .args_size = sizeof(struct make_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = create,
};

/* Importing */

static const struct {
    const char *name;
    enum vd_alg_form form;
} forms[] = {
    {"raw", VD_ALG_FORM_RAW},           {"pkcs8", VD_ALG_FORM_PKCS8},
    {"spki", VD_ALG_FORM_SPKI},         {"seed", VD_ALG_FORM_SEED},
    {"expanded", VD_ALG_FORM_EXPANDED}, {"raw-public", VD_ALG_FORM_RAW_PUBLIC},
};

static vd_status find_form(const char *name, enum vd_alg_form *ret, struct vd_diag *diag)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(forms[i].name, name) == 0) {
            *ret = forms[i].form;
            return VD_OK;
        }
    }
    vd_diag_hint(diag, "raw, pkcs8, spki, seed, expanded or raw-public");
    return vd_diagf(diag, VD_E_USAGE, "there is no form '%s'", name);
}

/* PEM says its form itself; else --form, or what the type mostly has. */
static vd_status take_material(const struct make_args *args, uint16_t type, struct vd_bytes *bytes,
                               enum vd_alg_form *ret, struct vd_diag *diag)
{
    static const char *const names[] = {"PRIVATE KEY", "PUBLIC KEY", NULL};
    bool symmetric = type == VD_ALG_AES_256_GCM || type == VD_ALG_CHACHA20_POLY1305 ||
                     type == VD_ALG_HMAC_SHA256 || type == VD_ALG_HKDF_SHA256;
    const char *pem = NULL;

    VD_TRY(vd_key_read(args->in, MATERIAL_MAX, bytes, diag));
    if (!symmetric)
        VD_TRY(vd_key_from_pem(bytes, names, &pem, diag));
    if (pem != NULL) {
        *ret = pem == names[0] ? VD_ALG_FORM_PKCS8 : VD_ALG_FORM_SPKI;
        return VD_OK;
    }
    if (args->form != NULL)
        return find_form(args->form, ret, diag);
    *ret = symmetric ? VD_ALG_FORM_RAW : VD_ALG_FORM_PKCS8;
    return VD_OK;
}

static vd_status do_import(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct vd_diag *diag)
{
    const struct make_args *args = call->args;
    struct vd_bytes material VD_AUTO(vd_key_bytes_wipe) = {};
    struct vd_key_attributes a;
    struct vd_keyclient_import from = {.attributes = &a};
    uint8_t id[VD_KEY_ID_SIZE];

    VD_TRY(take_attributes(args, call->operands[0], &a, diag));
    VD_TRY(take_material(args, a.type, &material, &from.form, diag));
    from.material = (struct vd_keyclient_bytes){material.data, material.size};
    VD_TRY(vd_key_run_begin(run, &args->service, diag));
    VD_TRY(vd_keyclient_import(run->client, &from, id, diag));
    return report(run, args, id, diag);
}

static int import(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_import(call, &run, &diag), &diag);
}

static const struct vd_cli_option import_options[] = {
    TYPE_OPTION(true),
    OPTION("in", VD_CLI_TEXT, in, "the key: PEM, DER or raw (default: standard input)", "FILE"),
    {.name = "form",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct make_args, form),
     .help = "what it is if no PEM",
     .argument = VD_KEY_FORM_WORDS},
    ATTRIBUTE_OPTIONS,
    PLACE_OPTIONS,
    VD_KEY_SOCKET_OPTION,
    VD_KEY_JSON_OPTION,
    {}};

const struct vd_cli_command vd_key_import_command = {
    .name = "import",
    .usage = "NAME --type TYPE [--in FILE] [--form FORM] [OPTION]...",
    .summary = "takes a key that was made elsewhere, or a public key; prints its id",
    .options = import_options,
    .args_size = sizeof(struct make_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = import,
};

/* Unwrapping */

static vd_status do_unwrap(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct vd_diag *diag)
{
    const struct make_args *args = call->args;
    struct vd_bytes blob VD_AUTO(vd_bytes_free) = {};
    struct vd_bytes aad VD_AUTO(vd_bytes_free) = {};
    struct vd_keyclient_op op = {};
    struct vd_key_attributes a;
    uint8_t id[VD_KEY_ID_SIZE];
    vd_status status;

    VD_TRY(take_attributes(args, call->operands[1], &a, diag));
    VD_TRY(vd_key_read(args->in, BLOB_MAX, &blob, diag));
    VD_TRY(vd_key_read_optional(args->aad, AAD_MAX, &aad, diag));
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    op.key = run->key;
    op.text = (struct vd_keyclient_bytes){blob.data, blob.size};
    op.aux = (struct vd_keyclient_bytes){aad.data, aad.size};
    status = vd_keyclient_unwrap(run->client, &op, &a, id, diag);
    vd_key_explain(run->key, status, VD_ALG_UNWRAP, diag);
    VD_TRY(status);
    vd_keyclient_key_free(run->key);
    run->key = NULL;
    return report(run, args, id, diag);
}

static int unwrap(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_unwrap(call, &run, &diag), &diag);
}

static const struct vd_cli_option unwrap_options[] = {
    TYPE_OPTION(true),
    OPTION("in", VD_CLI_TEXT, in, "what 'key wrap' gave (default: standard input)", "FILE"),
    OPTION("aad", VD_CLI_TEXT, aad, "the additional data it was wrapped with", "FILE"),
    ATTRIBUTE_OPTIONS,
    PLACE_OPTIONS,
    VD_KEY_SOCKET_OPTION,
    VD_KEY_JSON_OPTION,
    {}};

const struct vd_cli_command vd_key_unwrap_command = {
    .name = "unwrap",
    .usage = "WRAPPER NAME --type TYPE [--in FILE] [--aad FILE] [OPTION]...",
    .summary = "takes a wrapped key; prints its id",
    .options = unwrap_options,
    .args_size = sizeof(struct make_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = unwrap,
};

/* Changing */

static uint32_t which(const struct make_args *args)
{
    return (args->label != NULL ? VD_KEY_SET_LABEL : 0) |
           (args->usages != NULL ? VD_KEY_SET_USAGES : 0) |
           (args->non_exportable || args->fixed ? VD_KEY_SET_FLAGS : 0) |
           (args->not_before != NULL ? VD_KEY_SET_NOT_BEFORE : 0) |
           (args->expires != NULL ? VD_KEY_SET_NOT_AFTER : 0) |
           (args->limit != 0 ? VD_KEY_SET_USAGE_LIMIT : 0) |
           (args->min_decrypt != 0 ? VD_KEY_SET_MIN_DECRYPT : 0);
}

static vd_status do_set(const struct vd_cli_call *call, struct vd_key_run *run,
                        struct vd_diag *diag)
{
    const struct make_args *args = call->args;
    struct vd_key_attributes a;
    struct vd_key_info info;

    if (which(args) == 0)
        return vd_diag_fail(diag, VD_E_USAGE, "nothing is to be changed: name at least one option");
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    VD_TRY(take_attributes(args, vd_keyclient_key_info(run->key)->attributes.name, &a, diag));
    /* Flags are only ever added. */
    a.flags |= vd_keyclient_key_info(run->key)->attributes.flags;
    VD_TRY(vd_keyclient_set(run->key, which(args), &a, &info, diag));
    if (args->service.json)
        return vd_json_print(vd_key_info_json(&info), diag);
    vd_key_print_info(&info);
    return VD_OK;
}

static int set(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_set(call, &run, &diag), &diag);
}

static const struct vd_cli_option set_options[] = {
    ATTRIBUTE_OPTIONS,
    OPTION("min-decrypt", VD_CLI_U32, min_decrypt, "smallest version that still decrypts", "N"),
    VD_KEY_SOCKET_OPTION,
    VD_KEY_JSON_OPTION,
    {}};

const struct vd_cli_command vd_key_set_command = {
    .name = "set",
    .usage = "NAME OPTION...",
    .summary = "changes a key's attributes; what restricts cannot be taken back by an older store",
    .options = set_options,
    .args_size = sizeof(struct make_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = set,
};
