/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/reach.h"

#include <stdlib.h>

/* The first row of a table of an opened policy. */
static const void *table(const struct vd_policydb *db, enum vd_pdb_section section)
{
    return db->base + vd_policydb_header(db)->sections[section].offset;
}

vd_status vd_reach_init(struct vd_reach *ret, const struct vd_policydb *db, bool any_booleans)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    const struct vd_pdb_leaf *leaves = table(db, VD_PDB_TE_LEAVES);
    const struct vd_pdb_cond_rule *rules = table(db, VD_PDB_COND_RULES);
    uint32_t leaf_count = head->sections[VD_PDB_TE_LEAVES].count;
    uint32_t block_count = head->sections[VD_PDB_TE_BLOCKS].count / VD_PDB_BLOCK_TYPES + 1;
    struct vd_reach reach = {.db = db};

    reach.allowed = calloc(leaf_count + 1, sizeof(*reach.allowed));
    reach.words = calloc(block_count, sizeof(*reach.words));
    reach.seen = calloc(block_count, sizeof(*reach.seen));
    if (reach.allowed == NULL || reach.words == NULL || reach.seen == NULL) {
        vd_reach_done(&reach);
        return VD_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < leaf_count; i++) {
        reach.allowed[i] = any_booleans ? leaves[i].base_allowed : leaves[i].allowed;
        for (uint32_t k = 0; any_booleans && k < leaves[i].cond_count; k++)
            reach.allowed[i] |= rules[leaves[i].cond_first + k].allowed;
    }
    *ret = reach;
    return VD_OK;
}

void vd_reach_done(struct vd_reach *reach)
{
    free(reach->allowed);
    free(reach->words);
    free(reach->seen);
    *reach = (struct vd_reach){};
}

static uint64_t block_word(struct vd_reach *reach, uint32_t block, uint32_t mask)
{
    const uint32_t *leaves =
        (const uint32_t *)table(reach->db, VD_PDB_TE_BLOCKS) + (size_t)block * VD_PDB_BLOCK_TYPES;
    uint64_t word = 0;

    if (reach->seen[block] == reach->question)
        return reach->words[block];
    for (uint32_t i = 0; i < VD_PDB_BLOCK_TYPES; i++)
        word |= (uint64_t)((reach->allowed[leaves[i]] & mask) != 0) << i;
    reach->seen[block] = reach->question;
    reach->words[block] = word;
    return word;
}

void vd_reach_add(struct vd_reach *reach, uint32_t class, uint32_t mask, struct vd_graph *graph)
{
    const struct vd_pdb_header *head = vd_policydb_header(reach->db);
    const uint32_t *root = table(reach->db, VD_PDB_TE_ROOT);
    const uint32_t *rows = table(reach->db, VD_PDB_TE_ROWS);

    reach->question++;
    for (uint32_t source = 1; mask != 0 && source < head->types; source++) {
        uint32_t row = root[(size_t)source * head->classes + class];
        const uint32_t *blocks = rows + (size_t)row * head->blocks;
        uint64_t *to = vd_graph_row(graph, source);

        for (uint32_t i = 0; row != 0 && i < head->blocks; i++) {
            if (blocks[i] != 0)
                to[i] |= block_word(reach, blocks[i], mask);
        }
        /* Blocks have room for targets that the policy does not have. */
        if (row != 0 && head->types % VD_PDB_BLOCK_TYPES != 0)
            to[head->blocks - 1] &= ((uint64_t)1 << head->types % VD_PDB_BLOCK_TYPES) - 1;
    }
}

uint32_t vd_reach_allowed(const struct vd_reach *reach, uint32_t source, uint32_t target,
                          uint32_t class)
{
    const struct vd_pdb_header *head = vd_policydb_header(reach->db);
    const uint32_t *root = table(reach->db, VD_PDB_TE_ROOT);
    const uint32_t *rows = table(reach->db, VD_PDB_TE_ROWS);
    const uint32_t *leaves = table(reach->db, VD_PDB_TE_BLOCKS);
    uint32_t row = root[(size_t)source * head->classes + class];
    uint32_t block = rows[(size_t)row * head->blocks + target / VD_PDB_BLOCK_TYPES];

    return reach->allowed[leaves[(size_t)block * VD_PDB_BLOCK_TYPES + target % VD_PDB_BLOCK_TYPES]];
}
