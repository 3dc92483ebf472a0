/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/check.h"

#include <stdlib.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/json.h"
#include "tools/analysis/assertions.h"
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
    struct vd_policydb db;
    const struct vd_assertion *a;
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

/* The statement on one line, harmless to a terminal. */
static void statement(const struct vd_assertion *a, char *buf, size_t size)
{
    struct vd_text text;
    bool blank = false;

    vd_text_init(&text, buf, size);
    for (size_t i = 0; i < a->size; i++) {
        char c = a->text[i];
        if (c == '#') { /* a comment inside the statement */
            while (i + 1 < a->size && a->text[i + 1] != '\n')
                i++;
            continue;
        }
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
            blank = text.len != 0;
            continue;
        }
        if (blank)
            vd_text_str(&text, " ");
        blank = false;
        vd_text_foreign(&text, &c, 1);
    }
}

static json_t *perms_json(const struct check *c, const struct vd_counterexample *e)
{
    json_t *list = json_array();

    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(&c->db, e->class, bit);
        if ((e->perms >> bit & 1) != 0 && name != NULL)
            json_array_append_new(list, json_string(name));
    }
    return list;
}

/* The booleans that differ from the policy's own. */
static json_t *bools_json(const struct check *c, const struct vd_counterexample *e)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < vd_policydb_header(&c->db)->sections[VD_PDB_BOOLS].count; i++) {
        const struct vd_pdb_bool *row = vd_pdb_row(&c->db, VD_PDB_BOOLS, i, sizeof(*row));
        if (row != NULL && row->name != 0 && (row->value != 0) != (e->values[i] != 0))
            json_object_set_new(object, vd_policydb_string(&c->db, row->name),
                                json_integer(e->values[i]));
    }
    return object;
}

static json_t *example_json(const struct check *c, const struct vd_assertion_result *r)
{
    const struct vd_counterexample *e = &r->example;

    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "source",
                     vd_policydb_name(&c->db, VD_SYM_TYPE, e->source), "target",
                     vd_policydb_name(&c->db, VD_SYM_TYPE, e->target), "class",
                     vd_policydb_name(&c->db, VD_SYM_CLASS, e->class), "permissions",
                     perms_json(c, e), "booleans", bools_json(c, e));
}

/* One counterexample, as lines of the TAP stream. */
static void print_example(const struct check *c, const struct vd_assertion_result *r)
{
    const struct vd_counterexample *e = &r->example;
    const char *name, *before = " under ";
    json_t *perms = perms_json(c, e), *bools = bools_json(c, e), *value;

    printf("# counterexample: %s %s:%s {", vd_policydb_name(&c->db, VD_SYM_TYPE, e->source),
           vd_policydb_name(&c->db, VD_SYM_TYPE, e->target),
           vd_policydb_name(&c->db, VD_SYM_CLASS, e->class));
    for (size_t i = 0; i < json_array_size(perms); i++)
        printf(" %s", json_string_value(json_array_get(perms, i)));
    printf(" } is %s", c->a->kind == VD_ASSERT_ALLOW ? "not allowed" : "allowed");
    json_object_foreach(bools, name, value)
    {
        printf("%s%s=%d", before, name, (int)json_integer_value(value));
        before = " ";
    }
    putchar('\n');
    if (r->failures > 1)
        printf("# and %llu more%s\n", (unsigned long long)r->failures - 1,
               r->failures >= VD_ASSERTION_MAX_COUNTED ? ", perhaps others" : "");
    json_decref(perms);
    json_decref(bools);
}

static void tell(struct check *c, const struct vd_assertion_result *r)
{
    char text[MESSAGE_MAX];
    bool holds = r->failures == 0;

    statement(c->a, text, sizeof(text));
    if (c->list == NULL) {
        printf("%s %u - %s:%u: %s\n", holds ? "ok" : "not ok", c->number, c->a->file, c->a->line,
               text);
        if (!holds)
            print_example(c, r);
        return;
    }
    json_array_append_new(c->list, json_pack("{s:s, s:i, s:i, s:s, s:b, s:I, s:o*}", "file",
                                             c->a->file, "line", (int)c->a->line, "column",
                                             (int)c->a->column, "assertion", text, "holds", holds,
                                             "failures", (json_int_t)r->failures, "counterexample",
                                             holds ? NULL : example_json(c, r)));
}

static vd_status check_one(struct check *c, struct vd_diag *diag)
{
    struct vd_assertion_result result = {};
    vd_status status;

    if (c->a->kind == VD_ASSERT_NO_FLOW || c->a->kind == VD_ASSERT_NO_DOMAIN_FLOW)
        status = VD_E_UNSUPPORTED;
    else
        status = vd_assertion_decide(&c->db, c->a, &result);
    if (status != VD_OK) {
        vd_diag_file(diag, c->a->file);
        return vd_diagf_line(diag, status, c->a->line, c->a->column,
                             status == VD_E_LIMIT ? "too many booleans bear on this to try all"
                                                  : "this cannot be decided");
    }
    c->number++;
    c->failed += result.failures != 0;
    tell(c, &result);
    vd_assertion_result_done(&result);
    return VD_OK;
}

static vd_status check_all(struct check *c, const struct vd_assertions *list, bool json,
                           struct vd_diag *diag)
{
    vd_status status = VD_OK;

    if (json)
        c->list = json_array();
    for (uint32_t i = 0; status == VD_OK && i < vd_assertions_count(list); i++) {
        c->a = vd_assertions_at(list, i);
        status = check_one(c, diag);
    }
    if (json && status == VD_OK)
        status = vd_json_print(json_pack("{s:o, s:i, s:i}", "assertions", c->list, "hold",
                                         (int)(c->number - c->failed), "fail", (int)c->failed),
                               diag);
    else if (json)
        json_decref(c->list);
    else if (status == VD_OK)
        printf("1..%u\n# %u of %u assertions hold\n", c->number, c->number - c->failed, c->number);
    return status;
}

static int check(const struct vd_cli_call *call)
{
    const struct check_args *args = call->args;
    VD_AUTO(vd_policy_file_done) struct vd_policy_file policy = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes text = {};
    struct vd_assertions *list = NULL;
    struct check c = {};
    struct vd_diag diag = {};
    vd_status status =
        vd_policy_file_open(call->operands[0], VD_POLICY_OPEN_BLOB, &args->bools, &policy, &diag);

    c.db = policy.db;

    if (status == VD_OK)
        status = vd_file_load(call->operands[1], VD_ASSERTIONS_MAX_FILE, &text, &diag);
    if (status == VD_OK) {
        struct vd_sepolicy_source source = {
            .name = call->operands[1], .text = (char *)text.data, .size = text.size};
        status = vd_assertions_parse(&c.db, &source, print_message, NULL, &list);
        if (status != VD_OK)
            (void)!vd_diag_fail(&diag, status, "the assertions have errors; none was checked");
    }
    if (status == VD_OK)
        status = check_all(&c, list, args->json, &diag);
    vd_assertions_free(list);
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
        "roles too. Before the ';' may stand: always (under every setting of the booleans), ever\n"
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
