/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/check.h"

#include <stdlib.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "tools/veridian/policy/open.h"

#define MESSAGE_MAX 4096u

struct check_args {
    struct vd_cli_list bools;
    bool json;
};

static const struct vd_cli_option options[] = {
    {"bool", 0, VD_CLI_LIST, offsetof(struct check_args, bools),
     "check as if the boolean had this value", "NAME=0|1", NULL, false},
    {"json", 0, VD_CLI_FLAG, offsetof(struct check_args, json), "print JSON", NULL, NULL, false},
    {},
};

struct check {
    struct vd_policy_file policy;
    struct vd_rules rules;
    struct vd_flow_judge judge;
    bool json;
    uint32_t number, failed; /* assertions so far */
    json_t *list;            /* NULL: text */
};

static void print_message(void *arg, const struct vd_sepolicy_message *message)
{
    char text[MESSAGE_MAX];

    (void)arg;
    (void)vd_sepolicy_format(message, text, sizeof(text));
    (void)fputs(text, stderr);
}

static vd_status undecided(const struct vd_assertion *a, vd_status status, struct vd_diag *diag)
{
    if (diag->status == VD_OK)
        (void)!vd_diag_fail(diag, status,
                            status == VD_E_LIMIT ? "too many booleans bear on this to try all"
                                                 : "this cannot be decided");
    vd_diag_file(diag, a->file);
    diag->line = a->line;
    diag->column = a->column;
    return status;
}

static vd_status tell(struct check *c, const struct vd_check_verdict *verdict)
{
    c->failed += verdict->failures != 0;
    return c->json ? vd_check_json(c->list, verdict) : vd_check_print(stdout, verdict);
}

static vd_status check_flow(struct check *c, struct vd_check_verdict *verdict, struct vd_diag *diag)
{
    struct vd_flow_result result = {};
    vd_status status = vd_flow_judge(&c->judge, verdict->assertion, &result, diag);

    if (status != VD_OK)
        return undecided(verdict->assertion, status, diag);
    verdict->failures = result.failures;
    verdict->judge = &c->judge;
    verdict->path = result.path == NULL ? NULL : &result;
    status = tell(c, verdict);
    free(result.path);
    return status;
}

static vd_status check_access(struct check *c, struct vd_check_verdict *verdict,
                              struct vd_diag *diag)
{
    struct vd_assertion_result result = {};
    vd_status status = vd_assertion_decide(&c->policy.db, verdict->assertion, &result);

    if (status != VD_OK)
        return undecided(verdict->assertion, status, diag);
    verdict->failures = result.failures;
    verdict->example = result.failures == 0 ? NULL : &result.example;
    status = tell(c, verdict);
    vd_assertion_result_done(&result);
    return status;
}

static vd_status check_all(struct check *c, const struct vd_assertions *list, struct vd_diag *diag)
{
    vd_status status = VD_OK;

    for (uint32_t i = 0; status == VD_OK && i < vd_assertions_count(list); i++) {
        struct vd_check_verdict verdict = {
            .rules = &c->rules, .assertion = vd_assertions_at(list, i), .number = ++c->number};
        status = verdict.assertion->kind == VD_ASSERT_NO_FLOW ||
                         verdict.assertion->kind == VD_ASSERT_NO_DOMAIN_FLOW
                     ? check_flow(c, &verdict, diag)
                     : check_access(c, &verdict, diag);
    }
    if (status == VD_OK && c->json) {
        json_t *rows = c->list;
        c->list = NULL;
        return vd_json_print(json_pack("{s:o, s:i, s:i}", "assertions", rows, "hold",
                                       (int)(c->number - c->failed), "fail", (int)c->failed),
                             diag);
    }
    if (status == VD_OK)
        printf("1..%u\n# %u of %u assertions hold\n", c->number, c->number - c->failed, c->number);
    return status;
}

static vd_status open_policy(struct check *c, const char *path, const struct check_args *args,
                             struct vd_diag *diag)
{
    VD_TRY(vd_policy_file_open(path, VD_POLICY_OPEN_ANY, &args->bools, &c->policy, diag));
    c->rules = (struct vd_rules){.db = c->policy.db, .book = c->policy.book};
    c->json = args->json;
    c->list = args->json ? json_array() : NULL;
    if (vd_flow_judge_init(&c->judge, &c->rules) != VD_OK)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    return VD_OK;
}

static int check(const struct vd_cli_call *call)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes text = {};
    struct vd_assertions *list = NULL;
    struct check c = {};
    struct vd_diag diag = {};
    vd_status status = open_policy(&c, call->operands[0], call->args, &diag);

    if (status == VD_OK)
        status = vd_file_load(call->operands[1], VD_ASSERTIONS_MAX_FILE, &text, &diag);
    if (status == VD_OK) {
        struct vd_sepolicy_source source = {
            .name = call->operands[1], .text = (char *)text.data, .size = text.size};
        status = vd_assertions_parse(&c.policy.db, &source, print_message, NULL, &list);
        if (status != VD_OK)
            (void)!vd_diag_fail(&diag, status, "the assertions have errors; none was checked");
    }
    if (status == VD_OK)
        status = check_all(&c, list, &diag);
    json_decref(c.list);
    vd_flow_judge_done(&c.judge);
    vd_assertions_free(list);
    vd_policy_file_done(&c.policy);
    if (status != VD_OK)
        return vd_cli_report(status, &diag);
    return c.failed == 0 ? VD_EXIT_YES : VD_EXIT_NO;
}

const struct vd_cli_command vd_policy_check_command = {
    .name = "check",
    .usage = "[--bool NAME=0|1]... [--json] POLICY FILE",
    .summary = "checks the assertions of a file against a compiled policy",
    .details =
        "Statements: must-allow SOURCE TARGET:CLASSES PERMISSIONS; and must-deny, with types,\n"
        "attributes and sets, or with both contexts in quotes, which asks constraints, levels and\n"
        "roles too; no-flow SOURCE TARGET [except TYPES] [weight N]; and no-domain-flow. Before the ';' may stand: always (under every setting of the booleans), ever\n"
        "(under at least one), under NAME=0|1 ...\n"
        "\n"
        "Exit codes: 0 all hold; 1 one does not, with a counterexample; 2 the policy or the file\n"
        "is wrong: FILE:LINE:COL: error: TEXT.\n"
        "\n"
        "Example: veridian policy check policy.vpol policy.assert",
    .options = options,
    .args_size = sizeof(struct check_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = check,
};
