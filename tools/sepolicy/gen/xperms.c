/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Extended permissions of the row at hand: which rules reach a target, and the
 * rows of XPERMS that they come to. Targets with the same rules share them.
 */
#include "tools/sepolicy/gen/rules.h"

#include <stdlib.h>
#include <string.h>

#define DRIVERS 256u
#define WORDS   1024u /* a bit for each number */

void vd_sp_xperms_init(struct vd_sp_te *te)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp_arena *arena = &c->sp->arena;

    vd_sp_pool_init(&te->xperms.keys, arena, sizeof(uint32_t));
    if (c->xavs.count == 0)
        return;
    te->xperms.of = vd_sp_alloc_array(arena, (size_t)c->type_words * 64, sizeof(uint32_t));
    te->xperms.list = vd_sp_alloc_array(arena, c->xavs.count, sizeof(uint32_t));
    te->xperms.numbers = vd_sp_alloc_array(arena, WORDS, sizeof(uint64_t));
    te->xperms.reported = vd_sp_alloc_array(arena, c->sp->xperm_rules.count, sizeof(bool));
}

/* The rules whose source includes the type, by class. */
void vd_sp_xperms_gather(struct vd_sp_te *te, uint32_t source)
{
    const struct vd_sp_checked *c = te->image->c;

    te->xperms.count = te->xperms.first = te->xperms.last = 0;
    for (uint32_t i = 0; i < c->xavs.count; i++) {
        if (vd_bitmap_get(c->sets.data[c->xavs.data[i].source].words, source))
            te->xperms.list[te->xperms.count++] = i;
    }
}

static void add_one(struct vd_sp_te *te, uint32_t xav, uint32_t target)
{
    struct vd_sp_xperm_part *part = VD_SP_PUSH(&te->image->c->sp->arena, &te->xperms.parts);

    vd_bitmap_set(te->row.touched, target / 64);
    *part = (struct vd_sp_xperm_part){.next = te->xperms.of[target], .xav = xav};
    te->xperms.of[target] = te->xperms.parts.count;
}

static void apply(struct vd_sp_te *te, uint32_t xav, uint32_t source)
{
    struct vd_sp_checked *c = te->image->c;
    const struct vd_sp_xav *av = &c->xavs.data[xav];
    const uint64_t *words = c->sets.data[av->target].words;
    bool self = (av->flags & VD_SP_AV_SELF) != 0;

    VD_SP_FOR_EACH_BIT (words, c->type_words, target) {
        if (target == source)
            self |= (av->flags & VD_SP_AV_NOT_SELF) == 0;
        else
            add_one(te, xav, target);
    }
    if (self)
        add_one(te, xav, source);
}

bool vd_sp_xperms_fill(struct vd_sp_te *te, uint32_t source, uint32_t class)
{
    const struct vd_sp_xav *xavs = te->image->c->xavs.data;

    te->xperms.first = te->xperms.last;
    while (te->xperms.last < te->xperms.count &&
           xavs[te->xperms.list[te->xperms.last]].class == class)
        te->xperms.last++;
    for (uint32_t i = te->xperms.first; i < te->xperms.last; i++) {
        if (xavs[te->xperms.list[i]].kind != VD_SP_NEVERALLOW)
            apply(te, te->xperms.list[i], source);
    }
    return te->xperms.first != te->xperms.last;
}

void vd_sp_xperms_clear(struct vd_sp_te *te)
{
    if (te->xperms.parts.count == 0)
        return;
    VD_SP_FOR_EACH_BIT (te->row.touched, VD_BITMAP_WORDS(te->image->c->type_words), block)
        memset(te->xperms.of + (size_t)block * 64, 0, 64 * sizeof(*te->xperms.of));
    te->xperms.parts.count = 0;
}

/* A rule as it orders the rows; rules of the same key are one. */
struct key {
    struct vd_pdb_xperm row; /* rule, kind, condition and branch */
    uint32_t rule;           /* row of the model's xperm_rules */
};

static int compare(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    const uint32_t left[] = {a->row.rule, a->row.kind, a->row.cond_count, a->row.cond_first,
                             a->row.branch};
    const uint32_t right[] = {b->row.rule, b->row.kind, b->row.cond_count, b->row.cond_first,
                              b->row.branch};

    for (size_t i = 0; i < VD_COUNT(left); i++) {
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

static struct key key_of(const struct vd_sp_image *image, uint32_t index)
{
    static const uint8_t kinds[] = {[VD_SP_ALLOW] = VD_XPERM_ALLOW,
                                    [VD_SP_AUDITALLOW] = VD_XPERM_AUDITALLOW,
                                    [VD_SP_DONTAUDIT] = VD_XPERM_DONTAUDIT};
    const struct vd_sp *sp = image->c->sp;
    const struct vd_sp_xperm_rule *rule = &sp->xperm_rules.data[index];
    struct key key = {.rule = index,
                      .row = {.rule = kinds[rule->kind],
                              .kind = rule->nlmsg ? VD_XPERM_NLMSG : VD_XPERM_IOCTL,
                              .flags = VD_XPERM_IN_FORCE}};

    if (rule->cond == 0)
        return key;
    key.row.cond_first = image->cond_first[rule->cond - 1];
    key.row.cond_count = sp->conds.data[rule->cond - 1].node_count;
    key.row.branch = rule->otherwise ? 0 : 1;
    if (image->cond_value[key.row.cond_first] != (key.row.branch != 0))
        key.row.flags = 0;
    return key;
}

void vd_sp_xperm_numbers(const struct vd_sp *sp, const struct vd_sp_xperm_rule *rule,
                         uint64_t *numbers)
{
    for (uint32_t i = 0; i < rule->range_count; i++) {
        const struct vd_sp_xperm_range *range = &sp->xperm_ranges.data[rule->range_first + i];

        for (uint32_t n = range->low; n <= range->high; n++)
            vd_bitmap_set(numbers, n);
    }
}

/* The rows of one key whose numbers are in `numbers`: whole drivers first. */
static void put_rows(struct vd_sp_te *te, const struct vd_pdb_xperm *key, const uint64_t *numbers)
{
    struct vd_sp_arena *arena = &te->image->c->sp->arena;
    struct vd_pdb_xperm whole = *key;

    whole.flags |= VD_XPERM_WHOLE;
    for (uint32_t driver = 0; driver < DRIVERS; driver++) {
        const uint64_t *bits = numbers + (size_t)driver * 4;

        if ((bits[0] & bits[1] & bits[2] & bits[3]) == UINT64_MAX)
            vd_bitmap_set(whole.bits, driver);
    }
    if ((whole.bits[0] | whole.bits[1] | whole.bits[2] | whole.bits[3]) != 0)
        *VD_SP_PUSH(arena, &te->xperms.rows) = whole;
    for (uint32_t driver = 0; driver < DRIVERS; driver++) {
        struct vd_pdb_xperm row = *key;

        memcpy(row.bits, numbers + (size_t)driver * 4, sizeof(row.bits));
        row.driver = (uint8_t)driver;
        if (!vd_bitmap_get(whole.bits, driver) &&
            (row.bits[0] | row.bits[1] | row.bits[2] | row.bits[3]) != 0)
            *VD_SP_PUSH(arena, &te->xperms.rows) = row;
    }
}

/* The rows of these rules, in the pool; their first and count. */
static struct vd_sp_xperm_span make_span(struct vd_sp_te *te, const uint32_t *rules, uint32_t count)
{
    struct vd_sp *sp = te->image->c->sp;
    struct key *keys = vd_sp_alloc_array(&sp->arena, count, sizeof(*keys));
    uint32_t entry;

    for (uint32_t i = 0; i < count; i++)
        keys[i] = key_of(te->image, rules[i]);
    qsort(keys, count, sizeof(*keys), compare);
    te->xperms.rows.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || compare(&keys[i - 1], &keys[i]) != 0)
            memset(te->xperms.numbers, 0, WORDS * sizeof(uint64_t));
        vd_sp_xperm_numbers(sp, &sp->xperm_rules.data[keys[i].rule], te->xperms.numbers);
        if (i + 1 == count || compare(&keys[i], &keys[i + 1]) != 0)
            put_rows(te, &keys[i].row, te->xperms.numbers);
    }
    if (te->xperms.rows.count > VD_PDB_MAX_XPERMS) {
        vd_sp_error(&sp->messages, sp->xperm_rules.data[rules[0]].place,
                    "more than %u rows of extended permissions bear on the same source, target "
                    "and class",
                    VD_PDB_MAX_XPERMS);
        vd_sp_escape(&sp->arena, VD_E_LIMIT);
    }
    entry = vd_sp_pool_add(&te->image->xperms, te->xperms.rows.data, te->xperms.rows.count);
    return (struct vd_sp_xperm_span){.first = vd_sp_pool_start(&te->image->xperms, entry),
                                     .count = te->xperms.rows.count};
}

struct vd_sp_xperm_span vd_sp_xperms_of(struct vd_sp_te *te, uint32_t target)
{
    struct vd_sp_arena *arena = &te->image->c->sp->arena;
    const struct vd_sp_xperm_part *parts = te->xperms.parts.data;
    uint32_t count = 0, entry, *rules;

    for (uint32_t i = te->xperms.of[target]; i != 0; i = parts[i - 1].next)
        count++;
    while (te->xperms.key.count < count)
        (void)VD_SP_PUSH(arena, &te->xperms.key);
    rules = te->xperms.key.data;
    count = 0;
    for (uint32_t i = te->xperms.of[target]; i != 0; i = parts[i - 1].next)
        rules[count++] = te->image->c->xavs.data[parts[i - 1].xav].rule;
    entry = vd_sp_pool_add(&te->xperms.keys, rules, count);
    if (entry == te->xperms.spans.count) {
        struct vd_sp_xperm_span span = make_span(te, rules, count);

        *VD_SP_PUSH(arena, &te->xperms.spans) = span;
    }
    return te->xperms.spans.data[entry];
}
