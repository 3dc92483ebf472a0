/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tools/analysis/explain.h"

#define MAX_FLIPS     3u  /* booleans switched together */
#define MAX_EXEMPTING 16u /* attributes that constraints name, tried alone and in pairs */

/* A growing list of changes, while they are looked for. */
struct list {
    struct vd_change *data;
    uint32_t count;
};

struct finder {
    const struct vd_inquiry *q;
    const struct vd_why *why;
    uint32_t which;       /* VD_CHANGES_… */
    struct list types;    /* what makes the type rules allow it */
    struct list contexts; /* what makes the constraints hold */
    struct list found;
};

static vd_status push(struct list *list, const struct vd_change *change)
{
    struct vd_change *data = list->data;

    if (list->count == VD_CHANGES_MAX)
        return VD_OK;
    if ((list->count & (list->count - 1)) == 0) {
        data = reallocarray(data, list->count == 0 ? 1 : 2 * (size_t)list->count, sizeof(*data));
        if (data == NULL)
            return VD_E_NO_MEMORY;
        list->data = data;
    }
    data[list->count++] = *change;
    return VD_OK;
}

/* Appends an edit unless it stands there already; false: no room. */
static bool append(struct vd_change *change, const struct vd_edit *edit)
{
    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        if (e->kind == edit->kind && e->source == edit->source && e->target == edit->target &&
            e->class == edit->class && e->perms == edit->perms)
            return true;
    }
    if (change->count == VD_CHANGE_EDITS)
        return false;
    change->edits[change->count++] = *edit;
    return true;
}

static bool join(struct vd_change *change, const struct vd_change *more)
{
    bool good = true;

    for (uint32_t i = 0; i < more->count; i++)
        good = good && append(change, &more->edits[i]);
    return good;
}

/* True if the constraint's text names the attribute: equal sets look alike in the blob. */
static bool names(const struct vd_inquiry *q, uint32_t first, uint32_t attribute)
{
    const struct vd_rule *rule = vd_why_constraint_rule(q, first);
    const char *text = rule == NULL ? "" : vd_rulebook_string(q->book, rule->name);
    const char *name = vd_policydb_name(q->db, VD_SYM_TYPE, attribute);
    size_t len = strlen(name);
    static const char ends[] = " \t\n(){};";

    if (text[0] == '\0')
        return true;
    for (const char *p = text; (p = strstr(p, name)) != NULL; p++) {
        if ((p == text || strchr(ends, p[-1]) != NULL) &&
            (p[len] == '\0' || strchr(ends, p[len]) != NULL))
            return true;
    }
    return false;
}

/* Lets the change's attributes count in a constraint. */
static void force(const struct finder *f, const struct vd_change *change, uint32_t first,
                  struct vd_trace *trace)
{
    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        const struct vd_pdb_type *row = vd_pdb_row(f->q->db, VD_PDB_TYPES, e->target, sizeof(*row));
        if (e->kind != VD_EDIT_ATTRIBUTE || row == NULL || !names(f->q, first, e->target))
            continue;
        if (e->source == trace->cx.source_type)
            vd_trace_force(trace, VD_PART_T1, row->bitmap);
        if (e->source == trace->cx.target_type)
            vd_trace_force(trace, VD_PART_T2, row->bitmap);
    }
}

/* All constraints on what was asked, for one pair; a new attribute may break one, too. */
static bool constraints_hold(const struct finder *f, const struct vd_change *change, uint32_t pair)
{
    const struct vd_pdb_class *row =
        vd_pdb_row(f->q->db, VD_PDB_CLASSES, f->why->question.class, sizeof(*row));
    struct vd_cx cx = vd_why_values(f->why, pair);
    bool hold = row != NULL;

    for (uint32_t first = hold ? row->node_first : 0;
         hold && first < row->node_first + row->node_count;) {
        struct vd_trace trace;
        uint32_t perms, next = vd_trace_next(f->q->db, first, &perms);
        if (next == UINT32_MAX)
            return false;
        if ((perms & f->why->question.perms) != 0) {
            if (vd_trace_constraint(f->q->db, &cx, first, &trace) != VD_OK)
                return false;
            force(f, change, first, &trace);
            hold = vd_trace_value(&trace);
            vd_trace_done(&trace);
        }
        first = next;
    }
    return hold;
}

static bool all_constraints_hold(const struct finder *f, const struct vd_change *change)
{
    for (uint32_t pair = 0; pair < f->why->layers.count; pair++) {
        if (!constraints_hold(f, change, pair))
            return false;
    }
    return true;
}

static bool types_allow(const struct finder *f, const struct vd_change *change)
{
    for (uint32_t i = 0; i < f->why->layers.count; i++) {
        if ((f->why->question.perms & ~vd_change_te(f->q, change, f->why->layers.pairs[i].source,
                                                    f->why->layers.pairs[i].target,
                                                    f->why->question.class)) != 0)
            return false;
    }
    return true;
}

/* The pair's allow rule. */
static struct vd_edit allow_of(const struct finder *f, uint32_t pair)
{
    return (struct vd_edit){.kind = VD_EDIT_ALLOW,
                            .source = f->why->layers.pairs[pair].source,
                            .target = f->why->layers.pairs[pair].target,
                            .class = f->why->question.class,
                            .perms = f->why->lacks[pair]};
}

/* An allow rule for each pair that lacks something, except pair `but`. */
static bool allow_rules(const struct finder *f, uint32_t but, struct vd_change *change)
{
    bool good = true;

    for (uint32_t i = 0; i < f->why->layers.count; i++) {
        struct vd_edit edit = allow_of(f, i);
        if (edit.perms != 0 && i != but)
            good = good && append(change, &edit);
    }
    return good;
}

/* The rule for the number that is asked about. */
static struct vd_edit number_rule(const struct finder *f)
{
    const struct vd_why_question *asked = &f->why->question;

    return (struct vd_edit){.kind = VD_EDIT_ALLOWXPERM,
                            .source = asked->source.type,
                            .target = asked->target.type,
                            .class = asked->class,
                            .perms = asked->key_perm,
                            .key = asked->key};
}

/* Takes the change if it does what the type rules lack. */
static vd_status try_types(struct finder *f, const struct vd_change *change)
{
    return types_allow(f, change) ? push(&f->types, change) : VD_OK;
}

static bool in_spans(const struct vd_inquiry *q, const struct vd_rule *rule, uint32_t number)
{
    const struct vd_rule_span *spans = vd_rulebook_spans(q->book, rule);

    for (uint32_t i = 0; i < rule->name; i++) {
        if (spans[i].low <= number && number <= spans[i].high)
            return true;
    }
    return false;
}

/*
 * True if the number asked about, if there is one, is given after the change. A new
 * attribute may bring rules that narrow the permission to other numbers.
 */
static bool number_given(const struct finder *f, const struct vd_change *change)
{
    const struct vd_why_question *asked = &f->why->question;
    bool narrowed = false, given = false;

    for (uint32_t i = 0; i < change->count; i++)
        given = given || change->edits[i].kind == VD_EDIT_ALLOWXPERM;
    for (uint32_t i = 0; asked->key != 0 && !given && i < f->q->xperm_count; i++) {
        const struct vd_rule *rule = &f->q->book->rules[f->q->xperms[i]];
        if (rule->kind == VD_RULE_NEVERALLOWXPERM || rule->class != asked->class ||
            !vd_change_reaches(f->q, change, rule, asked->source.type, asked->target.type) ||
            !vd_change_in_force(f->q, change, rule))
            continue;
        narrowed = true;
        given = rule->kind == VD_RULE_ALLOWXPERM && rule->perms == asked->key_perm &&
                in_spans(f->q, rule, asked->key & VD_XPERM_NUMBER_MAX);
    }
    return given || !narrowed;
}

/* One attribute for one type of a pair; what other pairs lack gets rules of its own. */
static vd_status try_attribute(struct finder *f, uint32_t pair, uint32_t type, uint32_t attribute)
{
    const struct vd_pdb_type *row = vd_pdb_row(f->q->db, VD_PDB_TYPES, attribute, sizeof(*row));
    struct vd_change change = {.count = 1};

    if (row == NULL || (row->flags & VD_PDB_TYPE_ATTRIBUTE) == 0 ||
        vd_pdb_bit(f->q->db, row->bitmap, type))
        return VD_OK;
    change.edits[0] =
        (struct vd_edit){.kind = VD_EDIT_ATTRIBUTE, .source = type, .target = attribute};
    for (uint32_t i = 0; i < f->types.count; i++) {
        const struct vd_edit *e = &f->types.data[i].edits[0];
        if (e->kind == VD_EDIT_ATTRIBUTE && e->source == type && e->target == attribute)
            return VD_OK;
    }
    return allow_rules(f, pair, &change) ? try_types(f, &change) : VD_OK;
}

static vd_status try_set(struct finder *f, uint32_t pair, uint32_t set, uint32_t type)
{
    const struct vd_rule_set *row = vd_rulebook_set(f->q->book, set);
    const uint32_t *items = vd_rulebook_items(f->q->book, set);

    for (uint32_t i = 0; i < row->count; i++) {
        if ((items[i] & VD_RULE_MINUS) == 0)
            VD_TRY(try_attribute(f, pair, type, items[i]));
    }
    return VD_OK;
}

/* Rules that would reach the pair if one of its types had an attribute. */
static vd_status try_attributes(struct finder *f, uint32_t pair)
{
    uint32_t source = f->why->layers.pairs[pair].source;
    uint32_t target = f->why->layers.pairs[pair].target;
    uint32_t class = f->why->question.class;

    for (uint32_t i = f->q->class_first[class]; i < f->q->class_first[class + 1]; i++) {
        const struct vd_rule *rule = &f->q->book->rules[f->q->rules[i]];
        bool has_source, has_target;
        if (rule->kind != VD_RULE_ALLOW || (rule->perms & f->why->lacks[pair]) == 0 ||
            !vd_change_in_force(f->q, NULL, rule))
            continue;
        has_source = vd_rulebook_holds(f->q->book, f->q->db, rule->source, source);
        has_target = vd_rulebook_holds(f->q->book, f->q->db, rule->target, target) ||
                     (source == target && (rule->flags & VD_RULE_SELF) != 0);
        if (!has_source && has_target)
            VD_TRY(try_set(f, pair, rule->source, source));
        if (has_source && !has_target)
            VD_TRY(try_set(f, pair, rule->target, target));
    }
    return VD_OK;
}

/* Whether the type rules allow it under other booleans: the leaves know their conditions. */
static bool setting_allows(const struct finder *f, const uint8_t *values)
{
    for (uint32_t i = 0; i < f->why->layers.count; i++) {
        if ((f->why->question.perms &
             ~vd_layers_leaf(f->q->db, f->why->layers.pairs[i].leaf, values)) != 0)
            return false;
    }
    return f->why->question.key == 0 ||
           (vd_layers_xperm(f->q->db, f->why->layers.pairs[0].leaf, values, f->why->question.key) &
            (VD_XPERM_DEFINED | VD_XPERM_ALLOWED)) != VD_XPERM_DEFINED;
}

/* The booleans of `list` that `bits` names, switched. */
static struct vd_change flipped(const struct finder *f, const uint32_t *list, uint32_t bits)
{
    struct vd_change change = {};

    for (; bits != 0 && change.count < VD_CHANGE_EDITS; bits &= bits - 1) {
        uint32_t number = list[__builtin_ctz(bits)];
        change.edits[change.count++] = (struct vd_edit){
            .kind = VD_EDIT_BOOLEAN, .source = number, .target = !f->q->values[number]};
    }
    return change;
}

/* Sets of `flips` booleans that allow it and contain none of the smaller ones in `good`. */
static vd_status try_flips(struct finder *f, const uint32_t *list, uint32_t count, uint32_t flips,
                           uint8_t *values)
{
    uint32_t first = f->types.count; /* sets of as many flips do not contain each other */

    for (uint32_t bits = 1; bits < 1u << count; bits++) {
        struct vd_change change;
        bool allows, covered = false;
        if ((uint32_t)__builtin_popcount(bits) != flips)
            continue;
        change = flipped(f, list, bits);
        for (uint32_t i = 0; i < first && !covered; i++) {
            struct vd_change both = change;
            covered = f->types.data[i].edits[0].kind == VD_EDIT_BOOLEAN &&
                      join(&both, &f->types.data[i]) && both.count == change.count;
        }
        for (uint32_t i = 0; i < change.count; i++)
            values[change.edits[i].source] ^= 1;
        allows = !covered && setting_allows(f, values);
        for (uint32_t i = 0; i < change.count; i++)
            values[change.edits[i].source] ^= 1;
        if (allows)
            VD_TRY(push(&f->types, &change));
    }
    return VD_OK;
}

/* Up to MAX_FLIPS booleans of the lacking leaves switched together. */
static vd_status try_booleans(struct finder *f)
{
    uint32_t list[VD_LAYERS_MAX_BOOLS];
    uint32_t count = 0, bools = vd_policydb_header(f->q->db)->sections[VD_PDB_BOOLS].count;
    uint8_t *values = malloc(bools + 1u);
    vd_status status = VD_OK;

    if (values == NULL)
        return VD_E_NO_MEMORY;
    memcpy(values, f->q->values, bools);
    for (uint32_t i = 0; i < f->why->layers.count; i++) {
        if (f->why->lacks[i] != 0 &&
            !vd_layers_bools(f->q->db, f->why->layers.pairs[i].leaf, list, &count, VD_COUNT(list)))
            break; /* those found so far */
    }
    if (f->why->question.key != 0)
        (void)vd_layers_xperm_bools(f->q->db, f->why->layers.pairs[0].leaf, list, &count,
                                    VD_COUNT(list));
    for (uint32_t flips = 1; status == VD_OK && flips <= MAX_FLIPS; flips++)
        status = try_flips(f, list, count, flips, values);
    free(values);
    return status;
}

static vd_status find_types(struct finder *f)
{
    struct vd_change change = {};

    if (types_allow(f, &change)) {
        VD_TRY(try_types(f, &change));
        return f->why->extended == 0 || (f->which & VD_CHANGES_BOOLEANS) == 0 ? VD_OK
                                                                              : try_booleans(f);
    }
    if ((f->which & VD_CHANGES_RULES) != 0 && allow_rules(f, UINT32_MAX, &change)) {
        struct vd_edit number = number_rule(f);
        VD_TRY(try_types(f, &change));
        /* Narrowed to the number: what a neverallowxperm on others asks for. */
        if (number.key != 0 && f->why->extended == 0 && (f->why->lacks[0] & number.perms) != 0 &&
            append(&change, &number))
            VD_TRY(try_types(f, &change));
    }
    if ((f->which & VD_CHANGES_BOOLEANS) != 0)
        VD_TRY(try_booleans(f));
    for (uint32_t i = 0; i < f->why->layers.count; i++) {
        if (f->why->lacks[i] != 0 && (f->which & VD_CHANGES_ATTRIBUTES) != 0)
            VD_TRY(try_attributes(f, i));
    }
    return VD_OK;
}

/* Attributes by which a false constraint would let its types pass. */
struct exempting {
    const struct finder *f;
    uint32_t first;
    struct vd_edit edits[MAX_EXEMPTING];
    uint32_t count;
};

static void note_exempting(void *arg, const struct vd_trace *trace,
                           const struct vd_trace_reason *reason)
{
    struct exempting *x = arg;
    const struct vd_pdb_node *node = &reason->node->node;

    if (node->op != VD_CX_NAMES || (node->left != VD_PART_T1 && node->left != VD_PART_T2))
        return;
    for (uint32_t a = 0; (a = vd_trace_attribute(x->f->q->db, node->arg, a)) != 0;) {
        struct vd_edit edit = {.kind = VD_EDIT_ATTRIBUTE,
                               .source = node->left == VD_PART_T1 ? trace->cx.source_type
                                                                  : trace->cx.target_type,
                               .target = a};
        bool known = (node->rel == VD_REL_EQ) == reason->value || !names(x->f->q, x->first, a);
        for (uint32_t i = 0; i < x->count; i++)
            known = known || (x->edits[i].source == edit.source && x->edits[i].target == a);
        if (!known && x->count < MAX_EXEMPTING)
            x->edits[x->count++] = edit;
    }
}

static vd_status find_contexts(struct finder *f)
{
    struct exempting x = {.f = f};
    bool enough[MAX_EXEMPTING] = {};

    for (uint32_t i = 0; i < f->why->constraint_count; i++) {
        const struct vd_why_constraint *c = &f->why->constraints[i];
        struct vd_cx cx = vd_why_values(f->why, c->pair);
        struct vd_trace trace;
        VD_TRY(vd_trace_constraint(f->q->db, &cx, c->first, &trace));
        x.first = c->first;
        vd_trace_reasons(&trace, note_exempting, &x);
        vd_trace_done(&trace);
    }
    /* Each alone, then each two of which neither is enough alone. */
    for (uint32_t i = 0; i < x.count; i++) {
        struct vd_change one = {.edits = {x.edits[i]}, .count = 1};
        enough[i] = all_constraints_hold(f, &one);
        if (enough[i])
            VD_TRY(push(&f->contexts, &one));
    }
    for (uint32_t i = 0; i < x.count; i++) {
        for (uint32_t j = i + 1; j < x.count; j++) {
            struct vd_change two = {.edits = {x.edits[i], x.edits[j]}, .count = 2};
            if (!enough[i] && !enough[j] && all_constraints_hold(f, &two))
                VD_TRY(push(&f->contexts, &two));
        }
    }
    return VD_OK;
}

static vd_status accept(struct finder *f, struct vd_change *change)
{
    struct vd_edit role = {.kind = VD_EDIT_ROLE_ALLOW,
                           .source = f->why->question.source.role,
                           .target = f->why->question.target.role};

    struct vd_edit number = number_rule(f);

    if ((f->why->role != 0 && !append(change, &role)) ||
        (!number_given(f, change) && !append(change, &number)))
        return VD_OK;
    VD_TRY(vd_change_measure(f->q, change));
    return push(&f->found, change);
}

/* Every way to satisfy the type rules with every way to satisfy the constraints. */
static vd_status combine(struct finder *f)
{
    for (uint32_t t = 0; t < f->types.count; t++) {
        struct vd_change change = f->types.data[t];
        if (all_constraints_hold(f, &change)) {
            VD_TRY(accept(f, &change));
            continue;
        }
        for (uint32_t c = 0; c < f->contexts.count; c++) {
            change = f->types.data[t];
            if (join(&change, &f->contexts.data[c]) && all_constraints_hold(f, &change))
                VD_TRY(accept(f, &change));
        }
    }
    return VD_OK;
}

/* One number against another, for sorting. */
static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Refused ones last, then by what is opened, then the fewer edits, then their kinds and names. */
static int order(const void *a, const void *b)
{
    const struct vd_change *x = a, *y = b;
    int result = compare(x->refusal.rule != NULL, y->refusal.rule != NULL);

    if (result == 0)
        result = compare(x->opens, y->opens);
    if (result == 0)
        result = compare(x->count, y->count);
    for (uint32_t i = 0; result == 0 && i < x->count; i++) {
        result = compare(x->edits[i].kind, y->edits[i].kind);
        if (result == 0)
            result = compare(x->edits[i].source, y->edits[i].source);
        if (result == 0)
            result = compare(x->edits[i].target, y->edits[i].target);
    }
    return result;
}

vd_status vd_changes_find(const struct vd_inquiry *inquiry, const struct vd_why *why,
                          uint32_t which, struct vd_changes *ret)
{
    struct finder f = {.q = inquiry, .why = why, .which = which};
    vd_status status = VD_OK;

    if (why->denied != 0) {
        status = find_types(&f);
        if (status == VD_OK && (which & ~VD_CHANGES_BOOLEANS) != 0)
            status = find_contexts(&f);
        if (status == VD_OK)
            status = combine(&f);
    }
    free(f.types.data);
    free(f.contexts.data);
    if (status != VD_OK) {
        free(f.found.data);
        return status;
    }
    if (f.found.count != 0)
        qsort(f.found.data, f.found.count, sizeof(*f.found.data), order);
    *ret = (struct vd_changes){.list = f.found.data, .count = f.found.count};
    return VD_OK;
}

void vd_changes_done(struct vd_changes *changes)
{
    free(changes->list);
    *changes = (struct vd_changes){};
}
