/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/explain.h"

#include "core/mac/transition.h"
#include "tools/analysis/change_text.h"
#include "tools/analysis/rules.h"

#define CONTEXT_BYTES (32u << 10) /* two levels of 512 categories that are no neighbours */
#define CHANGES_SHOWN 10u

struct page {
    FILE *out;
    const struct vd_inquiry *q;
    const struct vd_why *why;
};

static const char *type(const struct page *p, uint32_t number)
{
    return vd_policydb_name(p->q->db, VD_SYM_TYPE, number);
}

static const char *class(const struct page *p)
{
    return vd_policydb_name(p->q->db, VD_SYM_CLASS, p->why->question.class);
}

static void perms(const struct page *p, uint32_t mask)
{
    vd_perms_write(p->q->db, p->why->question.class, mask, p->out);
}

static void context(const struct page *p, const struct vd_context *c)
{
    char buf[CONTEXT_BYTES];
    struct vd_text text;

    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(p->q->db, c, &text);
    fputs(buf, p->out);
}

static void headline(const struct page *p)
{
    const struct vd_why_question *asked = &p->why->question;

    fputs(p->why->denied == 0 ? "allowed: " : "denied: ", p->out);
    context(p, &asked->source);
    fputc(' ', p->out);
    context(p, &asked->target);
    fprintf(p->out, " %s ", class(p));
    perms(p, p->why->denied == 0 ? asked->perms : p->why->denied);
    fputc('\n', p->out);
    if (asked->key != 0)
        fprintf(p->out, "  number 0x%x\n", asked->key & VD_XPERM_NUMBER_MAX);
    if (p->why->denied != 0 && p->why->denied != asked->perms) {
        fputs("  allowed are ", p->out);
        perms(p, asked->perms & ~p->why->denied);
        fputc('\n', p->out);
    }
}

/* "PLACE: RULE", then through which attributes and under which condition. */
static void rule(const struct page *p, const struct vd_why_rule *r)
{
    const struct vd_why_question *asked = &p->why->question;
    uint32_t source = vd_why_through(p->q, r->rule->source, asked->source.type);
    uint32_t target = vd_why_through(p->q, r->rule->target, asked->target.type);
    uint32_t count;
    const struct vd_pdb_cond_node *nodes = vd_rulebook_cond(p->q->book, r->rule, &count);

    fputs("    ", p->out);
    vd_inquiry_write_place(p->q, r->rule, p->out);
    fputs(": ", p->out);
    vd_inquiry_write_rule(p->q, r->rule, p->out);
    fputc('\n', p->out);
    if (source != 0 && source != asked->source.type)
        fprintf(p->out, "        %s is in %s\n", type(p, asked->source.type), type(p, source));
    if (target != 0 && target != asked->target.type)
        fprintf(p->out, "        %s is in %s\n", type(p, asked->target.type), type(p, target));
    if (nodes == NULL)
        return;
    fputs("        if ", p->out);
    vd_condition_write(p->q->db, nodes, count, p->out);
    fprintf(p->out, " is %s, which it is%s\n",
            (r->rule->flags & VD_RULE_ELSE) != 0 ? "false" : "true", r->in_force ? "" : " not");
}

static void rules(const struct page *p, const char *title, uint8_t kind, bool in_force)
{
    bool first = true;

    for (uint32_t i = 0; i < p->why->rule_count; i++) {
        const struct vd_why_rule *r = &p->why->rules[i];
        if (r->rule->kind != kind || r->in_force != in_force)
            continue;
        if (first)
            fprintf(p->out, "  %s\n", title);
        first = false;
        rule(p, r);
    }
}

static void lack(const struct page *p, uint32_t pair)
{
    const struct vd_rule *deny = p->why->taken[pair];

    fprintf(p->out, pair == 0 ? "  T no rule allows " : "  B no rule allows the bounding types ");
    fprintf(p->out, "%s %s:%s ", type(p, p->why->layers.pairs[pair].source),
            type(p, p->why->layers.pairs[pair].target), class(p));
    perms(p, p->why->lacks[pair]);
    fputc('\n', p->out);
    if (deny == NULL)
        return;
    fputs("    ", p->out);
    vd_inquiry_write_place(p->q, deny, p->out);
    fputs(": ", p->out);
    vd_inquiry_write_rule(p->q, deny, p->out);
    fputs(" takes it away after all allow rules\n", p->out);
}

static void reason(void *arg, const struct vd_trace *trace, const struct vd_trace_reason *r)
{
    FILE *out = arg;

    fputs("      ", out);
    vd_trace_print_node(trace, r->node, out);
    fprintf(out, " is %s: ", r->value ? "true" : "false");
    vd_trace_print_values(trace, r->node, out);
    fputc('\n', out);
}

static void constraint(const struct page *p, const struct vd_why_constraint *c)
{
    const struct vd_rule *r = vd_why_constraint_rule(p->q, c->first);
    struct vd_cx cx = vd_why_values(p->why, c->pair);
    struct vd_trace trace;

    fputs(c->pair == 0 ? "  C a constraint forbids "
                       : "  B a constraint forbids the bounding types ",
          p->out);
    perms(p, c->perms);
    fputs("\n    ", p->out);
    if (r != NULL) {
        vd_inquiry_write_place(p->q, r, p->out);
        fputs(": ", p->out);
    }
    if (vd_trace_constraint(p->q->db, &cx, c->first, &trace) != VD_OK)
        return;
    if (r != NULL && r->name != 0) {
        trace.written = vd_rulebook_string(p->q->book, r->name);
        vd_foreign_write(trace.written, p->out);
    } else
        vd_trace_print(&trace, p->out);
    fputc('\n', p->out);
    vd_trace_reasons(&trace, reason, p->out);
    vd_trace_done(&trace);
}

static void obstacles(const struct page *p)
{
    const struct vd_why_question *asked = &p->why->question;

    for (uint32_t i = 0; i < p->why->layers.count; i++) {
        if (p->why->lacks[i] != 0)
            lack(p, i);
    }
    if (p->why->extended != 0) {
        fprintf(p->out, "  X its number 0x%x is not among those that are allowed for ",
                asked->key & VD_XPERM_NUMBER_MAX);
        perms(p, p->why->extended);
        fputc('\n', p->out);
    }
    for (uint32_t i = 0; i < p->why->constraint_count; i++)
        constraint(p, &p->why->constraints[i]);
    if (p->why->role == 0)
        return;
    fprintf(p->out, "  R role %s may not become role %s, which ",
            vd_policydb_name(p->q->db, VD_SYM_ROLE, asked->source.role),
            vd_policydb_name(p->q->db, VD_SYM_ROLE, asked->target.role));
    perms(p, p->why->role);
    fputs(" needs\n", p->out);
}

static void refusal(const struct page *p, const struct vd_refusal *r)
{
    fputs("        refused: ", p->out);
    vd_inquiry_write_place(p->q, r->rule, p->out);
    fputs(": ", p->out);
    vd_inquiry_write_rule(p->q, r->rule, p->out);
    fprintf(p->out, " forbids %s %s:%s ", type(p, r->source), type(p, r->target),
            vd_policydb_name(p->q->db, VD_SYM_CLASS, r->rule->class));
    vd_perms_write(p->q->db, r->rule->class, r->perms, p->out);
    fputc('\n', p->out);
}

static void change(const struct page *p, const struct vd_change *c, uint32_t number)
{
    fprintf(p->out, "  %2u. ", number);
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->edits[i].kind == VD_EDIT_BOOLEAN)
            fputs("boolean ", p->out);
        vd_edit_write(p->q->db, &c->edits[i], p->out);
        fputc(' ', p->out);
    }
    fprintf(p->out, "(opens %llu)\n", (unsigned long long)c->opens);
    if (c->refusal.rule != NULL)
        refusal(p, &c->refusal);
}

/* Each change is forbidden: by which rule the one that opens least is. */
static void all_refused(const struct page *p, const struct vd_changes *changes)
{
    if (changes->count == 1)
        fputs("a neverallow forbids the change that would allow it (--refused shows it):\n",
              p->out);
    else
        fprintf(p->out,
                "a neverallow forbids each of the %u changes that would allow it"
                " (--refused lists them); the first:\n",
                changes->count);
    refusal(p, &changes->list[0].refusal);
}

static void list_changes(const struct page *p, const struct vd_changes *changes, bool with_refused)
{
    uint32_t number = 0, shown = 0, left = 0, refused = 0;

    for (uint32_t i = 0; i < changes->count; i++)
        refused += changes->list[i].refusal.rule != NULL;
    number = with_refused ? changes->count : changes->count - refused;
    if (number == 0 && changes->count != 0) {
        all_refused(p, changes);
        return;
    }
    if (number == 0) {
        fputs("no boolean, attribute or rule of this policy changes it\n", p->out);
        return;
    }
    fputs("changes that allow it, those that open least first:\n", p->out);
    for (uint32_t i = 0; i < changes->count; i++) {
        if (changes->list[i].refusal.rule != NULL && !with_refused)
            continue;
        if (shown == CHANGES_SHOWN)
            left++;
        else
            change(p, &changes->list[i], ++shown);
    }
    if (left != 0)
        fprintf(p->out, "  and %u more (--json lists all)\n", left);
    if (refused != 0 && !with_refused)
        fprintf(p->out, "  a neverallow forbids %u more (--refused lists %s)\n", refused,
                refused == 1 ? "it" : "them");
}

void vd_explain_print(FILE *out, const struct vd_inquiry *inquiry, const struct vd_why *why,
                      const struct vd_changes *changes, bool with_refused)
{
    struct page p = {.out = out, .q = inquiry, .why = why};

    headline(&p);
    if (why->denied != 0)
        obstacles(&p);
    rules(&p, "rules that allow it:", VD_RULE_ALLOW, true);
    rules(&p, "rules on its numbers:", VD_RULE_ALLOWXPERM, true);
    if (why->lacks[0] != 0)
        rules(&p, "rules that would, but their condition does not hold:", VD_RULE_ALLOW, false);
    if ((why->denied & ~why->decision.auditdeny) != 0)
        rules(&p, "the denial is not recorded:", VD_RULE_DONTAUDIT, true);
    if (why->denied != 0 && (why->decision.flags & VD_DECISION_PERMISSIVE) != 0)
        fprintf(out, "  %s is permissive: the access is let pass, and recorded\n",
                type(&p, why->question.source.type));
    if (why->denied != 0)
        list_changes(&p, changes, with_refused);
}
