/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The rules of SELinux's binary policy. As checkpolicy does, a rule keeps the
 * attributes it names, unless something is taken away from them, everything of
 * a kind is meant, or the target is `self`: then it stands for its types. Rules
 * of the same source, target, class and kind are one.
 */
#include "tools/sepolicy/selinux/write.h"

#include "core/base/htab.h"
#include "tools/sepolicy/gen/rules.h"

/* One rule of one class, on its way into the table. */
struct vector {
    const struct vd_sp_av *av;
    enum vd_sp_se_spec spec;
    uint32_t list;
    struct vd_sp_se_numbers sources, targets;
};

static uint32_t *find_slot(struct vd_sp_se *se, uint64_t key, uint32_t list)
{
    for (uint32_t i = (uint32_t)vd_hash_mix(key ^ (uint64_t)list << 40);; i++) {
        uint32_t *slot = &se->table[i & se->mask];

        if (*slot == 0 ||
            (se->rules.data[*slot - 1].key == key && se->rules.data[*slot - 1].list == list))
            return slot;
    }
}

static void grow(struct vd_sp_se *se)
{
    uint32_t slots = se->table == NULL ? 1024 : (se->mask + 1) * 2;

    se->table = vd_sp_alloc_array(&se->c->sp->arena, slots, sizeof(*se->table));
    se->mask = slots - 1;
    for (uint32_t i = 0; i < se->rules.count; i++)
        *find_slot(se, se->rules.data[i].key, se->rules.data[i].list) = i + 1;
}

/* Adds a rule, or to the rule of that key: permissions, or what stays audited. */
static void add(struct vd_sp_se *se, uint64_t key, uint32_t list, uint32_t datum)
{
    uint32_t *slot;

    if (se->table == NULL || se->rules.count > se->mask / 2)
        grow(se);
    slot = find_slot(se, key, list);
    if (*slot == 0) {
        *slot = se->rules.count + 1;
        *VD_SP_PUSH(&se->c->sp->arena, &se->rules) =
            (struct vd_sp_se_rule){.key = key, .list = list, .datum = datum};
    } else if (key >> 48 >= VD_SE_TRANSITION) {
        return; /* the same rule under conditions that are one */
    } else if (key >> 48 == VD_SE_AUDITDENY) {
        se->rules.data[*slot - 1].datum &= datum;
    } else {
        se->rules.data[*slot - 1].datum |= datum;
    }
}

static uint64_t key_of(uint32_t source, uint32_t target, uint32_t class, enum vd_sp_se_spec spec)
{
    return source | (uint64_t)target << 16 | (uint64_t) class << 32 | (uint64_t)spec << 48;
}

static void add_vector(struct vd_sp_se *se, const struct vector *v, uint32_t source,
                       uint32_t target, uint32_t perms)
{
    add(se, key_of(source, target, v->av->class, v->spec), v->list,
        v->spec == VD_SE_AUDITDENY ? ~perms : perms);
}

/* What the deny rules leave of a vector's permissions for one source and target. */
static uint32_t without_denied(const struct vd_sp_se *se, const struct vd_sp_av *av,
                               uint32_t source, uint32_t target)
{
    const struct vd_sp_checked *c = se->c;
    uint32_t perms = av->perms;

    for (uint32_t i = 0; i < se->denies.count && av->kind == VD_SP_ALLOW; i++) {
        const struct vd_sp_av *deny = &c->avs.data[se->denies.data[i]];

        if (deny->class == av->class && vd_bitmap_get(c->sets.data[deny->source].words, source) &&
            vd_sp_av_reaches(c, deny, source, target))
            perms &= ~deny->perms;
    }
    return perms;
}

static bool meet(const struct vd_sp_checked *c, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < c->type_words; i++) {
        if ((c->sets.data[a].words[i] & c->sets.data[b].words[i]) != 0)
            return true;
    }
    return false;
}

/* True if a deny rule may take something from it. */
static bool is_denied(const struct vd_sp_se *se, const struct vd_sp_av *av)
{
    for (uint32_t i = 0; i < se->denies.count && av->kind == VD_SP_ALLOW; i++) {
        const struct vd_sp_av *deny = &se->c->avs.data[se->denies.data[i]];

        if (deny->class == av->class && (deny->perms & av->perms) != 0 &&
            meet(se->c, deny->source, av->source) &&
            (deny->flags != 0 || meet(se->c, deny->target, av->target)))
            return true;
    }
    return false;
}

static void add_cell(struct vd_sp_se *se, const struct vector *v, uint32_t source, uint32_t target)
{
    uint32_t perms = without_denied(se, v->av, source, target);

    if (perms != 0)
        add_vector(se, v, source, target, perms);
}

static void add_expanded(struct vd_sp_se *se, const struct vector *v)
{
    const struct vd_sp_checked *c = se->c;
    const uint64_t *sources = c->sets.data[v->av->source].words;
    const uint64_t *targets = c->sets.data[v->av->target].words;

    VD_SP_FOR_EACH_BIT (sources, c->type_words, source) {
        VD_SP_FOR_EACH_BIT (targets, c->type_words, target) {
            if (target != source || (v->av->flags & VD_SP_AV_NOT_SELF) == 0)
                add_cell(se, v, source, target);
        }
        if ((v->av->flags & VD_SP_AV_SELF) != 0)
            add_cell(se, v, source, source);
    }
}

/* Names alone, so that its attributes can stay. */
static bool is_plain(const struct vd_sp_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->items[i].minus)
            return false;
    }
    return !set->star && !set->complement;
}

static void list_types(struct vd_sp_checked *c, const uint64_t *types,
                       struct vd_sp_se_numbers *list)
{
    VD_SP_FOR_EACH_BIT (types, c->type_words, type)
        *VD_SP_PUSH(&c->sp->arena, list) = type;
}

void vd_sp_se_list_numbers(struct vd_sp_se *se, const struct vd_sp_set *set, uint32_t types,
                           struct vd_sp_se_numbers *list)
{
    struct vd_sp_checked *c = se->c;

    list->count = 0;
    for (uint32_t i = 0; is_plain(set) && i < set->count; i++) {
        uint32_t number = vd_sp_find(c->sp, VD_SP_TYPE, &set->items[i])->number;

        if (number >= c->type_count && c->expanded[number - c->type_count])
            list_types(c, c->attributes[number - c->type_count], list);
        else
            *VD_SP_PUSH(&c->sp->arena, list) = number;
    }
    if (!is_plain(set))
        list_types(c, c->sets.data[types].words, list);
}

static void gather_vector(struct vd_sp_se *se, struct vector *v)
{
    const struct vd_sp *sp = se->c->sp;
    const struct vd_sp_rule *rule = &sp->rules.data[v->av->rule];

    v->list = rule->cond == 0 ? 0 : se->list_of[rule->otherwise ? 0 : 1][rule->cond - 1];
    v->spec = rule->kind == VD_SP_ALLOW        ? VD_SE_ALLOWED
              : rule->kind == VD_SP_AUDITALLOW ? VD_SE_AUDITALLOW
                                               : VD_SE_AUDITDENY;
    if (v->av->flags != 0 || is_denied(se, v->av)) {
        add_expanded(se, v);
        return;
    }
    vd_sp_se_list_numbers(se, &sp->sets.list.data[rule->source], v->av->source, &v->sources);
    vd_sp_se_list_numbers(se, &sp->sets.list.data[rule->target], v->av->target, &v->targets);
    for (uint32_t s = 0; s < v->sources.count; s++) {
        for (uint32_t t = 0; t < v->targets.count; t++)
            add_vector(se, v, v->sources.data[s], v->targets.data[t], v->av->perms);
    }
}

/* The rows `first` to `last` of the conditional transitions; the kernel takes one condition. */
static void add_conditional(struct vd_sp_se *se, uint64_t key, uint32_t first, uint32_t last)
{
    struct vd_sp *sp = se->c->sp;
    uint32_t other = 0;

    for (uint32_t i = first; i < last; i++) {
        const struct vd_sp_cond_from *from = &se->image->cond_trans_from.data[i];
        uint32_t list = se->list_of[from->branch.branch][from->branch.cond];

        if (i > first && (list - 1) / 2 != (other - 1) / 2) {
            vd_sp_error_hint(
                &sp->messages, from->place,
                vd_sp_text(
                    &sp->arena, "the other rule is at %s",
                    vd_sp_place_text(&sp->messages, se->image->cond_trans_from.data[first].place)),
                "SELinux's kernel takes such a rule under one condition only");
            return;
        }
        other = list;
        add(se, key, list, se->image->cond_trans.data[i].value);
    }
}

static void gather_transitions(struct vd_sp_se *se)
{
    static const enum vd_sp_se_spec specs[] = {[VD_TRANS_TYPE] = VD_SE_TRANSITION,
                                               [VD_TRANS_MEMBER] = VD_SE_MEMBER,
                                               [VD_TRANS_CHANGE] = VD_SE_CHANGE};
    uint32_t rule = 0; /* the slots' conditional rules stand in their order */

    for (uint32_t i = 0; i < se->image->slots.count; i++) {
        const struct vd_pdb_slot *slot = &se->image->slots.data[i];
        uint32_t kind = (uint32_t)(slot->key >> 56), next = rule;
        uint64_t key;

        if (kind < VD_TRANS_TYPE || kind > VD_TRANS_CHANGE)
            continue;
        key = key_of(slot->key >> 20 & 0xfffff, slot->key & 0xfffff, slot->key >> 40 & 0xffff,
                     specs[kind]);
        while (next < se->image->cond_trans.count && se->image->cond_trans.data[next].slot == i)
            next++;
        if (next == rule)
            add(se, key, 0, slot->value);
        else
            add_conditional(se, key, rule, next);
        rule = next;
    }
}

/* Groups the rules by their lists. */
static void sort_rules(struct vd_sp_se *se)
{
    struct vd_sp_arena *arena = &se->c->sp->arena;
    uint32_t lists = 1 + 2 * se->conds.count;
    uint32_t *at = vd_sp_alloc_array(arena, lists, sizeof(*at));

    se->list_first = vd_sp_alloc_array(arena, lists + 1, sizeof(*se->list_first));
    se->order = vd_sp_alloc_array(arena, se->rules.count, sizeof(*se->order));
    for (uint32_t i = 0; i < se->rules.count; i++)
        se->list_first[se->rules.data[i].list + 1]++;
    for (uint32_t i = 0; i < lists; i++) {
        se->list_first[i + 1] += se->list_first[i];
        at[i] = se->list_first[i];
    }
    for (uint32_t i = 0; i < se->rules.count; i++)
        se->order[at[se->rules.data[i].list]++] = i;
}

void vd_sp_se_gather_rules(struct vd_sp_se *se)
{
    struct vd_sp_checked *c = se->c;
    struct vector v = {};

    for (uint32_t i = 0; i < c->avs.count; i++) {
        if (c->avs.data[i].kind == VD_SP_DENY)
            *VD_SP_PUSH(&c->sp->arena, &se->denies) = i;
    }
    for (uint32_t i = 0; i < c->avs.count; i++) {
        v.av = &c->avs.data[i];
        if (v.av->kind != VD_SP_DENY && v.av->kind != VD_SP_NEVERALLOW)
            gather_vector(se, &v);
    }
    gather_transitions(se);
    sort_rules(se);
    vd_sp_se_gather_xperms(se);
    if (se->list_first[1] == 0 && se->xlist_first[1] == 0)
        vd_sp_error(&c->sp->messages, 0,
                    "SELinux's kernel does not take a policy without any rule outside of 'if'");
}

static void put_list(struct vd_sp_se *se, uint32_t list, uint32_t flags)
{
    uint32_t end = se->list_first[list + 1];

    vd_sp_se_u32(se,
                 end - se->list_first[list] + se->xlist_first[list + 1] - se->xlist_first[list]);
    for (uint32_t i = se->list_first[list]; i < end; i++) {
        const struct vd_sp_se_rule *rule = &se->rules.data[se->order[i]];

        vd_write_le64(&se->out, rule->key | (uint64_t)flags << 48);
        vd_sp_se_u32(se, rule->datum);
    }
    vd_sp_se_put_xperms(se, list, flags);
}

/* True if the condition of that row has rules. */
static bool is_used(const struct vd_sp_se *se, uint32_t row)
{
    return se->list_first[1 + 2 * row] != se->list_first[3 + 2 * row] ||
           se->xlist_first[1 + 2 * row] != se->xlist_first[3 + 2 * row];
}

static void put_cond(struct vd_sp_se *se, uint32_t row)
{
    const struct vd_sp *sp = se->c->sp;
    const struct vd_sp_se_cond *cond = &se->conds.data[row];

    vd_sp_se_u32(se, cond->state);
    vd_sp_se_u32(se, cond->count);
    for (uint32_t i = 0; i < cond->count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[cond->first + i];

        vd_sp_se_u32(se, node->op);
        vd_sp_se_u32(se, node->op != VD_COND_BOOL
                             ? 0
                             : vd_sp_symbol_of(sp, VD_SP_BOOL, node->name.name)->number);
    }
    put_list(se, 1 + 2 * row, cond->state ? VD_SE_ENABLED : 0);
    put_list(se, 2 + 2 * row, cond->state ? 0 : VD_SE_ENABLED);
}

void vd_sp_se_put_rules(struct vd_sp_se *se)
{
    uint32_t used = 0;

    put_list(se, 0, 0);
    for (uint32_t i = 0; i < se->conds.count; i++)
        used += is_used(se, i);
    vd_sp_se_u32(se, used);
    /* A condition without rules (of a block out of force, say) decides nothing. */
    for (uint32_t i = 0; i < se->conds.count; i++) {
        if (is_used(se, i))
            put_cond(se, i);
    }
}
