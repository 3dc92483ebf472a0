/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which optional blocks are in force: the largest choice in which every block
 * has all it requires (as libsepol's linker: start with all, turn off what
 * lacks something, until nothing changes). Where a block is off its else block
 * takes its place.
 */
#include "tools/sepolicy/check/checker.h"

#include "tools/sepolicy/suggest.h"

static bool has_perm(const struct vd_sp *sp, const struct vd_sp_class *class, uint32_t perm)
{
    const struct vd_sp_symbol *common;

    for (uint32_t i = 0; i < class->own.count; i++) {
        if (class->own.perms[i].name == perm)
            return true;
    }
    if (class->inherits == 0)
        return false;
    common = vd_sp_symbol_of(sp, VD_SP_COMMON, class->inherits);
    for (uint32_t i = 0; common != NULL && i < sp->commons.data[common->row].count; i++) {
        if (sp->commons.data[common->row].perms[i].name == perm)
            return true;
    }
    return false;
}

static bool is_met(const struct vd_sp *sp, const struct vd_sp_require *require)
{
    const struct vd_sp_symbol *symbol =
        vd_sp_symbol_of(sp, (enum vd_sp_space)require->space, require->item.name);

    if (symbol == NULL || !vd_sp_on(sp, symbol->block))
        return false;
    if (require->perm != 0)
        return has_perm(sp, &sp->classes.data[symbol->row], require->perm);
    return (symbol->kind == VD_SP_ATTRIBUTE) == require->attribute;
}

/* Turns a block off; true if it was on. */
static bool turn_off(struct vd_sp *sp, uint32_t index)
{
    struct vd_sp_block *block = &sp->blocks.data[index];

    if (!block->on)
        return false;
    block->on = false;
    return true;
}

/* One pass over parents and requirements; true if something changed. */
static bool settle(struct vd_sp *sp)
{
    bool changed = false;

    for (uint32_t i = 0; i < sp->requires.count; i++) {
        const struct vd_sp_require *require = &sp->requires.data[i];
        uint32_t block = require->block;

        if (block != 0 && vd_sp_on(sp, block) && !is_met(sp, require)) {
            changed |= turn_off(sp, block);
            if (sp->blocks.data[block].otherwise != 0)
                sp->blocks.data[sp->blocks.data[block].otherwise].on = true;
        }
    }
    /* Parents come before their blocks, so that one pass reaches every depth. */
    for (uint32_t i = 1; i < sp->blocks.count; i++) {
        if (!sp->blocks.data[sp->blocks.data[i].parent].on)
            changed |= turn_off(sp, i);
    }
    return changed;
}

void vd_sp_check_blocks(struct vd_sp *sp)
{
    for (uint32_t i = 0; i < sp->blocks.count; i++)
        sp->blocks.data[i].on = sp->blocks.data[i].rival == 0;
    while (settle(sp))
        continue;
    for (uint32_t i = 0; i < sp->requires.count; i++) {
        const struct vd_sp_require *require = &sp->requires.data[i];

        if (require->block != 0 || is_met(sp, require))
            continue;
        if (require->perm != 0)
            vd_sp_error(&sp->messages, require->item.place,
                        "the policy requires permission '%s' of class '%s' but does not have it",
                        vd_sp_str(sp, require->perm), vd_sp_str(sp, require->item.name));
        else
            vd_sp_error_hint(
                &sp->messages, require->item.place,
                vd_sp_suggest_symbol(sp, (enum vd_sp_space)require->space, require->item.name),
                "the policy requires the %s '%s' but does not declare it",
                vd_sp_space_text((enum vd_sp_space)require->space),
                vd_sp_str(sp, require->item.name));
    }
}
