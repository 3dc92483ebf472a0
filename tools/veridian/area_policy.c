/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The area `policy`: compiling and asking mandatory policies. Options only; the
 * work is in policy/ and tools/sepolicy.
 */
#include "tools/veridian/areas.h"

#include "tools/veridian/policy/check.h"
#include "tools/veridian/policy/compile.h"
#include "tools/veridian/policy/diff.h"
#include "tools/veridian/policy/explain.h"
#include "tools/veridian/policy/load.h"
#include "tools/veridian/policy/open.h"
#include "tools/veridian/policy/flow.h"
#include "tools/veridian/policy/query.h"
#include "tools/veridian/policy/query_json.h"
#include "tools/veridian/policy/search.h"
#include "tools/veridian/policy/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct query_args {
    bool batch, json;
    struct vd_cli_list bools;
};

static const struct vd_cli_option query_options[] = {
    {.name = "batch",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct query_args, batch),
     .help = "one query a line on standard input, one answer a line"},
    {.name = "bool",
     .kind = VD_CLI_LIST,
     .store = offsetof(struct query_args, bools),
     .help = "answer as if the boolean had this value",
     .argument = "NAME=0|1"},
    {.name = "json",
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct query_args, json),
     .help = "print JSON; not with --batch"},
    {},
};

/* One query, its answer printed as a line or an object. */
static enum vd_policy_answer one_query(const struct vd_policydb *db, const struct vd_cli_call *call,
                                       struct vd_diag *diag)
{
    const struct query_args *args = call->args;
    char *line = NULL;
    size_t size = 0;
    FILE *out = args->json ? open_memstream(&line, &size) : stdout;
    enum vd_policy_answer answer;
    vd_status status = VD_OK;

    if (out == NULL) {
        (void)vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
        return VD_POLICY_ANSWER_UNKNOWN;
    }
    answer = vd_policy_query_words(db, call->operands + 1, call->operand_count - 1, out, diag);
    if (!args->json)
        return answer;
    if (fclose(out) != 0)
        status = vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    else if (answer != VD_POLICY_ANSWER_UNKNOWN) /* what is unknown is said by the message */
        status = vd_json_print(vd_policy_query_json(line), diag);
    free(line);
    return status == VD_OK ? answer : VD_POLICY_ANSWER_UNKNOWN;
}

static int answer(const struct vd_policydb *db, const struct vd_cli_call *call,
                  struct vd_diag *diag)
{
    const struct query_args *args = call->args;

    if (args->batch)
        return vd_cli_report(vd_policy_query_batch(db, STDIN_FILENO, stdout, diag), diag);
    switch (one_query(db, call, diag)) {
    case VD_POLICY_ANSWER_YES:
        return VD_EXIT_YES;
    case VD_POLICY_ANSWER_NO:
        return VD_EXIT_NO;
    case VD_POLICY_ANSWER_UNKNOWN:
    default:
        return vd_cli_report(diag->status, diag);
    }
}

static int query(const struct vd_cli_call *call)
{
    const struct query_args *args = call->args;
    struct vd_diag diag = {};
    VD_AUTO(vd_policy_file_done) struct vd_policy_file file = {};
    vd_status status;

    if (args->batch != (call->operand_count == 1))
        return vd_cli_report(vd_diag_fail(&diag, VD_E_USAGE,
                                          "expected POLICY SCON TCON CLASS, or POLICY and --batch"),
                             &diag);
    if (args->batch && args->json)
        return vd_cli_report(
            vd_diag_fail(&diag, VD_E_USAGE, "--json does not go with --batch, which prints lines"),
            &diag);
    status =
        vd_policy_file_open(call->operands[0], VD_POLICY_OPEN_BLOB, &args->bools, &file, &diag);
    return status == VD_OK ? answer(&file.db, call, &diag) : vd_cli_report(status, &diag);
}

static const struct vd_cli_command query_command = {
    .name = "query",
    .usage = "[--bool NAME=0|1]... POLICY (SCON TCON CLASS [--json] | --batch)",
    .summary = "asks a compiled policy what it allows",
    .details =
        "Prints: av allowed={...} auditallow={...} auditdeny={...} missing-by=TCRB, where\n"
        "missing-by names the layers that took a permission away: T type rules, C\n"
        "constraints and MLS, R role allow, B type bounds. Exit code 1: nothing is allowed.\n"
        "\n"
        "A query may begin with a verb: av SCON TCON CLASS, transition SCON TCON CLASS [NAME],\n"
        "create SCON TCON CLASS [NAME] (by the rule of SELinux's kernel, which enforcement\n"
        "uses: a socket is as its creator), change SCON TCON CLASS, member SCON TCON CLASS,\n"
        "valid CON, permissive CON,\n"
        "validatetrans OLD NEW TASK CLASS, xperm SCON TCON CLASS ioctl|nlmsg NUMBER (one\n"
        "command or message: xperm allowed=0|1 auditallow=0|1 dontaudit=0|1),\n"
        "label fs_use FS, label genfs FS PATH [CLASS], label port PROTOCOL NUMBER,\n"
        "label node ADDRESS, label netif NAME, label ibpkey PREFIX KEY,\n"
        "label ibendport DEVICE PORT. With --batch what is unknown is answered\n"
        "error=context, error=class, error=argument or\n"
        "error=verb; blank lines and lines that begin with # are passed over.\n"
        "\n"
        "POLICY is a compiled policy or a binary policy of SELinux's kernel, version 30 to 35.\n"
        "\n"
        "Example: veridian policy query policy.vpol system_u:system_r:init_t \\\n"
        "             system_u:object_r:etc_t file",
    .options = query_options,
    .args_size = sizeof(struct query_args),
    .operands_min = 1,
    .operands_max = 1 + VD_POLICY_QUERY_WORDS,
    .run = query,
};

static const struct vd_cli_command *const verbs[] = {
    /* One a line: each verb's row comes and goes alone. */
    &vd_policy_compile_command,  //
    &query_command,              //
    &vd_policy_explain_command,  //
    &vd_policy_search_command,   //
    &vd_policy_flow_command,     //
    &vd_policy_check_command,    //
    &vd_policy_suggest_command,  //
    &vd_policy_diff_command,     //
    &vd_policy_load_command,     //
    &vd_policy_rollback_command, //
    &vd_policy_booleans_command, //
    &vd_policy_server_command,   //
    NULL,
};

const struct vd_cli_command vd_area_policy = {
    .name = "policy",
    .summary = "compiles, asks and loads mandatory access policies",
    .commands = verbs,
};
