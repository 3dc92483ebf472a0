/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/suggest.h"

#include <stdlib.h>

#include "tools/analysis/change_text.h"
#include "tools/analysis/rules.h"
#include "tools/veridian/policy/explain.h"

static int compare(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

/* By kind and source; rules so that those which differ in the target alone stand together. */
static int order(const void *a, const void *b)
{
    const struct vd_edit *x = &((const struct vd_suggest_edit *)a)->edit;
    const struct vd_edit *y = &((const struct vd_suggest_edit *)b)->edit;
    int result = compare(x->kind, y->kind);

    if (result == 0)
        result = compare(x->source, y->source);
    if (result == 0)
        result = compare(x->class, y->class);
    if (result == 0)
        result = compare(x->perms, y->perms);
    if (result == 0)
        result = compare(x->key, y->key);
    return result != 0 ? result : compare(x->target, y->target);
}

/* True if both can be one statement. */
static bool one_statement(const struct vd_edit *a, const struct vd_edit *b)
{
    return a->kind == VD_EDIT_ALLOW && b->kind == VD_EDIT_ALLOW && a->source == b->source &&
           a->class == b->class && a->perms == b->perms;
}

/* How many edits from `first` on are one statement. */
static uint32_t run_of(const struct vd_suggest *s, uint32_t first)
{
    uint32_t count = 1;

    while (first + count < s->edit_count &&
           one_statement(&s->edits[first].edit, &s->edits[first + count].edit))
        count++;
    return count;
}

static void statement(const struct vd_suggest_report *r, uint32_t first, uint32_t count, FILE *out)
{
    const struct vd_policydb *db = r->inquiry->db;
    const struct vd_suggest_edit *edits = &r->suggest->edits[first];

    if (edits[0].edit.kind != VD_EDIT_ALLOW) {
        vd_edit_write(db, &edits[0].edit, out);
        return;
    }
    fprintf(out, "%s %s ", r->dontaudit ? "dontaudit" : "allow",
            vd_policydb_name(db, VD_SYM_TYPE, edits[0].edit.source));
    fputs(count > 1 ? "{ " : "", out);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%s%s",
                edits[i].edit.source == edits[i].edit.target
                    ? "self"
                    : vd_policydb_name(db, VD_SYM_TYPE, edits[i].edit.target),
                count > 1 ? " " : "");
    fprintf(out, "%s:%s ", count > 1 ? "}" : "",
            vd_policydb_name(db, VD_SYM_CLASS, edits[0].edit.class));
    vd_perms_write(db, edits[0].edit.class, edits[0].edit.perms, out);
    fputc(';', out);
}

static void group(const struct vd_suggest_report *r, const struct vd_suggest_group *g, FILE *out)
{
    const struct vd_policydb *db = r->inquiry->db;

    fprintf(out, "%s %s:%s ", vd_policydb_name(db, VD_SYM_TYPE, g->question.source.type),
            vd_policydb_name(db, VD_SYM_TYPE, g->question.target.type),
            vd_policydb_name(db, VD_SYM_CLASS, g->question.class));
    vd_perms_write(db, g->question.class, g->question.perms, out);
    fprintf(out, " (%llu denial%s, first in line %llu)", (unsigned long long)g->count,
            g->count == 1 ? "" : "s", (unsigned long long)g->line);
}

/* The groups of one outcome, as comments. */
static void groups(const struct vd_suggest_report *r, enum vd_suggest_state state,
                   const char *title, FILE *out)
{
    bool first = true;

    for (uint32_t i = 0; i < r->suggest->group_count; i++) {
        const struct vd_suggest_group *g = &r->suggest->groups[i];
        if (g->state != state)
            continue;
        if (first)
            fprintf(out, "# %s\n", title);
        first = false;
        fputs("#   ", out);
        group(r, g, out);
        fputc('\n', out);
        if (state != VD_SUGGEST_FORBIDDEN)
            continue;
        fputs("#     ", out);
        vd_inquiry_write_place(r->inquiry, g->refusal.rule, out);
        fputs(": ", out);
        vd_inquiry_write_rule(r->inquiry, g->refusal.rule, out);
        fputc('\n', out);
    }
}

static void booleans(const struct vd_suggest_report *r, FILE *out)
{
    if (r->suggest->boolean_count == 0)
        return;
    fputs("# Booleans to switch:", out);
    for (uint32_t i = 0; i < r->suggest->boolean_count; i++) {
        fputc(' ', out);
        vd_edit_write(r->inquiry->db, &r->suggest->booleans[i], out);
    }
    fputc('\n', out);
    groups(r, VD_SUGGEST_BOOLEAN, "They allow:", out);
}

static void sort(struct vd_suggest *s)
{
    if (s->edit_count != 0)
        qsort(s->edits, s->edit_count, sizeof(*s->edits), order);
}

void vd_suggest_print(FILE *out, const struct vd_suggest_report *report)
{
    struct vd_suggest *s = report->suggest;

    sort(s);
    fprintf(out, "# %llu denials, %u different\n", (unsigned long long)report->denials,
            s->group_count);
    if (report->unknown != 0)
        fprintf(out, "# %llu %s of what this policy does not have\n",
                (unsigned long long)report->unknown, report->unknown == 1 ? "speaks" : "speak");
    groups(report, VD_SUGGEST_ALLOWED, "Allowed by this policy as it is:", out);
    booleans(report, out);
    for (uint32_t i = 0; i < s->edit_count;) {
        uint32_t count = run_of(s, i);
        statement(report, i, count, out);
        fputc('\n', out);
        i += count;
    }
    groups(report, VD_SUGGEST_FORBIDDEN, "Not proposed: a neverallow forbids every change:", out);
    groups(report, VD_SUGGEST_STUCK,
           "Not proposed: no boolean, attribute or rule allows it (see policy explain):", out);
}

static json_t *group_json(const struct vd_suggest_report *r, const struct vd_suggest_group *g)
{
    static const char *const words[] = {
        [VD_SUGGEST_OPEN] = "open",           [VD_SUGGEST_ALLOWED] = "allowed",
        [VD_SUGGEST_BOOLEAN] = "boolean",     [VD_SUGGEST_EDIT] = "statement",
        [VD_SUGGEST_FORBIDDEN] = "forbidden", [VD_SUGGEST_STUCK] = "stuck",
    };
    const struct vd_policydb *db = r->inquiry->db;

    return json_pack(
        "{s:s, s:s, s:s, s:o, s:I, s:I, s:s, s:o}", "source_type",
        vd_policydb_name(db, VD_SYM_TYPE, g->question.source.type), "target_type",
        vd_policydb_name(db, VD_SYM_TYPE, g->question.target.type), "class",
        vd_policydb_name(db, VD_SYM_CLASS, g->question.class), "permissions",
        vd_explain_perms_json(db, g->question.class, g->question.perms), "denials",
        (json_int_t)g->count, "line", (json_int_t)g->line, "outcome", words[g->state], "refused",
        vd_explain_refusal_json(
            r->inquiry, g->state == VD_SUGGEST_FORBIDDEN ? &g->refusal : &(struct vd_refusal){}));
}

static json_t *statement_json(const struct vd_suggest_report *r, uint32_t first, uint32_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    json_t *value = NULL;

    if (out == NULL)
        return NULL;
    statement(r, first, count, out);
    if (fclose(out) == 0)
        value = json_string(text);
    free(text);
    return value;
}

json_t *vd_suggest_json(const struct vd_suggest_report *report)
{
    struct vd_suggest *s = report->suggest;
    json_t *bools = json_object(), *statements = json_array(), *list = json_array();

    sort(s);
    for (uint32_t i = 0; i < s->boolean_count; i++)
        json_object_set_new(
            bools, vd_policydb_name(report->inquiry->db, VD_SYM_BOOL, s->booleans[i].source),
            json_integer(s->booleans[i].target));
    for (uint32_t i = 0; i < s->edit_count; i += run_of(s, i))
        json_array_append_new(statements, statement_json(report, i, run_of(s, i)));
    for (uint32_t i = 0; i < s->group_count; i++)
        json_array_append_new(list, group_json(report, &s->groups[i]));
    return json_pack("{s:I, s:I, s:o, s:o, s:o}", "denials", (json_int_t)report->denials, "unknown",
                     (json_int_t)report->unknown, "booleans", bools, "statements", statements,
                     "groups", list);
}
