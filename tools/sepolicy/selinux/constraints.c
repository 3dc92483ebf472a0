/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The constraints of a class in SELinux's binary policy. Sets of types are
 * written twice: what they come to, by which the kernel decides, and as the
 * source has them, for those who read the policy.
 */
#include "tools/sepolicy/selinux/write.h"

#include <string.h>

/* Kinds of nodes; the relations have the numbers of enum vd_pdb_node_rel. */
enum { SE_NOT = 1, SE_AND, SE_OR, SE_ATTR, SE_NAMES };

#define SE_USER     0x1u
#define SE_ROLE     0x2u
#define SE_TYPE     0x4u
#define SE_TARGET   0x8u
#define SE_XTARGET  0x10u
#define SE_SET_STAR 1u
#define SE_SET_COMP 2u

/* By left and right part, from VD_PART_L1 on: l1 l2, l1 h2, h1 l2, h1 h2, l1 h1, l2 h2. */
static const uint32_t level_pairs[4][4] = {
    [0] = {[1] = 0x20, [3] = 0x40, [2] = 0x200},
    [2] = {[1] = 0x80, [3] = 0x100},
    [1] = {[3] = 0x400},
};

static uint32_t part_bits(uint8_t part)
{
    static const uint32_t bits[] = {
        [VD_PART_U1] = SE_USER,
        [VD_PART_U2] = SE_USER | SE_TARGET,
        [VD_PART_U3] = SE_USER | SE_XTARGET,
        [VD_PART_R1] = SE_ROLE,
        [VD_PART_R2] = SE_ROLE | SE_TARGET,
        [VD_PART_R3] = SE_ROLE | SE_XTARGET,
        [VD_PART_T1] = SE_TYPE,
        [VD_PART_T2] = SE_TYPE | SE_TARGET,
        [VD_PART_T3] = SE_TYPE | SE_XTARGET,
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
    vd_sp_se_u32(
        se, set == NULL ? 0 : (set->star ? SE_SET_STAR : 0) | (set->complement ? SE_SET_COMP : 0));
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
    static const uint32_t kinds[] = {[VD_CX_NOT] = SE_NOT,
                                     [VD_CX_AND] = SE_AND,
                                     [VD_CX_OR] = SE_OR,
                                     [VD_CX_ATTR] = SE_ATTR,
                                     [VD_CX_NAMES] = SE_NAMES};
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
