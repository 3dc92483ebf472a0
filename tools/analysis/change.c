/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/change.h"

#include <stdlib.h>
#include <string.h>

/* Turns counts in first[1…n] into starts; first[0…n] afterwards. */
static void sum_up(uint32_t *first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        first[i + 1] += first[i];
}

static uint32_t rows_of(const struct vd_inquiry *q, enum vd_rulebook_section section)
{
    return q->book->head->sections[section].count;
}

/* By type or attribute, the sets that name it. */
static vd_status index_items(struct vd_inquiry *q, uint32_t numbers)
{
    uint32_t *next;

    q->item_first = calloc(numbers + 2u, sizeof(*q->item_first));
    q->item_sets = calloc(rows_of(q, VD_BOOK_ITEMS) + 1u, sizeof(*q->item_sets));
    if (q->item_first == NULL || q->item_sets == NULL)
        return VD_E_NO_MEMORY;
    for (int pass = 0; pass < 2; pass++) {
        /* A start moves on to the next one's while its sets are put down: it is one too high. */
        next = q->item_first + (pass == 0 ? 1 : 0);
        for (uint32_t s = 0; s < rows_of(q, VD_BOOK_SETS); s++) {
            const struct vd_rule_set *set = vd_rulebook_set(q->book, s);
            const uint32_t *items = vd_rulebook_items(q->book, s);

            for (uint32_t i = 0; (set->flags & VD_RULE_SET_ROLES) == 0 && i < set->count; i++) {
                uint32_t item = items[i] & ~VD_RULE_MINUS;

                if (pass == 0)
                    next[item]++;
                else
                    q->item_sets[next[item]++] = s;
            }
        }
        if (pass == 0)
            sum_up(q->item_first, numbers);
    }
    for (uint32_t i = numbers; i > 0; i--)
        q->item_first[i] = q->item_first[i - 1];
    q->item_first[0] = 0;
    return VD_OK;
}

/* By set, the allow rules that have it as source or target. */
static vd_status index_sets(struct vd_inquiry *q)
{
    uint32_t sets = rows_of(q, VD_BOOK_SETS);

    q->set_first = calloc(sets + 2u, sizeof(*q->set_first));
    q->set_rules = calloc(2 * (size_t)q->book->rule_count + 1, sizeof(*q->set_rules));
    if (q->set_first == NULL || q->set_rules == NULL)
        return VD_E_NO_MEMORY;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t *next = q->set_first + (pass == 0 ? 1 : 0);

        for (uint32_t i = 0; i < q->book->rule_count; i++) {
            const struct vd_rule *rule = &q->book->rules[i];
            uint32_t both[] = {rule->source, rule->target};

            for (uint32_t j = 0; rule->kind == VD_RULE_ALLOW && j < VD_COUNT(both); j++) {
                if (pass == 0)
                    next[both[j]]++;
                else
                    q->set_rules[next[both[j]]++] = i;
            }
        }
        if (pass == 0)
            sum_up(q->set_first, sets);
    }
    for (uint32_t i = sets; i > 0; i--)
        q->set_first[i] = q->set_first[i - 1];
    q->set_first[0] = 0;
    return VD_OK;
}

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
    q.denies = calloc(book->rule_count + 1u, sizeof(*q.denies));
    next = calloc(classes + 1u, sizeof(*next));
    if (q.rules == NULL || q.class_first == NULL || q.constraints == NULL || q.xperms == NULL ||
        q.denies == NULL || next == NULL ||
        index_items(&q, vd_policydb_header(db)->sections[VD_PDB_TYPES].count) != VD_OK ||
        index_sets(&q) != VD_OK) {
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
        if (book->rules[i].kind == VD_RULE_DENY)
            q.denies[q.deny_count++] = i;
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
    free(inquiry->denies);
    free(inquiry->item_first);
    free(inquiry->item_sets);
    free(inquiry->set_first);
    free(inquiry->set_rules);
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
    for (uint32_t i = 0; i < inquiry->deny_count; i++) {
        const struct vd_rule *rule = &inquiry->book->rules[inquiry->denies[i]];
        if (rule->class != pair->class || (rule->perms & pair->perms) == 0 ||
            !vd_change_reaches(inquiry, change, rule, pair->source, pair->target))
            continue;
        denied |= rule->perms & pair->perms;
        *ret_rule = rule;
    }
    return denied;
}

/* True if a type may leave the set by getting the attribute. */
static bool takes_away(const struct vd_inquiry *q, uint32_t set, uint32_t attribute)
{
    const struct vd_rule_set *row = vd_rulebook_set(q->book, set);
    const uint32_t *items = vd_rulebook_items(q->book, set);

    for (uint32_t i = 0; i < row->count; i++) {
        if (items[i] == (attribute | VD_RULE_MINUS))
            return true;
    }
    return (row->flags & VD_RULE_SET_COMPLEMENT) != 0;
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

/*
 * What the allow rules that name a change's attributes give the pair. False: the change
 * switches a boolean, or an attribute also takes something away, so that all rules count.
 */
static bool by_attributes(const struct vd_inquiry *q, const struct vd_change *change,
                          const struct vd_edit *pair, uint32_t *ret)
{
    *ret = 0;
    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];

        if (e->kind == VD_EDIT_BOOLEAN)
            return false;
        if (e->kind != VD_EDIT_ATTRIBUTE)
            continue;
        for (uint32_t s = q->item_first[e->target]; s < q->item_first[e->target + 1]; s++) {
            uint32_t set = q->item_sets[s];

            if (takes_away(q, set, e->target))
                return false;
            for (uint32_t r = q->set_first[set]; r < q->set_first[set + 1]; r++) {
                const struct vd_rule *rule = &q->book->rules[q->set_rules[r]];

                if (rule->class == pair->class && (rule->perms & ~*ret) != 0 &&
                    vd_change_reaches(q, change, rule, pair->source, pair->target) &&
                    vd_change_in_force(q, change, rule))
                    *ret |= rule->perms;
            }
        }
    }
    return true;
}

/* What the policy's own allow rules give the pair once the change is made. */
static uint32_t own_rules(const struct vd_inquiry *q, const struct vd_change *change,
                          const struct vd_edit *pair)
{
    const struct vd_pdb_leaf *leaf = vd_te_leaf(q->db, pair->source, pair->target, pair->class);
    uint32_t allowed = 0;

    if (!moves_rules(change))
        return leaf == NULL ? 0 : vd_layers_leaf(q->db, leaf, q->values);
    if (by_attributes(q, change, pair, &allowed))
        return allowed | (leaf == NULL ? 0 : vd_layers_leaf(q->db, leaf, q->values));
    allowed = 0;
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
