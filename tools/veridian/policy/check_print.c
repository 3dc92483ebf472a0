/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/check.h"

#include <stdlib.h>

#include "tools/analysis/layers.h"
#include "tools/veridian/policy/explain.h"

#define STATEMENT_MAX 4096u
#define RULES_SHOWN   3u /* for one counterexample, or one step of a path, as text */

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

/* Rules that bear on a verdict: printed, or added to a list. */
struct teller {
    const struct vd_rules *rules;
    FILE *out;
    json_t *list;
    uint32_t count;
};

static void tell_rule(void *arg, const struct vd_rule *rule, uint32_t via)
{
    struct teller *t = arg;
    struct vd_rule_view view = vd_rule_whole(rule);

    (void)via; /* the program of a domain transition stands in its rules */
    t->count++;
    if (t->list != NULL) {
        json_array_append_new(t->list, vd_rule_json(t->rules, &view));
        return;
    }
    if (t->count > RULES_SHOWN)
        return;
    fputs("#     ", t->out);
    vd_rule_write(t->rules, &view, t->out);
    vd_rule_write_place(t->rules, rule, t->out);
    fputc('\n', t->out);
}

/* True if the rule says something about the counterexample. */
static bool bears(const struct vd_check_verdict *v, const struct vd_rule *rule)
{
    const struct vd_counterexample *e = v->example;
    uint32_t count;
    const struct vd_pdb_cond_node *nodes;
    bool in_force;

    if ((rule->kind != VD_RULE_ALLOW && rule->kind != VD_RULE_DENY) || rule->class != e->class ||
        (rule->perms & e->perms) == 0 ||
        !vd_rulebook_reaches(&v->rules->book, &v->rules->db, rule, e->source, e->target))
        return false;
    nodes = vd_rulebook_cond(&v->rules->book, rule, &count);
    in_force = nodes == NULL ||
               vd_layers_condition(nodes, count, e->values) == ((rule->flags & VD_RULE_ELSE) == 0);
    /* What is allowed is allowed by rules in force; what lacks, for a deny or a condition. */
    return v->assertion->kind == VD_ASSERT_DENY ? in_force && rule->kind == VD_RULE_ALLOW : true;
}

static void tell_rules(const struct vd_check_verdict *v, struct teller *t)
{
    if (v->rules->book.head == NULL)
        return;
    for (uint32_t i = 0; i < v->rules->book.rule_count; i++) {
        if (bears(v, &v->rules->book.rules[i]))
            tell_rule(t, &v->rules->book.rules[i], 0);
    }
}

static const char *type_name(const struct vd_check_verdict *v, uint32_t type)
{
    return vd_policydb_name(&v->rules->db, VD_SYM_TYPE, type);
}

/* The booleans that differ from the policy's own. */
static json_t *bools_json(const struct vd_check_verdict *v)
{
    const struct vd_policydb *db = &v->rules->db;
    json_t *object = json_object();

    for (uint32_t i = 0; i < vd_policydb_header(db)->sections[VD_PDB_BOOLS].count; i++) {
        const struct vd_pdb_bool *row = vd_pdb_row(db, VD_PDB_BOOLS, i, sizeof(*row));
        if (row != NULL && row->name != 0 && (row->value != 0) != (v->example->values[i] != 0))
            json_object_set_new(object, vd_policydb_string(db, row->name),
                                json_integer(v->example->values[i]));
    }
    return object;
}

static void print_example(FILE *out, const struct vd_check_verdict *v)
{
    const struct vd_counterexample *e = v->example;
    struct teller t = {.rules = v->rules, .out = out};
    const char *name, *before = " under ";
    json_t *bools = bools_json(v), *value;

    fprintf(out, "# counterexample: %s %s:%s ", type_name(v, e->source), type_name(v, e->target),
            vd_policydb_name(&v->rules->db, VD_SYM_CLASS, e->class));
    vd_perms_write(&v->rules->db, e->class, e->perms, out);
    fprintf(out, " is %s", v->assertion->kind == VD_ASSERT_ALLOW ? "not allowed" : "allowed");
    json_object_foreach(bools, name, value)
    {
        fprintf(out, "%s%s=%d", before, name, (int)json_integer_value(value));
        before = " ";
    }
    fputc('\n', out);
    json_decref(bools);
    tell_rules(v, &t);
    if (t.count > RULES_SHOWN)
        fprintf(out, "#     and %u more rules\n", t.count - RULES_SHOWN);
}

/* The rules of one step of a path. */
static vd_status tell_step(const struct vd_check_verdict *v, uint32_t i, struct teller *t)
{
    struct vd_flow_step step = {
        .from = v->path->path[i], .to = v->path->path[i + 1], .max_programs = 1};

    t->rules = &v->judge->under;
    if (t->rules->book.head == NULL)
        return VD_OK;
    return v->assertion->kind == VD_ASSERT_NO_FLOW
               ? vd_flow_information_rules(t->rules, &v->judge->options, &step, tell_rule, t)
               : vd_flow_domain_rules(t->rules, &v->judge->options, &step, tell_rule, t);
}

static vd_status print_path(FILE *out, const struct vd_check_verdict *v)
{
    fprintf(out, "# counterexample: %s", type_name(v, v->path->path[0]));
    for (uint32_t i = 1; i <= v->path->length; i++)
        fprintf(out, " -> %s", type_name(v, v->path->path[i]));
    fputc('\n', out);
    for (uint32_t i = 0; i < v->path->length; i++) {
        struct teller t = {.out = out};
        fprintf(out, "#   %s -> %s\n", type_name(v, v->path->path[i]),
                type_name(v, v->path->path[i + 1]));
        VD_TRY(tell_step(v, i, &t));
        if (t.count > RULES_SHOWN)
            fprintf(out, "#     and %u more rules\n", t.count - RULES_SHOWN);
    }
    return VD_OK;
}

vd_status vd_check_print(FILE *out, const struct vd_check_verdict *verdict)
{
    char text[STATEMENT_MAX];

    statement(verdict->assertion, text, sizeof(text));
    fprintf(out, "%s %u - ", verdict->failures == 0 ? "ok" : "not ok", verdict->number);
    vd_foreign_write(verdict->assertion->file, out);
    fprintf(out, ":%u: %s\n", verdict->assertion->line, text);
    if (verdict->example != NULL)
        print_example(out, verdict);
    if (verdict->path != NULL)
        VD_TRY(print_path(out, verdict));
    if (verdict->failures > 1)
        fprintf(out, "# and %llu more%s\n", (unsigned long long)verdict->failures - 1,
                verdict->failures >= VD_ASSERTION_MAX_COUNTED ? ", perhaps others" : "");
    return VD_OK;
}

static json_t *example_json(const struct vd_check_verdict *v)
{
    const struct vd_counterexample *e = v->example;
    struct teller t = {.rules = v->rules, .list = json_array()};

    tell_rules(v, &t);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "source", type_name(v, e->source), "target",
                     type_name(v, e->target), "class",
                     vd_policydb_name(&v->rules->db, VD_SYM_CLASS, e->class), "permissions",
                     vd_explain_perms_json(&v->rules->db, e->class, e->perms), "booleans",
                     bools_json(v), "rules", t.list);
}

static json_t *path_json(const struct vd_check_verdict *v, vd_status *ret_status)
{
    json_t *types = json_array(), *steps = json_array();

    for (uint32_t i = 0; i <= v->path->length; i++)
        json_array_append_new(types, json_string(type_name(v, v->path->path[i])));
    for (uint32_t i = 0; i < v->path->length && *ret_status == VD_OK; i++) {
        struct teller t = {.list = json_array()};
        *ret_status = tell_step(v, i, &t);
        json_array_append_new(steps, t.list);
    }
    return json_pack("{s:o, s:o}", "path", types, "rules", steps);
}

vd_status vd_check_json(json_t *list, const struct vd_check_verdict *verdict)
{
    const struct vd_assertion *a = verdict->assertion;
    char text[STATEMENT_MAX];
    vd_status status = VD_OK;
    json_t *example = verdict->example != NULL ? example_json(verdict)
                      : verdict->path != NULL  ? path_json(verdict, &status)
                                               : json_null();

    statement(a, text, sizeof(text));
    json_array_append_new(list,
                          json_pack("{s:s, s:i, s:i, s:s, s:b, s:I, s:o}", "file", a->file, "line",
                                    (int)a->line, "column", (int)a->column, "assertion", text,
                                    "holds", verdict->failures == 0, "failures",
                                    (json_int_t)verdict->failures, "counterexample", example));
    return status;
}
