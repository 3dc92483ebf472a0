/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/gen/rules.h"

#include <string.h>

static struct vd_sp_cond_part *find_part(struct vd_sp_te *te, struct vd_sp_cell *cell,
                                         const struct vd_sp_rule *rule)
{
    uint32_t cond = rule->cond - 1, branch = rule->otherwise ? 0 : 1;
    struct vd_sp *sp = te->image->c->sp;
    struct vd_sp_cond_part *part;
    uint32_t count = 0;

    for (uint32_t i = cell->conds; i != 0; i = te->row.parts.data[i - 1].next) {
        part = &te->row.parts.data[i - 1];
        if (part->cond == cond && part->branch == branch)
            return part;
        count++;
    }
    if (count == VD_SP_MAX_CELL_CONDS) {
        vd_sp_error(&sp->messages, rule->place,
                    "more than %u conditions bear on the same source, target and class",
                    VD_SP_MAX_CELL_CONDS);
        vd_sp_escape(&sp->arena, VD_E_LIMIT);
    }
    part = VD_SP_PUSH(&sp->arena, &te->row.parts);
    *part = (struct vd_sp_cond_part){.next = cell->conds, .cond = cond, .branch = branch};
    cell->conds = te->row.parts.count;
    return part;
}

static void apply_conditional(struct vd_sp_te *te, const struct vd_sp_av *av, uint32_t target)
{
    const struct vd_sp_rule *rule = &te->image->c->sp->rules.data[av->rule];
    struct vd_sp_cond_part *part = find_part(te, &te->row.cells[target], rule);

    switch (av->kind) {
    case VD_SP_ALLOW:
        part->allowed |= av->perms;
        te->row.possible[target] |= av->perms;
        break;
    case VD_SP_AUDITALLOW:
        part->auditallow |= av->perms;
        break;
    default:
        part->dontaudit |= av->perms;
        break;
    }
}

static void apply_one(struct vd_sp_te *te, const struct vd_sp_av *av, uint32_t target)
{
    struct vd_sp_cell *cell = &te->row.cells[target];

    vd_bitmap_set(te->row.touched, target / 64);
    if (te->image->c->sp->rules.data[av->rule].cond != 0) {
        apply_conditional(te, av, target);
        return;
    }
    switch (av->kind) {
    case VD_SP_ALLOW:
        cell->allowed |= av->perms;
        te->row.possible[target] |= av->perms;
        break;
    case VD_SP_AUDITALLOW:
        cell->auditallow |= av->perms;
        break;
    default:
        cell->dontaudit |= av->perms;
        break;
    }
}

static void apply(struct vd_sp_te *te, const struct vd_sp_av *av, uint32_t source)
{
    struct vd_sp_checked *c = te->image->c;
    const uint64_t *words = c->sets.data[av->target].words;

    VD_SP_FOR_EACH_BIT (words, c->type_words, target) {
        if (target != source || (av->flags & VD_SP_AV_NOT_SELF) == 0)
            apply_one(te, av, target);
    }
    if ((av->flags & VD_SP_AV_SELF) != 0)
        apply_one(te, av, source);
}

static void deny_one(struct vd_sp_te *te, const struct vd_sp_av *av, uint32_t target)
{
    struct vd_sp_cell *cell = &te->row.cells[target];

    if ((te->row.possible[target] & av->perms) == 0)
        return;
    te->effect[av->rule] = true;
    te->row.possible[target] &= ~av->perms;
    cell->allowed &= ~av->perms;
    for (uint32_t i = cell->conds; i != 0; i = te->row.parts.data[i - 1].next)
        te->row.parts.data[i - 1].allowed &= ~av->perms;
}

static void deny(struct vd_sp_te *te, const struct vd_sp_av *av, uint32_t source)
{
    struct vd_sp_checked *c = te->image->c;
    const uint64_t *words = c->sets.data[av->target].words;

    VD_SP_FOR_EACH_BIT (words, c->type_words, target) {
        if (target != source || (av->flags & VD_SP_AV_NOT_SELF) == 0)
            deny_one(te, av, target);
    }
    if ((av->flags & VD_SP_AV_SELF) != 0)
        deny_one(te, av, source);
}

void vd_sp_row_fill(struct vd_sp_te *te, uint32_t source, uint32_t class)
{
    const struct vd_sp_av *avs = te->image->c->avs.data;
    uint32_t first = te->class_first[class], last = te->class_first[class + 1];

    for (uint32_t i = first; i < last; i++) {
        const struct vd_sp_av *av = &avs[te->list.data[i]];

        if (av->kind != VD_SP_DENY && av->kind != VD_SP_NEVERALLOW)
            apply(te, av, source);
    }
    for (uint32_t i = first; i < last; i++) {
        const struct vd_sp_av *av = &avs[te->list.data[i]];

        if (av->kind == VD_SP_DENY)
            deny(te, av, source);
    }
}

void vd_sp_row_clear(struct vd_sp_te *te)
{
    uint32_t words = VD_BITMAP_WORDS(te->image->c->type_words);

    VD_SP_FOR_EACH_BIT (te->row.touched, words, block) {
        memset(te->row.cells + (size_t)block * 64, 0, 64 * sizeof(*te->row.cells));
        memset(te->row.possible + (size_t)block * 64, 0, 64 * sizeof(*te->row.possible));
    }
    memset(te->row.touched, 0, words * sizeof(*te->row.touched));
    te->row.parts.count = 0;
}
