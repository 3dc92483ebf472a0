/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/suggest.h"

#include <stdlib.h>
#include <string.h>

#include "core/policydb/conditional.h"

#define SLOTS (2 * VD_SUGGEST_MAX_GROUPS) /* a power of two, never more than half full */

vd_status vd_suggest_init(struct vd_suggest *ret)
{
    struct vd_suggest s = {.table = calloc(SLOTS, sizeof(*s.table))};

    if (s.table == NULL)
        return VD_E_NO_MEMORY;
    *ret = s;
    return VD_OK;
}

void vd_suggest_done(struct vd_suggest *suggest)
{
    free(suggest->groups);
    free(suggest->edits);
    free(suggest->table);
    *suggest = (struct vd_suggest){};
}

static uint64_t hash(const struct vd_why_question *q)
{
    uint64_t value = vd_hash_mix((uint64_t)q->source.type << 32 | q->target.type);

    value = vd_hash_mix(value ^ ((uint64_t)q->class << 32 | q->source.role << 12 | q->target.role));
    value = vd_hash_mix(value ^ ((uint64_t)q->source.user << 32 | q->target.user));
    value = vd_hash_mix(value ^ q->key);
    value = vd_hash_mix(value ^ q->source.low.cats[0] ^ q->target.low.cats[0] << 1);
    return vd_hash_mix(value ^ q->source.high.cats[0] << 2 ^ q->target.high.cats[0] << 3);
}

static bool alike(const struct vd_why_question *a, const struct vd_why_question *b)
{
    return a->class == b->class && a->key == b->key && vd_context_equal(&a->source, &b->source) &&
           vd_context_equal(&a->target, &b->target);
}

/* Appends a group. */
static vd_status push_group(struct vd_suggest *s, const struct vd_suggest_group *group)
{
    struct vd_suggest_group *groups = s->groups;

    if ((s->group_count & (s->group_count - 1)) == 0) {
        groups = reallocarray(groups, s->group_count == 0 ? 1 : 2 * (size_t)s->group_count,
                              sizeof(*groups));
        if (groups == NULL)
            return VD_E_NO_MEMORY;
        s->groups = groups;
    }
    groups[s->group_count++] = *group;
    return VD_OK;
}

vd_status vd_suggest_add(struct vd_suggest *suggest, const struct vd_why_question *question,
                         uint64_t line)
{
    uint32_t slot = (uint32_t)hash(question) & (SLOTS - 1);

    for (; suggest->table[slot] != 0; slot = (slot + 1) & (SLOTS - 1)) {
        struct vd_suggest_group *g = &suggest->groups[suggest->table[slot] - 1];
        if (alike(&g->question, question)) {
            g->question.perms |= question->perms;
            g->question.key_perm |= question->key_perm;
            g->count++;
            return VD_OK;
        }
    }
    if (suggest->group_count == VD_SUGGEST_MAX_GROUPS)
        return VD_E_LIMIT;
    VD_TRY(push_group(suggest,
                      &(struct vd_suggest_group){.question = *question, .count = 1, .line = line}));
    suggest->table[slot] = suggest->group_count;
    return VD_OK;
}

vd_status vd_suggest_add_edit(struct vd_suggest *suggest, const struct vd_edit *edit,
                              uint64_t opens)
{
    struct vd_suggest_edit *edits = suggest->edits;

    for (uint32_t i = 0; i < suggest->edit_count; i++) {
        struct vd_edit *e = &edits[i].edit;
        if (e->kind != edit->kind || e->source != edit->source || e->target != edit->target ||
            e->class != edit->class || e->key != edit->key)
            continue;
        edits[i].opens += (edit->perms & ~e->perms) != 0 ? opens : 0;
        e->perms |= edit->perms;
        return VD_OK;
    }
    if ((suggest->edit_count & (suggest->edit_count - 1)) == 0) {
        edits = reallocarray(edits, suggest->edit_count == 0 ? 1 : 2 * (size_t)suggest->edit_count,
                             sizeof(*edits));
        if (edits == NULL)
            return VD_E_NO_MEMORY;
        suggest->edits = edits;
    }
    edits[suggest->edit_count++] = (struct vd_suggest_edit){.edit = *edit, .opens = opens};
    return VD_OK;
}

static bool only_booleans(const struct vd_change *change)
{
    for (uint32_t i = 0; i < change->count; i++) {
        if (change->edits[i].kind != VD_EDIT_BOOLEAN)
            return false;
    }
    return change->count != 0;
}

static bool any_boolean(const struct vd_change *change)
{
    for (uint32_t i = 0; i < change->count; i++) {
        if (change->edits[i].kind == VD_EDIT_BOOLEAN)
            return true;
    }
    return false;
}

/* Notes the booleans of a change; false if another group wants one otherwise, or there are too many. */
static bool take_booleans(struct vd_suggest *s, const struct vd_change *change)
{
    uint32_t count = s->boolean_count;

    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        bool known = false;
        for (uint32_t j = 0; j < s->boolean_count; j++) {
            known = known || s->booleans[j].source == e->source;
            if (s->booleans[j].source == e->source && s->booleans[j].target != e->target)
                return false;
        }
        if (known)
            continue;
        if (count == VD_CHANGE_EDITS)
            return false;
        s->booleans[count++] = *e;
    }
    s->boolean_count = count;
    return true;
}

static vd_status choose_booleans(struct vd_suggest *s, const struct vd_inquiry *q,
                                 struct vd_suggest_group *g)
{
    struct vd_changes changes = {};
    struct vd_why why = {};
    vd_status status = vd_why_judge(q, &g->question, &why);

    if (status == VD_OK)
        status = vd_changes_find(q, &why, VD_CHANGES_BOOLEANS, &changes);
    if (status == VD_OK && why.denied == 0)
        g->state = VD_SUGGEST_ALLOWED;
    for (uint32_t i = 0; status == VD_OK && i < changes.count; i++) {
        if (only_booleans(&changes.list[i]) && changes.list[i].refusal.rule == NULL &&
            take_booleans(s, &changes.list[i]))
            break;
    }
    vd_changes_done(&changes);
    vd_why_done(&why);
    return status;
}

/* True if one edit may make a neverallow forbid what the other gives. */
static bool near(const struct vd_edit *a, const struct vd_edit *b)
{
    bool rule_a = a->kind == VD_EDIT_ALLOW || a->kind == VD_EDIT_ALLOWXPERM;
    bool rule_b = b->kind == VD_EDIT_ALLOW || b->kind == VD_EDIT_ALLOWXPERM;

    /* Roles and booleans have numbers of their own: no edit of theirs is one of types. */
    if ((!rule_a && a->kind != VD_EDIT_ATTRIBUTE) || (!rule_b && b->kind != VD_EDIT_ATTRIBUTE))
        return false;
    if (!rule_a && !rule_b)
        return true;
    /* Rules alone never forbid each other: only attributes reach what stands elsewhere. */
    if (rule_a && rule_b)
        return false;
    return rule_a ? b->source == a->source || b->source == a->target
                  : a->source == b->source || a->source == b->target;
}

/* What is proposed already and bears on the types of an edit: judged together with it. */
static bool together(const struct vd_suggest *s, const struct vd_change *change,
                     struct vd_change *ret)
{
    *ret = *change;
    for (uint32_t i = 0; i < s->edit_count; i++) {
        bool any = false;
        for (uint32_t j = 0; j < change->count; j++)
            any = any || near(&s->edits[i].edit, &change->edits[j]);
        if (!any)
            continue;
        if (ret->count == VD_CHANGE_EDITS)
            return false;
        ret->edits[ret->count++] = s->edits[i].edit;
    }
    return true;
}

/* Takes the change if nothing forbids it together with what is proposed already. */
static vd_status take_change(struct vd_suggest *s, const struct vd_inquiry *q,
                             struct vd_suggest_group *g, const struct vd_change *change)
{
    struct vd_change joint;

    if (!together(s, change, &joint))
        return VD_OK; /* more than can be judged at once: not proposed */
    if (joint.count != change->count) {
        VD_TRY(vd_change_measure(q, &joint));
        if (joint.refusal.rule != NULL) {
            g->refusal = joint.refusal;
            return VD_OK;
        }
    }
    for (uint32_t i = 0; i < change->count; i++)
        VD_TRY(vd_suggest_add_edit(s, &change->edits[i], change->opens));
    g->state = VD_SUGGEST_EDIT;
    return VD_OK;
}

static vd_status choose_edits(struct vd_suggest *s, const struct vd_inquiry *q,
                              struct vd_suggest_group *g)
{
    struct vd_changes changes = {};
    struct vd_why why = {};
    vd_status status = vd_why_judge(q, &g->question, &why);

    /*
     * No change opens less than the rule for what lacks, if that is all that stands
     * against it: attributes are looked for where more does, or the rule is refused.
     */
    if (status == VD_OK && why.constraint_count == 0)
        status = vd_changes_find(q, &why, VD_CHANGES_RULES, &changes);
    if (status == VD_OK && (changes.count == 0 || changes.list[0].refusal.rule != NULL)) {
        vd_changes_done(&changes);
        status = vd_changes_find(q, &why, VD_CHANGES_RULES | VD_CHANGES_ATTRIBUTES, &changes);
    }
    g->state = why.denied != 0                                           ? VD_SUGGEST_STUCK
               : g->state == VD_SUGGEST_ALLOWED || s->boolean_count == 0 ? VD_SUGGEST_ALLOWED
                                                                         : VD_SUGGEST_BOOLEAN;
    for (uint32_t i = 0; status == VD_OK && i < changes.count && g->state == VD_SUGGEST_STUCK;
         i++) {
        const struct vd_change *change = &changes.list[i];
        if (any_boolean(change))
            continue;
        if (change->refusal.rule == NULL)
            status = take_change(s, q, g, change);
        else if (g->refusal.rule == NULL)
            g->refusal = change->refusal;
    }
    if (g->state == VD_SUGGEST_STUCK && g->refusal.rule != NULL)
        g->state = VD_SUGGEST_FORBIDDEN;
    vd_changes_done(&changes);
    vd_why_done(&why);
    return status;
}

/* The same question about one permission; a number goes with the permission of its kind. */
static struct vd_why_question only(const struct vd_why_question *question, uint32_t perm)
{
    struct vd_why_question q = *question;

    q.perms = perm;
    if (q.key_perm != perm)
        q.key = q.key_perm = 0;
    return q;
}

/*
 * A group that cannot be solved as a whole becomes one group a permission: what can
 * be had of it is proposed. The new ones stand at the end, to be solved there.
 */
static vd_status split(struct vd_suggest *s, uint32_t index)
{
    struct vd_suggest_group part = s->groups[index];
    uint32_t perms = part.question.perms;

    if (part.state < VD_SUGGEST_FORBIDDEN || (perms & (perms - 1)) == 0)
        return VD_OK;
    part.state = VD_SUGGEST_OPEN;
    part.refusal = (struct vd_refusal){};
    for (uint32_t rest = perms & (perms - 1); rest != 0; rest &= rest - 1) {
        part.question = only(&s->groups[index].question, rest & -rest);
        VD_TRY(push_group(s, &part));
    }
    s->groups[index].question = only(&s->groups[index].question, perms & -perms);
    s->groups[index].refusal = (struct vd_refusal){};
    return VD_OK;
}

vd_status vd_suggest_solve(struct vd_suggest *suggest, const struct vd_inquiry *inquiry, void *blob,
                           uint8_t *values, bool booleans)
{
    for (uint32_t i = 0; booleans && i < suggest->group_count; i++)
        VD_TRY(choose_booleans(suggest, inquiry, &suggest->groups[i]));
    for (uint32_t i = 0; i < suggest->boolean_count; i++) {
        const struct vd_edit *e = &suggest->booleans[i];
        VD_TRY(vd_policydb_set_bool(blob, e->source, e->target != 0));
        values[e->source] = (uint8_t)e->target;
    }
    if (suggest->boolean_count != 0)
        vd_policydb_recompute(blob);
    for (uint32_t i = 0; i < suggest->group_count; i++) {
        uint32_t perms = suggest->groups[i].question.perms;
        VD_TRY(choose_edits(suggest, inquiry, &suggest->groups[i]));
        VD_TRY(split(suggest, i));
        if (suggest->groups[i].question.perms != perms)
            VD_TRY(choose_edits(suggest, inquiry, &suggest->groups[i]));
    }
    return VD_OK;
}
