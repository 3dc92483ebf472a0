/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/names.h"

#include <string.h>

#include "core/base/htab.h"

#define FIRST_SLOTS 4096u

/* Words of eight or fewer bytes without a call for the odd ones: names are short and many. */
static uint64_t load8(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof(word));
    return word;
}

static uint64_t load_short(const char *text, size_t size)
{
    uint32_t first, last;

    if (size < 4)
        return (uint64_t)(uint8_t)text[0] << 16 | (uint64_t)(uint8_t)text[size / 2] << 8 |
               (uint8_t)text[size - 1];
    memcpy(&first, text, sizeof(first));
    memcpy(&last, text + size - sizeof(last), sizeof(last));
    return (uint64_t)first << 32 | last;
}

/* A multiplication's two halves together (as in wyhash, public domain). */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_text(const char *text, size_t size)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ size;

    if (size >= 8) {
        for (size_t at = 0; at + 8 < size; at += 8)
            h = fold(h ^ load8(text + at), 0xd6e8feb86659fd93u);
        h ^= load8(text + size - 8);
    } else if (size > 0) {
        h ^= load_short(text, size);
    }
    h = fold(h, 0xa0761d6478bd642fu);
    return (uint32_t)(h ^ h >> 32);
}

static bool equal_text(const char *a, const char *b, size_t size)
{
    if (size < 8)
        return size == 0 || (load_short(a, size) == load_short(b, size));
    for (size_t at = 0; at + 8 < size; at += 8) {
        if (load8(a + at) != load8(b + at))
            return false;
    }
    return load8(a + size - 8) == load8(b + size - 8);
}

void vd_sp_names_init(struct vd_sp_names *names, struct vd_sp_arena *arena)
{
    *names = (struct vd_sp_names){.arena = arena, .mask = FIRST_SLOTS - 1};
    names->table = vd_sp_alloc_array(arena, FIRST_SLOTS, sizeof(*names->table));
    VD_SP_PUSH(arena, &names->list)->text = "";
}

/* The slot that holds the name, or the free one where it belongs. */
static uint32_t *find_slot(const struct vd_sp_names *names, const char *text, size_t size,
                           uint32_t hash)
{
    for (uint32_t i = hash;; i++) {
        uint32_t *slot = &names->table[i & names->mask];
        const struct vd_sp_name *name = &names->list.data[*slot];

        if (*slot == 0 ||
            (name->hash == hash && name->size == size && equal_text(name->text, text, size)))
            return slot;
    }
}

static void grow(struct vd_sp_names *names)
{
    uint32_t slots = (names->mask + 1) * 2;

    vd_sp_release(names->arena, names->table, (size_t)(names->mask + 1) * sizeof(*names->table));
    names->table = vd_sp_alloc_array(names->arena, slots, sizeof(*names->table));
    names->mask = slots - 1;
    for (uint32_t i = 1; i < names->list.count; i++) {
        const struct vd_sp_name *name = &names->list.data[i];

        *find_slot(names, name->text, name->size, name->hash) = i;
    }
}

uint32_t vd_sp_name(struct vd_sp_names *names, const char *text, size_t size)
{
    uint32_t hash = hash_text(text, size);
    uint32_t *slot = find_slot(names, text, size, hash);
    struct vd_sp_name *name;
    char *copy;

    if (*slot != 0)
        return *slot;
    if (names->list.count > (names->mask + 1) / 2) {
        grow(names);
        slot = find_slot(names, text, size, hash);
    }
    copy = vd_sp_alloc(names->arena, size + 1);
    memcpy(copy, text, size);
    *slot = names->list.count;
    name = VD_SP_PUSH(names->arena, &names->list);
    name->text = copy;
    name->size = (uint32_t)size;
    name->hash = hash;
    return names->list.count - 1;
}

uint32_t vd_sp_name_find(const struct vd_sp_names *names, const char *text, size_t size)
{
    return *find_slot(names, text, size, hash_text(text, size));
}
