/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sets of names become bitmaps. `{ a b -c }` is what a and b have without what
 * c has, wherever the minus stands; `~` is everything else of its kind.
 */
#include "tools/sepolicy/check/checker.h"

#include <string.h>

#include "core/base/htab.h"
#include "tools/sepolicy/suggest.h"

#define FIRST_SLOTS 1024u

static uint32_t hash_words(const uint64_t *words, uint32_t count)
{
    uint64_t h = count;

    for (uint32_t i = 0; i < count; i++)
        h = vd_hash_mix(h * 31 + words[i]);
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t *find_slot(struct vd_sp_checked *c, const uint64_t *words, uint32_t hash)
{
    for (uint32_t i = hash;; i++) {
        uint32_t *slot = &c->set_table[i & c->set_mask];

        if (*slot == 0 || (c->sets.data[*slot - 1].hash == hash &&
                           vd_bitmap_equal(c->sets.data[*slot - 1].words, words, c->type_words)))
            return slot;
    }
}

static void grow(struct vd_sp_checked *c)
{
    uint32_t slots = c->set_table == NULL ? FIRST_SLOTS : (c->set_mask + 1) * 2;

    c->set_table = vd_sp_alloc_array(&c->sp->arena, slots, sizeof(*c->set_table));
    c->set_mask = slots - 1;
    for (uint32_t i = 0; i < c->sets.count; i++)
        *find_slot(c, c->sets.data[i].words, c->sets.data[i].hash) = i + 1;
}

uint32_t vd_sp_intern_types(struct vd_sp_checked *c, const uint64_t *words)
{
    uint32_t hash = hash_words(words, c->type_words);
    struct vd_sp_types *set;
    uint32_t *slot;

    if (c->set_table == NULL || c->sets.count > c->set_mask / 2)
        grow(c);
    slot = find_slot(c, words, hash);
    if (*slot != 0)
        return *slot - 1;
    *slot = c->sets.count + 1;
    set = VD_SP_PUSH(&c->sp->arena, &c->sets);
    set->words = vd_sp_alloc_array(&c->sp->arena, c->type_words, sizeof(uint64_t));
    memcpy(set->words, words, c->type_words * sizeof(uint64_t));
    set->weight = vd_bitmap_weight(words, c->type_words);
    set->hash = hash;
    return c->sets.count - 1;
}

/* The set of one type or attribute, made when it is first asked for. */
static uint32_t set_of_symbol(struct vd_sp_checked *c, uint32_t number, uint64_t *scratch)
{
    if (c->set_of[number] != 0)
        return c->set_of[number];
    if (number >= c->type_count) {
        c->set_of[number] = vd_sp_intern_types(c, c->attributes[number - c->type_count]);
    } else {
        memset(scratch, 0, c->type_words * sizeof(*scratch));
        vd_bitmap_set(scratch, number);
        c->set_of[number] = vd_sp_intern_types(c, scratch);
    }
    return c->set_of[number];
}

static void add_symbol(const struct vd_sp_checked *c, uint32_t number, uint64_t *words)
{
    const uint64_t *from;

    if (number < c->type_count) {
        vd_bitmap_set(words, number);
        return;
    }
    from = c->attributes[number - c->type_count];
    for (uint32_t i = 0; i < c->type_words; i++)
        words[i] |= from[i];
}

/* Handles `self`, `-self` and `~self`; false, reported, if it is not allowed here. */
static bool take_self(struct vd_sp_checked *c, const struct vd_sp_item *item, bool complement,
                      uint8_t *flags)
{
    if (flags == NULL) {
        vd_sp_error(&c->sp->messages, item->place, "'self' can only be the target of a rule");
        return false;
    }
    if (complement && item->minus) {
        vd_sp_error(&c->sp->messages, item->place, "'-self' cannot stand inside '~'");
        return false;
    }
    *flags |= item->minus || complement ? VD_SP_AV_NOT_SELF : VD_SP_AV_SELF;
    return true;
}

bool vd_sp_resolve_types(struct vd_sp_checked *c, const struct vd_sp_set *set, uint32_t *ret,
                         uint8_t *ret_flags)
{
    uint64_t *words = c->scratch, *minus = words + c->type_words;
    bool good = true;

    if (ret_flags != NULL)
        *ret_flags = 0;
    if (set->count == 1 && !set->star && !set->complement && !set->items[0].minus &&
        set->items[0].name != VD_SP_KW_SELF) {
        struct vd_sp_symbol *symbol = vd_sp_find(c->sp, VD_SP_TYPE, &set->items[0]);

        if (symbol != NULL)
            *ret = set_of_symbol(c, symbol->number, words);
        return symbol != NULL;
    }
    memset(words, 0, 2 * c->type_words * sizeof(*words));
    if (set->star)
        memcpy(words, c->all_types, c->type_words * sizeof(*words));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct vd_sp_item *item = &set->items[i];
        struct vd_sp_symbol *symbol;

        if (item->name == VD_SP_KW_SELF) {
            good &= take_self(c, item, set->complement, ret_flags);
            continue;
        }
        symbol = vd_sp_find(c->sp, VD_SP_TYPE, item);
        if (symbol != NULL)
            add_symbol(c, symbol->number, item->minus ? minus : words);
        good &= symbol != NULL;
    }
    for (uint32_t i = 0; i < c->type_words; i++) {
        words[i] &= ~minus[i];
        if (set->complement)
            words[i] = c->all_types[i] & ~words[i];
    }
    *ret = vd_sp_intern_types(c, words);
    return good;
}

/* Adds a role, user or class to a bitmap; a role attribute stands for its roles. */
static void add_plain(const struct vd_sp_checked *c, enum vd_sp_space space,
                      const struct vd_sp_symbol *symbol, uint64_t *words, bool minus)
{
    if (space == VD_SP_ROLE && symbol->kind == VD_SP_ATTRIBUTE) {
        const uint64_t *from = c->role_attribute[symbol->number];

        for (uint32_t i = 0; i < c->role_words; i++)
            words[i] = minus ? words[i] & ~from[i] : words[i] | from[i];
    } else if (minus) {
        vd_bitmap_clear(words, symbol->number);
    } else {
        vd_bitmap_set(words, symbol->number);
    }
}

/* Highest number of that kind + 1. */
static uint32_t plain_count(const struct vd_sp_checked *c, enum vd_sp_space space)
{
    switch (space) {
    case VD_SP_CLASS:
        return c->classes.count;
    case VD_SP_ROLE:
        return c->roles.count;
    default:
        return c->users.count;
    }
}

uint32_t vd_sp_plain_words(const struct vd_sp_checked *c, enum vd_sp_space space)
{
    return VD_BITMAP_WORDS(plain_count(c, space));
}

bool vd_sp_resolve_plain(struct vd_sp_checked *c, enum vd_sp_space space,
                         const struct vd_sp_set *set, uint64_t *ret)
{
    uint32_t count = plain_count(c, space);
    bool good = true;

    memset(ret, 0, VD_BITMAP_WORDS(count) * sizeof(*ret));
    for (uint32_t i = 1; set->star && i < count; i++)
        vd_bitmap_set(ret, i);
    for (int minus = 0; minus <= 1; minus++) {
        for (uint32_t i = 0; i < set->count; i++) {
            struct vd_sp_symbol *symbol;

            if (set->items[i].minus != (unsigned)minus)
                continue;
            symbol = vd_sp_find(c->sp, space, &set->items[i]);
            if (symbol != NULL)
                add_plain(c, space, symbol, ret, minus != 0);
            good &= symbol != NULL;
        }
    }
    for (uint32_t i = 1; set->complement && i < count; i++)
        ret[i / 64] ^= (uint64_t)1 << (i % 64);
    return good;
}

static bool find_perm(const struct vd_sp_class *class, uint32_t name, uint32_t *ret)
{
    for (uint32_t i = 0; i < class->count; i++) {
        if (class->perms[i] == name) {
            *ret = 1u << i;
            return true;
        }
    }
    return false;
}

static void unknown_perm(struct vd_sp *sp, const struct vd_sp_class *class,
                         const struct vd_sp_item *item)
{
    struct vd_sp_suggestion s;

    vd_sp_suggest_init(&s, vd_sp_str(sp, item->name));
    for (uint32_t i = 0; i < class->count; i++)
        vd_sp_suggest(&s, vd_sp_str(sp, class->perms[i]));
    vd_sp_error_hint(&sp->messages, item->place, vd_sp_suggest_hint(&s, &sp->arena),
                     "class '%s' has no permission '%s'",
                     vd_sp_str(sp, sp->symbols.data[class->symbol].name),
                     vd_sp_str(sp, item->name));
}

bool vd_sp_resolve_perms(struct vd_sp_checked *c, const struct vd_sp_set *set, uint32_t class,
                         uint32_t *ret)
{
    const struct vd_sp_class *row = vd_sp_class_of(c, class);
    uint32_t all = row->count == 32 ? UINT32_MAX : (1u << row->count) - 1;
    uint32_t mask = set->star ? all : 0, minus = 0;
    bool good = true;

    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t bit;

        if (!find_perm(row, set->items[i].name, &bit)) {
            unknown_perm(c->sp, row, &set->items[i]);
            good = false;
        } else if (set->items[i].minus) {
            minus |= bit;
        } else {
            mask |= bit;
        }
    }
    mask &= ~minus;
    *ret = set->complement ? all & ~mask : mask;
    return good;
}

const char *vd_sp_perms_text(const struct vd_sp_checked *c, uint32_t class, uint32_t mask)
{
    const struct vd_sp_class *row = vd_sp_class_of(c, class);
    const char *text = "{";

    for (uint32_t i = 0; i < row->count; i++) {
        if ((mask >> i & 1) != 0)
            text = vd_sp_text(&c->sp->arena, "%s %s", text, vd_sp_str(c->sp, row->perms[i]));
    }
    return vd_sp_text(&c->sp->arena, "%s }", text);
}
