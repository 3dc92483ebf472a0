/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The constraints of a class in SELinux's binary policy. Sets of types are
 * written twice: what they come to, by which the kernel decides, and as the
 * source has them, for those who read the policy.
 */
#include "tools/sepolicy/selinux/write.h"

#include <string.h>

/* By left and right part, from VD_PART_L1 on: l1 l2, l1 h2, h1 l2, h1 h2, l1 h1, l2 h2. */
static const uint32_t level_pairs[4][4] = {
    [0] = {[1] = VD_SE_CX_L1L2, [3] = VD_SE_CX_L1H2, [2] = VD_SE_CX_L1H1},
    [2] = {[1] = VD_SE_CX_H1L2, [3] = VD_SE_CX_H1H2},
    [1] = {[3] = VD_SE_CX_L2H2},
};

static uint32_t part_bits(uint8_t part)
{
    static const uint32_t bits[] = {
        [VD_PART_U1] = VD_SE_CX_USER,
        [VD_PART_U2] = VD_SE_CX_USER | VD_SE_CX_TARGET,
        [VD_PART_U3] = VD_SE_CX_USER | VD_SE_CX_XTARGET,
        [VD_PART_R1] = VD_SE_CX_ROLE,
        [VD_PART_R2] = VD_SE_CX_ROLE | VD_SE_CX_TARGET,
        [VD_PART_R3] = VD_SE_CX_ROLE | VD_SE_CX_XTARGET,
        [VD_PART_T1] = VD_SE_CX_TYPE,
        [VD_PART_T2] = VD_SE_CX_TYPE | VD_SE_CX_TARGET,
        [VD_PART_T3] = VD_SE_CX_TYPE | VD_SE_CX_XTARGET,
    };

    return bits[part];
}

static uint32_t attribute(const struct vd_pdb_node *node)
{
    if (node->left >= VD_PART_L1)
        return level_pairs[node->left - VD_PART_L1][node->right - VD_PART_L1];
    return part_bits(node->left);
}

/* A set of types as written: what it has, what it takes away, what it stands for. */
static void put_written(struct vd_sp_se *se, const struct vd_sp_set *set)
{
    uint32_t words = VD_BITMAP_WORDS(se->c->types.count);

    for (uint32_t minus = 0; minus <= 1; minus++) {
        memset(se->words, 0, words * sizeof(*se->words));
        for (uint32_t i = 0; set != NULL && i < set->count; i++) {
            const struct vd_sp_symbol *symbol =
                set->items[i].minus == minus ? vd_sp_find(se->c->sp, VD_SP_TYPE, &set->items[i])
                                             : NULL;

            if (symbol != NULL)
                vd_bitmap_set(se->words, symbol->number);
        }
        vd_sp_se_bitmap(se, se->words, words, 1);
    }
    vd_sp_se_u32(se, set == NULL ? 0
                                 : (set->star ? VD_SE_SET_STAR : 0) |
                                       (set->complement ? VD_SE_SET_COMPLEMENT : 0));
}

static void put_names(struct vd_sp_se *se, const struct vd_pdb_node *node,
                      const struct vd_sp_node *from)
{
    const struct vd_sp_checked *c = se->c;
    const uint64_t *pool = (const uint64_t *)(const void *)se->image->bitmaps.data;
    bool types = node->left >= VD_PART_T1;
    uint32_t words = types                      ? c->type_words
                     : node->left >= VD_PART_R1 ? c->role_words
                                                : c->user_words;

    vd_sp_se_bitmap(se, pool + node->arg, words, 1);
    put_written(se, types ? &c->sp->constraint_sets.data[from->names] : NULL);
}

static void put_node(struct vd_sp_se *se, const struct vd_pdb_node *node,
                     const struct vd_sp_node *from)
{
    static const uint32_t kinds[] = {[VD_CX_NOT] = VD_SE_CX_NOT,
                                     [VD_CX_AND] = VD_SE_CX_AND,
                                     [VD_CX_OR] = VD_SE_CX_OR,
                                     [VD_CX_ATTR] = VD_SE_CX_ATTR,
                                     [VD_CX_NAMES] = VD_SE_CX_NAMES};
    bool compares = node->op == VD_CX_ATTR || node->op == VD_CX_NAMES;

    vd_sp_se_u32(se, kinds[node->op]);
    vd_sp_se_u32(se, compares ? attribute(node) : 0);
    vd_sp_se_u32(se, compares ? node->rel : 0);
    if (node->op == VD_CX_NAMES)
        put_names(se, node, from);
}

/* What the generator laid out for a class stands in the order of the model's constraints. */
void vd_sp_se_put_constraints(struct vd_sp_se *se, uint32_t class, bool transition)
{
    const struct vd_pdb_class *row = &se->image->classes.data[class];
    uint32_t at = transition ? row->vtrans_first : row->node_first;
    uint32_t end = at + (transition ? row->vtrans_count : row->node_count), count = 0;

    for (uint32_t i = at; i < end; i++)
        count += se->image->nodes.data[i].op == VD_CX_END;
    if (transition)
        vd_sp_se_u32(se, count);
    while (at < end) {
        const struct vd_pdb_node *begin = &se->image->nodes.data[at];
        uint32_t nodes = begin->left + begin->right * 256u - 1;
        uint32_t first = se->image->node_from.data[at];

        vd_sp_se_u32(se, begin->arg);
        vd_sp_se_u32(se, nodes);
        for (uint32_t i = 0; i < nodes; i++)
            put_node(se, &begin[i + 1], &se->c->sp->nodes.data[first + i]);
        at += nodes + 2;
    }
}
