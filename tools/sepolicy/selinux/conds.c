/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The conditions of SELinux's binary policy. As checkpolicy does, an outermost
 * `not` is left away and the two parts of the `if` change places, and
 * conditions that mean the same are one.
 */
#include "tools/sepolicy/selinux/write.h"

#include <string.h>

#include "core/base/htab.h"

static uint32_t bool_number(const struct vd_sp *sp, const struct vd_sp_cond_node *node)
{
    return vd_sp_symbol_of(sp, VD_SP_BOOL, node->name.name)->number;
}

/* The condition's value where `values` has the booleans', by number. */
static bool evaluate(const struct vd_sp *sp, const struct vd_sp_se_cond *cond, const bool *values)
{
    bool stack[VD_SE_MAX_COND_DEPTH] = {};
    uint32_t depth = 0;

    for (uint32_t i = 0; i < cond->count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[cond->first + i];
        bool right;

        if (node->op == VD_COND_BOOL) {
            stack[depth++] = values[bool_number(sp, node)];
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

/* The booleans of the condition, each once, by number from the lowest on. */
static void list_bools(const struct vd_sp *sp, struct vd_sp_se_cond *cond)
{
    for (uint32_t i = 0; i < cond->count; i++) {
        const struct vd_sp_cond_node *node = &sp->cond_nodes.data[cond->first + i];
        uint32_t at = 0, number;

        if (node->op != VD_COND_BOOL)
            continue;
        number = bool_number(sp, node);
        while (at < cond->bool_count && cond->bools[at] < number)
            at++;
        if (at < cond->bool_count && cond->bools[at] == number)
            continue;
        if (cond->bool_count == VD_SE_TABLE_BOOLS) {
            cond->bool_count++;
            return;
        }
        memmove(&cond->bools[at + 1], &cond->bools[at],
                (cond->bool_count - at) * sizeof(cond->bools[0]));
        cond->bools[at] = number;
        cond->bool_count++;
    }
}

static void fill_table(const struct vd_sp *sp, struct vd_sp_se_cond *cond, bool *values)
{
    for (uint32_t setting = 0; setting < 1u << cond->bool_count; setting++) {
        for (uint32_t i = 0; i < cond->bool_count; i++)
            values[cond->bools[i]] = (setting >> i & 1) != 0;
        cond->table |= (uint32_t)evaluate(sp, cond, values) << setting;
    }
}

static bool same_text(const struct vd_sp *sp, const struct vd_sp_se_cond *a,
                      const struct vd_sp_se_cond *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const struct vd_sp_cond_node *left = &sp->cond_nodes.data[a->first + i];
        const struct vd_sp_cond_node *right = &sp->cond_nodes.data[b->first + i];

        if (left->op != right->op || left->name.name != right->name.name)
            return false;
    }
    return true;
}

static bool same(const struct vd_sp *sp, const struct vd_sp_se_cond *a,
                 const struct vd_sp_se_cond *b)
{
    if (a->bool_count != b->bool_count)
        return false;
    if (a->bool_count > VD_SE_TABLE_BOOLS)
        return a->count == b->count && same_text(sp, a, b);
    return memcmp(a->bools, b->bools, a->bool_count * sizeof(a->bools[0])) == 0 &&
           a->table == b->table;
}

/* Equal for conditions that are the same. */
static uint64_t hash(const struct vd_sp *sp, const struct vd_sp_se_cond *cond)
{
    uint64_t h = cond->bool_count;

    if (cond->bool_count <= VD_SE_TABLE_BOOLS) {
        for (uint32_t i = 0; i < cond->bool_count; i++)
            h = vd_hash_mix(h * 31 + cond->bools[i]);
        return vd_hash_mix(h * 31 + cond->table);
    }
    for (uint32_t i = 0; i < cond->count; i++)
        h = vd_hash_mix(h * 31 + sp->cond_nodes.data[cond->first + i].name.name);
    return h;
}

/* The row of conds that means the same, added if there is none; `table` has rows + 1. */
static uint32_t intern(struct vd_sp_se *se, const struct vd_sp_se_cond *cond, uint32_t *table,
                       uint32_t mask)
{
    for (uint32_t i = (uint32_t)hash(se->c->sp, cond);; i++) {
        uint32_t *slot = &table[i & mask];

        if (*slot != 0 && !same(se->c->sp, &se->conds.data[*slot - 1], cond))
            continue;
        if (*slot == 0) {
            *VD_SP_PUSH(&se->c->sp->arena, &se->conds) = *cond;
            *slot = se->conds.count;
        }
        return *slot - 1;
    }
}

void vd_sp_se_gather_conds(struct vd_sp_se *se)
{
    struct vd_sp *sp = se->c->sp;
    bool *values = vd_sp_alloc_array(&sp->arena, se->c->bools.count, sizeof(*values));
    bool *scratch = vd_sp_alloc_array(&sp->arena, se->c->bools.count, sizeof(*scratch));
    uint32_t slots = 16, *table;

    while (slots / 2 < sp->conds.count)
        slots *= 2;
    table = vd_sp_alloc_array(&sp->arena, slots, sizeof(*table));
    for (uint32_t i = 1; i < se->c->bools.count; i++)
        values[i] = sp->bool_values.data[vd_sp_se_symbol(se, &se->c->bools, i)->row] != 0;
    for (uint32_t i = 0; i < 2; i++)
        se->list_of[i] = vd_sp_alloc_array(&sp->arena, sp->conds.count, sizeof(uint32_t));
    for (uint32_t i = 0; i < sp->conds.count; i++) {
        struct vd_sp_se_cond cond = {.first = sp->conds.data[i].node_first,
                                     .count = sp->conds.data[i].node_count};
        uint32_t negated = 0, row;

        if (sp->conds.data[i].fixed)
            continue;
        while (sp->cond_nodes.data[cond.first + cond.count - 1].op == VD_COND_NOT) {
            cond.count--;
            negated ^= 1;
        }
        list_bools(sp, &cond);
        if (cond.bool_count <= VD_SE_TABLE_BOOLS)
            fill_table(sp, &cond, scratch);
        cond.state = evaluate(sp, &cond, values);
        row = intern(se, &cond, table, slots - 1);
        se->list_of[1 ^ negated][i] = 1 + 2 * row;
        se->list_of[negated][i] = 2 + 2 * row;
    }
}
