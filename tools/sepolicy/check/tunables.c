/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tunables are booleans whose value the compiler takes, as checkpolicy does: a
 * rule under a condition over them is unconditional or does not exist.
 */
#include "tools/sepolicy/check/checker.h"

static const struct vd_sp_symbol *bool_of(const struct vd_sp *sp,
                                          const struct vd_sp_cond_node *node)
{
    return vd_sp_symbol_of(sp, VD_SP_BOOL, node->name.name);
}

/* The value under the declared values; the parser has bounded the stack. */
static bool evaluate(const struct vd_sp *sp, const struct vd_sp_cond *cond)
{
    bool stack[VD_PDB_MAX_DEPTH] = {};
    uint32_t depth = 0;

    for (uint32_t i = 0; i < cond->node_count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[cond->node_first + i];
        bool right;

        if (node->op == VD_COND_BOOL) {
            stack[depth++] = sp->bool_values.data[bool_of(sp, node)->row] != 0;
            continue;
        }
        if (node->op == VD_COND_NOT) {
            stack[depth - 1] = !stack[depth - 1];
            continue;
        }
        right = stack[--depth];
        if (node->op == VD_COND_OR)
            stack[depth - 1] |= right;
        else if (node->op == VD_COND_AND)
            stack[depth - 1] &= right;
        else
            stack[depth - 1] = (stack[depth - 1] == right) == (node->op == VD_COND_EQ);
    }
    return stack[0];
}

/* True if the condition is made of tunables alone; a mixture is reported. */
static bool is_fixed(struct vd_sp *sp, const struct vd_sp_cond *cond)
{
    bool has_bool = false, has_tunable = false, unknown = false;

    for (uint32_t i = 0; i < cond->node_count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[cond->node_first + i];
        const struct vd_sp_symbol *symbol;

        if (node->op != VD_COND_BOOL)
            continue;
        symbol = bool_of(sp, node);
        unknown |= symbol == NULL;
        has_tunable |= symbol != NULL && symbol->tunable;
        has_bool |= symbol != NULL && !symbol->tunable;
    }
    if (has_bool && has_tunable)
        vd_sp_error(&sp->messages, cond->place,
                    "a condition is made of booleans or of tunables, not of both");
    return has_tunable && !has_bool && !unknown;
}

struct settling {
    const struct vd_sp *sp;
    const bool *values; /* by row of conds */
    uint32_t dead;      /* a block that is never in force */
};

/* A statement under a condition: what becomes of it. */
static void settle(const struct settling *s, bool *otherwise, uint32_t *cond, uint32_t *block)
{
    if (*cond == 0 || !s->sp->conds.data[*cond - 1].fixed)
        return;
    if (s->values[*cond - 1] == *otherwise)
        *block = s->dead;
    *cond = 0;
    *otherwise = false;
}

void vd_sp_check_tunables(struct vd_sp_checked *c)
{
    struct vd_sp *sp = c->sp;
    bool *values = vd_sp_alloc_array(&sp->arena, sp->conds.count, sizeof(*values));
    struct settling s = {.sp = sp, .values = values};

    for (uint32_t i = 0; i < sp->conds.count; i++) {
        sp->conds.data[i].fixed = is_fixed(sp, &sp->conds.data[i]);
        if (!sp->conds.data[i].fixed)
            continue;
        values[i] = evaluate(sp, &sp->conds.data[i]);
        s.dead = sp->blocks.count;
    }
    if (s.dead == 0)
        return;
    (void)VD_SP_PUSH(&sp->arena, &sp->blocks); /* never in force */
    for (uint32_t i = 0; i < sp->rules.count; i++) {
        struct vd_sp_rule *row = &sp->rules.data[i];

        settle(&s, &row->otherwise, &row->cond, &row->block);
    }
    for (uint32_t i = 0; i < sp->xperm_rules.count; i++) {
        struct vd_sp_xperm_rule *row = &sp->xperm_rules.data[i];

        settle(&s, &row->otherwise, &row->cond, &row->block);
    }
    for (uint32_t i = 0; i < sp->transitions.count; i++) {
        struct vd_sp_transition *row = &sp->transitions.data[i];

        settle(&s, &row->otherwise, &row->cond, &row->block);
    }
}
