/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Transitions of types, roles and ranges: expanded to one slot for each source,
 * target and class, in a hash table of buckets of eight.
 */
#include "tools/sepolicy/gen/codegen.h"

#include <string.h>

#define MAX_SLOTS   (1u << 22) /* rules after their sets are expanded */
#define MAX_BUCKETS (1u << 24) /* as the blob's check has it */

/* What a conditional rule gives. */
struct part {
    uint32_t next; /* index + 1 */
    uint32_t value;
    struct vd_sp_cond_from from;
};

struct builder {
    struct vd_sp_image *image;
    VD_SP_VEC(struct vd_pdb_slot) list; /* all rules; `reserved` is the rule's place */
    VD_SP_VEC(uint32_t) conditional;    /* by row of list: index of its first part + 1 */
    VD_SP_VEC(struct part) parts;
    uint32_t *table, mask; /* rows of list + 1, by key */
    uint64_t *classes;
};

static uint32_t *find_slot(struct builder *b, uint64_t key)
{
    for (uint32_t i = (uint32_t)vd_hash_mix(key);; i++) {
        uint32_t *slot = &b->table[i & b->mask];

        if (*slot == 0 || b->list.data[*slot - 1].key == key)
            return slot;
    }
}

static void grow(struct builder *b)
{
    uint32_t slots = b->table == NULL ? 1024 : (b->mask + 1) * 2;

    if (b->table != NULL)
        vd_sp_release(&b->image->c->sp->arena, b->table, ((size_t)b->mask + 1) * sizeof(*b->table));
    b->table = vd_sp_alloc_array(&b->image->c->sp->arena, slots, sizeof(*b->table));
    b->mask = slots - 1;
    for (uint32_t i = 0; i < b->list.count; i++)
        *find_slot(b, b->list.data[i].key) = i + 1;
}

/* What a rule gives, and where it stands. */
struct outcome {
    uint32_t kind; /* enum vd_pdb_trans_kind */
    uint32_t value;
    uint32_t place;
    bool conditional;
    struct vd_sp_branch branch;
};

/* The row of the list for a key, a new one with the outcome if there is none (`ret_new`). */
static uint32_t take_slot(struct builder *b, uint64_t key, const struct outcome *outcome,
                          bool *ret_new)
{
    struct vd_sp *sp = b->image->c->sp;
    uint32_t *slot;

    if (b->table == NULL || b->list.count > b->mask / 2)
        grow(b);
    slot = find_slot(b, key);
    *ret_new = *slot == 0;
    if (*slot != 0)
        return *slot - 1;
    if (b->list.count == MAX_SLOTS) {
        vd_sp_error(&sp->messages, outcome->place,
                    "the transitions stand for more than %u pairs of source, target and class",
                    MAX_SLOTS);
        vd_sp_escape(&sp->arena, VD_E_LIMIT);
    }
    *slot = b->list.count + 1;
    *VD_SP_PUSH(&sp->arena, &b->list) = (struct vd_pdb_slot){
        .key = key,
        .value = outcome->conditional ? 0 : outcome->value,
        .reserved = outcome->place,
    };
    *VD_SP_PUSH(&sp->arena, &b->conditional) = 0;
    return b->list.count - 1;
}

static bool contradicts(struct builder *b, const struct outcome *outcome, uint32_t place)
{
    struct vd_sp *sp = b->image->c->sp;

    vd_sp_error_hint(
        &sp->messages, outcome->place,
        vd_sp_text(&sp->arena, "the other rule is at %s", vd_sp_place_text(&sp->messages, place)),
        "another rule gives another result for the same source, target and class");
    return false;
}

/* Adds one rule; false if another gives another result (reported). */
static bool add(struct builder *b, uint64_t key, const struct outcome *outcome)
{
    const struct vd_sp *sp = b->image->c->sp;
    bool new;
    uint32_t row = take_slot(b, key, outcome, &new);
    struct part *part;

    /* The unconditional rules come first, and decide alone. */
    if (!new && b->conditional.data[row] == 0)
        return b->list.data[row].value == outcome->value ||
               contradicts(b, outcome, b->list.data[row].reserved);
    if (!outcome->conditional)
        return true;
    for (uint32_t i = b->conditional.data[row]; i != 0; i = b->parts.data[i - 1].next) {
        part = &b->parts.data[i - 1];
        if (part->value != outcome->value) {
            if (vd_sp_branches_meet(sp, part->from.branch, outcome->branch))
                return contradicts(b, outcome, part->from.place);
        } else if (part->from.branch.cond == outcome->branch.cond &&
                   part->from.branch.branch == outcome->branch.branch) {
            return true;
        }
    }
    part = VD_SP_PUSH(&b->image->c->sp->arena, &b->parts);
    *part = (struct part){.next = b->conditional.data[row],
                          .value = outcome->value,
                          .from = {.branch = outcome->branch, .place = outcome->place}};
    b->conditional.data[row] = b->parts.count;
    return true;
}

/* Adds the rule for each combination of source, target and class (b->classes). */
static void expand(struct builder *b, const uint64_t *sources, uint32_t words, uint32_t target_set,
                   const struct outcome *outcome)
{
    struct vd_sp_checked *c = b->image->c;
    const uint64_t *targets = c->sets.data[target_set].words;
    uint32_t class_words = VD_BITMAP_WORDS(c->classes.count);

    VD_SP_FOR_EACH_BIT (sources, words, source) {
        VD_SP_FOR_EACH_BIT (targets, c->type_words, target) {
            VD_SP_FOR_EACH_BIT (b->classes, class_words, class) {
                if (!add(b, vd_pdb_trans_key(outcome->kind, source, target, class), outcome))
                    return;
            }
        }
    }
}

/* The classes a rule names; none named: process. False: reported. */
static bool resolve_classes(struct builder *b, const struct vd_sp_set *set, uint32_t place)
{
    static const struct vd_sp_set none = {};
    struct vd_sp_checked *c = b->image->c;
    struct vd_sp_item process = {.name = VD_SP_KW_PROCESS, .place = place & VD_SP_PLACE_MASK};
    struct vd_sp_set implied = {.items = &process, .count = 1, .place = place};

    if (memcmp(set, &none, sizeof(none)) == 0)
        set = &implied;
    return vd_sp_resolve_plain(c, VD_SP_CLASS, set, b->classes);
}

const struct vd_sp_symbol *vd_sp_gen_result(struct vd_sp *sp, const struct vd_sp_transition *rule)
{
    const struct vd_sp_symbol *type = vd_sp_find(sp, VD_SP_TYPE, &rule->result);

    if (type == NULL || type->kind != VD_SP_ATTRIBUTE)
        return type;
    vd_sp_error(&sp->messages, rule->result.place, "'%s' is an attribute, not a type",
                vd_sp_str(sp, rule->result.name));
    return NULL;
}

/* What the rule gives, as a slot's value; false: reported. */
static bool resolve_result(struct builder *b, const struct vd_sp_transition *rule,
                           uint32_t *ret_value)
{
    struct vd_sp_checked *c = b->image->c;
    const struct vd_sp_symbol *type;

    if (rule->kind == VD_TRANS_RANGE) {
        struct vd_mls_level low, high;
        struct vd_pdb_range row;

        if (!vd_sp_resolve_range(c, &rule->range, &low, &high))
            return false;
        row.low = vd_sp_pool_add(&b->image->levels, &low, 1);
        row.high = vd_sp_pool_add(&b->image->levels, &high, 1);
        *ret_value = vd_sp_pool_add(&b->image->ranges, &row, 1) + 1;
        return true;
    }
    type = vd_sp_gen_result(c->sp, rule);
    if (type != NULL)
        *ret_value = type->number;
    return type != NULL;
}

static void gen_transition(struct builder *b, const struct vd_sp_transition *rule)
{
    struct vd_sp_checked *c = b->image->c;
    struct outcome outcome = {.kind = rule->kind,
                              .place = rule->place,
                              .conditional = rule->cond != 0,
                              .branch = {rule->cond - 1, rule->otherwise ? 0 : 1}};
    uint32_t source, target;
    uint8_t flags = 0;
    bool good = vd_sp_resolve_types(c, &rule->source, &source, NULL);

    good &= vd_sp_resolve_types(c, &rule->target, &target, &flags);
    good &= resolve_classes(b, &rule->classes, rule->place);
    good &= resolve_result(b, rule, &outcome.value);
    if (!good)
        return;
    if ((flags & VD_SP_AV_NOT_SELF) != 0) {
        vd_sp_error(&c->sp->messages, rule->target.place, "'-self' has no meaning in a transition");
        return;
    }
    expand(b, c->sets.data[source].words, c->type_words, target, &outcome);
    if ((flags & VD_SP_AV_SELF) == 0)
        return;
    VD_SP_FOR_EACH_BIT (c->sets.data[source].words, c->type_words, type) {
        uint32_t class_words = VD_BITMAP_WORDS(c->classes.count);

        VD_SP_FOR_EACH_BIT (b->classes, class_words, class)
            (void)add(b, vd_pdb_trans_key(rule->kind, type, type, class), &outcome);
    }
}

static void gen_role_transition(struct builder *b, const struct vd_sp_role_transition *rule)
{
    struct vd_sp_checked *c = b->image->c;
    uint64_t *roles = vd_sp_alloc_array(&c->sp->arena, c->role_words, sizeof(*roles));
    struct vd_sp_symbol *result = vd_sp_find(c->sp, VD_SP_ROLE, &rule->result);
    uint32_t types;
    bool good = vd_sp_resolve_plain(c, VD_SP_ROLE, &rule->roles, roles);

    good &= vd_sp_resolve_types(c, &rule->types, &types, NULL);
    good &= resolve_classes(b, &rule->classes, rule->place);
    if (!good || result == NULL)
        return;
    if (result->kind == VD_SP_ATTRIBUTE) {
        vd_sp_error(&c->sp->messages, rule->result.place, "'%s' is a role attribute, not a role",
                    vd_sp_str(c->sp, rule->result.name));
        return;
    }
    expand(b, roles, c->role_words, types,
           &(struct outcome){.kind = VD_TRANS_ROLE, .value = result->number, .place = rule->place});
}

/* Lays the slots out; false if a bucket overflows. */
static bool fill_buckets(struct builder *b, struct vd_pdb_slot *slots, uint32_t buckets)
{
    for (uint32_t i = 0; i < b->list.count; i++) {
        struct vd_pdb_slot *bucket =
            slots + (size_t)vd_pdb_trans_bucket(b->list.data[i].key, buckets) * VD_PDB_BUCKET_SLOTS;
        uint32_t used = 0;

        while (used < VD_PDB_BUCKET_SLOTS && bucket[used].key != 0)
            used++;
        if (used == VD_PDB_BUCKET_SLOTS)
            return false;
        bucket[used].key = b->list.data[i].key;
        bucket[used].value = b->list.data[i].value;
    }
    return true;
}

/* The conditional rules by slot, in the order of the text, and what the slots answer for now. */
static void write_conditional(struct builder *b)
{
    struct vd_sp_image *image = b->image;
    struct vd_sp_arena *arena = &image->c->sp->arena;

    for (uint32_t row = 0; row < image->slots.count; row++) {
        struct vd_pdb_slot *slot = &image->slots.data[row];
        uint32_t first = image->cond_trans.count, at = 0;

        if (slot->key == 0)
            continue;
        for (uint32_t i = b->conditional.data[*find_slot(b, slot->key) - 1]; i != 0;
             i = b->parts.data[i - 1].next) {
            (void)VD_SP_PUSH(arena, &image->cond_trans);
            (void)VD_SP_PUSH(arena, &image->cond_trans_from);
        }
        at = image->cond_trans.count;
        for (uint32_t i = b->conditional.data[*find_slot(b, slot->key) - 1]; at > first;
             i = b->parts.data[i - 1].next) {
            const struct part *part = &b->parts.data[i - 1];
            const struct vd_sp_branch *from = &part->from.branch;
            uint32_t nodes = image->cond_first[from->cond];

            image->cond_trans_from.data[--at] = part->from;
            image->cond_trans.data[at] = (struct vd_pdb_cond_trans){
                .cond_first = nodes,
                .cond_count = image->c->sp->conds.data[from->cond].node_count,
                .branch = from->branch,
                .slot = row,
                .value = part->value};
            if (image->cond_value[nodes] == (from->branch != 0))
                slot->value = part->value;
        }
    }
}

/* The transitions without a file name, those outside of `if` or inside. */
static void gen_transitions(struct builder *b, bool conditional)
{
    const struct vd_sp *sp = b->image->c->sp;

    for (uint32_t i = 0; i < sp->transitions.count; i++) {
        const struct vd_sp_transition *rule = &sp->transitions.data[i];

        if (vd_sp_on(sp, rule->block) && rule->name.name == 0 && (rule->cond != 0) == conditional)
            gen_transition(b, rule);
    }
}

void vd_sp_gen_transitions(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;
    struct builder b = {.image = image};
    struct vd_pdb_slot *slots;
    uint32_t buckets = 1;

    b.classes =
        vd_sp_alloc_array(&sp->arena, VD_BITMAP_WORDS(image->c->classes.count), sizeof(*b.classes));
    gen_transitions(&b, false);
    gen_transitions(&b, true);
    for (uint32_t i = 0; i < sp->role_transitions.count; i++) {
        if (vd_sp_on(sp, sp->role_transitions.data[i].block))
            gen_role_transition(&b, &sp->role_transitions.data[i]);
    }
    while (buckets < b.list.count / (VD_PDB_BUCKET_SLOTS / 2))
        buckets *= 2;
    for (;;) {
        slots =
            vd_sp_alloc_array(&sp->arena, (size_t)buckets * VD_PDB_BUCKET_SLOTS, sizeof(*slots));
        if (fill_buckets(&b, slots, buckets))
            break;
        if (buckets == MAX_BUCKETS)
            vd_sp_escape(&sp->arena, VD_E_LIMIT);
        vd_sp_release(&sp->arena, slots, (size_t)buckets * VD_PDB_BUCKET_SLOTS * sizeof(*slots));
        buckets *= 2;
    }
    image->buckets = buckets;
    image->slots.data = slots;
    image->slots.count = buckets * VD_PDB_BUCKET_SLOTS;
    if (b.parts.count > 0 && sp->messages.errors == 0)
        write_conditional(&b);
    if (b.table != NULL)
        vd_sp_release(&sp->arena, b.table, ((size_t)b.mask + 1) * sizeof(*b.table));
    VD_SP_VEC_RELEASE(&sp->arena, &b.list);
    VD_SP_VEC_RELEASE(&sp->arena, &b.conditional);
    VD_SP_VEC_RELEASE(&sp->arena, &b.parts);
}
