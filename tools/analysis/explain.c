/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/explain.h"

#include <stdlib.h>

/* Appends a row to a growing array of at most `max`; NULL: no memory. */
static void *grow(void *list, uint32_t count, size_t size)
{
    /* Doubled at each power of two. */
    if ((count & (count - 1)) != 0)
        return list;
    return reallocarray(list, count == 0 ? 1 : 2 * (size_t)count, size);
}

static vd_status add_rule(struct vd_why *why, const struct vd_why_rule *rule)
{
    struct vd_why_rule *list = grow(why->rules, why->rule_count, sizeof(*list));

    if (list == NULL)
        return VD_E_NO_MEMORY;
    why->rules = list;
    list[why->rule_count++] = *rule;
    return VD_OK;
}

static vd_status add_constraint(struct vd_why *why, const struct vd_why_constraint *constraint)
{
    struct vd_why_constraint *list = grow(why->constraints, why->constraint_count, sizeof(*list));

    if (list == NULL)
        return VD_E_NO_MEMORY;
    why->constraints = list;
    list[why->constraint_count++] = *constraint;
    return VD_OK;
}

struct vd_cx vd_why_values(const struct vd_why *why, uint32_t pair)
{
    return (struct vd_cx){.db = *why->layers.db,
                          .source = &why->question.source,
                          .target = &why->question.target,
                          .source_type = why->layers.pairs[pair].source,
                          .target_type = why->layers.pairs[pair].target};
}

/* The constraints of the class that are false for one pair. */
static vd_status find_constraints(const struct vd_inquiry *q, struct vd_why *why, uint32_t pair)
{
    const struct vd_pdb_class *row =
        vd_pdb_row(q->db, VD_PDB_CLASSES, why->question.class, sizeof(*row));
    struct vd_cx cx = vd_why_values(why, pair);
    uint32_t end = row->node_first + row->node_count;

    for (uint32_t first = row->node_first; first < end;) {
        struct vd_why_constraint found = {.first = first, .pair = pair};
        struct vd_trace trace;
        uint32_t perms, next = vd_trace_next(q->db, first, &perms);
        if (next > end)
            return VD_E_INVALID;
        found.perms = perms & why->question.perms;
        if (found.perms != 0) {
            VD_TRY(vd_trace_constraint(q->db, &cx, first, &trace));
            bool holds = vd_trace_value(&trace);
            vd_trace_done(&trace);
            if (!holds)
                VD_TRY(add_constraint(why, &found));
        }
        first = next;
    }
    return VD_OK;
}

/* What the type rules lack for one pair, and whether it is for a `deny` rule. */
static void find_lacks(const struct vd_inquiry *q, struct vd_why *why, uint32_t pair)
{
    struct vd_edit asked = {.source = why->layers.pairs[pair].source,
                            .target = why->layers.pairs[pair].target,
                            .class = why->question.class,
                            .perms = why->question.perms};

    why->lacks[pair] =
        asked.perms & ~vd_layers_leaf(q->db, why->layers.pairs[pair].leaf, q->values);
    asked.perms = why->lacks[pair];
    (void)vd_change_denied(q, NULL, &asked, &why->taken[pair]);
}

static vd_status find_rules(const struct vd_inquiry *q, struct vd_why *why)
{
    uint32_t source = why->question.source.type, target = why->question.target.type;
    uint32_t class = why->question.class;

    for (uint32_t i = q->class_first[class]; i < q->class_first[class + 1]; i++) {
        const struct vd_rule *rule = &q->book->rules[q->rules[i]];
        struct vd_why_rule found = {.rule = rule, .perms = rule->perms & why->question.perms};
        if ((rule->kind != VD_RULE_ALLOW && rule->kind != VD_RULE_DONTAUDIT) || found.perms == 0 ||
            !vd_rulebook_reaches(q->book, q->db, rule, source, target))
            continue;
        found.in_force = vd_change_in_force(q, NULL, rule);
        VD_TRY(add_rule(why, &found));
    }
    for (uint32_t i = 0; why->question.key != 0 && i < q->xperm_count; i++) {
        const struct vd_rule *rule = &q->book->rules[q->xperms[i]];
        struct vd_why_rule found = {.rule = rule, .perms = why->question.key_perm};
        if (rule->kind == VD_RULE_NEVERALLOWXPERM || rule->class != class ||
            !vd_rulebook_reaches(q->book, q->db, rule, source, target))
            continue;
        found.in_force = vd_change_in_force(q, NULL, rule);
        VD_TRY(add_rule(why, &found));
    }
    return VD_OK;
}

/* The engine's decision, for one number where one is asked about. */
static void decide(const struct vd_inquiry *q, struct vd_why *why)
{
    const struct vd_why_question *asked = &why->question;
    struct vd_xperm_question x = {.class = asked->class,
                                  .perms = asked->key_perm,
                                  .kind = (enum vd_pdb_xperm_kind)(asked->key >> 16),
                                  .number = asked->key & VD_XPERM_NUMBER_MAX};

    if (asked->key == 0)
        vd_mac_decide(q->db, &asked->source, &asked->target, asked->class, &why->decision);
    else
        (void)!vd_mac_decide_xperm(q->db, &asked->source, &asked->target, &x, &why->decision);
    why->denied = asked->perms & ~why->decision.allowed;
}

static vd_status explain(const struct vd_inquiry *q, struct vd_why *why)
{
    const struct vd_why_question *asked = &why->question;
    const struct vd_pdb_class *row = vd_pdb_row(q->db, VD_PDB_CLASSES, asked->class, sizeof(*row));

    decide(q, why);
    vd_layers_contexts(&why->layers, q->db, &asked->source, &asked->target, asked->class);
    if (row == NULL || asked->class == 0 || why->layers.count == 0)
        return VD_E_RANGE;
    if (asked->source.role != asked->target.role &&
        !vd_rbac_allows(q->db, asked->source.role, asked->target.role))
        why->role = asked->perms & row->role_perms;
    if (asked->key != 0 &&
        (vd_layers_xperm(q->db, why->layers.pairs[0].leaf, q->values, asked->key) &
         (VD_XPERM_DEFINED | VD_XPERM_ALLOWED)) == VD_XPERM_DEFINED)
        why->extended = asked->key_perm;
    for (uint32_t pair = 0; pair < why->layers.count; pair++) {
        find_lacks(q, why, pair);
        VD_TRY(find_constraints(q, why, pair));
    }
    return VD_OK;
}

vd_status vd_why_judge(const struct vd_inquiry *inquiry, const struct vd_why_question *question,
                       struct vd_why *ret)
{
    struct vd_why why = {.question = *question};
    vd_status status = explain(inquiry, &why);

    if (status != VD_OK) {
        vd_why_done(&why);
        return status;
    }
    *ret = why;
    return VD_OK;
}

vd_status vd_why_explain(const struct vd_inquiry *inquiry, const struct vd_why_question *question,
                         struct vd_why *ret)
{
    struct vd_why why = {};
    vd_status status = vd_why_judge(inquiry, question, &why);

    if (status == VD_OK)
        status = find_rules(inquiry, &why);
    if (status != VD_OK) {
        vd_why_done(&why);
        return status;
    }
    *ret = why;
    return VD_OK;
}

void vd_why_done(struct vd_why *why)
{
    free(why->rules);
    free(why->constraints);
    *why = (struct vd_why){};
}

const struct vd_rule *vd_why_constraint_rule(const struct vd_inquiry *inquiry, uint32_t first)
{
    for (uint32_t i = 0; i < inquiry->constraint_count; i++) {
        const struct vd_rule *rule = &inquiry->book->rules[inquiry->constraints[i]];
        if (rule->first == first)
            return rule;
    }
    return NULL;
}

uint32_t vd_why_through(const struct vd_inquiry *inquiry, uint32_t set, uint32_t type)
{
    const struct vd_rule_set *row = vd_rulebook_set(inquiry->book, set);
    const uint32_t *items = vd_rulebook_items(inquiry->book, set);
    uint32_t through = 0;

    if ((row->flags & (VD_RULE_SET_COMPLEMENT | VD_RULE_SET_ROLES)) != 0)
        return 0;
    for (uint32_t i = 0; i < row->count; i++) {
        const struct vd_pdb_type *item =
            vd_pdb_row(inquiry->db, VD_PDB_TYPES, items[i] & ~VD_RULE_MINUS, sizeof(*item));
        if ((items[i] & VD_RULE_MINUS) != 0 || item == NULL)
            continue;
        if (items[i] == type)
            return type;
        if ((item->flags & VD_PDB_TYPE_ATTRIBUTE) != 0 &&
            vd_pdb_bit(inquiry->db, item->bitmap, type) && through == 0)
            through = items[i];
    }
    return through;
}
