/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The area `audit`: reading the log that veridian-auditd writes. Options only;
 * the work is in audit/ and services/audit.
 */
#include "tools/veridian/areas.h"

#include "tools/veridian/audit/read.h"

#define LOG_OPTION(type)                                                    \
    {                                                                       \
        .name = "log", .kind = VD_CLI_TEXT, .store = offsetof(type, log),   \
        .help = "directory of the log", .argument = "DIR", .required = true \
    }
#define JSON_OPTION(type, help_)                                                          \
    {                                                                                     \
        .name = "json", .kind = VD_CLI_FLAG, .store = offsetof(type, json), .help = help_ \
    }

static const struct vd_cli_option tail_options[] = {
    LOG_OPTION(struct vd_audit_tail_args),
    {.name = "lines",
     .letter = 'n',
     .kind = VD_CLI_U64,
     .store = offsetof(struct vd_audit_tail_args, lines),
     .help = "how many of the newest records",
     .argument = "N",
     .standard = "10"},
    {.name = "follow",
     .letter = 'f',
     .kind = VD_CLI_FLAG,
     .store = offsetof(struct vd_audit_tail_args, follow),
     .help = "wait for more records"},
    JSON_OPTION(struct vd_audit_tail_args, "one JSON object a line"),
    {},
};

static int tail(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(vd_audit_tail(call->args, &diag), &diag);
}

static const struct vd_cli_command tail_command = {
    .name = "tail",
    .usage = "--log DIR [-n N] [--follow] [--json]",
    .summary = "prints the newest records",
    .details = "What is printed was verified against its hash. A record that does not verify ends\n"
               "the output with exit code 1.",
    .options = tail_options,
    .args_size = sizeof(struct vd_audit_tail_args),
    .run = tail,
};

static const struct vd_cli_option verify_options[] = {
    LOG_OPTION(struct vd_audit_verify_args),
    {.name = "expect-head",
     .kind = VD_CLI_TEXT,
     .store = offsetof(struct vd_audit_verify_args, expect_head),
     .help = "a head that was kept elsewhere: the log must contain it",
     .argument = "HEX"},
    JSON_OPTION(struct vd_audit_verify_args, "print JSON"),
    {},
};

static int verify(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};

    return vd_cli_report(vd_audit_verify_log(call->args, &diag), &diag);
}

static const struct vd_cli_command verify_command = {
    .name = "verify",
    .usage = "--log DIR [--expect-head HEX] [--json]",
    .summary = "checks every hash, link and record of the log",
    .details = "Exit codes: 0 it verifies; 1 something was changed, cut off or is missing: the\n"
               "message names segment, record and offset; 2 this is not a log. That the newest\n"
               "records were cut off together shows only against a head kept elsewhere.",
    .options = verify_options,
    .args_size = sizeof(struct vd_audit_verify_args),
    .run = verify,
};

#define FILTER(name_, kind_, member, help_, argument_)                                        \
    {                                                                                         \
        .name = name_, .kind = kind_, .store = offsetof(struct vd_audit_search_args, member), \
        .help = help_, .argument = argument_                                                  \
    }

static const struct vd_cli_option search_options[] = {
    LOG_OPTION(struct vd_audit_search_args),
    FILTER("type", VD_CLI_TEXT, type, "type of event", "TYPE"),
    FILTER("verdict", VD_CLI_TEXT, verdict, "allowed or denied", "VERDICT"),
    FILTER("pid", VD_CLI_TEXT, pid, "thread or process", "N"),
    FILTER("uid", VD_CLI_TEXT, uid, "user", "N"),
    FILTER("comm", VD_CLI_TEXT, comm, "task name", "NAME"),
    FILTER("path", VD_CLI_TEXT, path, "a part of the path", "TEXT"),
    FILTER("subject", VD_CLI_TEXT, subject, "a part of the subject's context", "TEXT"),
    FILTER("object", VD_CLI_TEXT, object, "a part of the object's context", "TEXT"),
    FILTER("class", VD_CLI_TEXT, class, "class name", "CLASS"),
    JSON_OPTION(struct vd_audit_search_args, "one JSON object a line"),
    {},
};

static int search(const struct vd_cli_call *call)
{
    struct vd_diag diag = {};
    uint64_t found = 0;
    vd_status status = vd_audit_search(call->args, &found, &diag);

    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    return found != 0 ? VD_EXIT_YES : VD_EXIT_NO;
}

static const struct vd_cli_command search_command = {
    .name = "search",
    .usage = "--log DIR [FILTER]... [--json]",
    .summary = "prints the records that fit every filter",
    .details =
        "Exit codes: 0 there is one; 1 there is none, or the log does not verify.\n"
        "\n"
        "Example: veridian audit search --log /var/log/veridian --verdict denied --path secret",
    .options = search_options,
    .args_size = sizeof(struct vd_audit_search_args),
    .run = search,
};

static const struct vd_cli_command *const verbs[] = {
    &tail_command,
    &search_command,
    &verify_command,
    NULL,
};

const struct vd_cli_command vd_area_audit = {
    .name = "audit",
    .summary = "the log of security events",
    .commands = verbs,
};
