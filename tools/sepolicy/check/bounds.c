/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Bounds of types: those of typebounds, and those of names: "a.b" is bounded
 * by "a", if there is such a type.
 */
#include "tools/sepolicy/check/checker.h"

#include <string.h>

/* The steps from a type to its outermost bound; more than the limit for a ring. */
static uint32_t bound_steps(const struct vd_sp_checked *c, uint32_t type)
{
    uint32_t steps = 0;

    while (c->bounds[type] != 0 && steps <= VD_PDB_MAX_BOUNDS) {
        type = c->bounds[type];
        steps++;
    }
    return steps;
}

/* The bound that a typebounds statement gives; errors are reported. */
static void add_pair(struct vd_sp_checked *c, const struct vd_sp_pair *pair)
{
    struct vd_sp *sp = c->sp;
    struct vd_sp_symbol *parent = vd_sp_find(sp, VD_SP_TYPE, &pair->left);
    struct vd_sp_symbol *child = vd_sp_find(sp, VD_SP_TYPE, &pair->right);

    if (parent == NULL || child == NULL)
        return;
    if (parent->kind == VD_SP_ATTRIBUTE || child->kind == VD_SP_ATTRIBUTE)
        vd_sp_error(&sp->messages, pair->left.place, "only types bound types, not attributes");
    else if (c->bounds[child->number] != 0 && c->bounds[child->number] != parent->number)
        vd_sp_error(&sp->messages, pair->right.place, "type '%s' has another bound already",
                    vd_sp_str(sp, pair->right.name));
    else
        c->bounds[child->number] = parent->number;
}

/* The type whose name is that of `type` up to its last dot; 0: none. */
static uint32_t outer_type(const struct vd_sp *sp, const struct vd_sp_symbol *type)
{
    const char *text = vd_sp_str(sp, type->name);
    const char *dot = strrchr(text, '.');
    uint32_t name = dot == NULL ? 0 : vd_sp_name_find(&sp->names, text, (size_t)(dot - text));
    const struct vd_sp_symbol *outer = name == 0 ? NULL : vd_sp_symbol_of(sp, VD_SP_TYPE, name);

    for (uint32_t i = 0; outer != NULL && outer->kind == VD_SP_ALIAS && i < VD_SP_MAX_NESTING; i++)
        outer = vd_sp_symbol_of(sp, VD_SP_TYPE, outer->target);
    return outer != NULL && outer->kind == VD_SP_PLAIN && vd_sp_on(sp, outer->block) ? outer->number
                                                                                     : 0;
}

static void check_steps(struct vd_sp_checked *c, uint32_t type, uint32_t place)
{
    struct vd_sp *sp = c->sp;

    if (bound_steps(c, type) > VD_PDB_MAX_BOUNDS)
        vd_sp_error(
            &sp->messages, place, "the bounds of type '%s' form a ring or more than %u steps",
            vd_sp_str(sp, sp->symbols.data[c->types.symbols[type]].name), VD_PDB_MAX_BOUNDS);
}

void vd_sp_check_bounds(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    bool *named = vd_sp_alloc_array(&sp->arena, c->type_count, sizeof(*named));

    c->bounds = vd_sp_alloc_array(&sp->arena, c->type_count, sizeof(*c->bounds));
    for (uint32_t i = 0; i < sp->bounds.count; i++) {
        if (vd_sp_on(sp, sp->bounds.data[i].block))
            add_pair(c, &sp->bounds.data[i]);
    }
    for (uint32_t i = 1; i < c->type_count; i++) {
        if (c->bounds[i] != 0)
            continue;
        c->bounds[i] = outer_type(sp, &sp->symbols.data[c->types.symbols[i]]);
        named[i] = c->bounds[i] != 0;
    }
    for (uint32_t i = 0; i < sp->bounds.count; i++) {
        const struct vd_sp_pair *pair = &sp->bounds.data[i];
        struct vd_sp_symbol *child = vd_sp_symbol_of(sp, VD_SP_TYPE, pair->right.name);

        if (child != NULL && vd_sp_on(sp, pair->block) && child->number < c->type_count)
            check_steps(c, child->number, pair->right.place);
    }
    for (uint32_t i = 1; i < c->type_count; i++) {
        if (named[i])
            check_steps(c, i, sp->symbols.data[c->types.symbols[i]].place);
    }
}
