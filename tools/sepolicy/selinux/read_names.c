/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the constraints of SELinux's binary policy name. Sets of types stand there
 * twice: as types, by which the kernel decides, and as the source had them, with
 * attributes, `*` and `~`. The second form is taken where it comes to the first;
 * where it does not, only the first counts.
 */
#include "tools/sepolicy/selinux/read.h"

#include <string.h>

struct names {
    struct vd_sp_sr *sr;
    uint32_t words;       /* of a set of types, by their numbers in the file */
    uint64_t **members;   /* by attribute, made when it is first asked for */
    uint64_t *all;        /* all types */
    uint64_t *scratch[3]; /* what is meant, written, taken away */
};

/* The types of an attribute. */
static const uint64_t *members_of(struct names *n, uint32_t attribute)
{
    const struct vd_sp_sr *sr = n->sr;
    struct vd_sp_arena *arena = &sr->sp->arena;

    if (n->members[attribute] == NULL) {
        n->members[attribute] = vd_sp_alloc_array(arena, n->words, sizeof(uint64_t));
        for (uint32_t i = sr->member_first[attribute]; i < sr->member_first[attribute + 1]; i++)
            vd_bitmap_set(n->members[attribute], sr->member[i]);
    }
    return n->members[attribute];
}

/* Adds what the map's symbols come to; false: one of them does not exist. */
static bool add(struct names *n, const struct vd_sp_sr_map *map, uint64_t *to)
{
    const struct vd_sp_sr *sr = n->sr;

    for (uint32_t i = 0; i < map->count; i++) {
        VD_SP_FOR_EACH_BIT (&map->nodes[i].bits, 1, bit) {
            uint64_t number = (uint64_t)map->nodes[i].first + bit + 1;
            const uint64_t *members;

            if (number >= sr->types.count || sr->types.items[number].name == 0)
                return false;
            if (!sr->attribute[number]) {
                vd_bitmap_set(to, (uint32_t)number);
                continue;
            }
            members = members_of(n, (uint32_t)number);
            for (uint32_t w = 0; w < n->words; w++)
                to[w] |= members[w];
        }
    }
    return true;
}

/* True if the form as written comes to the types that are meant. */
static bool agrees(struct names *n, const struct vd_sp_sr_names *names,
                   const struct vd_sp_set *meant)
{
    uint64_t *types = n->scratch[0], *written = n->scratch[1], *minus = n->scratch[2];
    bool star = (names->flags & VD_SE_SET_STAR) != 0, same = true;

    for (uint32_t i = 0; i < VD_COUNT(n->scratch); i++)
        memset(n->scratch[i], 0, n->words * sizeof(uint64_t));
    for (uint32_t i = 0; i < meant->count; i++)
        vd_bitmap_set(types, n->sr->number_of[meant->items[i].name]);
    if (!add(n, &names->written, written) || !add(n, &names->minus, minus))
        return false;
    for (uint32_t w = 0; w < n->words; w++) {
        uint64_t word = (written[w] | (star ? n->all[w] : 0)) & ~minus[w];

        if ((names->flags & VD_SE_SET_COMPLEMENT) != 0)
            word = n->all[w] & ~word;
        same &= word == types[w];
    }
    return same;
}

static struct vd_sp_set as_written(struct vd_sp_sr *sr, const struct vd_sp_sr_names *names)
{
    struct vd_sp_set plus = vd_sp_sr_members(sr, &names->written, &sr->types, 1, "name");
    struct vd_sp_set minus = vd_sp_sr_members(sr, &names->minus, &sr->types, 1, "name");
    struct vd_sp_set ret = {.count = plus.count + minus.count,
                            .place = names->meant.place,
                            .star = (names->flags & VD_SE_SET_STAR) != 0,
                            .complement = (names->flags & VD_SE_SET_COMPLEMENT) != 0};

    ret.items = vd_sp_alloc_array(&sr->sp->arena, ret.count, sizeof(*ret.items));
    for (uint32_t i = 0; i < ret.count; i++) {
        ret.items[i] = i < plus.count ? plus.items[i] : minus.items[i - plus.count];
        ret.items[i].minus = i >= plus.count;
    }
    return ret;
}

/* No context has an attribute, so that the kernel never looks for one among the names. */
static void drop_attributes(struct vd_sp *sp, struct vd_sp_set *set)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        if (vd_sp_symbol_of(sp, VD_SP_TYPE, set->items[i].name)->kind != VD_SP_ATTRIBUTE)
            set->items[kept++] = set->items[i];
    }
    set->count = kept;
}

static struct vd_sp_set make_set(struct names *n, const struct vd_sp_sr_names *names)
{
    struct vd_sp_sr *sr = n->sr;
    const struct vd_sp_sr_table *table = names->part >= VD_PART_T1   ? &sr->types
                                         : names->part >= VD_PART_R1 ? &sr->roles
                                                                     : &sr->users;
    struct vd_sp_set set = vd_sp_sr_members(sr, &names->meant, table, 1, "name of a constraint");

    if (table != &sr->types)
        return set;
    drop_attributes(sr->sp, &set);
    return agrees(n, names, &set) ? as_written(sr, names) : set;
}

static void begin(struct names *n)
{
    struct vd_sp_sr *sr = n->sr;
    struct vd_sp_arena *arena = &sr->sp->arena;

    n->words = VD_BITMAP_WORDS(sr->types.count);
    n->members = vd_sp_alloc_array(arena, sr->types.count, sizeof(*n->members));
    n->all = vd_sp_alloc_array(arena, n->words, sizeof(uint64_t));
    for (uint32_t i = 0; i < VD_COUNT(n->scratch); i++)
        n->scratch[i] = vd_sp_alloc_array(arena, n->words, sizeof(uint64_t));
    sr->number_of = vd_sp_alloc_array(arena, sr->sp->names.list.count, sizeof(*sr->number_of));
    for (uint32_t i = 1; i < sr->types.count; i++) {
        sr->number_of[sr->types.items[i].name] = i;
        if (sr->types.items[i].name != 0 && !sr->attribute[i])
            vd_bitmap_set(n->all, i);
    }
}

void vd_sp_sr_constraint_names(struct vd_sp_sr *sr)
{
    struct names n = {.sr = sr};

    begin(&n);
    for (uint32_t i = 0; i < sr->names.count; i++) {
        struct vd_sp_set set = make_set(&n, &sr->names.data[i]);

        *VD_SP_PUSH(&sr->sp->arena, &sr->sp->constraint_sets) = set;
    }
}
