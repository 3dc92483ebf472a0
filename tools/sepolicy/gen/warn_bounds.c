/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A bounded type never gets more than its bounding type: the engine takes the
 * rest away. Rules that give more are misleading, so the compiler says so, once
 * for each pair.
 */
#include "tools/sepolicy/gen/codegen.h"

/* What the child would have of a target beyond its parent, under the booleans' defaults. */
static uint32_t excess(const struct vd_sp_image *image, uint32_t child, uint32_t target,
                       uint32_t class)
{
    const struct vd_sp_checked *c = image->c;
    uint32_t parent = c->bounds[child];
    /* A bounded target is compared as its own bounding type (Linux, type_attribute_bounds_av). */
    uint32_t other = c->bounds[target] != 0 ? c->bounds[target] : target;

    return vd_sp_leaf_of(image, child, target, class)->allowed &
           ~vd_sp_leaf_of(image, parent, other, class)->allowed;
}

/* Warns of the first target and class where the child has more. */
static void check_child(struct vd_sp_image *image, uint32_t child, uint32_t place)
{
    struct vd_sp_checked *c = image->c;
    const struct vd_sp_symbol *symbols = c->sp->symbols.data;

    for (uint32_t class = 1; class < c->classes.count; class ++) {
        if (image->te_root[(size_t)child * c->classes.count + class] == 0)
            continue;
        for (uint32_t target = 1; target < c->type_count; target++) {
            uint32_t more = excess(image, child, target, class);

            if (more == 0)
                continue;
            vd_sp_warning(&c->sp->messages, place,
                          "what a type has beyond its bounding type is taken away",
                          "'%s' does not have this in full: %s %s:%s %s",
                          vd_sp_str(c->sp, symbols[c->types.symbols[c->bounds[child]]].name),
                          vd_sp_str(c->sp, symbols[c->types.symbols[child]].name),
                          vd_sp_str(c->sp, symbols[c->types.symbols[target]].name),
                          vd_sp_str(c->sp, symbols[c->classes.symbols[class]].name),
                          vd_sp_perms_text(c, class, more));
            return;
        }
    }
}

void vd_sp_warn_bounds(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;

    for (uint32_t i = 0; i < sp->bounds.count; i++) {
        const struct vd_sp_pair *pair = &sp->bounds.data[i];

        if (vd_sp_on(sp, pair->block))
            check_child(image, vd_sp_find(sp, VD_SP_TYPE, &pair->right)->number, pair->right.place);
    }
}
