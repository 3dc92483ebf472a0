/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/suggest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "tools/analysis/request.h"
#include "tools/veridian/policy/open.h"

struct suggest_args {
    struct vd_cli_list bools;
    const char *log;
    bool rules_only, dontaudit, json;
};

static const struct vd_cli_option options[] = {
    {"log", 0, VD_CLI_TEXT, offsetof(struct suggest_args, log),
     "the log of denials; - for standard input", "FILE", "-", false},
    {"bool", 0, VD_CLI_LIST, offsetof(struct suggest_args, bools),
     "begin with this value of the boolean", "NAME=0|1", NULL, false},
    {"rules-only", 0, VD_CLI_FLAG, offsetof(struct suggest_args, rules_only), "switch no booleans",
     NULL, NULL, false},
    {"dontaudit", 0, VD_CLI_FLAG, offsetof(struct suggest_args, dontaudit),
     "allow nothing, but keep the denials out of the log", NULL, NULL, false},
    {"json", 0, VD_CLI_FLAG, offsetof(struct suggest_args, json), "print JSON", NULL, NULL, false},
    {},
};

struct session {
    const struct suggest_args *args;
    const char *name; /* of the log */
    struct vd_policy_file policy;
    struct vd_inquiry inquiry;
    struct vd_suggest suggest;
    uint8_t *values;
    uint64_t denials, unknown;
    struct vd_diag first; /* the first record that the policy does not know */
    struct vd_diag diag;
};

static vd_status receive(void *arg, const struct vd_record *record, uint64_t line)
{
    struct session *s = arg;
    struct vd_why_question question = {};
    struct vd_diag what = {};
    vd_status status;

    if (record->granted)
        return VD_OK;
    s->denials++;
    if (vd_request_resolve(&s->policy.db, record, &question, &what) != VD_REQUEST_KNOWN) {
        s->unknown++;
        if (s->first.status == VD_OK) {
            s->first = what;
            s->first.line = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line;
            vd_diag_file(&s->first, s->name);
        }
        return VD_OK;
    }
    status = vd_suggest_add(&s->suggest, &question, line);
    return status == VD_OK ? VD_OK
                           : vd_diagf_line(&s->diag, status, (uint32_t)line, 0,
                                           status == VD_E_LIMIT ? "more than %u different denials"
                                                                : "out of memory after %u denials",
                                           s->suggest.group_count);
}

static vd_status read_log(struct session *s)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes log = {};
    struct vd_record_counts counts = {};
    bool input = strcmp(s->args->log, "-") == 0;
    vd_status status;

    s->name = input ? "standard input" : s->args->log;
    VD_TRY(input ? vd_file_load_fd(STDIN_FILENO, s->name, VD_RECORD_MAX_LOG, &log, &s->diag)
                 : vd_file_load(s->args->log, VD_RECORD_MAX_LOG, &log, &s->diag));
    status = vd_record_log((const char *)log.data, log.size, receive, s, &counts);
    if (counts.damaged != 0) {
        vd_diag_file(&counts.first, s->name);
        vd_cli_print_warning(stderr, &counts.first);
        fprintf(stderr, "%llu damaged record%s passed over\n", (unsigned long long)counts.damaged,
                counts.damaged == 1 ? "" : "s");
    }
    if (s->unknown != 0)
        vd_cli_print_warning(stderr, &s->first);
    return status;
}

/* Silences every denied group; rules are merged as edits of one kind. */
static vd_status silence(struct session *s)
{
    for (uint32_t i = 0; i < s->suggest.group_count; i++) {
        struct vd_suggest_group *g = &s->suggest.groups[i];
        struct vd_why why = {};
        struct vd_edit edit = {.kind = VD_EDIT_ALLOW,
                               .source = g->question.source.type,
                               .target = g->question.target.type,
                               .class = g->question.class};
        VD_TRY(vd_why_judge(&s->inquiry, &g->question, &why));
        edit.perms = why.denied & why.decision.auditdeny;
        vd_why_done(&why);
        g->state = edit.perms == 0 ? VD_SUGGEST_ALLOWED : VD_SUGGEST_EDIT;
        if (edit.perms != 0)
            VD_TRY(vd_suggest_add_edit(&s->suggest, &edit, 0));
    }
    return VD_OK;
}

static vd_status open_session(struct session *s, const char *path)
{
    VD_TRY(vd_policy_file_open(path, VD_POLICY_OPEN_RULES, &s->args->bools, &s->policy, &s->diag));
    s->values = vd_setting_current(&s->policy.db);
    if (s->values == NULL ||
        vd_inquiry_init(&s->inquiry, &s->policy.db, &s->policy.book, s->values) != VD_OK ||
        vd_suggest_init(&s->suggest) != VD_OK)
        return vd_diag_fail(&s->diag, VD_E_NO_MEMORY, "out of memory");
    return VD_OK;
}

static vd_status report(struct session *s)
{
    struct vd_suggest_report r = {.inquiry = &s->inquiry,
                                  .suggest = &s->suggest,
                                  .denials = s->denials,
                                  .unknown = s->unknown,
                                  .dontaudit = s->args->dontaudit};

    if (s->args->json)
        return vd_json_print(vd_suggest_json(&r), &s->diag);
    vd_suggest_print(stdout, &r);
    return VD_OK;
}

/* SELinux's binary policy names no sources, and its neverallow rules are gone. */
static void warn_of_binary(const struct session *s, const char *path)
{
    if (s->args->dontaudit || s->policy.book.head->sections[VD_BOOK_FILES].count > 1)
        return;
    fprintf(stderr,
            "warning: %s comes from SELinux's binary form, which keeps no neverallow rules: what "
            "is proposed may break those of its sources\n",
            path);
}

static vd_status run(struct session *s, const char *path)
{
    vd_status status;

    VD_TRY(open_session(s, path));
    warn_of_binary(s, path);
    VD_TRY(read_log(s));
    status = s->args->dontaudit ? silence(s)
                                : vd_suggest_solve(&s->suggest, &s->inquiry, s->policy.bytes.data,
                                                   s->values, !s->args->rules_only);
    if (status != VD_OK)
        return vd_diag_fail(&s->diag, status, "the denials cannot be judged");
    return report(s);
}

/* True if a denial is left for which nothing could be proposed. */
static bool unsolved(const struct session *s)
{
    for (uint32_t i = 0; i < s->suggest.group_count; i++) {
        if (s->suggest.groups[i].state >= VD_SUGGEST_FORBIDDEN)
            return true;
    }
    return s->unknown != 0;
}

static int suggest(const struct vd_cli_call *call)
{
    struct session s = {.args = call->args};
    vd_status status = run(&s, call->operands[0]);
    bool left = unsolved(&s);

    vd_suggest_done(&s.suggest);
    vd_inquiry_done(&s.inquiry);
    free(s.values);
    vd_policy_file_done(&s.policy);
    if (status != VD_OK)
        return vd_cli_report(status, &s.diag);
    return left ? VD_EXIT_NO : VD_EXIT_YES;
}

const struct vd_cli_command vd_policy_suggest_command = {
    .name = "suggest",
    .usage = "[--log FILE] [--bool NAME=0|1]... [--rules-only] [--dontaudit] [--json] POLICY",
    .summary = "proposes the least that would have allowed a log's denials",
    .details =
        "Prints policy source that can be appended to the policy: booleans to switch first (as a\n"
        "comment), then attributes, role allows and rules, each the change that opens least. What\n"
        "a neverallow forbids is never proposed, alone or together with the rest, but listed.\n"
        "SELinux's binary policy has lost its neverallow rules: there a warning says so.\n"
        "Records are read as auditd, the kernel, the journal and veridian audit print them.\n"
        "\n"
        "Exit codes: 0 all is allowed with what is proposed; 1 something is left; 2 the policy or\n"
        "the call is wrong.\n"
        "\n"
        "Example: veridian policy suggest --log /var/log/audit/audit.log policy.vpol > more.te",
    .options = options,
    .args_size = sizeof(struct suggest_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = suggest,
};
