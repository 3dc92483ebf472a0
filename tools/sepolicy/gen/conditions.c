/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Conditions: laid out for the blob, evaluated, and whether two of them can
 * hold at once.
 */
#include "tools/sepolicy/gen/codegen.h"

#include <string.h>

#define MAX_TRIED 12u /* booleans whose settings are all tried */

/* The condition's value; `settings` has a bit for each of `bools`, others are as declared. */
static bool evaluate(const struct vd_sp *sp, const struct vd_sp_cond *cond, const uint32_t *bools,
                     uint32_t count, uint32_t settings)
{
    bool stack[VD_PDB_MAX_DEPTH] = {};
    uint32_t depth = 0;

    for (uint32_t i = 0; i < cond->node_count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[cond->node_first + i];
        bool b;

        if (node->op == VD_COND_BOOL) {
            const struct vd_sp_symbol *symbol = vd_sp_symbol_of(sp, VD_SP_BOOL, node->name.name);
            uint32_t at = 0;

            while (at < count && bools[at] != node->name.name)
                at++;
            stack[depth++] =
                at < count ? (settings >> at & 1) != 0 : sp->bool_values.data[symbol->row] != 0;
            continue;
        }
        if (node->op == VD_COND_NOT) {
            stack[depth - 1] = !stack[depth - 1];
            continue;
        }
        b = stack[--depth];
        if (node->op == VD_COND_OR)
            stack[depth - 1] |= b;
        else if (node->op == VD_COND_AND)
            stack[depth - 1] &= b;
        else
            stack[depth - 1] = (stack[depth - 1] == b) == (node->op == VD_COND_EQ);
    }
    return stack[0];
}

/* Adds the names of the condition's booleans, each once; false if there are too many. */
static bool list_bools(const struct vd_sp *sp, const struct vd_sp_cond *cond, uint32_t *bools,
                       uint32_t *count)
{
    for (uint32_t i = 0; i < cond->node_count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[cond->node_first + i];
        uint32_t at = 0;

        if (node->op != VD_COND_BOOL)
            continue;
        while (at < *count && bools[at] != node->name.name)
            at++;
        if (at < *count)
            continue;
        if (*count == MAX_TRIED)
            return false;
        bools[(*count)++] = node->name.name;
    }
    return true;
}

bool vd_sp_branches_meet(const struct vd_sp *sp, struct vd_sp_branch a, struct vd_sp_branch b)
{
    const struct vd_sp_cond *left = &sp->conds.data[a.cond], *right = &sp->conds.data[b.cond];
    uint32_t bools[MAX_TRIED], count = 0;

    if (a.cond == b.cond)
        return a.branch == b.branch;
    if (!list_bools(sp, left, bools, &count) || !list_bools(sp, right, bools, &count))
        return true;
    for (uint32_t settings = 0; settings < 1u << count; settings++) {
        if (evaluate(sp, left, bools, count, settings) == (a.branch != 0) &&
            evaluate(sp, right, bools, count, settings) == (b.branch != 0))
            return true;
    }
    return false;
}

void vd_sp_gen_conditions(struct vd_sp_image *image)
{
    struct vd_sp *sp = image->c->sp;

    image->cond_first = vd_sp_alloc_array(&sp->arena, sp->conds.count, sizeof(*image->cond_first));
    image->cond_value =
        vd_sp_alloc_array(&sp->arena, sp->cond_nodes.count, sizeof(*image->cond_value));
    for (uint32_t i = 0; i < sp->conds.count; i++) {
        const struct vd_sp_cond *cond = &sp->conds.data[i];
        struct vd_pdb_cond_node nodes[VD_PDB_MAX_COND] = {};

        for (uint32_t n = 0; n < cond->node_count; n++) {
            const struct vd_sp_cond_node *from = &sp->cond_nodes.data[cond->node_first + n];

            nodes[n].op = from->op;
            if (from->op == VD_COND_BOOL)
                nodes[n].value = vd_sp_symbol_of(sp, VD_SP_BOOL, from->name.name)->number;
        }
        image->cond_first[i] = vd_sp_pool_start(
            &image->cond_nodes, vd_sp_pool_add(&image->cond_nodes, nodes, cond->node_count));
        image->cond_value[image->cond_first[i]] = evaluate(sp, cond, NULL, 0, 0);
    }
}
