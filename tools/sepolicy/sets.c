/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/sets.h"

#include "core/base/htab.h"

#define FIRST_SLOTS 1024u

static uint32_t hash_set(const struct vd_sp_set *set)
{
    uint64_t h = set->count * 4u + set->star * 2u + set->complement;

    for (uint32_t i = 0; i < set->count; i++)
        h = vd_hash_mix(h * 31 + set->items[i].name * 2u + set->items[i].minus);
    return (uint32_t)(h ^ h >> 32);
}

static bool equal(const struct vd_sp_set *a, const struct vd_sp_set *b)
{
    if (a->count != b->count || a->star != b->star || a->complement != b->complement)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->items[i].name != b->items[i].name || a->items[i].minus != b->items[i].minus)
            return false;
    }
    return true;
}

/* The slot that holds the set, or the free one where it belongs. */
static uint32_t *find_slot(const struct vd_sp_sets *sets, const struct vd_sp_set *set)
{
    for (uint32_t i = hash_set(set);; i++) {
        uint32_t *slot = &sets->table[i & sets->mask];

        if (*slot == 0 || equal(&sets->list.data[*slot - 1], set))
            return slot;
    }
}

static void grow(struct vd_sp_sets *sets, struct vd_sp_arena *arena)
{
    uint32_t slots = sets->table == NULL ? FIRST_SLOTS : (sets->mask + 1) * 2;

    vd_sp_release(arena, sets->table, ((size_t)sets->mask + 1) * sizeof(*sets->table));
    sets->table = vd_sp_alloc_array(arena, slots, sizeof(*sets->table));
    sets->mask = slots - 1;
    for (uint32_t i = 0; i < sets->list.count; i++)
        *find_slot(sets, &sets->list.data[i]) = i + 1;
}

uint32_t vd_sp_share_set(struct vd_sp_sets *sets, struct vd_sp_arena *arena,
                         const struct vd_sp_set *set)
{
    struct vd_sp_set *added;
    uint32_t *slot;

    if (sets->table == NULL || sets->list.count > sets->mask / 2)
        grow(sets, arena);
    slot = find_slot(sets, set);
    if (*slot != 0)
        return *slot - 1;
    *slot = sets->list.count + 1;
    added = VD_SP_PUSH(arena, &sets->list);
    *added =
        (struct vd_sp_set){.count = set->count, .star = set->star, .complement = set->complement};
    added->items = vd_sp_alloc_array(arena, set->count, sizeof(*added->items));
    for (uint32_t i = 0; i < set->count; i++)
        added->items[i] =
            (struct vd_sp_item){.name = set->items[i].name, .minus = set->items[i].minus};
    return sets->list.count - 1;
}
