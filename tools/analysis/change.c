/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/change.h"

#include <stdlib.h>
#include <string.h>

vd_status vd_inquiry_init(struct vd_inquiry *ret, const struct vd_policydb *db,
                          const struct vd_rulebook *book, const uint8_t *values)
{
    struct vd_inquiry q = {.db = db, .book = book, .values = values};
    uint32_t classes = vd_policydb_header(db)->classes;
    uint32_t *next;

    q.rules = calloc(book->rule_count + 1u, sizeof(*q.rules));
    q.class_first = calloc(classes + 1u, sizeof(*q.class_first));
    q.constraints = calloc(book->rule_count + 1u, sizeof(*q.constraints));
    q.xperms = calloc(book->rule_count + 1u, sizeof(*q.xperms));
    next = calloc(classes + 1u, sizeof(*next));
    if (q.rules == NULL || q.class_first == NULL || q.constraints == NULL || q.xperms == NULL ||
        next == NULL) {
        free(next);
        vd_inquiry_done(&q);
        return VD_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < book->rule_count; i++) {
        if (vd_rule_is_av(&book->rules[i]))
            q.class_first[book->rules[i].class + 1]++;
    }
    for (uint32_t c = 0; c < classes; c++) {
        q.class_first[c + 1] += q.class_first[c];
        next[c] = q.class_first[c];
    }
    for (uint32_t i = 0; i < book->rule_count; i++) {
        if (vd_rule_is_av(&book->rules[i]))
            q.rules[next[book->rules[i].class]++] = i;
        else if (vd_rule_is_constraint(&book->rules[i]))
            q.constraints[q.constraint_count++] = i;
        else if (vd_rule_is_xperm(&book->rules[i]))
            q.xperms[q.xperm_count++] = i;
    }
    free(next);
    *ret = q;
    return VD_OK;
}

void vd_inquiry_done(struct vd_inquiry *inquiry)
{
    free(inquiry->rules);
    free(inquiry->class_first);
    free(inquiry->constraints);
    free(inquiry->xperms);
    *inquiry = (struct vd_inquiry){};
}

/* True if the change gives `type` the attribute. */
static bool gains(const struct vd_change *change, uint32_t type, uint32_t attribute)
{
    for (uint32_t i = 0; change != NULL && i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        if (e->kind == VD_EDIT_ATTRIBUTE && e->source == type && e->target == attribute)
            return true;
    }
    return false;
}

static bool item_holds(const struct vd_inquiry *q, const struct vd_change *change, uint32_t item,
                       uint32_t number)
{
    const struct vd_pdb_type *row;

    if (item == number || gains(change, number, item))
        return true;
    row = vd_pdb_row(q->db, VD_PDB_TYPES, item, sizeof(*row));
    return row != NULL && (row->flags & VD_PDB_TYPE_ATTRIBUTE) != 0 &&
           vd_pdb_bit(q->db, row->bitmap, number);
}

bool vd_change_holds(const struct vd_inquiry *inquiry, const struct vd_change *change, uint32_t set,
                     uint32_t number)
{
    const struct vd_rule_set *row = vd_rulebook_set(inquiry->book, set);
    const uint32_t *items = vd_rulebook_items(inquiry->book, set);
    bool plus = (row->flags & VD_RULE_SET_STAR) != 0;
    bool minus = false;

    if (change == NULL || (row->flags & VD_RULE_SET_ROLES) != 0)
        return vd_rulebook_holds(inquiry->book, inquiry->db, set, number);
    for (uint32_t i = 0; i < row->count; i++) {
        if (item_holds(inquiry, change, items[i] & ~VD_RULE_MINUS, number)) {
            plus |= (items[i] & VD_RULE_MINUS) == 0;
            minus |= (items[i] & VD_RULE_MINUS) != 0;
        }
    }
    return (plus && !minus) != ((row->flags & VD_RULE_SET_COMPLEMENT) != 0);
}

bool vd_change_reaches(const struct vd_inquiry *inquiry, const struct vd_change *change,
                       const struct vd_rule *rule, uint32_t source, uint32_t target)
{
    if (!vd_change_holds(inquiry, change, rule->source, source))
        return false;
    if (source == target && (rule->flags & VD_RULE_SELF) != 0)
        return true;
    if (source == target && (rule->flags & VD_RULE_NOT_SELF) != 0)
        return false;
    return vd_change_holds(inquiry, change, rule->target, target);
}

/* A condition's booleans with the change's values in their place. */
static bool condition(const struct vd_inquiry *q, const struct vd_change *change,
                      const struct vd_pdb_cond_node *nodes, uint32_t count)
{
    struct vd_pdb_cond_node own[VD_PDB_MAX_COND];
    uint8_t values[VD_PDB_MAX_COND];

    if (count > VD_PDB_MAX_COND)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        own[i] = nodes[i];
        if (nodes[i].op != VD_COND_BOOL)
            continue;
        values[i] = q->values[nodes[i].value];
        for (uint32_t j = 0; change != NULL && j < change->count; j++) {
            if (change->edits[j].kind == VD_EDIT_BOOLEAN &&
                change->edits[j].source == nodes[i].value)
                values[i] = (uint8_t)change->edits[j].target;
        }
        own[i].value = i;
    }
    return vd_layers_condition(own, count, values);
}

bool vd_change_in_force(const struct vd_inquiry *inquiry, const struct vd_change *change,
                        const struct vd_rule *rule)
{
    uint32_t count;
    const struct vd_pdb_cond_node *nodes = vd_rulebook_cond(inquiry->book, rule, &count);

    return nodes == NULL ||
           condition(inquiry, change, nodes, count) == ((rule->flags & VD_RULE_ELSE) == 0);
}

uint32_t vd_change_denied(const struct vd_inquiry *inquiry, const struct vd_change *change,
                          const struct vd_edit *pair, const struct vd_rule **ret_rule)
{
    uint32_t denied = 0;

    *ret_rule = NULL;
    for (uint32_t i = inquiry->class_first[pair->class]; i < inquiry->class_first[pair->class + 1];
         i++) {
        const struct vd_rule *rule = &inquiry->book->rules[inquiry->rules[i]];
        if (rule->kind != VD_RULE_DENY || (rule->perms & pair->perms) == 0 ||
            !vd_change_reaches(inquiry, change, rule, pair->source, pair->target))
            continue;
        denied |= rule->perms & pair->perms;
        *ret_rule = rule;
    }
    return denied;
}

/* True if the change lets rules reach or hold that did not. */
static bool moves_rules(const struct vd_change *change)
{
    for (uint32_t i = 0; change != NULL && i < change->count; i++) {
        if (change->edits[i].kind == VD_EDIT_ATTRIBUTE || change->edits[i].kind == VD_EDIT_BOOLEAN)
            return true;
    }
    return false;
}

/* What the policy's own allow rules give the pair once the change is made. */
static uint32_t own_rules(const struct vd_inquiry *q, const struct vd_change *change,
                          const struct vd_edit *pair)
{
    const struct vd_pdb_leaf *leaf = vd_te_leaf(q->db, pair->source, pair->target, pair->class);
    uint32_t allowed = 0;

    if (!moves_rules(change))
        return leaf == NULL ? 0 : vd_layers_leaf(q->db, leaf, q->values);
    for (uint32_t i = q->class_first[pair->class]; i < q->class_first[pair->class + 1]; i++) {
        const struct vd_rule *rule = &q->book->rules[q->rules[i]];
        if (rule->kind == VD_RULE_ALLOW && (rule->perms & ~allowed) != 0 &&
            vd_change_reaches(q, change, rule, pair->source, pair->target) &&
            vd_change_in_force(q, change, rule))
            allowed |= rule->perms;
    }
    return allowed;
}

uint32_t vd_change_te(const struct vd_inquiry *inquiry, const struct vd_change *change,
                      uint32_t source, uint32_t target, uint32_t class)
{
    struct vd_edit all = {.source = source, .target = target, .class = class, .perms = UINT32_MAX};
    const struct vd_rule *unused;
    uint32_t allowed = own_rules(inquiry, change, &all);

    for (uint32_t i = 0; change != NULL && i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        if (e->kind == VD_EDIT_ALLOW && e->source == source && e->target == target &&
            e->class == class)
            allowed |= e->perms;
    }
    return allowed & ~vd_change_denied(inquiry, change, &all, &unused);
}

/* True if some number is in spans of both rules. */
static bool overlap(const struct vd_inquiry *q, const struct vd_rule *a, const struct vd_rule *b)
{
    const struct vd_rule_span *x = vd_rulebook_spans(q->book, a);
    const struct vd_rule_span *y = vd_rulebook_spans(q->book, b);

    for (uint32_t i = 0; i < a->name; i++) {
        for (uint32_t j = 0; j < b->name; j++) {
            if (x[i].low <= y[j].high && y[j].low <= x[i].high)
                return true;
        }
    }
    return false;
}

/* True if an edit allows a number of the rule to the pair. */
static bool edit_gives(const struct vd_inquiry *q, const struct vd_change *change,
                       const struct vd_rule *rule, const struct vd_edit *pair)
{
    const struct vd_rule_span *spans = vd_rulebook_spans(q->book, rule);

    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        uint32_t number = e->key & VD_XPERM_NUMBER_MAX;
        if (e->kind != VD_EDIT_ALLOWXPERM || e->source != pair->source ||
            e->target != pair->target || e->class != rule->class || e->perms != rule->perms)
            continue;
        for (uint32_t j = 0; j < rule->name; j++) {
            if (spans[j].low <= number && number <= spans[j].high)
                return true;
        }
    }
    return false;
}

bool vd_change_breaks_xperm(const struct vd_inquiry *inquiry, const struct vd_change *change,
                            const struct vd_rule *rule, uint32_t source, uint32_t target)
{
    struct vd_edit pair = {.source = source, .target = target};
    bool narrowed = false;

    if (edit_gives(inquiry, change, rule, &pair))
        return true;
    for (uint32_t i = 0; i < inquiry->xperm_count; i++) {
        const struct vd_rule *other = &inquiry->book->rules[inquiry->xperms[i]];
        if (other->kind == VD_RULE_NEVERALLOWXPERM || other->class != rule->class ||
            !vd_change_reaches(inquiry, change, other, source, target))
            continue;
        narrowed = narrowed || other->cond == 0;
        if (other->kind == VD_RULE_ALLOWXPERM && other->perms == rule->perms &&
            overlap(inquiry, other, rule))
            return true;
    }
    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        narrowed = narrowed || (e->kind == VD_EDIT_ALLOWXPERM && e->source == source &&
                                e->target == target && e->class == rule->class);
    }
    return !narrowed;
}
