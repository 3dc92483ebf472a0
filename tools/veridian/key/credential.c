/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* credential set, list, remove: secrets of systemd's units. */
#define _GNU_SOURCE
#include "lib/keyclient/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "tools/veridian/key/commands.h"
#include "tools/veridian/key/common.h"

struct credential_args {
    struct vd_key_service service;
    const char *in;
    const char *key;
};

static vd_status do_set(const struct vd_cli_call *call, struct vd_key_run *run,
                        struct vd_bytes *secret, struct vd_diag *diag)
{
    const struct credential_args *args = call->args;
    struct vd_credential_name name;

    VD_TRY(vd_credential_name(call->operands[0], call->operands[1], &name, diag));
    VD_TRY(vd_key_read(args->in, VD_CREDENTIAL_MAX, secret, diag));
    VD_TRY(vd_key_run_open(run, &args->service, args->key, diag));
    return vd_credential_set(run->client, run->key, &name,
                             &(struct vd_keyclient_bytes){secret->data, secret->size}, diag);
}

static int set(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_bytes secret VD_AUTO(vd_key_bytes_wipe) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_set(call, &run, &secret, &diag), &diag);
}

static vd_status print_all(const struct vd_key_run *run, bool json,
                           const struct vd_keyclient_attachment *all, uint32_t count,
                           struct vd_diag *diag)
{
    static const char prefix[] = VD_CREDENTIAL_PREFIX;
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++) {
        struct vd_credential_name name;
        if (strncmp(all[i].name, prefix, sizeof(prefix) - 1) != 0 ||
            vd_credential_whose(run->key, all[i].name, &name, NULL) != VD_OK)
            continue;
        if (!json)
            printf("%s %s\n", name.unit, name.id);
        (void)!json_array_append_new(
            list, json_pack("{s:s,s:s}", "unit", name.unit, "credential", name.id));
    }
    if (json)
        return vd_json_print(list, diag);
    json_decref(list);
    return VD_OK;
}

static vd_status do_list(const struct vd_cli_call *call, struct vd_key_run *run,
                         struct vd_diag *diag)
{
    const struct credential_args *args = call->args;
    struct vd_keyclient_attachment *all = NULL;
    uint32_t count = 0;
    vd_status status;

    VD_TRY(vd_key_run_open(run, &args->service, args->key, diag));
    VD_TRY(vd_keyclient_attachments(run->key, VD_KEY_ATTACH_USER, &all, &count, diag));
    status = print_all(run, args->service.json, all, count, diag);
    free(all);
    return status;
}

static int list(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_list(call, &run, &diag), &diag);
}

static vd_status do_remove(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct vd_diag *diag)
{
    const struct credential_args *args = call->args;
    struct vd_credential_name name;

    VD_TRY(vd_credential_name(call->operands[0], call->operands[1], &name, diag));
    VD_TRY(vd_key_run_open(run, &args->service, args->key, diag));
    return vd_credential_remove(run->key, &name, diag);
}

static int remove_one(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_remove(call, &run, &diag), &diag);
}

#define KEY_OPTION                                                                          \
    {                                                                                       \
        .name = "key", .kind = VD_CLI_TEXT, .store = offsetof(struct credential_args, key), \
        .help = "the key that has them", .argument = "NAME", .standard = VD_CREDENTIAL_KEY  \
    }

static const struct vd_cli_option set_options[] = {{.name = "in",
                                                    .kind = VD_CLI_TEXT,
                                                    .store = offsetof(struct credential_args, in),
                                                    .help = "the secret (default: standard input)",
                                                    .argument = "FILE"},
                                                   KEY_OPTION,
                                                   VD_KEY_SOCKET_OPTION,
                                                   {}};
static const struct vd_cli_option list_options[] = {
    KEY_OPTION, VD_KEY_SOCKET_OPTION, VD_KEY_JSON_OPTION, {}};
static const struct vd_cli_option remove_options[] = {KEY_OPTION, VD_KEY_SOCKET_OPTION, {}};

static const struct vd_cli_command set_command = {
    .name = "set",
    .usage = "UNIT CREDENTIAL [--in FILE] [--key NAME]",
    .summary = "keeps a secret for a unit, encrypted, in the place of an older one",
    .options = set_options,
    .args_size = sizeof(struct credential_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = set,
};
static const struct vd_cli_command list_command = {
    .name = "list",
    .usage = "[--key NAME]",
    .summary = "units and names of the secrets",
    .options = list_options,
    .args_size = sizeof(struct credential_args),
    .run = list,
};
static const struct vd_cli_command remove_command = {
    .name = "remove",
    .usage = "UNIT CREDENTIAL [--key NAME]",
    .summary = "removes a unit's secret",
    .options = remove_options,
    .args_size = sizeof(struct credential_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = remove_one,
};
static const struct vd_cli_command *const verbs[] = {&set_command, &list_command, &remove_command,
                                                     NULL};

const struct vd_cli_command vd_key_credential_command = {
    .name = "credential",
    .summary = "secrets of systemd's units, for LoadCredential=",
    .commands = verbs,
};
