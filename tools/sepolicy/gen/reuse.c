/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/gen/reuse.h"

#include <string.h>

#include "core/base/htab.h"

static struct vd_sp_row_key mix(struct vd_sp_row_key key, uint64_t word)
{
    key.low = vd_hash_mix(key.low * 31 + word);
    key.high = vd_hash_mix((key.high ^ word) * 0x9e3779b97f4a7c15u + key.low);
    return key;
}

static struct vd_sp_row_key key_of_set(const struct vd_sp_checked *c, uint32_t set)
{
    struct vd_sp_row_key key = vd_sp_cache_secret(c->sp->cache, &c->sp->options->former);

    for (uint32_t i = 0; i < c->type_words; i++) {
        if (c->sets.data[set].words[i] != 0)
            key = mix(mix(key, i), c->sets.data[set].words[i]);
    }
    return key;
}

/* Everything of a rule that a row can depend on, but its source and class. */
static struct vd_sp_row_key key_of_rule(const struct vd_sp_image *image, const struct vd_sp_av *av,
                                        struct vd_sp_row_key target)
{
    const struct vd_sp *sp = image->c->sp;
    const struct vd_sp_rule *rule = &sp->rules.data[av->rule];
    struct vd_sp_row_key key = mix(target, (uint64_t)av->perms << 32 | av->kind << 8 | av->flags);
    uint32_t first;

    if (rule->cond == 0)
        return key;
    first = image->cond_first[rule->cond - 1];
    key = mix(key, (uint64_t)first << 32 | sp->conds.data[rule->cond - 1].node_count);
    return mix(key, 2u + (rule->otherwise ? 4u : 0u) + (image->cond_value[first] ? 1u : 0u));
}

/* The part of a set for a class, made if there is none; `part_of` remembers the last by class. */
static struct vd_sp_set_class *part_at(struct vd_sp_reuse *reuse, uint32_t *part_of, uint32_t set,
                                       uint32_t class)
{
    uint32_t part = part_of[class];

    if (part < reuse->part_first[set] || part >= reuse->parts.count ||
        reuse->parts.data[part].class != class) {
        part = part_of[class] = reuse->parts.count;
        VD_SP_PUSH(&reuse->te->image->c->sp->arena, &reuse->parts)->class = class;
    }
    return &reuse->parts.data[part];
}

static void add_rule(struct vd_sp_set_class *part, uint8_t kind, struct vd_sp_row_key key)
{
    part->key.low += key.low;
    part->key.high += key.high;
    part->rules++;
    part->fresh |= kind == VD_SP_DENY;
}

static void sum_sets(struct vd_sp_reuse *reuse)
{
    const struct vd_sp_te *te = reuse->te;
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp_arena *arena = &c->sp->arena;
    struct vd_sp_row_key *targets = vd_sp_alloc_array(arena, c->sets.count, sizeof(*targets));
    uint32_t *part_of = vd_sp_alloc_array(arena, c->classes.count, sizeof(*part_of));

    for (uint32_t s = 0; s < c->sets.count; s++)
        targets[s] = key_of_set(c, s);
    for (uint32_t s = 0; s < c->sets.count; s++) {
        reuse->part_first[s] = reuse->parts.count;
        for (uint32_t r = te->set_first[s]; r < te->set_first[s + 1]; r++) {
            const struct vd_sp_av *av = &c->avs.data[te->by_set[r]];

            add_rule(part_at(reuse, part_of, s, av->class), av->kind,
                     key_of_rule(te->image, av, targets[av->target]));
        }
    }
    reuse->part_first[c->sets.count] = reuse->parts.count;
}

static uint32_t rows_of(const struct vd_sp_cache *old, enum vd_pdb_section section)
{
    return vd_policydb_header(&old->policy)->sections[section].count;
}

/* The former policy, if rows of it can be rows of this one. */
static const struct vd_sp_cache *usable(const struct vd_sp_image *image)
{
    const struct vd_sp_cache *old = image->c->sp->cache;

    if (old == NULL || vd_policydb_header(&old->policy)->blocks != image->c->type_words ||
        rows_of(old, VD_PDB_TE_BLOCKS) == 0 || rows_of(old, VD_PDB_TE_LEAVES) == 0)
        return NULL;
    return old;
}

void vd_sp_reuse_init(struct vd_sp_reuse *reuse, struct vd_sp_te *te)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp_arena *arena = &c->sp->arena;

    *reuse = (struct vd_sp_reuse){.te = te, .old = usable(te->image)};
    reuse->sums = vd_sp_alloc_array(arena, c->classes.count, sizeof(*reuse->sums));
    reuse->part_first = vd_sp_alloc_array(arena, c->sets.count + 1, sizeof(*reuse->part_first));
    sum_sets(reuse);
    if (reuse->old == NULL)
        return;
    reuse->row_of =
        vd_sp_alloc_array(arena, rows_of(reuse->old, VD_PDB_TE_ROWS) / c->type_words, 4);
    reuse->block_of =
        vd_sp_alloc_array(arena, rows_of(reuse->old, VD_PDB_TE_BLOCKS) / VD_PDB_BLOCK_TYPES, 4);
    reuse->leaf_of = vd_sp_alloc_array(arena, rows_of(reuse->old, VD_PDB_TE_LEAVES), 4);
    reuse->block_of[0] = reuse->leaf_of[0] = 1; /* the empty ones are number 0 for ever */
}

void vd_sp_reuse_done(struct vd_sp_reuse *reuse)
{
    VD_SP_VEC_RELEASE(&reuse->te->image->c->sp->arena, &reuse->parts);
}

void vd_sp_reuse_source(struct vd_sp_reuse *reuse, uint32_t source)
{
    const struct vd_sp_te *te = reuse->te;
    const struct vd_sp_checked *c = te->image->c;

    for (uint32_t class = 1; class < c->classes.count; class ++) {
        if (reuse->sums[class].rules != 0)
            reuse->sums[class] = (struct vd_sp_set_class){};
    }
    for (uint32_t i = te->type_first[source]; i < te->type_first[source + 1]; i++) {
        uint32_t set = te->by_type[i];

        for (uint32_t p = reuse->part_first[set]; p < reuse->part_first[set + 1]; p++) {
            const struct vd_sp_set_class *part = &reuse->parts.data[p];
            struct vd_sp_set_class *sum = &reuse->sums[part->class];

            sum->key.low += part->key.low;
            sum->key.high += part->key.high;
            sum->rules += part->rules;
            sum->fresh |= part->fresh;
        }
    }
}

static uint32_t leaf_now(struct vd_sp_reuse *reuse, uint32_t number)
{
    const struct vd_pdb_leaf *leaf;

    if (reuse->leaf_of[number] == 0) {
        leaf = vd_pdb_row(&reuse->old->policy, VD_PDB_TE_LEAVES, number, sizeof(*leaf));
        reuse->leaf_of[number] =
            1 + vd_sp_leaf_again(reuse->te, leaf,
                                 vd_pdb_row(&reuse->old->policy, VD_PDB_COND_RULES,
                                            leaf->cond_first, sizeof(struct vd_pdb_cond_rule)));
    }
    return reuse->leaf_of[number] - 1;
}

static uint32_t block_now(struct vd_sp_reuse *reuse, uint32_t number)
{
    uint32_t leaves[VD_PDB_BLOCK_TYPES];
    const uint32_t *from;

    if (reuse->block_of[number] == 0) {
        from = vd_pdb_row(&reuse->old->policy, VD_PDB_TE_BLOCKS, number * VD_PDB_BLOCK_TYPES,
                          sizeof(*from));
        for (uint32_t i = 0; i < VD_PDB_BLOCK_TYPES; i++)
            leaves[i] = reuse->leaf_of[from[i]] != 0 ? reuse->leaf_of[from[i]] - 1
                                                     : leaf_now(reuse, from[i]);
        reuse->block_of[number] = 1 + vd_sp_pool_add(&reuse->te->image->blocks, leaves, 1);
    }
    return reuse->block_of[number] - 1;
}

static uint32_t row_now(struct vd_sp_reuse *reuse, uint32_t number)
{
    struct vd_sp_checked *c = reuse->te->image->c;
    uint32_t *row = (uint32_t *)(void *)c->scratch; /* type_words blocks fit */
    const uint32_t *from;

    if (reuse->row_of[number] == 0) {
        from =
            vd_pdb_row(&reuse->old->policy, VD_PDB_TE_ROWS, number * c->type_words, sizeof(*from));
        for (uint32_t i = 0; i < c->type_words; i++)
            row[i] = reuse->block_of[from[i]] != 0 ? reuse->block_of[from[i]] - 1
                                                   : block_now(reuse, from[i]);
        reuse->row_of[number] = 1 + vd_sp_pool_add(&reuse->te->image->rows, row, 1);
    }
    return reuse->row_of[number] - 1;
}

/* The entry of the old cache for a source and class; NULL: it has none. */
static const struct vd_sp_cache_entry *find_old(struct vd_sp_reuse *reuse, uint32_t source,
                                                uint32_t class)
{
    const struct vd_pdb_header *head = vd_policydb_header(&reuse->old->policy);
    const struct vd_sp_cache_rows *old = &reuse->old->parts[VD_SP_CACHE_ENTRIES];
    const struct vd_sp_cache_entry *entries = old->rows;
    uint64_t cell = (uint64_t)source * head->classes + class;

    if (source >= head->types || class >= head->classes)
        return NULL;
    while (reuse->at < old->count && entries[reuse->at].cell < cell)
        reuse->at++;
    if (reuse->at == old->count || entries[reuse->at].cell != cell)
        return NULL;
    return &entries[reuse->at];
}

bool vd_sp_reuse_row(struct vd_sp_reuse *reuse, uint32_t source, uint32_t class, uint32_t *ret_row)
{
    struct vd_sp_image *image = reuse->te->image;
    const struct vd_sp_set_class *sum = &reuse->sums[class];
    const struct vd_sp_cache_entry *old;
    const uint32_t *root;

    if (sum->fresh)
        return false;
    *VD_SP_PUSH(&image->c->sp->arena, &image->row_keys) = (struct vd_sp_cache_entry){
        .cell = source * image->c->classes.count + class, .key = sum->key};
    old = reuse->old == NULL ? NULL : find_old(reuse, source, class);
    if (old == NULL || old->key.low != sum->key.low || old->key.high != sum->key.high)
        return false;
    root = vd_pdb_row(&reuse->old->policy, VD_PDB_TE_ROOT, old->cell, sizeof(*root));
    *ret_row = row_now(reuse, *root);
    image->reused++;
    return true;
}
