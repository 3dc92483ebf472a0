/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Multi-level security: categories of sensitivities, levels, ranges.
 */
#include "tools/sepolicy/check/checker.h"

#include <string.h>

/* "c0.c3" names a run of categories; false: it is no run. */
static bool split_run(struct vd_sp *sp, const struct vd_sp_item *item, struct vd_sp_item *ret_first,
                      struct vd_sp_item *ret_last)
{
    const char *text = vd_sp_str(sp, item->name);
    const char *dot = strchr(text, '.');

    if (dot == NULL || vd_sp_symbol_of(sp, VD_SP_CAT, item->name) != NULL)
        return false;
    *ret_first = *ret_last = *item;
    ret_first->name = vd_sp_name(&sp->names, text, (size_t)(dot - text));
    ret_last->name = vd_sp_name(&sp->names, dot + 1, strlen(dot + 1));
    ret_last->place = (item->place + (uint32_t)(dot - text) + 1) & VD_SP_PLACE_MASK;
    return true;
}

static bool add_categories(struct vd_sp_checked *c, const struct vd_sp_item *item, uint64_t *cats)
{
    struct vd_sp *sp = c->sp;
    struct vd_sp_item first_item = *item, last_item = *item;
    struct vd_sp_symbol *first, *last;

    (void)split_run(sp, item, &first_item, &last_item);
    first = vd_sp_find(sp, VD_SP_CAT, &first_item);
    last = vd_sp_find(sp, VD_SP_CAT, &last_item);
    if (first == NULL || last == NULL)
        return false;
    if (first->number > last->number) {
        vd_sp_error(&sp->messages, item->place, "the categories of '%s' run backwards",
                    vd_sp_str(sp, item->name));
        return false;
    }
    /* Symbols are numbered from 1, categories from 0. */
    for (uint32_t i = first->number; i <= last->number; i++)
        vd_bitmap_set(cats, i - 1);
    return true;
}

static bool resolve_level(struct vd_sp_checked *c, const struct vd_sp_level *level,
                          struct vd_mls_level *ret)
{
    struct vd_sp_symbol *sens = vd_sp_find(c->sp, VD_SP_SENS, &level->sens);
    bool good = sens != NULL;

    *ret = (struct vd_mls_level){};
    for (uint32_t i = 0; i < level->cats.count; i++)
        good &= add_categories(c, &level->cats.items[i], ret->cats);
    if (good)
        ret->sens = sens->number;
    return good;
}

bool vd_sp_resolve_level(struct vd_sp_checked *c, const struct vd_sp_level *level,
                         struct vd_mls_level *ret)
{
    if (!resolve_level(c, level, ret))
        return false;
    if (!vd_bitmap_covers(c->sens_cats[ret->sens], ret->cats, VD_MLS_CAT_WORDS)) {
        vd_sp_error_hint(&c->sp->messages, level->cats.place,
                         "the 'level' statements say which categories a sensitivity may have",
                         "sensitivity '%s' may not have all of these categories",
                         vd_sp_str(c->sp, level->sens.name));
        return false;
    }
    return true;
}

bool vd_sp_resolve_range(struct vd_sp_checked *c, const struct vd_sp_range *range,
                         struct vd_mls_level *ret_low, struct vd_mls_level *ret_high)
{
    if (!vd_sp_resolve_level(c, &range->low, ret_low))
        return false;
    if (range->part != VD_SP_LEVEL_RANGE) {
        *ret_high = *ret_low;
        return true;
    }
    if (!vd_sp_resolve_level(c, &range->high, ret_high))
        return false;
    if (ret_high->sens < ret_low->sens ||
        !vd_bitmap_covers(ret_high->cats, ret_low->cats, VD_MLS_CAT_WORDS)) {
        vd_sp_error(&c->sp->messages, range->low.sens.place,
                    "the range's high level does not dominate its low level");
        return false;
    }
    return true;
}

void vd_sp_check_levels(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    bool *seen = vd_sp_alloc_array(&sp->arena, c->sens.count, sizeof(*seen));

    c->sens_cats = vd_sp_alloc_array(&sp->arena, c->sens.count, sizeof(*c->sens_cats));
    for (uint32_t i = 0; i < sp->levels.count; i++) {
        struct vd_mls_level level;

        if (!resolve_level(c, &sp->levels.data[i], &level))
            continue;
        if (seen[level.sens])
            vd_sp_error(&sp->messages, sp->levels.data[i].sens.place,
                        "sensitivity '%s' has its level statement already",
                        vd_sp_str(sp, sp->levels.data[i].sens.name));
        seen[level.sens] = true;
        memcpy(c->sens_cats[level.sens], level.cats, sizeof(level.cats));
    }
    /* Without any level statement every sensitivity may have every category. */
    for (uint32_t i = 1; sp->levels.count == 0 && i < c->sens.count; i++) {
        for (uint32_t cat = 0; cat + 1 < c->cats.count; cat++)
            vd_bitmap_set(c->sens_cats[i], cat);
    }
}
