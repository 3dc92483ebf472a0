/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Transitions of types, roles and ranges: expanded to one slot for each source,
 * target and class, in a hash table of buckets of eight.
 */
#include "tools/sepolicy/gen/codegen.h"

#include <string.h>

#define MAX_SLOTS   (1u << 22) /* rules after their sets are expanded */
#define MAX_BUCKETS (1u << 24) /* as the blob's check has it */

struct builder {
    struct vd_sp_image *image;
    VD_SP_VEC(struct vd_pdb_slot) list; /* all rules; `reserved` is the rule's place */
    uint32_t *table, mask;              /* rows of list + 1, by key */
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

    b->table = vd_sp_alloc_array(&b->image->c->sp->arena, slots, sizeof(*b->table));
    b->mask = slots - 1;
    for (uint32_t i = 0; i < b->list.count; i++)
        *find_slot(b, b->list.data[i].key) = i + 1;
}

/* Adds one rule; false if another gives another result (reported). */
static bool add(struct builder *b, uint64_t key, uint32_t value, uint32_t place)
{
    struct vd_sp *sp = b->image->c->sp;
    uint32_t *slot;

    if (b->table == NULL || b->list.count > b->mask / 2)
        grow(b);
    slot = find_slot(b, key);
    if (*slot != 0) {
        const struct vd_pdb_slot *old = &b->list.data[*slot - 1];

        if (old->value == value)
            return true;
        vd_sp_error_hint(&sp->messages, place,
                         vd_sp_text(&sp->arena, "the other rule is at %s",
                                    vd_sp_place_text(&sp->messages, old->reserved)),
                         "another rule gives another result for the same source, target and class");
        return false;
    }
    if (b->list.count == MAX_SLOTS) {
        vd_sp_error(&sp->messages, place,
                    "the transitions stand for more than %u pairs of source, target and class",
                    MAX_SLOTS);
        vd_sp_escape(&sp->arena, VD_E_LIMIT);
    }
    *slot = b->list.count + 1;
    *VD_SP_PUSH(&sp->arena, &b->list) =
        (struct vd_pdb_slot){.key = key, .value = value, .reserved = place};
    return true;
}

/* What a rule gives, and where it stands. */
struct outcome {
    uint32_t kind; /* enum vd_pdb_trans_kind */
    uint32_t value;
    uint32_t place;
};

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
                if (!add(b, vd_pdb_trans_key(outcome->kind, source, target, class), outcome->value,
                         outcome->place))
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
    uint32_t source, target, value = 0;
    uint8_t flags = 0;
    bool good = vd_sp_resolve_types(c, &rule->source, &source, NULL);

    good &= vd_sp_resolve_types(c, &rule->target, &target, &flags);
    good &= resolve_classes(b, &rule->classes, rule->place);
    good &= resolve_result(b, rule, &value);
    if (!good)
        return;
    if ((flags & VD_SP_AV_NOT_SELF) != 0) {
        vd_sp_error(&c->sp->messages, rule->target.place, "'-self' has no meaning in a transition");
        return;
    }
    expand(b, c->sets.data[source].words, c->type_words, target,
           &(struct outcome){.kind = rule->kind, .value = value, .place = rule->place});
    if ((flags & VD_SP_AV_SELF) == 0)
        return;
    VD_SP_FOR_EACH_BIT (c->sets.data[source].words, c->type_words, type) {
        uint32_t class_words = VD_BITMAP_WORDS(c->classes.count);

        VD_SP_FOR_EACH_BIT (b->classes, class_words, class)
            (void)add(b, vd_pdb_trans_key(rule->kind, type, type, class), value, rule->place);
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

void vd_sp_gen_transitions(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;
    struct builder b = {.image = image};
    struct vd_pdb_slot *slots;
    uint32_t buckets = 1;

    b.classes =
        vd_sp_alloc_array(&sp->arena, VD_BITMAP_WORDS(image->c->classes.count), sizeof(*b.classes));
    for (uint32_t i = 0; i < sp->transitions.count; i++) {
        if (vd_sp_on(sp, sp->transitions.data[i].block) && sp->transitions.data[i].name.name == 0)
            gen_transition(&b, &sp->transitions.data[i]);
    }
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
        buckets *= 2;
    }
    image->buckets = buckets;
    image->slots.data = slots;
    image->slots.count = buckets * VD_PDB_BUCKET_SLOTS;
}
