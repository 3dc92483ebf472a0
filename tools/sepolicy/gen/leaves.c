/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/gen/rules.h"

#include <string.h>

#define LEAF_WORDS 3u /* allowed, auditallow, dontaudit; then the conditional rules */

static bool same_branch(const struct vd_pdb_cond_rule *a, const struct vd_pdb_cond_rule *b)
{
    return a->cond_first == b->cond_first && a->cond_count == b->cond_count &&
           a->branch == b->branch;
}

/* Orders by condition, then branch, so that equal leaves look alike. */
static bool before(const struct vd_pdb_cond_rule *a, const struct vd_pdb_cond_rule *b)
{
    if (a->cond_first != b->cond_first)
        return a->cond_first < b->cond_first;
    if (a->cond_count != b->cond_count)
        return a->cond_count < b->cond_count;
    return a->branch < b->branch;
}

/*
 * The cell's conditional rules, sorted, equal conditions joined, in leaf_conds.
 * What the unconditional vectors have already is left out.
 */
static void collect_conds(struct vd_sp_te *te, const struct vd_sp_cell *cell)
{
    struct vd_sp *sp = te->image->c->sp;

    te->leaf_conds.count = 0;
    for (uint32_t p = cell->conds; p != 0; p = te->row.parts.data[p - 1].next) {
        const struct vd_sp_cond_part *part = &te->row.parts.data[p - 1];
        struct vd_pdb_cond_rule rule = {.cond_first = te->image->cond_first[part->cond],
                                        .cond_count = sp->conds.data[part->cond].node_count,
                                        .branch = part->branch,
                                        .allowed = part->allowed & ~cell->allowed,
                                        .auditallow = part->auditallow & ~cell->auditallow,
                                        .dontaudit = part->dontaudit & ~cell->dontaudit};
        struct vd_pdb_cond_rule *list;
        uint32_t i;

        if ((rule.allowed | rule.auditallow | rule.dontaudit) == 0)
            continue;
        (void)VD_SP_PUSH(&sp->arena, &te->leaf_conds);
        list = te->leaf_conds.data;
        for (i = te->leaf_conds.count - 1; i > 0 && before(&rule, &list[i - 1]); i--)
            list[i] = list[i - 1];
        if (i > 0 && same_branch(&list[i - 1], &rule)) {
            list[i - 1].allowed |= rule.allowed;
            list[i - 1].auditallow |= rule.auditallow;
            list[i - 1].dontaudit |= rule.dontaudit;
            for (; i + 1 < te->leaf_conds.count; i++)
                list[i] = list[i + 1];
            te->leaf_conds.count--;
        } else {
            list[i] = rule;
        }
    }
}

static void make_leaf(struct vd_sp_te *te, const struct vd_sp_cell *cell,
                      struct vd_sp_xperm_span xperms)
{
    struct vd_sp_arena *arena = &te->image->c->sp->arena;
    struct vd_sp_image *image = te->image;
    struct vd_pdb_leaf leaf = {.base_allowed = cell->allowed,
                               .base_auditallow = cell->auditallow,
                               .base_auditdeny = ~cell->dontaudit,
                               .xperm_first = xperms.first,
                               .xperm_count = xperms.count};

    leaf.allowed = leaf.base_allowed;
    leaf.auditallow = leaf.base_auditallow;
    leaf.auditdeny = leaf.base_auditdeny;
    leaf.cond_count = te->leaf_conds.count;
    leaf.cond_first = leaf.cond_count == 0 ? 0 : image->cond_rules.count;
    for (uint32_t i = 0; i < te->leaf_conds.count; i++) {
        const struct vd_pdb_cond_rule *rule = &te->leaf_conds.data[i];

        *VD_SP_PUSH(arena, &image->cond_rules) = *rule;
        if (image->cond_value[rule->cond_first] != (rule->branch != 0))
            continue;
        leaf.allowed |= rule->allowed;
        leaf.auditallow |= rule->auditallow;
        leaf.auditdeny &= ~rule->dontaudit;
    }
    *VD_SP_PUSH(arena, &image->leaves) = leaf;
}

/* The leaf of a cell whose conditional rules stand in leaf_conds. */
static uint32_t add_leaf(struct vd_sp_te *te, const struct vd_sp_cell *cell,
                         struct vd_sp_xperm_span xperms)
{
    struct vd_sp_arena *arena = &te->image->c->sp->arena;
    uint32_t plain[LEAF_WORDS] = {cell->allowed, cell->auditallow, cell->dontaudit};
    const uint32_t *conds;
    uint32_t leaf, words;

    conds = (const uint32_t *)te->leaf_conds.data;
    words = te->leaf_conds.count * (uint32_t)(sizeof(*te->leaf_conds.data) / sizeof(*conds));
    te->leaf_key.count = 0;
    for (uint32_t i = 0; i < LEAF_WORDS; i++)
        *VD_SP_PUSH(arena, &te->leaf_key) = plain[i];
    for (uint32_t i = 0; i < words; i++)
        *VD_SP_PUSH(arena, &te->leaf_key) = conds[i];
    if (xperms.count > 0) {
        *VD_SP_PUSH(arena, &te->leaf_key) = xperms.first;
        *VD_SP_PUSH(arena, &te->leaf_key) = xperms.count;
    }
    leaf = vd_sp_pool_add(&te->leaf_keys, te->leaf_key.data, te->leaf_key.count);
    if (leaf == te->image->leaves.count)
        make_leaf(te, cell, xperms);
    return leaf;
}

static uint32_t find_leaf(struct vd_sp_te *te, const struct vd_sp_cell *cell,
                          struct vd_sp_xperm_span xperms)
{
    te->leaf_conds.count = 0;
    if (cell->conds != 0)
        collect_conds(te, cell);
    return add_leaf(te, cell, xperms);
}

uint32_t vd_sp_leaf_again(struct vd_sp_te *te, const struct vd_pdb_leaf *leaf,
                          const struct vd_pdb_cond_rule *conds)
{
    struct vd_sp_arena *arena = &te->image->c->sp->arena;
    struct vd_sp_cell cell = {.allowed = leaf->base_allowed,
                              .auditallow = leaf->base_auditallow,
                              .dontaudit = ~leaf->base_auditdeny};

    te->leaf_conds.count = 0;
    for (uint32_t i = 0; i < leaf->cond_count; i++)
        *VD_SP_PUSH(arena, &te->leaf_conds) = conds[i];
    return add_leaf(te, &cell, (struct vd_sp_xperm_span){});
}

/* The leaf of a cell without conditional rules, found again without hashing if it was met lately. */
static uint32_t plain_leaf(struct vd_sp_te *te, const struct vd_sp_cell *cell)
{
    static const struct vd_sp_xperm_span none;
    uint64_t mixed = (cell->allowed + (uint64_t)cell->auditallow * 31 + cell->dontaudit * 7u) *
                     0x9e3779b97f4a7c15u;
    struct vd_sp_known_leaf *known = &te->known[mixed >> (64 - VD_SP_KNOWN_LEAF_BITS)];

    if (known->leaf == 0 || known->allowed != cell->allowed ||
        known->auditallow != cell->auditallow || known->dontaudit != cell->dontaudit)
        *known = (struct vd_sp_known_leaf){.allowed = cell->allowed,
                                           .auditallow = cell->auditallow,
                                           .dontaudit = cell->dontaudit,
                                           .leaf = find_leaf(te, cell, none)};
    return known->leaf;
}

static uint32_t find_block(struct vd_sp_te *te, uint32_t block)
{
    const struct vd_sp_cell *cells = te->row.cells + (size_t)block * VD_PDB_BLOCK_TYPES;
    uint32_t leaves[VD_PDB_BLOCK_TYPES] = {}, first = block * VD_PDB_BLOCK_TYPES;

    for (uint32_t i = 0; i < VD_PDB_BLOCK_TYPES; i++) {
        const struct vd_sp_cell *cell = &cells[i];
        struct vd_sp_xperm_span xperms = {};

        if (te->xperms.of != NULL && te->xperms.of[first + i] != 0)
            xperms = vd_sp_xperms_of(te, first + i);
        if (cell->conds != 0 || xperms.count != 0)
            leaves[i] = find_leaf(te, cell, xperms);
        else if ((cell->allowed | cell->auditallow | cell->dontaudit) != 0)
            leaves[i] = plain_leaf(te, cell);
    }
    return vd_sp_pool_add(&te->image->blocks, leaves, 1);
}

uint32_t vd_sp_row_store(struct vd_sp_te *te)
{
    struct vd_sp_checked *c = te->image->c;
    uint32_t *row = (uint32_t *)(void *)c->scratch; /* type_words blocks fit */

    memset(row, 0, c->type_words * sizeof(*row));
    VD_SP_FOR_EACH_BIT (te->row.touched, VD_BITMAP_WORDS(c->type_words), block)
        row[block] = find_block(te, block);
    return vd_sp_pool_add(&te->image->rows, row, 1);
}

void vd_sp_leaves_init(struct vd_sp_te *te)
{
    static const uint32_t empty[VD_PDB_BLOCK_TYPES];
    static const struct vd_sp_cell nothing;
    struct vd_sp_image *image = te->image;
    struct vd_sp_arena *arena = &image->c->sp->arena;
    uint32_t row_size = image->c->type_words * (uint32_t)sizeof(uint32_t);

    vd_sp_pool_init(&te->leaf_keys, arena, sizeof(uint32_t));
    te->known = vd_sp_alloc_array(arena, (size_t)1 << VD_SP_KNOWN_LEAF_BITS, sizeof(*te->known));
    vd_sp_pool_init(&image->blocks, arena, VD_PDB_BLOCK_TYPES * sizeof(uint32_t));
    vd_sp_pool_init(&image->rows, arena, row_size);
    /* Leaf, block and row 0 are the empty ones. */
    (void)find_leaf(te, &nothing, (struct vd_sp_xperm_span){});
    (void)vd_sp_pool_add(&image->blocks, empty, 1);
    memset(image->c->scratch, 0, row_size);
    (void)vd_sp_pool_add(&image->rows, image->c->scratch, 1);
}
