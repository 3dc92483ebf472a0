/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* list, show, status. */
#include "tools/veridian/key/commands.h"

#include <stdlib.h>
#include <string.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/veridian/key/common.h"
#include "tools/veridian/key/names.h"

#define PUBLIC_MAX 8192u

struct show_args {
    struct vd_key_service service;
    bool public;
    uint32_t version;
    const char *out;
};

/* Calls `each` for all keys whose name begins with `prefix`. */
static vd_status each_key(struct vd_keyclient *client, const char *prefix,
                          void (*each)(const struct vd_key_info *info, void *ctx), void *ctx,
                          struct vd_diag *diag)
{
    struct vd_key_info *infos = calloc(VD_KEY_LIST_MAX, sizeof(*infos));
    struct vd_keyclient_page page = {.prefix = prefix, .infos = infos};
    struct vd_key_info last;
    vd_status status;

    if (infos == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    do {
        status = vd_keyclient_list(client, &page, diag);
        for (uint32_t i = 0; status == VD_OK && i < page.count; i++)
            each(&infos[i], ctx);
        if (status == VD_OK && page.count != 0)
            last = infos[page.count - 1];
        page.after = &last;
    } while (status == VD_OK && page.more);
    free(infos);
    return status;
}

static void print_row(const struct vd_key_info *info, void *ctx)
{
    const struct vd_key_attributes *a = &info->attributes;

    (void)ctx;
    printf("%-32s  %-18s  %4u  %-16s %s/%s\n", a->name, vd_key_type_name(a->type), info->versions,
           vd_key_state_told(info), a->domain, a->service);
}

static void add_row(const struct vd_key_info *info, void *ctx)
{
    json_array_append_new(ctx, vd_key_info_json(info));
}

static vd_status do_list(const struct vd_cli_call *call, struct vd_key_run *run,
                         struct vd_diag *diag)
{
    const struct show_args *args = call->args;
    const char *prefix = call->operand_count != 0 ? call->operands[0] : NULL;
    json_t *rows;
    vd_status status;

    VD_TRY(vd_key_run_begin(run, &args->service, diag));
    if (!args->service.json) {
        VD_TRY(vd_keyclient_connect(run->client, diag));
        printf("%-32s  %-18s  %4s  %-16s %s\n", "NAME", "TYPE", "VERS", "STATE", "DOMAIN/SERVICE");
        return each_key(run->client, prefix, print_row, NULL, diag);
    }
    rows = json_array();
    status = each_key(run->client, prefix, add_row, rows, diag);
    if (status == VD_OK)
        return vd_json_print(rows, diag);
    json_decref(rows);
    return status;
}

static int list(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_list(call, &run, &diag), &diag);
}

static const struct vd_cli_option list_options[] = {VD_KEY_SOCKET_OPTION, VD_KEY_JSON_OPTION, {}};

const struct vd_cli_command vd_key_list_command = {
    .name = "list",
    .usage = "[PREFIX] [--json]",
    .summary = "lists the keys, or those whose name begins with PREFIX",
    .options = list_options,
    .args_size = sizeof(struct show_args),
    .operands_max = 1,
    .run = list,
};

/* Showing */

static json_t *version_json(const struct vd_key_version *v)
{
    char text[VD_KEY_TIME_SIZE];

    vd_key_time_print(v->created, text);
    return json_pack("{s:i, s:s, s:b}", "version", (int)v->version, "created", text, "destroyed",
                     v->destroyed != 0);
}

static vd_status print_shown(const struct vd_keyclient_shown *shown, bool json,
                             struct vd_diag *diag)
{
    char text[VD_KEY_TIME_SIZE];
    json_t *info, *versions;

    if (!json) {
        vd_key_print_info(&shown->info);
        for (uint32_t i = 0; i < shown->version_count; i++) {
            const struct vd_key_version *v = &shown->versions[i];
            vd_key_time_print(v->created, text);
            printf("version %-8u %s%s\n", v->version, text, v->destroyed != 0 ? ", destroyed" : "");
        }
        return VD_OK;
    }
    info = vd_key_info_json(&shown->info);
    versions = json_array();
    for (uint32_t i = 0; i < shown->version_count; i++)
        json_array_append_new(versions, version_json(&shown->versions[i]));
    json_object_set_new(info, "versions", versions);
    return vd_json_print(info, diag);
}

static vd_status show_public(const struct vd_cli_call *call, struct vd_key_run *run,
                             struct vd_diag *diag)
{
    const struct show_args *args = call->args;
    uint8_t der[PUBLIC_MAX];
    struct vd_keyclient_buffer out = {der, sizeof(der), 0};

    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    VD_TRY(vd_keyclient_public(run->key, args->version, VD_ALG_FORM_SPKI, &out, diag));
    return vd_key_write_pem(args->out, "PUBLIC KEY", &(struct vd_keyclient_bytes){der, out.size},
                            diag);
}

static vd_status do_show(const struct vd_cli_call *call, struct vd_key_run *run,
                         struct vd_diag *diag)
{
    const struct show_args *args = call->args;
    struct vd_keyclient_shown shown = {};
    vd_status status;

    if (args->public)
        return show_public(call, run, diag);
    /* By opening first: it knows what a misspelt name may have meant. */
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    VD_TRY(vd_keyclient_show(run->client, call->operands[0], &shown, diag));
    status = print_shown(&shown, args->service.json, diag);
    free(shown.versions);
    return status;
}

static int show(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_show(call, &run, &diag), &diag);
}

static const struct vd_cli_option show_options[] = {
    {.name = "public",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct show_args, public),
     .help = "print the public key as PEM (SubjectPublicKeyInfo)"},
    {.name = "version",
     .kind = VD_CLI_U32,
     .store = offsetof(struct show_args, version),
     .help = "of that version (default: the newest)",
     .argument = "N"},
    {.name = "out",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct show_args, out),
     .help = "where the public key goes",
     .argument = "FILE",
     .standard = "-"},
    VD_KEY_SOCKET_OPTION,
    VD_KEY_JSON_OPTION,
    {}};

const struct vd_cli_command vd_key_show_command = {
    .name = "show",
    .usage = "NAME [--public [--version N] [--out FILE]] [--json]",
    .summary = "a key's attributes and versions, or its public key",
    .options = show_options,
    .args_size = sizeof(struct show_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = show,
};

/* Status */

static vd_status do_status(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct vd_diag *diag)
{
    static const char *const names[] = {
#define NAME(name, text) text,
        VD_KEY_STATUS_TABLE(NAME)
#undef NAME
    };
    static const char *const roots[] = {"?", "a passphrase (for development)", "the TPM",
                                        "the HSM"};
    const struct show_args *args = call->args;
    uint64_t counts[VD_KEY_STATUS_COUNT];
    json_t *object = NULL;

    VD_TRY(vd_key_run_begin(run, &args->service, diag));
    VD_TRY(vd_keyclient_status(run->client, counts, diag));
    if (args->service.json)
        object = json_object();
    for (uint32_t i = 0; i < VD_KEY_STATUS_COUNT; i++) {
        if (object != NULL)
            json_object_set_new(object, names[i], json_integer((json_int_t)counts[i]));
        else if (i == VD_KEY_STAT_ROOT)
            printf("%-32s %s\n", names[i], counts[i] < 4 ? roots[counts[i]] : roots[0]);
        else if (i == VD_KEY_STAT_MAC || i == VD_KEY_STAT_AUDIT || i == VD_KEY_STAT_STORE_FAILED)
            printf("%-32s %s\n", names[i], counts[i] != 0 ? "yes" : "no");
        else
            printf("%-32s %llu\n", names[i], (unsigned long long)counts[i]);
    }
    return object != NULL ? vd_json_print(object, diag) : VD_OK;
}

static int status(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_status(call, &run, &diag), &diag);
}

const struct vd_cli_command vd_key_status_command = {
    .name = "status",
    .usage = "[--json]",
    .summary = "the key service's state and counts",
    .options = list_options,
    .args_size = sizeof(struct show_args),
    .run = status,
};
