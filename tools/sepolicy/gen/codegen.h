/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The code generator: fills the blob's tables from the checked policy.
 */
#ifndef VD_TOOLS_SEPOLICY_GEN_CODEGEN_H
#define VD_TOOLS_SEPOLICY_GEN_CODEGEN_H

#include "tools/sepolicy/check/checker.h"
#include "tools/sepolicy/gen/pool.h"

/* A part of an `if`. */
struct vd_sp_branch {
    uint32_t cond;   /* row of the model's conds */
    uint32_t branch; /* 1: the condition holds, 0: it does not */
};

/* Where a conditional transition comes from. */
struct vd_sp_cond_from {
    struct vd_sp_branch branch;
    uint32_t place;
};

/* The blob's tables while they are built; the formats are those of format.h. */
struct vd_sp_image {
    struct vd_sp_checked *c;
    VD_SP_VEC(char) strings;
    uint32_t *string_of; /* offset by name; 0: not written yet */
    VD_SP_VEC(struct vd_pdb_class) classes;
    VD_SP_VEC(uint32_t) perms;
    VD_SP_VEC(struct vd_pdb_type) types;
    VD_SP_VEC(struct vd_pdb_role) roles;
    VD_SP_VEC(struct vd_pdb_user) users;
    VD_SP_VEC(struct vd_pdb_sens) sens;
    VD_SP_VEC(uint32_t) cats;
    VD_SP_VEC(struct vd_pdb_bool) bools;
    VD_SP_VEC(struct vd_pdb_symbol) symbols;
    struct vd_sp_pool bitmaps;  /* words */
    struct vd_sp_pool levels;   /* struct vd_mls_level */
    struct vd_sp_pool contexts; /* struct vd_context */
    VD_SP_VEC(struct vd_pdb_initial) initial;
    uint32_t *te_root;
    uint32_t reused;                              /* rows of the former policy */
    VD_SP_VEC(struct vd_sp_cache_entry) row_keys; /* for the next compilation */
    struct vd_sp_pool rows;                       /* uint32_t block */
    struct vd_sp_pool blocks;                     /* uint32_t leaf */
    VD_SP_VEC(struct vd_pdb_leaf) leaves;
    VD_SP_VEC(struct vd_pdb_slot) slots; /* of all buckets */
    uint32_t buckets;
    struct vd_sp_pool ranges; /* struct vd_pdb_range */
    VD_SP_VEC(struct vd_pdb_node) nodes;
    VD_SP_VEC(uint32_t) node_from; /* by node, for VD_CX_BEGIN: first of the model's nodes */
    VD_SP_VEC(struct vd_pdb_cond_rule) cond_rules;
    struct vd_sp_pool cond_nodes; /* struct vd_pdb_cond_node */
    uint32_t *cond_first;         /* by row of the model's conds: first of its COND_NODES */
    bool *cond_value;             /* by first of the COND_NODES: under the default booleans */
    VD_SP_VEC(char) label_text;
    uint32_t *label_text_of; /* offset by name; 0: not written yet */
    VD_SP_VEC(struct vd_pdb_fs_use) fs_use;
    VD_SP_VEC(struct vd_pdb_genfs) genfs;
    VD_SP_VEC(struct vd_pdb_port) ports;
    VD_SP_VEC(struct vd_pdb_netif) netifs;
    VD_SP_VEC(struct vd_pdb_netnode) netnodes;
    VD_SP_VEC(struct vd_pdb_ibpkey) ibpkeys;
    VD_SP_VEC(struct vd_pdb_ibendport) ibendports;
    VD_SP_VEC(char) file_names;
    VD_SP_VEC(struct vd_pdb_named) named; /* of all buckets */
    VD_SP_VEC(struct vd_pdb_named_row) named_rows;
    uint64_t *named_targets;
    VD_SP_VEC(struct vd_pdb_cond_trans) cond_trans;
    VD_SP_VEC(struct vd_sp_cond_from) cond_trans_from; /* by row of cond_trans */
    struct vd_sp_pool xperms;                          /* struct vd_pdb_xperm */
};

/*
 * Fills the tables. Errors that show only here (a violated neverallow, rules
 * that contradict each other) are reported; type enforcement is built only if
 * there was no error before.
 */
void vd_sp_generate(struct vd_sp_checked *c, struct vd_sp_image *ret);

/* The parts. */
void vd_sp_gen_tables(struct vd_sp_image *image);
void vd_sp_gen_labels(struct vd_sp_image *image);
void vd_sp_gen_conditions(struct vd_sp_image *image); /* only without errors */
void vd_sp_gen_transitions(struct vd_sp_image *image);
void vd_sp_gen_named(struct vd_sp_image *image);
void vd_sp_gen_constraints(struct vd_sp_image *image);
void vd_sp_gen_rules(struct vd_sp_image *image);
void vd_sp_warn_transitions(struct vd_sp_image *image);
void vd_sp_warn_bounds(struct vd_sp_image *image);

/* The leaf of a source, target and class, once type enforcement is built. */
const struct vd_pdb_leaf *vd_sp_leaf_of(const struct vd_sp_image *image, uint32_t source,
                                        uint32_t target, uint32_t class);

/*
 * The blob, malloc'ed; VD_E_LIMIT if it would be larger than the format allows.
 * The tables of type enforcement are given back on the way.
 */
vd_status vd_sp_blob(struct vd_sp_image *image, uint8_t **ret, size_t *ret_size);

/* True unless no setting of the booleans has both in force (many are taken to have one). */
bool vd_sp_branches_meet(const struct vd_sp *sp, struct vd_sp_branch a, struct vd_sp_branch b);

/* The type that a transition gives; NULL: reported. */
const struct vd_sp_symbol *vd_sp_gen_result(struct vd_sp *sp, const struct vd_sp_transition *rule);

/* First word of a bitmap in the pool. */
VD_INLINE uint32_t vd_sp_gen_bitmap(struct vd_sp_image *image, const uint64_t *words,
                                    uint32_t count)
{
    return vd_sp_pool_start(&image->bitmaps, vd_sp_pool_add(&image->bitmaps, words, count));
}

#endif
