/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Transitions of types by the name of the new file: a slot for each class,
 * target and name, and in it a row for each result with the source types. The
 * number of slots is that of the names times the targets of their rules, not
 * times the sources, of which attributes have thousands.
 */
#include "tools/sepolicy/gen/codegen.h"

#include <string.h>

#define MAX_SLOTS   (1u << 22) /* rules after their targets and classes are expanded */
#define MAX_BUCKETS (1u << 22)

/* Sources that have one result in a slot. */
struct part {
    uint32_t next;    /* index + 1 */
    uint32_t sources; /* number of a type set */
    uint32_t type;
    uint32_t place; /* of the rule that came first */
};

struct slot {
    uint32_t name; /* as the model has it */
    uint32_t target, class;
    uint32_t parts; /* index of the first one + 1 */
};

struct builder {
    struct vd_sp_image *image;
    VD_SP_VEC(struct slot) slots;
    VD_SP_VEC(struct part) parts;
    uint32_t *table, mask; /* rows of slots + 1, by key */
    uint64_t *classes;
    uint32_t *string_of; /* offset in file_names by name; 0: not written yet */
};

static uint32_t *find_slot(struct builder *b, const struct slot *key)
{
    uint64_t hash = vd_hash_mix((uint64_t)key->name << 32 | key->class << 20 | key->target);

    for (uint32_t i = (uint32_t)hash;; i++) {
        uint32_t *at = &b->table[i & b->mask];
        const struct slot *slot = *at == 0 ? NULL : &b->slots.data[*at - 1];

        if (slot == NULL ||
            (slot->name == key->name && slot->target == key->target && slot->class == key->class))
            return at;
    }
}

static void grow(struct builder *b)
{
    uint32_t slots = b->table == NULL ? 1024 : (b->mask + 1) * 2;

    b->table = vd_sp_alloc_array(&b->image->c->sp->arena, slots, sizeof(*b->table));
    b->mask = slots - 1;
    for (uint32_t i = 0; i < b->slots.count; i++)
        *find_slot(b, &b->slots.data[i]) = i + 1;
}

/* The row of slots for a key, which is added if it is new. */
static uint32_t take_slot(struct builder *b, const struct slot *key, uint32_t place)
{
    struct vd_sp *sp = b->image->c->sp;
    uint32_t *at;

    if (b->table == NULL || b->slots.count > b->mask / 2)
        grow(b);
    at = find_slot(b, key);
    if (*at != 0)
        return *at - 1;
    if (b->slots.count == MAX_SLOTS) {
        vd_sp_error(&sp->messages, place,
                    "the transitions by name stand for more than %u triples of target, class "
                    "and name",
                    MAX_SLOTS);
        vd_sp_escape(&sp->arena, VD_E_LIMIT);
    }
    *VD_SP_PUSH(&sp->arena, &b->slots) = *key;
    *at = b->slots.count;
    return b->slots.count - 1;
}

static bool meet(const struct vd_sp_checked *c, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < c->type_words; i++) {
        if ((c->sets.data[a].words[i] & c->sets.data[b].words[i]) != 0)
            return true;
    }
    return false;
}

static uint32_t join(struct vd_sp_checked *c, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < c->type_words; i++)
        c->scratch[i] = c->sets.data[a].words[i] | c->sets.data[b].words[i];
    return vd_sp_intern_types(c, c->scratch);
}

/* Adds sources and their result to a slot; false: another rule says otherwise (reported). */
static bool add_part(struct builder *b, uint32_t slot, const struct part *new)
{
    struct vd_sp_checked *c = b->image->c;
    struct vd_sp *sp = c->sp;
    uint32_t count = 0, same = 0;

    for (uint32_t i = b->slots.data[slot].parts; i != 0; i = b->parts.data[i - 1].next) {
        const struct part *part = &b->parts.data[i - 1];

        count++;
        if (part->type == new->type) {
            same = i;
        } else if (meet(c, part->sources, new->sources)) {
            vd_sp_error_hint(
                &sp->messages, new->place,
                vd_sp_text(&sp->arena, "the other rule is at %s",
                           vd_sp_place_text(&sp->messages, part->place)),
                "another rule gives another result for the same source, target, class and name");
            return false;
        }
    }
    if (same != 0) {
        b->parts.data[same - 1].sources = join(c, b->parts.data[same - 1].sources, new->sources);
        return true;
    }
    if (count == VD_PDB_MAX_NAMED) {
        vd_sp_error(&sp->messages, new->place,
                    "more than %u results for the same target, class and name", VD_PDB_MAX_NAMED);
        vd_sp_escape(&sp->arena, VD_E_LIMIT);
    }
    *VD_SP_PUSH(&sp->arena, &b->parts) = *new;
    b->parts.data[b->parts.count - 1].next = b->slots.data[slot].parts;
    b->slots.data[slot].parts = b->parts.count;
    return true;
}

/* The rule for one target and all of its classes. */
static bool add_target(struct builder *b, const struct vd_sp_transition *rule, uint32_t target,
                       uint32_t sources, uint32_t type)
{
    uint32_t words = VD_BITMAP_WORDS(b->image->c->classes.count);
    struct part part = {.sources = sources, .type = type, .place = rule->place};

    VD_SP_FOR_EACH_BIT (b->classes, words, class) {
        struct slot key = {.name = rule->name.name, .target = target, .class = class};

        if (!add_part(b, take_slot(b, &key, rule->place), &part))
            return false;
    }
    return true;
}

/* For `self` each source is its own target. */
static void add_self(struct builder *b, const struct vd_sp_transition *rule, uint32_t sources,
                     uint32_t type)
{
    struct vd_sp_checked *c = b->image->c;

    for (uint32_t source = 1; source < c->type_count; source++) {
        uint32_t alone;

        if (!vd_bitmap_get(c->sets.data[sources].words, source))
            continue;
        memset(c->scratch, 0, c->type_words * sizeof(*c->scratch));
        vd_bitmap_set(c->scratch, source);
        alone = vd_sp_intern_types(c, c->scratch);
        if (!add_target(b, rule, source, alone, type))
            return;
    }
}

static void gen_rule(struct builder *b, const struct vd_sp_transition *rule)
{
    struct vd_sp_checked *c = b->image->c;
    const struct vd_sp_symbol *type;
    const uint64_t *targets;
    uint32_t source, target;
    uint8_t flags = 0;
    bool good = vd_sp_resolve_types(c, &rule->source, &source, NULL);

    good &= vd_sp_resolve_types(c, &rule->target, &target, &flags);
    good &= vd_sp_resolve_plain(c, VD_SP_CLASS, &rule->classes, b->classes);
    type = vd_sp_gen_result(c->sp, rule);
    if (!good || type == NULL)
        return;
    if ((flags & VD_SP_AV_NOT_SELF) != 0) {
        vd_sp_error(&c->sp->messages, rule->target.place, "'-self' has no meaning in a transition");
        return;
    }
    if (c->sets.data[source].weight == 0)
        return;
    targets = c->sets.data[target].words; /* stay where they are when sets are added */
    VD_SP_FOR_EACH_BIT (targets, c->type_words, t) {
        if (!add_target(b, rule, t, source, type->number))
            return;
    }
    if ((flags & VD_SP_AV_SELF) != 0)
        add_self(b, rule, source, type->number);
}

static uint32_t write_name(struct builder *b, uint32_t name)
{
    struct vd_sp_image *image = b->image;
    struct vd_sp *sp = image->c->sp;
    const char *text = vd_sp_str(sp, name);

    if (b->string_of[name] == 0) {
        b->string_of[name] = image->file_names.count;
        for (size_t i = 0; i == 0 || text[i - 1] != '\0'; i++)
            *VD_SP_PUSH(&sp->arena, &image->file_names) = text[i];
    }
    return b->string_of[name];
}

/* The parts of a slot as rows, in the order of the rules. */
static void write_rows(struct builder *b, const struct slot *slot, struct vd_pdb_named *ret)
{
    struct vd_sp_image *image = b->image;
    struct vd_sp_checked *c = image->c;
    uint32_t count = 0, at;

    for (uint32_t i = slot->parts; i != 0; i = b->parts.data[i - 1].next)
        count++;
    ret->row_first = image->named_rows.count;
    ret->row_count = count;
    for (uint32_t i = 0; i < count; i++)
        (void)VD_SP_PUSH(&c->sp->arena, &image->named_rows);
    at = ret->row_first + count;
    for (uint32_t i = slot->parts; i != 0; i = b->parts.data[i - 1].next)
        image->named_rows.data[--at] = (struct vd_pdb_named_row){
            .sources = vd_sp_gen_bitmap(image, c->sets.data[b->parts.data[i - 1].sources].words,
                                        c->type_words),
            .type = b->parts.data[i - 1].type};
}

static uint32_t bucket_of(const struct builder *b, const struct slot *slot, uint32_t buckets)
{
    uint32_t hash = 0;

    for (const char *c = vd_sp_str(b->image->c->sp, slot->name); *c != '\0'; c++)
        hash = vd_pdb_named_hash(hash, (uint8_t)*c);
    return vd_pdb_named_bucket(slot->class, slot->target, hash, buckets);
}

/* True if no bucket overflows; `used` has the slots of each then. */
static bool fits(const struct builder *b, uint32_t buckets, uint8_t *used)
{
    memset(used, 0, buckets);
    for (uint32_t i = 0; i < b->slots.count; i++) {
        if (++used[bucket_of(b, &b->slots.data[i], buckets)] > VD_PDB_BUCKET_SLOTS)
            return false;
    }
    return true;
}

static void write_slots(struct builder *b)
{
    struct vd_sp_image *image = b->image;
    struct vd_sp_arena *arena = &image->c->sp->arena;
    uint32_t buckets = 1, slots;
    uint8_t *used;

    while (buckets < b->slots.count / (VD_PDB_BUCKET_SLOTS / 2))
        buckets *= 2;
    for (used = vd_sp_alloc(arena, buckets); !fits(b, buckets, used); buckets *= 2) {
        if (buckets == MAX_BUCKETS)
            vd_sp_escape(arena, VD_E_LIMIT);
        used = vd_sp_alloc(arena, 2 * (size_t)buckets);
    }
    slots = buckets * VD_PDB_BUCKET_SLOTS;
    image->named.data = vd_sp_alloc_array(arena, slots, sizeof(*image->named.data));
    image->named.count = image->named.room = slots;
    image->named_targets =
        vd_sp_alloc_array(arena, image->c->type_words, sizeof(*image->named_targets));
    b->string_of = vd_sp_alloc_array(arena, image->c->sp->names.list.count, sizeof(uint32_t));
    *VD_SP_PUSH(arena, &image->file_names) = '\0';
    memset(used, 0, buckets);
    for (uint32_t i = 0; i < b->slots.count; i++) {
        const struct slot *slot = &b->slots.data[i];
        uint32_t bucket = bucket_of(b, slot, buckets);
        struct vd_pdb_named *row =
            &image->named.data[bucket * VD_PDB_BUCKET_SLOTS + used[bucket]++];

        row->name = write_name(b, slot->name);
        row->target = slot->target;
        row->class = slot->class;
        write_rows(b, slot, row);
        vd_bitmap_set(image->named_targets, slot->target);
    }
}

void vd_sp_gen_named(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;
    struct builder b = {.image = image};

    b.classes =
        vd_sp_alloc_array(&sp->arena, VD_BITMAP_WORDS(image->c->classes.count), sizeof(*b.classes));
    for (uint32_t i = 0; i < sp->transitions.count; i++) {
        if (sp->transitions.data[i].name.name != 0 && vd_sp_on(sp, sp->transitions.data[i].block))
            gen_rule(&b, &sp->transitions.data[i]);
    }
    if (b.slots.count > 0)
        write_slots(&b);
}
