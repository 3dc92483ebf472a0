/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/load.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/policydb/policydb.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/secclient/admin.h"

struct load_args {
    const char *socket;
    uint32_t confirm_within;
    bool stage;
    bool commit;
    bool confirm;
    bool json;
};

#define SOCKET_OPTION(type)                                                                        \
    {                                                                                              \
        .name = "socket", .kind = VD_CLI_TEXT, .store = offsetof(type, socket),                    \
        .help = "where the security server listens", .argument = "PATH", .standard = VD_SEC_SOCKET \
    }
#define JSON_OPTION(type)                                                                        \
    {                                                                                            \
        .name = "json", .kind = VD_CLI_FLAG, .store = offsetof(type, json), .help = "print JSON" \
    }

static const struct vd_cli_option load_options[] = {
    {.name = "stage",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct load_args, stage),
     .help = "have the policy checked and kept, and put it in force with --commit"},
    {.name = "commit",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct load_args, commit),
     .help = "put the staged policy in force"},
    {.name = "confirm-within",
     .kind = VD_CLI_U32,
     .store = offsetof(struct load_args, confirm_within),
     .help = "go back to the policy before unless --confirm comes in time",
     .argument = "SECONDS"},
    {.name = "confirm",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct load_args, confirm),
     .help = "keep the policy that waits to be confirmed"},
    SOCKET_OPTION(struct load_args),
    JSON_OPTION(struct load_args),
    {},
};

/* Says which policy is in force after a change. */
static vd_status print_result(const struct vd_secadmin_result *result, bool staged, bool json,
                              struct vd_diag *diag)
{
    char checksum[17];

    snprintf(checksum, sizeof(checksum), "%016" PRIx64, result->checksum);
    if (json)
        return vd_json_print(json_pack("{s:I, s:s, s:b}", "sequence", (json_int_t)result->sequence,
                                       "checksum", checksum, "staged", staged),
                             diag);
    if (staged)
        printf("staged; in force is still policy %u, checksum %s\n", result->sequence, checksum);
    else
        printf("policy %u in force, checksum %s\n", result->sequence, checksum);
    return VD_OK;
}

static vd_status load_file(const struct load_args *args, const char *path,
                           struct vd_secadmin_result *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    struct vd_secadmin_load load = {.stage = args->stage, .confirm_s = args->confirm_within};
    vd_status status;

    VD_TRY(vd_file_load(path, VD_PDB_MAX_SIZE, &bytes, diag));
    load.data = bytes.data;
    load.size = vd_policydb_extent(bytes.data, bytes.size);
    status = vd_secadmin_load(args->socket, &load, ret, diag);
    if (status == VD_E_MAGIC)
        vd_diag_hint(diag, "compile the sources first: veridian policy compile -o policy.vpol");
    if (status != VD_OK && vd_status_class(status) == VD_CLASS_INPUT)
        vd_diag_file(diag, path);
    return status;
}

/* Exactly one of: a file, --commit, --confirm; and what goes with it. */
static vd_status check_load(const struct load_args *args, uint32_t files, struct vd_diag *diag)
{
    if (files + args->commit + args->confirm != 1)
        return vd_diag_fail(diag, VD_E_USAGE, "expected POLICY, or --commit, or --confirm");
    if (args->stage && (files == 0 || args->confirm_within != 0))
        return vd_diag_fail(
            diag, VD_E_USAGE,
            "--stage takes POLICY and no --confirm-within: that goes with --commit");
    if (args->confirm && args->confirm_within != 0)
        return vd_diag_fail(diag, VD_E_USAGE, "--confirm takes no --confirm-within");
    if (args->confirm_within > VD_SEC_CONFIRM_MAX_S)
        return vd_diagf(diag, VD_E_USAGE, "--confirm-within: at most %u seconds",
                        VD_SEC_CONFIRM_MAX_S);
    return VD_OK;
}

static vd_status perform_load(const struct load_args *args, const struct vd_cli_call *call,
                              struct vd_diag *diag)
{
    struct vd_secadmin_result result = {};

    VD_TRY(check_load(args, call->operand_count, diag));
    if (args->confirm)
        VD_TRY(vd_secadmin_simple(args->socket, VD_SEC_CONFIRM, &result, diag));
    else if (args->commit)
        VD_TRY(vd_secadmin_commit(args->socket, args->confirm_within, &result, diag));
    else
        VD_TRY(load_file(args, call->operands[0], &result, diag));
    return print_result(&result, args->stage, args->json, diag);
}

static int load(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(perform_load(call->args, call, &diag), &diag);
}

const struct vd_cli_command vd_policy_load_command = {
    .name = "load",
    .usage = "[--socket PATH] [--json] (POLICY [--stage | --confirm-within S]\n"
             "                    | --commit [--confirm-within S] | --confirm)",
    .summary = "gives the running security server another policy",
    .details =
        "The server checks the policy whole. One that does not verify is refused and changes\n"
        "nothing (exit code 2, with the offset); what is acknowledged is on the disk. Every\n"
        "answer is given under the old policy or the new one, never under parts of both.\n"
        "With --confirm-within the server goes back by itself unless --confirm comes in time:\n"
        "a policy that locks its administrator out undoes itself.\n"
        "\n"
        "Exit codes: 1 not allowed; 2 the policy or the call is wrong; 3 no server runs there.\n"
        "\n"
        "Example: veridian policy load policy.vpol --confirm-within 60",
    .options = load_options,
    .args_size = sizeof(struct load_args),
    .operands_max = 1,
    .run = load,
};

struct rollback_args {
    const char *socket;
    bool json;
};

static const struct vd_cli_option rollback_options[] = {
    SOCKET_OPTION(struct rollback_args),
    JSON_OPTION(struct rollback_args),
    {},
};

static int rollback(const struct vd_cli_call *call)
{
    const struct rollback_args *args = call->args;
    struct vd_secadmin_result result = {};
    struct vd_diag diag = {};
    vd_status status = vd_secadmin_simple(args->socket, VD_SEC_ROLLBACK, &result, &diag);

    if (status == VD_OK)
        status = print_result(&result, false, args->json, &diag);
    return vd_cli_report(status, &diag);
}

const struct vd_cli_command vd_policy_rollback_command = {
    .name = "rollback",
    .usage = "[--socket PATH] [--json]",
    .summary = "puts the policy before the one in force in force again",
    .details =
        "The server keeps the last four policies. Booleans keep the values they were set to.\n"
        "\n"
        "Exit codes: 1 not allowed; 2 there is no policy before; 3 no server runs there.\n"
        "\n"
        "Example: veridian policy rollback",
    .options = rollback_options,
    .args_size = sizeof(struct rollback_args),
    .run = rollback,
};
