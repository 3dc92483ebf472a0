/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/explain.h"

#include <stdlib.h>

#include "core/mac/transition.h"
#include "tools/analysis/change_text.h"
#include "tools/analysis/rules.h"

#define CONTEXT_BYTES (32u << 10) /* two levels of 512 categories that are no neighbours */

/* A text that is printed piece by piece. */
struct sheet {
    FILE *out;
    char *text;
    size_t size;
};

static bool sheet_begin(struct sheet *s)
{
    *s = (struct sheet){};
    s->out = open_memstream(&s->text, &s->size);
    return s->out != NULL;
}

static json_t *sheet_json(struct sheet *s)
{
    json_t *value = NULL;

    if (s->out != NULL && fclose(s->out) == 0)
        value = json_string(s->text);
    free(s->text);
    return value;
}

json_t *vd_explain_perms_json(const struct vd_policydb *db, uint32_t class, uint32_t perms)
{
    json_t *list = json_array();

    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(db, class, bit);
        if ((perms >> bit & 1) != 0 && name != NULL)
            json_array_append_new(list, json_string(name));
    }
    return list;
}

static json_t *context_json(const struct vd_policydb *db, const struct vd_context *context)
{
    char buf[CONTEXT_BYTES];
    struct vd_text text;

    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(db, context, &text);
    return json_string(buf);
}

static json_t *place_json(const struct vd_inquiry *q, const struct vd_rule *rule)
{
    struct sheet s;

    if (rule == NULL || vd_rulebook_file(q->book, rule) == NULL || !sheet_begin(&s))
        return json_null();
    vd_inquiry_write_place(q, rule, s.out);
    return sheet_json(&s);
}

static json_t *rule_json(const struct vd_inquiry *q, const struct vd_rule *rule)
{
    struct sheet s;

    if (!sheet_begin(&s))
        return NULL;
    vd_inquiry_write_rule(q, rule, s.out);
    return sheet_json(&s);
}

static json_t *condition_json(const struct vd_inquiry *q, const struct vd_rule *rule)
{
    uint32_t count;
    const struct vd_pdb_cond_node *nodes = vd_rulebook_cond(q->book, rule, &count);
    struct sheet s;

    if (nodes == NULL || !sheet_begin(&s))
        return json_null();
    if ((rule->flags & VD_RULE_ELSE) != 0)
        fputs("!(", s.out);
    vd_condition_write(q->db, nodes, count, s.out);
    if ((rule->flags & VD_RULE_ELSE) != 0)
        fputs(")", s.out);
    return sheet_json(&s);
}

static json_t *through_json(const struct vd_inquiry *q, uint32_t set, uint32_t type)
{
    uint32_t through = vd_why_through(q, set, type);

    return through == 0 ? json_null() : json_string(vd_policydb_name(q->db, VD_SYM_TYPE, through));
}

static json_t *rules_json(const struct vd_inquiry *q, const struct vd_why *why, uint8_t kind)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < why->rule_count; i++) {
        const struct vd_why_rule *r = &why->rules[i];
        if (r->rule->kind != kind)
            continue;
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "rule", rule_json(q, r->rule), "place",
                      place_json(q, r->rule), "permissions",
                      vd_explain_perms_json(q->db, why->question.class, r->perms), "source_through",
                      through_json(q, r->rule->source, why->question.source.type), "target_through",
                      through_json(q, r->rule->target, why->question.target.type), "condition",
                      condition_json(q, r->rule), "in_force", r->in_force));
    }
    return list;
}

static void add_reason(void *arg, const struct vd_trace *trace,
                       const struct vd_trace_reason *reason)
{
    struct sheet test, values;
    json_t *t, *v;

    if (!sheet_begin(&test))
        return;
    vd_trace_print_node(trace, reason->node, test.out);
    t = sheet_json(&test);
    if (!sheet_begin(&values)) {
        json_decref(t);
        return;
    }
    vd_trace_print_values(trace, reason->node, values.out);
    v = sheet_json(&values);
    json_array_append_new(
        arg, json_pack("{s:o, s:o, s:b}", "test", t, "values", v, "is", reason->value));
}

/* The text of a constraint: as written where it is known, else as the policy holds it. */
static json_t *constraint_text(const struct vd_inquiry *q, const struct vd_rule *rule,
                               const struct vd_trace *trace)
{
    struct sheet s;

    if (rule != NULL && rule->name != 0)
        return json_string(vd_rulebook_string(q->book, rule->name));
    if (!sheet_begin(&s))
        return NULL;
    vd_trace_print(trace, s.out);
    return sheet_json(&s);
}

static json_t *constraint_json(const struct vd_inquiry *q, const struct vd_why *why,
                               const struct vd_why_constraint *c)
{
    const struct vd_rule *rule = vd_why_constraint_rule(q, c->first);
    struct vd_cx cx = vd_why_values(why, c->pair);
    json_t *reasons = json_array(), *text;
    struct vd_trace trace;

    if (vd_trace_constraint(q->db, &cx, c->first, &trace) != VD_OK) {
        json_decref(reasons);
        return NULL;
    }
    if (rule != NULL && rule->name != 0)
        trace.written = vd_rulebook_string(q->book, rule->name);
    vd_trace_reasons(&trace, add_reason, reasons);
    text = constraint_text(q, rule, &trace);
    vd_trace_done(&trace);
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o}", "layer", c->pair == 0 ? "C" : "B",
                     "permissions", vd_explain_perms_json(q->db, why->question.class, c->perms),
                     "source_type", vd_policydb_name(q->db, VD_SYM_TYPE, cx.source_type),
                     "target_type", vd_policydb_name(q->db, VD_SYM_TYPE, cx.target_type),
                     "constraint", text, "place", place_json(q, rule), "false", reasons);
}

static json_t *lack_json(const struct vd_inquiry *q, const struct vd_why *why, uint32_t pair)
{
    const struct vd_rule *deny = why->taken[pair];

    return json_pack(
        "{s:s, s:o, s:s, s:s, s:o, s:o}", "layer", pair == 0 ? "T" : "B", "permissions",
        vd_explain_perms_json(q->db, why->question.class, why->lacks[pair]), "source_type",
        vd_policydb_name(q->db, VD_SYM_TYPE, why->layers.pairs[pair].source), "target_type",
        vd_policydb_name(q->db, VD_SYM_TYPE, why->layers.pairs[pair].target), "deny",
        deny == NULL ? json_null() : rule_json(q, deny), "place", place_json(q, deny));
}

static json_t *obstacles_json(const struct vd_inquiry *q, const struct vd_why *why)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < why->layers.count; i++) {
        if (why->lacks[i] != 0)
            json_array_append_new(list, lack_json(q, why, i));
    }
    if (why->extended != 0)
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:I}", "layer", "X", "permissions",
                            vd_explain_perms_json(q->db, why->question.class, why->extended),
                            "number", (json_int_t)(why->question.key & VD_XPERM_NUMBER_MAX)));
    for (uint32_t i = 0; i < why->constraint_count; i++)
        json_array_append_new(list, constraint_json(q, why, &why->constraints[i]));
    if (why->role != 0)
        json_array_append_new(
            list,
            json_pack("{s:s, s:o, s:s, s:s}", "layer", "R", "permissions",
                      vd_explain_perms_json(q->db, why->question.class, why->role), "source_role",
                      vd_policydb_name(q->db, VD_SYM_ROLE, why->question.source.role),
                      "target_role",
                      vd_policydb_name(q->db, VD_SYM_ROLE, why->question.target.role)));
    return list;
}

json_t *vd_explain_edit_json(const struct vd_policydb *db, const struct vd_edit *edit)
{
    struct sheet s;

    if (!sheet_begin(&s))
        return NULL;
    vd_edit_write(db, edit, s.out);
    return sheet_json(&s);
}

json_t *vd_explain_refusal_json(const struct vd_inquiry *inquiry, const struct vd_refusal *refusal)
{
    if (refusal->rule == NULL)
        return json_null();
    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:o}", "rule", rule_json(inquiry, refusal->rule),
                     "place", place_json(inquiry, refusal->rule), "source_type",
                     vd_policydb_name(inquiry->db, VD_SYM_TYPE, refusal->source), "target_type",
                     vd_policydb_name(inquiry->db, VD_SYM_TYPE, refusal->target), "class",
                     vd_policydb_name(inquiry->db, VD_SYM_CLASS, refusal->rule->class),
                     "permissions",
                     vd_explain_perms_json(inquiry->db, refusal->rule->class, refusal->perms));
}

static json_t *change_json(const struct vd_inquiry *q, const struct vd_change *change)
{
    json_t *statements = json_array(), *bools = json_object();

    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        if (e->kind == VD_EDIT_BOOLEAN)
            json_object_set_new(bools, vd_policydb_name(q->db, VD_SYM_BOOL, e->source),
                                json_integer(e->target));
        else
            json_array_append_new(statements, vd_explain_edit_json(q->db, e));
    }
    return json_pack("{s:I, s:o, s:o, s:o}", "opens", (json_int_t)change->opens, "statements",
                     statements, "booleans", bools, "refused",
                     vd_explain_refusal_json(q, &change->refusal));
}

static json_t *changes_json(const struct vd_inquiry *q, const struct vd_changes *changes,
                            bool with_refused)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < changes->count; i++) {
        if (with_refused || changes->list[i].refusal.rule == NULL)
            json_array_append_new(list, change_json(q, &changes->list[i]));
    }
    return list;
}

json_t *vd_explain_json(const struct vd_inquiry *inquiry, const struct vd_why *why,
                        const struct vd_changes *changes, bool with_refused)
{
    const struct vd_why_question *asked = &why->question;
    uint32_t class = asked->class;

    return json_pack(
        "{s:o, s:o, s:s, s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "source",
        context_json(inquiry->db, &asked->source), "target",
        context_json(inquiry->db, &asked->target), "class",
        vd_policydb_name(inquiry->db, VD_SYM_CLASS, class), "permissions",
        vd_explain_perms_json(inquiry->db, class, asked->perms), "verdict",
        why->denied == 0 ? "allowed" : "denied", "denied",
        vd_explain_perms_json(inquiry->db, class, why->denied), "permissive",
        (why->decision.flags & VD_DECISION_PERMISSIVE) != 0, "unrecorded",
        vd_explain_perms_json(inquiry->db, class, why->denied & ~why->decision.auditdeny), "rules",
        rules_json(inquiry, why, VD_RULE_ALLOW), "dontaudit",
        rules_json(inquiry, why, VD_RULE_DONTAUDIT), "extended",
        rules_json(inquiry, why, VD_RULE_ALLOWXPERM), "obstacles", obstacles_json(inquiry, why),
        "changes", changes_json(inquiry, changes, with_refused));
}
