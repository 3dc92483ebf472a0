/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Type enforcement, one source type and class at a time: a row of vectors over
 * all target types is filled from the rules that reach it, checked against the
 * neverallow rules, then cut into blocks and leaves that are stored once each.
 * The work is one step for each (source, rule, target) triple; memory is one row.
 */
#ifndef VD_TOOLS_SEPOLICY_GEN_RULES_H
#define VD_TOOLS_SEPOLICY_GEN_RULES_H

#include "tools/sepolicy/gen/codegen.h"

#define VD_SP_MAX_CELL_CONDS 1024u /* conditions that bear on one source, target and class */

/* What conditional rules add to one target, a list by target. */
struct vd_sp_cond_part {
    uint32_t next; /* index + 1 */
    uint32_t cond; /* row of conds */
    uint32_t branch;
    uint32_t allowed, auditallow, dontaudit;
};

/* The vectors of one target type. */
struct vd_sp_cell {
    uint32_t allowed, auditallow, dontaudit;
    uint32_t conds; /* first part + 1 */
};

struct vd_sp_row {
    struct vd_sp_cell *cells; /* by target type */
    uint64_t *touched;        /* a bit for each block of 64 types */
    uint32_t *possible;       /* by target: allowed under some setting of the booleans */
    VD_SP_VEC(struct vd_sp_cond_part) parts;
};

#define VD_SP_KNOWN_LEAF_BITS 12u

/* The leaf of these vectors without conditional rules; leaf 0, the empty one: not known. */
struct vd_sp_known_leaf {
    uint32_t allowed, auditallow, dontaudit, leaf;
};

/* A rule of extended permissions that reaches a target, a list by target. */
struct vd_sp_xperm_part {
    uint32_t next; /* index + 1 */
    uint32_t xav;  /* row of xavs */
};

/* Rows of XPERMS. */
struct vd_sp_xperm_span {
    uint32_t first, count;
};

/* The extended permissions of the source and the row at hand. */
struct vd_sp_xperms {
    uint32_t *list, count;                    /* rows of xavs for the source, by class */
    uint32_t first, last;                     /* of them, those of the class */
    uint32_t *of;                             /* by target: first part + 1 */
    VD_SP_VEC(struct vd_sp_xperm_part) parts; /* of the row */
    VD_SP_VEC(uint32_t) key;                  /* a target's rules while they are looked up */
    struct vd_sp_pool keys;                   /* words: lists of rules */
    VD_SP_VEC(struct vd_sp_xperm_span) spans; /* by entry of keys */
    VD_SP_VEC(struct vd_pdb_xperm) rows;      /* while a span is made */
    uint64_t *numbers;                        /* a bit for each number, while one is made */
    bool *reported; /* by rule: a neverallowxperm whose violation was reported */
};

struct vd_sp_te {
    struct vd_sp_image *image;
    struct vd_sp_row row;
    uint32_t *set_first;            /* by set: where its rules begin in `by_set` */
    uint32_t *by_set;               /* rows of avs, grouped by source set */
    uint32_t *type_first;           /* by type: where its sets begin in `by_type` */
    uint32_t *by_type;              /* sets that have rules and contain the type */
    VD_SP_VEC(uint32_t) list;       /* rows of avs for the source at hand, grouped by class */
    uint32_t *class_first;          /* by class: where its rules begin in `list` */
    VD_SP_VEC(uint32_t) leaf_key;   /* of the leaf that is looked for */
    struct vd_sp_pool leaf_keys;    /* words: the vectors and conditional parts of a leaf */
    struct vd_sp_known_leaf *known; /* 2^VD_SP_KNOWN_LEAF_BITS, by a hash of the vectors */
    VD_SP_VEC(struct vd_pdb_cond_rule) leaf_conds; /* while a leaf is made */
    bool *effect;                                  /* by rule: a deny that took something away */
    bool *reported; /* by rule: a neverallow whose violation was reported */
    struct vd_sp_xperms xperms;
};

/* row.c: fills the row for a source and a class, deny rules applied. */
void vd_sp_row_fill(struct vd_sp_te *te, uint32_t source, uint32_t class);
/* Sets the touched part of the row back to nothing. */
void vd_sp_row_clear(struct vd_sp_te *te);
/* neverallow.c: reports the neverallow rules that the filled row breaks. */
void vd_sp_check_neverallow(struct vd_sp_te *te, uint32_t source, uint32_t class);
/* xperms.c: the same for extended permissions; `fill` in the order of the classes, false: none. */
void vd_sp_xperms_init(struct vd_sp_te *te);
void vd_sp_xperms_gather(struct vd_sp_te *te, uint32_t source);
bool vd_sp_xperms_fill(struct vd_sp_te *te, uint32_t source, uint32_t class);
void vd_sp_xperms_clear(struct vd_sp_te *te); /* before vd_sp_row_clear */
/* The rows of a target of the filled row that has parts. */
struct vd_sp_xperm_span vd_sp_xperms_of(struct vd_sp_te *te, uint32_t target);
/* Adds a rule's numbers to a bitmap of 65,536. */
void vd_sp_xperm_numbers(const struct vd_sp *sp, const struct vd_sp_xperm_rule *rule,
                         uint64_t *numbers);
/* neverallow_xperm.c: reports the neverallowxperm rules that the filled row breaks. */
void vd_sp_check_neverallow_xperm(struct vd_sp_te *te, uint32_t source);
/* leaves.c: the number of the row in the blob. */
uint32_t vd_sp_row_store(struct vd_sp_te *te);
void vd_sp_leaves_init(struct vd_sp_te *te);
/* The leaf with what another policy's leaf has, its conditional rules at `conds`. */
uint32_t vd_sp_leaf_again(struct vd_sp_te *te, const struct vd_pdb_leaf *leaf,
                          const struct vd_pdb_cond_rule *conds);

/* True if a target with these flags (VD_SP_AV_…) includes this type for this source. */
VD_INLINE bool vd_sp_reaches(const struct vd_sp_checked *c, uint32_t target_set, uint8_t flags,
                             uint32_t source, uint32_t target)
{
    if (source == target && (flags & VD_SP_AV_SELF) != 0)
        return true;
    if (source == target && (flags & VD_SP_AV_NOT_SELF) != 0)
        return false;
    return vd_bitmap_get(c->sets.data[target_set].words, target);
}

/* True if the rule's target includes this type for this source. */
VD_INLINE bool vd_sp_av_reaches(const struct vd_sp_checked *c, const struct vd_sp_av *av,
                                uint32_t source, uint32_t target)
{
    return vd_sp_reaches(c, av->target, av->flags, source, target);
}

#endif
