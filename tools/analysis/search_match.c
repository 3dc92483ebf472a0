/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/search_state.h"

#include <string.h>

static bool meet(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    uint64_t both = 0;

    for (uint32_t i = 0; i < words; i++)
        both |= a[i] & b[i];
    return both != 0;
}

/* True if the set is one term: what it stands for is not what its words say. */
static bool is_whole(const struct vd_search_state *s, uint32_t set)
{
    const struct vd_rule_set *row = vd_rulebook_set(&s->rules->book, set);
    const uint32_t *items = vd_rulebook_items(&s->rules->book, set);
    bool whole = (row->flags & (VD_RULE_SET_STAR | VD_RULE_SET_COMPLEMENT)) != 0;

    for (uint32_t i = 0; !whole && i < row->count; i++)
        whole = (items[i] & VD_RULE_MINUS) != 0;
    return whole;
}

static bool item_matches(const struct vd_search_matcher *m, bool role, uint32_t item)
{
    return vd_bitmap_get(role ? m->roles : m->terms, item);
}

/*
 * The terms of a set that match, as bits in `items`; `ret->items` stays NULL
 * where the set is one term. False: none does.
 */
static bool match_set(struct vd_search_state *s, const struct vd_search_matcher *m, uint32_t set,
                      uint64_t *items, struct vd_rule_part *ret)
{
    const struct vd_rule_set *row = vd_rulebook_set(&s->rules->book, set);
    const uint32_t *words = vd_rulebook_items(&s->rules->book, set);
    bool role = (row->flags & VD_RULE_SET_ROLES) != 0, some = false;

    ret->items = NULL;
    if (is_whole(s, set)) {
        if (m->any)
            return true;
        vd_rulebook_expand(&s->rules->book, &s->rules->db, set, s->expanded);
        return meet(s->expanded, role ? m->roles : m->types,
                    VD_BITMAP_WORDS(role ? s->roles : s->types));
    }
    memset(items, 0, (VD_BITMAP_WORDS(row->count) + 1) * 8);
    for (uint32_t i = 0; i < row->count; i++) {
        if (m->any || item_matches(m, role, words[i])) {
            vd_bitmap_set(items, i);
            some = true;
        }
    }
    ret->items = items;
    return some;
}

/* True if `self` matches: some type of the source that matches is a target asked for. */
static bool match_self(struct vd_search_state *s, const struct vd_rule *rule)
{
    uint32_t words = VD_BITMAP_WORDS(s->types);

    vd_rulebook_expand(&s->rules->book, &s->rules->db, rule->source, s->expanded);
    for (uint32_t i = 0; i < words && !s->source.any && !s->source.direct; i++)
        s->expanded[i] &= s->source.types[i];
    for (uint32_t i = 0; i < words && !s->target.any; i++)
        s->expanded[i] &= s->target.types[i];
    for (uint32_t i = 0; i < words; i++) {
        if (s->expanded[i] != 0)
            return true;
    }
    return false;
}

static bool match_target(struct vd_search_state *s, const struct vd_rule *rule,
                         struct vd_rule_view *ret)
{
    bool some = match_set(s, &s->target, rule->target, s->target_items, &ret->target);

    ret->target.self = (rule->flags & VD_RULE_SELF) != 0 && match_self(s, rule);
    if (!some && ret->target.self) {
        /* Nothing but `self` of it. */
        uint32_t count = vd_rulebook_set(&s->rules->book, rule->target)->count;

        memset(s->target_items, 0, (VD_BITMAP_WORDS(count) + 1) * 8);
        ret->target.items = s->target_items;
    }
    return some || ret->target.self;
}

static bool match_perms(const struct vd_search_state *s, const struct vd_rule *rule)
{
    const struct vd_search_list *asked = &s->asked->perms;
    uint32_t mask;

    if (s->masks == NULL)
        return true;
    if (!vd_rule_is_av(rule) && !vd_rule_is_xperm(rule) && !vd_rule_is_constraint(rule))
        return false;
    mask = s->masks[rule->class];
    if (asked->exact)
        return !s->lacks[rule->class] && mask == rule->perms;
    if (asked->subset)
        return !s->lacks[rule->class] && (mask & ~rule->perms) == 0;
    return (mask & rule->perms) != 0;
}

static bool has_call(const struct vd_rule_span *spans, uint32_t count, uint32_t call)
{
    for (uint32_t i = 0; i < count; i++) {
        if (spans[i].low <= call && call <= spans[i].high)
            return true;
    }
    return false;
}

static bool match_calls(const struct vd_search_state *s, const struct vd_rule *rule)
{
    const struct vd_rule_span *spans;
    bool some = false, all = true, other = false;

    if (s->call_count == 0)
        return true;
    if (!vd_rule_is_xperm(rule))
        return false;
    spans = vd_rulebook_spans(&s->rules->book, rule);
    for (uint32_t call = 0; call <= UINT16_MAX; call++) {
        bool asked = has_call(s->calls, s->call_count, call);
        bool has = has_call(spans, rule->name, call);

        some |= asked && has;
        all &= !asked || has;
        other |= !asked && has;
    }
    return s->asked->calls.exact ? all && !other : some;
}

static bool match_bools(const struct vd_search_state *s, const struct vd_rule *rule)
{
    uint32_t count, asked = 0, met = 0;
    const struct vd_pdb_cond_node *nodes = vd_rulebook_cond(&s->rules->book, rule, &count);
    uint64_t seen[VD_BITMAP_WORDS(VD_PDB_MAX_BOOLS)] = {};
    bool other = false;

    if (s->bools == NULL)
        return true;
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].op != VD_COND_BOOL || vd_bitmap_get(seen, nodes[i].value))
            continue;
        vd_bitmap_set(seen, nodes[i].value);
        if (vd_bitmap_get(s->bools, nodes[i].value))
            met++;
        else
            other = true;
    }
    if (!s->asked->bools.exact || s->asked->bools.regex)
        return met > 0;
    for (uint32_t i = 0; i < vd_policydb_header(&s->rules->db)->sections[VD_PDB_BOOLS].count; i++)
        asked += vd_bitmap_get(s->bools, i);
    return met == asked && !other;
}

static bool match_result(const struct vd_search_state *s, const struct vd_rule *rule)
{
    if (s->result.any)
        return true;
    switch (rule->kind) {
    case VD_RULE_TYPE_TRANSITION:
    case VD_RULE_TYPE_MEMBER:
    case VD_RULE_TYPE_CHANGE:
        return vd_bitmap_get(s->result.types, rule->perms);
    case VD_RULE_ROLE_TRANSITION:
        return vd_bitmap_get(s->result.roles, rule->perms);
    default:
        return false;
    }
}

bool vd_search_match(struct vd_search_state *s, const struct vd_rule *rule,
                     struct vd_rule_view *ret)
{
    *ret = (struct vd_rule_view){.rule = rule};
    if (s->asked->kinds != 0 && (s->asked->kinds >> rule->kind & 1) == 0)
        return false;
    if (s->classes != NULL && (rule->class == 0 || !vd_bitmap_get(s->classes, rule->class)))
        return false;
    if (!match_perms(s, rule) || !match_result(s, rule) || !match_bools(s, rule) ||
        !match_calls(s, rule))
        return false;
    if (vd_rule_is_constraint(rule))
        return s->source.any && s->target.any;
    return match_set(s, &s->source, rule->source, s->source_items, &ret->source) &&
           match_target(s, rule, ret);
}
