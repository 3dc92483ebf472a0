/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/rules.h"

#include <stdlib.h>
#include <string.h>

#include "core/mac/decide.h"
#include "core/mac/transition.h"

#define RANGE_BYTES (32u << 10) /* two levels of 512 categories that are no neighbours */

struct vd_rule_view vd_rule_whole(const struct vd_rule *rule)
{
    return (struct vd_rule_view){.rule = rule,
                                 .target = {.self = (rule->flags & VD_RULE_SELF) != 0}};
}

void vd_foreign_write(const char *text, FILE *out)
{
    char buf[64];

    for (; *text != '\0'; text++) {
        struct vd_text t;

        vd_text_init(&t, buf, sizeof(buf));
        vd_text_foreign(&t, text, 1);
        fputs(buf, out);
    }
}

void vd_perms_write(const struct vd_policydb *db, uint32_t class, uint32_t mask, FILE *out)
{
    bool one = mask != 0 && (mask & (mask - 1)) == 0;

    fputs(one ? "" : "{", out);
    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(db, class, bit);

        if ((mask >> bit & 1) != 0 && name != NULL)
            fprintf(out, "%s%s", one ? "" : " ", name);
    }
    fputs(one ? "" : " }", out);
}

void vd_range_write(const struct vd_policydb *db, const struct vd_pdb_range *range, FILE *out)
{
    const struct vd_mls_level *low = vd_pdb_row(db, VD_PDB_LEVELS, range->low, sizeof(*low));
    const struct vd_mls_level *high = vd_pdb_row(db, VD_PDB_LEVELS, range->high, sizeof(*high));
    struct vd_context context = {.user = 1, .role = 1, .type = 1};
    char *buf = malloc(RANGE_BYTES), *at = buf;
    struct vd_text text;

    if (buf == NULL || low == NULL || high == NULL) {
        free(buf);
        return;
    }
    context.low = *low;
    context.high = *high;
    vd_text_init(&text, buf, RANGE_BYTES);
    vd_mac_context_text(db, &context, &text);
    for (int parts = 0; parts < 3 && at != NULL; parts++) {
        at = strchr(at, ':');
        at = at == NULL ? NULL : at + 1;
    }
    for (; at != NULL && *at != '\0'; at++) {
        if (*at == '-')
            fputs(" - ", out);
        else
            fputc(*at, out);
    }
    free(buf);
}

/* ------------------------------------------------------------------ conditions */

static uint32_t arity(uint32_t op)
{
    return op == VD_COND_BOOL ? 0 : op == VD_COND_NOT ? 1 : 2;
}

/* Where the expression that ends with node `last` begins. */
static uint32_t start_of(const struct vd_pdb_cond_node *nodes, uint32_t last)
{
    uint32_t needed = 1;

    for (uint32_t i = last;; i--) {
        needed += arity(nodes[i].op);
        needed--;
        if (needed == 0 || i == 0)
            return i;
    }
}

static const char *operator_of(uint32_t op)
{
    switch (op) {
    case VD_COND_OR:
        return "||";
    case VD_COND_AND:
        return "&&";
    case VD_COND_XOR:
        return "^";
    case VD_COND_EQ:
        return "==";
    default:
        return "!=";
    }
}

/*
 * Readers disagree whether "! a == b" is "(! a) == b": NOT stands below the comparisons,
 * and its operand gets parentheses unless it is a boolean.
 */
static int precedence(uint32_t op)
{
    switch (op) {
    case VD_COND_OR:
        return 1;
    case VD_COND_XOR:
        return 2;
    case VD_COND_AND:
        return 3;
    case VD_COND_NOT:
        return 4;
    case VD_COND_EQ:
    case VD_COND_NEQ:
        return 5;
    default:
        return 6;
    }
}

/* At most 256 nodes deep: the rulebook's check has seen to that. */
static void write_expression(const struct vd_policydb *db, const struct vd_pdb_cond_node *nodes,
                             uint32_t last, int outer, FILE *out)
{
    uint32_t op = nodes[last].op, middle;
    int mine = precedence(op);

    if (op == VD_COND_BOOL) {
        fputs(vd_policydb_name(db, VD_SYM_BOOL, nodes[last].value), out);
        return;
    }
    if (op == VD_COND_NOT) {
        fputs(mine < outer ? "( ! " : "! ", out);
        write_expression(db, nodes, last - 1, precedence(VD_COND_BOOL), out);
        fputs(mine < outer ? " )" : "", out);
        return;
    }
    middle = start_of(nodes, last - 1);
    fputs(mine < outer ? "( " : "", out);
    write_expression(db, nodes, middle - 1, mine, out);
    fprintf(out, " %s ", operator_of(op));
    write_expression(db, nodes, last - 1, mine + 1, out);
    fputs(mine < outer ? " )" : "", out);
}

void vd_condition_write(const struct vd_policydb *db, const struct vd_pdb_cond_node *nodes,
                        uint32_t count, FILE *out)
{
    if (count > 0)
        write_expression(db, nodes, count - 1, 0, out);
}

/* ------------------------------------------------------------------ sets */

static const char *item_name(const struct vd_rules *rules, bool role, uint32_t item)
{
    return vd_policydb_name(&rules->db, role ? VD_SYM_ROLE : VD_SYM_TYPE, item & ~VD_RULE_MINUS);
}

static bool is_meant(const struct vd_rule_part *part, uint32_t i)
{
    return part->items == NULL || vd_bitmap_get(part->items, i);
}

/* A set, what is meant of it, and who gets its words. */
struct wording {
    const struct vd_rules *rules;
    uint32_t set;
    const struct vd_rule_part *part;
    bool not_self;
    uint32_t count; /* words */
    bool signs;     /* one has a minus */
    FILE *out;
    json_t *json;
};

typedef void (*word_fn)(struct wording *w, const char *sign, const char *name);

/* The words of the set, each with its sign. */
static void each_word(struct wording *w, word_fn word)
{
    const struct vd_rule_set *row = vd_rulebook_set(&w->rules->book, w->set);
    const uint32_t *items = vd_rulebook_items(&w->rules->book, w->set);
    bool role = (row->flags & VD_RULE_SET_ROLES) != 0;

    if ((row->flags & VD_RULE_SET_STAR) != 0)
        word(w, "", "*");
    for (uint32_t i = 0; i < row->count; i++) {
        if (is_meant(w->part, i))
            word(w, (items[i] & VD_RULE_MINUS) != 0 ? "-" : "",
                 item_name(w->rules, role, items[i]));
    }
    if (w->part->self)
        word(w, "", "self");
    if (w->not_self)
        word(w, "-", "self");
}

static void count_word(struct wording *w, const char *sign, const char *name)
{
    w->count++;
    w->signs |= *sign != '\0';
    (void)name;
}

static void print_word(struct wording *w, const char *sign, const char *name)
{
    fprintf(w->out, "%s%s%s", w->count > 1 ? " " : "", sign, name);
}

static void append_word(struct wording *w, const char *sign, const char *name)
{
    json_array_append_new(w->json, json_sprintf("%s%s", sign, name));
}

static bool is_complement(const struct wording *w)
{
    return (vd_rulebook_set(&w->rules->book, w->set)->flags & VD_RULE_SET_COMPLEMENT) != 0;
}

static void write_set(struct wording *w)
{
    each_word(w, count_word);
    if (w->count == 1 && w->signs)
        w->count = 2; /* "-a" stands in braces */
    fputs(is_complement(w) ? "~" : "", w->out);
    fputs(w->count == 1 ? "" : "{", w->out);
    each_word(w, print_word);
    fputs(w->count == 1 ? "" : " }", w->out);
}

static json_t *set_json(struct wording *w)
{
    w->json = json_array();
    if (is_complement(w))
        json_array_append_new(w->json, json_string("~"));
    each_word(w, append_word);
    return w->json;
}

static struct wording source_of(const struct vd_rules *rules, const struct vd_rule_view *view,
                                FILE *out)
{
    return (struct wording){
        .rules = rules, .set = view->rule->source, .part = &view->source, .out = out};
}

static struct wording target_of(const struct vd_rules *rules, const struct vd_rule_view *view,
                                FILE *out)
{
    return (struct wording){.rules = rules,
                            .set = view->rule->target,
                            .part = &view->target,
                            .not_self = (view->rule->flags & VD_RULE_NOT_SELF) != 0,
                            .out = out};
}

/* ------------------------------------------------------------------ rules */

static void write_spans(const struct vd_rules *rules, const struct vd_rule *rule, FILE *out)
{
    const struct vd_rule_span *spans = vd_rulebook_spans(&rules->book, rule);

    fputs(" {", out);
    for (uint32_t i = 0; i < rule->name; i++) {
        fprintf(out, " 0x%04x", spans[i].low);
        if (spans[i].high != spans[i].low)
            fprintf(out, "-0x%04x", spans[i].high);
    }
    fputs(" }", out);
}

/* What stands behind the class: permissions, calls, or what a transition gives. */
static void write_result(const struct vd_rules *rules, const struct vd_rule *rule, FILE *out)
{
    const struct vd_pdb_range *range;

    switch (rule->kind) {
    case VD_RULE_TYPE_TRANSITION:
    case VD_RULE_TYPE_MEMBER:
    case VD_RULE_TYPE_CHANGE:
        fputs(vd_policydb_name(&rules->db, VD_SYM_TYPE, rule->perms), out);
        break;
    case VD_RULE_ROLE_TRANSITION:
        fputs(vd_policydb_name(&rules->db, VD_SYM_ROLE, rule->perms), out);
        break;
    case VD_RULE_RANGE_TRANSITION:
        range = vd_pdb_row(&rules->db, VD_PDB_RANGES, rule->perms, sizeof(*range));
        if (range != NULL)
            vd_range_write(&rules->db, range, out);
        break;
    default:
        vd_perms_write(&rules->db, rule->class, rule->perms, out);
        break;
    }
    if (vd_rule_is_xperm(rule)) {
        write_spans(rules, rule, out);
    } else if (rule->name != 0) {
        fputs(" \"", out);
        vd_foreign_write(vd_rulebook_string(&rules->book, rule->name), out);
        fputs("\"", out);
    }
}

static void write_constraint(const struct vd_rules *rules, const struct vd_rule *rule, FILE *out)
{
    const char *text = vd_rulebook_string(&rules->book, rule->name);

    if (*text != '\0') {
        vd_foreign_write(text, out);
    } else {
        fprintf(out, "%s %s", vd_rulebook_keyword((enum vd_rule_kind)rule->kind),
                vd_policydb_name(&rules->db, VD_SYM_CLASS, rule->class));
        if (rule->perms != 0) {
            fputc(' ', out);
            vd_perms_write(&rules->db, rule->class, rule->perms, out);
        }
    }
}

void vd_rule_write(const struct vd_rules *rules, const struct vd_rule_view *view, FILE *out)
{
    struct wording source = source_of(rules, view, out), target = target_of(rules, view, out);
    const struct vd_rule *rule = view->rule;

    if (vd_rule_is_constraint(rule)) {
        write_constraint(rules, rule, out);
        fputc(';', out);
        return;
    }
    fprintf(out, "%s ", vd_rulebook_keyword((enum vd_rule_kind)rule->kind));
    write_set(&source);
    fputc(' ', out);
    write_set(&target);
    if (rule->class != 0) {
        fprintf(out, ":%s ", vd_policydb_name(&rules->db, VD_SYM_CLASS, rule->class));
        write_result(rules, rule, out);
    }
    fputc(';', out);
}

void vd_rule_write_place(const struct vd_rules *rules, const struct vd_rule *rule, FILE *out)
{
    const char *file = vd_rulebook_file(&rules->book, rule);
    uint32_t count;
    const struct vd_pdb_cond_node *nodes = vd_rulebook_cond(&rules->book, rule, &count);

    if (file == NULL && nodes == NULL)
        return;
    fputs(" #", out);
    if (file != NULL) {
        fputc(' ', out);
        vd_foreign_write(file, out);
        fprintf(out, ":%u", rule->line);
    }
    if (nodes == NULL)
        return;
    fputs(file != NULL ? ", [ " : " [ ", out);
    vd_condition_write(&rules->db, nodes, count, out);
    fprintf(out, " ]:%s", (rule->flags & VD_RULE_ELSE) != 0 ? "False" : "True");
}

/* What `write` with these arguments writes, as a JSON string; "" without memory. */
#define WRITTEN(ret, call)                               \
    do {                                                 \
        char *text_ = NULL;                              \
        size_t size_ = 0;                                \
        FILE *out = open_memstream(&text_, &size_);      \
        if (out != NULL) {                               \
            call;                                        \
            (void)fclose(out);                           \
        }                                                \
        (ret) = json_string(text_ == NULL ? "" : text_); \
        free(text_);                                     \
    } while (0)

static json_t *perms_json(const struct vd_rules *rules, const struct vd_rule *rule)
{
    json_t *list = json_array();

    for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
        const char *name = vd_policydb_perm_name(&rules->db, rule->class, bit);

        if ((rule->perms >> bit & 1) != 0 && name != NULL)
            json_array_append_new(list, json_string(name));
    }
    return list;
}

/* What the kind says beyond sets and class. */
static void add_result(const struct vd_rules *rules, const struct vd_rule *rule, json_t *object)
{
    const struct vd_rule_span *spans;
    json_t *value;

    if (vd_rule_is_transition(rule)) {
        struct vd_rule bare = *rule;

        bare.name = 0;
        WRITTEN(value, write_result(rules, &bare, out));
        json_object_set_new(object, "result", value);
        if (rule->name != 0)
            json_object_set_new(object, "name",
                                json_string(vd_rulebook_string(&rules->book, rule->name)));
        return;
    }
    json_object_set_new(object, "permissions", perms_json(rules, rule));
    if (!vd_rule_is_xperm(rule))
        return;
    spans = vd_rulebook_spans(&rules->book, rule);
    value = json_array();
    for (uint32_t i = 0; i < rule->name; i++)
        json_array_append_new(value, json_pack("[i, i]", spans[i].low, spans[i].high));
    json_object_set_new(object, "calls", value);
}

json_t *vd_rule_json(const struct vd_rules *rules, const struct vd_rule_view *view)
{
    struct wording source = source_of(rules, view, NULL), target = target_of(rules, view, NULL);
    const struct vd_rule *rule = view->rule;
    const char *file = vd_rulebook_file(&rules->book, rule);
    json_t *object = json_object(), *value;
    uint32_t count;
    const struct vd_pdb_cond_node *nodes = vd_rulebook_cond(&rules->book, rule, &count);

    json_object_set_new(object, "kind",
                        json_string(rule->kind == VD_RULE_ROLE_ALLOW
                                        ? "role_allow"
                                        : vd_rulebook_keyword((enum vd_rule_kind)rule->kind)));
    if (vd_rule_is_constraint(rule)) {
        WRITTEN(value, write_constraint(rules, rule, out));
        json_object_set_new(object, "text", value);
    } else {
        json_object_set_new(object, "source", set_json(&source));
        json_object_set_new(object, "target", set_json(&target));
    }
    if (rule->class != 0) {
        json_object_set_new(object, "class",
                            json_string(vd_policydb_name(&rules->db, VD_SYM_CLASS, rule->class)));
        add_result(rules, rule, object);
    }
    if (nodes != NULL) {
        WRITTEN(value, vd_condition_write(&rules->db, nodes, count, out));
        json_object_set_new(object, "condition", value);
        json_object_set_new(object, "branch", json_boolean((rule->flags & VD_RULE_ELSE) == 0));
        json_object_set_new(object, "in_force",
                            json_boolean(vd_rulebook_active(&rules->book, &rules->db, rule)));
    }
    if (file != NULL) {
        json_object_set_new(object, "file", json_string(file));
        json_object_set_new(object, "line", json_integer(rule->line));
    }
    return object;
}
