/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wrap, rotate, destroy, restore. */
#define _GNU_SOURCE
#include "tools/veridian/key/commands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "lib/json.h"
#include "tools/veridian/key/common.h"
#include "tools/veridian/key/names.h"

#define BLOB_MAX 65536u
#define AAD_MAX  (1u << 20)

struct life_args {
    struct vd_key_service service;
    const char *out;
    const char *aad;
    const char *grace;
    uint32_t version;
    bool yes;
};

static vd_status do_wrap(const struct vd_cli_call *call, struct vd_key_run *run,
                         struct vd_keyclient_op *op, struct vd_diag *diag)
{
    const struct life_args *args = call->args;
    struct vd_bytes aad VD_AUTO(vd_bytes_free) = {};
    uint8_t blob[BLOB_MAX];
    vd_status status;

    VD_TRY(vd_key_read_optional(args->aad, AAD_MAX, &aad, diag));
    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    VD_TRY(vd_key_open(run->client, call->operands[1], &op->other, diag));
    op->key = run->key;
    op->aux = (struct vd_keyclient_bytes){aad.data, aad.size};
    op->out = (struct vd_keyclient_buffer){blob, sizeof(blob), 0};
    status = vd_keyclient_operate(run->client, VD_KEY_WRAP, op, diag);
    vd_key_explain(run->key, status, VD_ALG_WRAP, diag);
    VD_TRY(status);
    return vd_key_write(args->out, blob, op->out.size, VD_KEY_MODE_PUBLIC, diag);
}

static int wrap(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_keyclient_op op = {};
    struct vd_diag diag = {};
    vd_status status = do_wrap(call, &run, &op, &diag);

    vd_keyclient_key_free(op.other);
    return vd_cli_report(status, &diag);
}

static vd_status do_rotate(const struct vd_cli_call *call, struct vd_key_run *run,
                           struct vd_diag *diag)
{
    const struct life_args *args = call->args;
    uint32_t version;

    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    VD_TRY(vd_keyclient_rotate(run->key, &version, diag));
    if (args->service.json)
        return vd_json_print(json_pack("{s:i}", "version", (int)version), diag);
    printf("version %u\n", version);
    return VD_OK;
}

static int rotate(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_rotate(call, &run, &diag), &diag);
}

/* Without grace it cannot be taken back: somebody at a terminal is asked. */
static vd_status confirm(const struct life_args *args, const char *name, struct vd_diag *diag)
{
    char line[16];

    if (args->yes)
        return VD_OK;
    if (!isatty(STDIN_FILENO))
        return vd_diag_fail(diag, VD_E_USAGE,
                            "destroying at once cannot be taken back: say --yes as well");
    fprintf(stderr, "destroy '%s' at once and for ever? [y/N] ", name);
    if (fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y'))
        return VD_OK;
    return vd_diag_fail(diag, VD_E_DENIED, "nothing was destroyed");
}

static vd_status do_destroy(const struct vd_cli_call *call, struct vd_key_run *run,
                            struct vd_diag *diag)
{
    const struct life_args *args = call->args;
    const char *name = call->operands[0];
    uint64_t grace_s = VD_KEY_GRACE_STANDARD, at;
    char text[VD_KEY_TIME_SIZE], what[48] = "";

    if (args->grace != NULL)
        VD_TRY(vd_key_duration_parse(args->grace, &grace_s, diag));
    if (grace_s > VD_KEY_GRACE_MAX)
        return vd_diag_fail(diag, VD_E_USAGE, "the grace period is at most 366 days");
    VD_TRY(vd_key_run_open(run, &args->service, name, diag));
    if (grace_s == 0)
        VD_TRY(confirm(args, name, diag));
    VD_TRY(vd_keyclient_destroy(run->key, args->version, grace_s, &at, diag));
    vd_key_time_print(at, text);
    if (args->service.json)
        return vd_json_print(json_pack("{s:s, s:i, s:s}", "name", name, "version",
                                       (int)args->version, "destroy_at", text),
                             diag);
    if (args->version != 0)
        (void)snprintf(what, sizeof(what), "version %u of ", args->version);
    if (grace_s == 0)
        printf("%s'%s' is destroyed\n", what, name);
    else
        printf("%s'%s' is of no use from now on and will be destroyed at %s; until then "
               "'veridian key restore %s' takes it back\n",
               what, name, text, name);
    return VD_OK;
}

static int destroy(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_destroy(call, &run, &diag), &diag);
}

static vd_status do_restore(const struct vd_cli_call *call, struct vd_key_run *run,
                            struct vd_diag *diag)
{
    const struct life_args *args = call->args;

    VD_TRY(vd_key_run_open(run, &args->service, call->operands[0], diag));
    VD_TRY(vd_keyclient_restore(run->key, diag));
    printf("'%s' will not be destroyed\n", call->operands[0]);
    return VD_OK;
}

static int restore(const struct vd_cli_call *call)
{
    struct vd_key_run run VD_AUTO(vd_key_run_done) = {};
    struct vd_diag diag = {};

    return vd_cli_report(do_restore(call, &run, &diag), &diag);
}

#define OPTION(name_, kind_, member, help_, argument_)                                            \
    {                                                                                             \
        .name = name_, .kind = kind_, .store = offsetof(struct life_args, member), .help = help_, \
        .argument = argument_                                                                     \
    }

static const struct vd_cli_option wrap_options[] = {
    OPTION("out", VD_CLI_TEXT, out, "where the wrapped key goes (default: standard output)",
           "FILE"),
    OPTION("aad", VD_CLI_TEXT, aad, "additional data that must be the same to unwrap", "FILE"),
    VD_KEY_SOCKET_OPTION,
    {}};

const struct vd_cli_command vd_key_wrap_command = {
    .name = "wrap",
    .usage = "WRAPPER NAME [--aad FILE] [--out FILE]",
    .summary = "exports NAME, encrypted by WRAPPER, if both allow it",
    .options = wrap_options,
    .args_size = sizeof(struct life_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = wrap,
};

static const struct vd_cli_option plain_options[] = {VD_KEY_SOCKET_OPTION, VD_KEY_JSON_OPTION, {}};

const struct vd_cli_command vd_key_rotate_command = {
    .name = "rotate",
    .usage = "NAME",
    .summary = "makes a new version, which from then on encrypts and signs",
    .options = plain_options,
    .args_size = sizeof(struct life_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = rotate,
};

static const struct vd_cli_option destroy_options[] = {
    OPTION("grace", VD_CLI_TEXT, grace,
           "how long it can be taken back, as in 30d (default: 7d); 0: not at all", "TIME"),
    OPTION("version", VD_CLI_U32, version, "that version alone", "N"),
    OPTION("yes", VD_CLI_FLAG, yes, "do not ask before destroying at once", NULL),
    VD_KEY_SOCKET_OPTION,
    VD_KEY_JSON_OPTION,
    {}};

const struct vd_cli_command vd_key_destroy_command = {
    .name = "destroy",
    .usage = "NAME [--grace TIME] [--version N] [--yes]",
    .summary = "destroys a key when its grace period has passed",
    .options = destroy_options,
    .args_size = sizeof(struct life_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = destroy,
};

static const struct vd_cli_option restore_options[] = {VD_KEY_SOCKET_OPTION, {}};

const struct vd_cli_command vd_key_restore_command = {
    .name = "restore",
    .usage = "NAME",
    .summary = "takes back a key whose grace period runs",
    .options = restore_options,
    .args_size = sizeof(struct life_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = restore,
};
