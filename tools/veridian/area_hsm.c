/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The area `hsm`: PKCS #11 modules and their tokens; hsm/ has what keys do. */
#include "tools/veridian/areas.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/veridian/hsm/connect.h"

#define URI_SIZE 1024u

struct hsm_args {
    struct vd_hsm_options common;
    bool login;
    bool json;
};

/* ---- list ---- */

static void token_uri(const struct vd_hsm_token *token, char *buf, size_t size)
{
    struct vd_hsm_uri uri = {.slot = VD_HSM_ANY_SLOT};

    snprintf(uri.token, sizeof(uri.token), "%s", token->label);
    snprintf(uri.serial, sizeof(uri.serial), "%s", token->serial);
    snprintf(uri.manufacturer, sizeof(uri.manufacturer), "%s", token->manufacturer);
    snprintf(uri.model, sizeof(uri.model), "%s", token->model);
    if (vd_hsm_uri_write(&uri, buf, size) != VD_OK)
        buf[0] = '\0';
}

static const char *token_state(const struct vd_hsm_token *token)
{
    if (!token->present)
        return "empty";
    if (!token->initialized)
        return "no PIN set";
    if (token->pin_locked)
        return "PIN locked";
    return token->pin_final_try ? "one try left" : "ready";
}

static vd_status list_tokens(const char *path, bool json, struct vd_diag *diag)
{
    struct vd_hsm_module *module = calloc(1, sizeof(*module));
    char uri[URI_SIZE];
    vd_status status;

    if (module == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = vd_hsm_module_info(path, module, diag);
    for (uint32_t i = 0; status == VD_OK && i < module->token_count; i++) {
        const struct vd_hsm_token *t = &module->token[i];

        token_uri(t, uri, sizeof(uri));
        if (json)
            status = vd_json_print_line(json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "slot",
                                                  (json_int_t)t->slot, "state", token_state(t),
                                                  "token", t->label, "serial", t->serial, "model",
                                                  t->model, "uri", t->present ? uri : "",
                                                  "write_protected", t->write_protected),
                                        diag);
        else
            printf("%-20" PRIu64 " %-12s %s\n", t->slot, token_state(t), t->present ? uri : "");
    }
    free(module);
    return status;
}

static json_t *uses_json(const struct vd_hsm_key *key)
{
    static const char *const names[VD_HSM_USES] = {"sign", "decrypt", "derive", "wrap"};
    json_t *list = json_array();

    for (uint32_t i = 0; i < VD_HSM_USES; i++) {
        if (key->use[i])
            json_array_append_new(list, json_string(names[i]));
    }
    return list;
}

static vd_status print_key(struct vd_hsm *hsm, const struct vd_hsm_key *key, bool json,
                           struct vd_diag *diag)
{
    const char *class = vd_hsm_class_name(key->class);
    bool hidden = key->class == VD_HSM_PRIVATE || key->class == VD_HSM_SECRET_KEY;
    char uri[URI_SIZE], kind[16];

    vd_hsm_key_uri(hsm, key, uri, sizeof(uri));
    vd_hsm_key_kind(key, kind);
    if (class == NULL)
        class = "?";
    if (json)
        return vd_json_print_line(
            json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:o}", "type", class, "kind", kind, "uri",
                      uri, "sensitive", key->sensitive, "extractable", hidden && key->extractable,
                      "never_extractable", key->never_extractable, "uses", uses_json(key)),
            diag);
    printf("%-10s %-8s %-13s %s\n", class, kind,
           !hidden            ? ""
           : key->extractable ? "extractable"
                              : "stays inside",
           uri);
    return VD_OK;
}

static vd_status list_objects(const struct hsm_args *args, const char *uri, struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    struct vd_hsm_key *keys;
    uint32_t count = 0;
    vd_status status;

    VD_TRY(
        vd_hsm_connect(&args->common, uri, args->login || args->common.pin_file != NULL, &c, diag));
    keys = calloc(VD_HSM_OBJECTS_MAX, sizeof(*keys));
    if (keys == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = vd_hsm_list(c.hsm, &c.uri, keys, &count, diag);
    for (uint32_t i = 0; status == VD_OK && i < count; i++)
        status = print_key(c.hsm, &keys[i], args->json, diag);
    free(keys);
    return status;
}

/* The module that the call names without a URI. */
static const char *module_path(const struct hsm_args *args)
{
    return args->common.module != NULL ? args->common.module : getenv(VD_HSM_MODULE_ENV);
}

static vd_status list_in(const struct hsm_args *args, const char *uri, struct vd_diag *diag)
{
    const char *path = module_path(args);

    if (uri != NULL)
        return list_objects(args, uri, diag);
    if (path == NULL)
        return vd_diag_fail(diag, VD_E_USAGE,
                            "no module is named: by --module or VERIDIAN_PKCS11_MODULE");
    return list_tokens(path, args->json, diag);
}

/* ---- info ---- */

struct info {
    struct vd_hsm_module module;
    struct vd_hsm_mechanism mechanism[VD_HSM_MECHANISMS_MAX];
    uint32_t count;
};

static json_t *mechanisms_json(const struct info *info)
{
    json_t *list = json_array();
    char number[24];

    for (uint32_t i = 0; i < info->count; i++) {
        const struct vd_hsm_mechanism *m = &info->mechanism[i];

        snprintf(number, sizeof(number), "0x%" PRIx64, m->type);
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:I, s:I}", "name", m->name != NULL ? m->name : number,
                            "min_key", (json_int_t)m->min_key, "max_key", (json_int_t)m->max_key,
                            "flags", (json_int_t)m->flags));
    }
    return list;
}

static void print_info(const struct info *info, const struct vd_hsm_token *token)
{
    const struct vd_hsm_module *m = &info->module;

    printf("module      %s, %s %u.%u (PKCS #11 %u.%u)\n", m->manufacturer, m->description,
           m->version[0], m->version[1], m->cryptoki[0], m->cryptoki[1]);
    printf("token       %s, serial %s, %s %s: %s\nmechanisms\n", token->label, token->serial,
           token->manufacturer, token->model, token_state(token));
    for (uint32_t i = 0; i < info->count; i++) {
        const struct vd_hsm_mechanism *x = &info->mechanism[i];

        if (x->name != NULL)
            printf("  %-32s %" PRIu64 " to %" PRIu64 "\n", x->name, x->min_key, x->max_key);
        else
            printf("  0x%-30" PRIx64 " %" PRIu64 " to %" PRIu64 "\n", x->type, x->min_key,
                   x->max_key);
    }
}

static vd_status show_info(const struct hsm_args *args, const char *uri, struct info *info,
                           struct vd_diag *diag)
{
    struct vd_hsm_connection c VD_AUTO(vd_hsm_disconnect) = {};
    const struct vd_hsm_token *token;
    const char *path = args->common.module;

    VD_TRY(vd_hsm_connect(&args->common, uri, false, &c, diag));
    if (path == NULL)
        path = c.uri.module_path[0] != '\0' ? c.uri.module_path : module_path(args);
    VD_TRY(vd_hsm_module_info(path, &info->module, diag));
    VD_TRY(vd_hsm_mechanisms(c.hsm, info->mechanism, &info->count, diag));
    token = vd_hsm_token(c.hsm);
    if (!args->json) {
        print_info(info, token);
        return VD_OK;
    }
    return vd_json_print(json_pack("{s:s, s:s, s:[i, i], s:[i, i], s:s, s:s, s:s, s:o}",
                                   "manufacturer", info->module.manufacturer, "description",
                                   info->module.description, "version", info->module.version[0],
                                   info->module.version[1], "cryptoki", info->module.cryptoki[0],
                                   info->module.cryptoki[1], "token", token->label, "serial",
                                   token->serial, "state", token_state(token), "mechanisms",
                                   mechanisms_json(info)),
                         diag);
}

static vd_status info_in(const struct hsm_args *args, const char *uri, struct vd_diag *diag)
{
    struct info *info = calloc(1, sizeof(*info));
    vd_status status;

    if (info == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = show_info(args, uri, info, diag);
    free(info);
    return status;
}

static int list(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(list_in(call->args, call->operands[0], &diag), &diag);
}

static int info(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(info_in(call->args, call->operands[0], &diag), &diag);
}

#define FLAG(name_, field_, help_)                                                      \
    {                                                                                   \
        .name = name_, .kind = VD_CLI_FLAG, .store = offsetof(struct hsm_args, field_), \
        .help = help_                                                                   \
    }

static const struct vd_cli_option list_options[] = {
    VD_HSM_OPTIONS(struct hsm_args),
    FLAG("login", login, "log in, so that private objects are seen"),
    FLAG("json", json, "one JSON object a line"),
    {},
};

static const struct vd_cli_option info_options[] = {
    VD_HSM_OPTIONS(struct hsm_args), FLAG("json", json, "print JSON"), {}};

static const struct vd_cli_command list_command = {
    .name = "list",
    .usage = "[--login] [--module PATH] [--pin-file FILE] [--json] [URI]",
    .summary = "lists a module's tokens, or the objects of the token that a URI names",
    .options = list_options,
    .args_size = sizeof(struct hsm_args),
    .operands_max = 1,
    .run = list,
};

static const struct vd_cli_command info_command = {
    .name = "info",
    .usage = "[--module PATH] [--json] [URI]",
    .summary = "what a module and a token are, and the token's mechanisms",
    .options = info_options,
    .args_size = sizeof(struct hsm_args),
    .operands_max = 1,
    .run = info,
};

static const struct vd_cli_command *const verbs[] = {
    &list_command,           &info_command,           &vd_hsm_create_command,
    &vd_hsm_public_command,  &vd_hsm_destroy_command, &vd_hsm_sign_command,
    &vd_hsm_encrypt_command, &vd_hsm_decrypt_command, NULL,
};

const struct vd_cli_command vd_area_hsm = {
    .name = "hsm",
    .summary = "keys in a hardware token, through any PKCS #11 module",
    .details =
        "A URI is RFC 7512's: pkcs11:token=LABEL;object=LABEL?module-path=PATH&pin-source=PATH.\n"
        "A PIN comes from --pin-file, pin-source, VERIDIAN_PKCS11_PIN or the terminal.",
    .commands = verbs,
};
