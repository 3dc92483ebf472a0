/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pieces that recur in SELinux's binary policy.
 */
#include "tools/sepolicy/selinux/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/htab.h"

#define MAP_BITS   64u
#define FIRST_SEEN 1024u

void vd_sp_sr_fail(struct vd_sp_sr *sr, uint32_t place, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    vd_sp_error(&sr->sp->messages, place, "%s", text);
    vd_sp_escape(&sr->sp->arena, VD_E_INVALID);
}

static _Noreturn void cut_off(struct vd_sp_sr *sr, const char *what)
{
    vd_sp_sr_fail(sr, vd_sp_sr_place(sr), "the file ends here; expected %s", what);
}

uint8_t vd_sp_sr_u8(struct vd_sp_sr *sr, const char *what)
{
    uint8_t value;

    if (vd_read_u8(&sr->in, &value) != VD_OK)
        cut_off(sr, what);
    return value;
}

uint16_t vd_sp_sr_u16(struct vd_sp_sr *sr, const char *what)
{
    uint16_t value;

    if (vd_read_le16(&sr->in, &value) != VD_OK)
        cut_off(sr, what);
    return value;
}

uint32_t vd_sp_sr_u32(struct vd_sp_sr *sr, const char *what)
{
    uint32_t value;

    if (vd_read_le32(&sr->in, &value) != VD_OK)
        cut_off(sr, what);
    return value;
}

uint32_t vd_sp_sr_count(struct vd_sp_sr *sr, size_t size, const char *what)
{
    uint32_t place = vd_sp_sr_place(sr), count = vd_sp_sr_u32(sr, what);

    if (count > vd_reader_left(&sr->in) / size)
        vd_sp_sr_fail(sr, place, "%s: %u do not fit in the %zu bytes that follow", what, count,
                      vd_reader_left(&sr->in));
    return count;
}

struct vd_sp_item vd_sp_sr_name(struct vd_sp_sr *sr, uint32_t size, const char *what)
{
    uint32_t place = vd_sp_sr_place(sr);
    const uint8_t *text;

    if (size == 0 || size > VD_PDB_MAX_NAME)
        vd_sp_sr_fail(sr, place, "%s of %u bytes; expected 1 to %u", what, size, VD_PDB_MAX_NAME);
    if (vd_read_bytes(&sr->in, size, &text) != VD_OK)
        cut_off(sr, what);
    for (uint32_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == ':')
            vd_sp_sr_fail(sr, place + i, "byte 0x%02x in %s; expected visible ASCII without ':'",
                          text[i], what);
    }
    return (struct vd_sp_item){.name = vd_sp_name(&sr->sp->names, (const char *)text, size),
                               .place = place & VD_SP_PLACE_MASK};
}

const struct vd_sp_item *vd_sp_sr_number(struct vd_sp_sr *sr, const struct vd_sp_sr_table *table,
                                         uint32_t number, uint32_t place, const char *what)
{
    if (number == 0 || number >= table->count || table->items[number].name == 0)
        vd_sp_sr_fail(sr, place, "%s %u does not exist; there are 1 to %u", what, number,
                      table->count - 1);
    return &table->items[number];
}

const struct vd_sp_item *vd_sp_sr_symbol(struct vd_sp_sr *sr, const struct vd_sp_sr_table *table,
                                         const char *what)
{
    uint32_t place = vd_sp_sr_place(sr);

    return vd_sp_sr_number(sr, table, vd_sp_sr_u32(sr, what), place, what);
}

const struct vd_sp_item *vd_sp_sr_type(struct vd_sp_sr *sr, const char *what)
{
    uint32_t place = vd_sp_sr_place(sr), number = vd_sp_sr_u32(sr, what);
    const struct vd_sp_item *item = vd_sp_sr_number(sr, &sr->types, number, place, what);

    if (sr->attribute[number])
        vd_sp_sr_fail(sr, place, "%s %u is the attribute '%s'; expected a type", what, number,
                      vd_sp_str(sr->sp, item->name));
    return item;
}

static void read_node(struct vd_sp_sr *sr, struct vd_sp_sr_map *map, uint32_t index,
                      const char *what)
{
    uint32_t place = vd_sp_sr_place(sr);
    struct vd_sp_sr_node *node = &map->nodes[index];

    node->first = vd_sp_sr_u32(sr, what);
    if (vd_read_le64(&sr->in, &node->bits) != VD_OK)
        cut_off(sr, what);
    if (node->first % MAP_BITS != 0)
        vd_sp_sr_fail(sr, place, "%s: first bit %u is no multiple of %u", what, node->first,
                      MAP_BITS);
    if (index > 0 && node->first <= map->nodes[index - 1].first)
        vd_sp_sr_fail(sr, place, "%s: bit %u stands after bit %u", what, node->first,
                      map->nodes[index - 1].first);
    if (node->bits == 0)
        vd_sp_sr_fail(sr, place, "%s: a part without any bit", what);
}

void vd_sp_sr_map(struct vd_sp_sr *sr, struct vd_sp_sr_map *ret, const char *what)
{
    uint32_t place = vd_sp_sr_place(sr), unit = vd_sp_sr_u32(sr, what), end, expected;

    if (unit != MAP_BITS)
        vd_sp_sr_fail(sr, place, "%s: a bitmap of %u bits a part; expected %u", what, unit,
                      MAP_BITS);
    *ret = (struct vd_sp_sr_map){.place = place};
    place = vd_sp_sr_place(sr);
    end = vd_sp_sr_u32(sr, what);
    ret->count = vd_sp_sr_count(sr, VD_SR_MAP_NODE, what);
    ret->nodes = vd_sp_alloc_array(&sr->sp->arena, ret->count, sizeof(*ret->nodes));
    for (uint32_t i = 0; i < ret->count; i++)
        read_node(sr, ret, i, what);
    expected = ret->count == 0 ? 0 : ret->nodes[ret->count - 1].first + MAP_BITS;
    if (end != expected || (ret->count > 0 && expected == 0))
        vd_sp_sr_fail(sr, place, "%s: the bitmap's end is %u; expected %u", what, end, expected);
}

struct vd_sp_set vd_sp_sr_members(struct vd_sp_sr *sr, const struct vd_sp_sr_map *map,
                                  const struct vd_sp_sr_table *table, uint32_t first,
                                  const char *what)
{
    struct vd_sp_set set = {.place = map->place};
    uint32_t count = 0;

    for (uint32_t i = 0; i < map->count; i++)
        count += (uint32_t)__builtin_popcountll(map->nodes[i].bits);
    set.items = vd_sp_alloc_array(&sr->sp->arena, count, sizeof(*set.items));
    for (uint32_t i = 0; i < map->count; i++) {
        VD_SP_FOR_EACH_BIT (&map->nodes[i].bits, 1, bit) {
            set.items[set.count] =
                *vd_sp_sr_number(sr, table, map->nodes[i].first + bit + first, map->place, what);
            set.items[set.count++].place = map->place & VD_SP_PLACE_MASK;
        }
    }
    return set;
}

void vd_sp_sr_only_types(struct vd_sp_sr *sr, const struct vd_sp_set *set, const char *what)
{
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t name = set->items[i].name;

        if (vd_sp_symbol_of(sr->sp, VD_SP_TYPE, name)->kind == VD_SP_ATTRIBUTE)
            vd_sp_sr_fail(sr, set->place, "%s is the attribute '%s'; expected a type", what,
                          vd_sp_str(sr->sp, name));
    }
}

uint32_t vd_sp_sr_perms(struct vd_sp_sr *sr, uint32_t class, uint32_t mask, struct vd_sp_item *ret)
{
    struct vd_sp *sp = sr->sp;
    const struct vd_sp_class *row = &sp->classes.data[class - 1];
    const struct vd_sp_symbol *common =
        row->inherits == 0 ? NULL : vd_sp_symbol_of(sp, VD_SP_COMMON, row->inherits);
    const struct vd_sp_common *base = common == NULL ? NULL : &sp->commons.data[common->row];
    uint32_t inherited = base == NULL ? 0 : base->count, count = inherited + row->own.count;
    uint32_t items = 0;

    for (uint32_t i = 0; i < count; i++) {
        if ((mask >> i & 1) != 0)
            ret[items++] = i < inherited ? base->perms[i] : row->own.perms[i - inherited];
    }
    return items;
}

void vd_sp_sr_level(struct vd_sp_sr *sr, struct vd_sp_sr_level *ret)
{
    ret->place = vd_sp_sr_place(sr);
    ret->sens = vd_sp_sr_u32(sr, "a sensitivity");
    vd_sp_sr_map(sr, &ret->cats, "the categories of a level");
}

void vd_sp_sr_range(struct vd_sp_sr *sr, struct vd_sp_sr_range *ret)
{
    uint32_t place = vd_sp_sr_place(sr), levels = vd_sp_sr_u32(sr, "a range's count of levels");

    if (levels != 1 && levels != 2)
        vd_sp_sr_fail(sr, place, "a range of %u levels; expected 1 or 2", levels);
    ret->one = levels == 1;
    ret->low.place = vd_sp_sr_place(sr);
    ret->low.sens = vd_sp_sr_u32(sr, "a range's low sensitivity");
    ret->high.place = vd_sp_sr_place(sr);
    if (!ret->one)
        ret->high.sens = vd_sp_sr_u32(sr, "a range's high sensitivity");
    vd_sp_sr_map(sr, &ret->low.cats, "a range's low categories");
    if (!ret->one)
        vd_sp_sr_map(sr, &ret->high.cats, "a range's high categories");
    else
        ret->high = ret->low;
}

struct vd_sp_level vd_sp_sr_make_level(struct vd_sp_sr *sr, const struct vd_sp_sr_level *level)
{
    struct vd_sp_level ret = {
        .sens = *vd_sp_sr_number(sr, &sr->sens, level->sens, level->place, "sensitivity")};

    ret.sens.place = level->place & VD_SP_PLACE_MASK;
    ret.cats = vd_sp_sr_members(sr, &level->cats, &sr->cats, 1, "category");
    return ret;
}

struct vd_sp_range vd_sp_sr_make_range(struct vd_sp_sr *sr, const struct vd_sp_sr_range *range)
{
    struct vd_sp_range ret = {.part = range->one ? VD_SP_LEVEL_ONE : VD_SP_LEVEL_RANGE};

    ret.low = vd_sp_sr_make_level(sr, &range->low);
    ret.high = range->one ? ret.low : vd_sp_sr_make_level(sr, &range->high);
    return ret;
}

static struct vd_sp_sr_pair *find_slot(const struct vd_sp_sr_seen *seen, uint64_t key)
{
    for (uint32_t i = (uint32_t)vd_hash_mix(key);; i++) {
        struct vd_sp_sr_pair *slot = &seen->slots[i & seen->mask];

        if (slot->key == 0 || slot->key == key)
            return slot;
    }
}

static void grow(struct vd_sp_sr *sr, struct vd_sp_sr_seen *seen)
{
    struct vd_sp_sr_seen old = *seen;
    uint32_t slots = old.slots == NULL ? FIRST_SEEN : (old.mask + 1) * 2;

    seen->slots = vd_sp_alloc_array(&sr->sp->arena, slots, sizeof(*seen->slots));
    seen->mask = slots - 1;
    for (uint32_t i = 0; old.slots != NULL && i <= old.mask; i++) {
        if (old.slots[i].key != 0)
            *find_slot(seen, old.slots[i].key) = old.slots[i];
    }
}

uint32_t *vd_sp_sr_keep(struct vd_sp_sr *sr, struct vd_sp_sr_seen *seen, uint64_t key,
                        bool *ret_new)
{
    struct vd_sp_sr_pair *slot;

    if (seen->slots == NULL || seen->count > seen->mask / 2)
        grow(sr, seen);
    slot = find_slot(seen, key);
    *ret_new = slot->key == 0;
    seen->count += *ret_new;
    slot->key = key;
    return &slot->value;
}

bool vd_sp_sr_has(const struct vd_sp_sr_seen *seen, uint64_t key)
{
    return seen->slots != NULL && find_slot(seen, key)->key != 0;
}
