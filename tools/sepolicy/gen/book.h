/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The writer of the rulebook (tools/rulebook/format.h): the checked rules with
 * their places, in the order of the sources.
 */
#ifndef VD_TOOLS_SEPOLICY_GEN_BOOK_H
#define VD_TOOLS_SEPOLICY_GEN_BOOK_H

#include "tools/rulebook/format.h"
#include "tools/sepolicy/gen/codegen.h"

/* A row before its place is worked out. */
struct vd_sp_book_row {
    struct vd_rule rule;
    uint32_t place;
    uint32_t av; /* row of the model's rules + 1 that it comes from; 0: it is another statement */
};

/* What a set of the model is in the book. */
struct vd_sp_book_set {
    uint32_t set; /* its row + 1; 0: not known yet */
    uint8_t flags;
};

struct vd_sp_book {
    struct vd_sp_image *image;
    VD_SP_VEC(char) strings;
    VD_SP_VEC(uint32_t) string_of; /* offset by name; 0: not written yet */
    VD_SP_VEC(uint32_t) files;
    VD_SP_VEC(uint32_t) file_of; /* row of files by name */
    struct vd_sp_pool keys;      /* words: flags, items: one entry a set, entry 0 the empty one */
    VD_SP_VEC(struct vd_rule_set) sets;
    VD_SP_VEC(uint32_t) items;
    VD_SP_VEC(uint32_t) scratch;
    struct vd_sp_book_set *shared; /* by row of the model's shared sets */
    uint32_t last_file;            /* row of files: of the rule added last */
    uint32_t last_name;            /* its name */
    uint32_t *cond_of;             /* row of conds + 1 by the model's row */
    VD_SP_VEC(struct vd_rule_cond) conds;
    VD_SP_VEC(struct vd_pdb_cond_node) cond_nodes;
    VD_SP_VEC(struct vd_rule_span) spans;
    VD_SP_VEC(struct vd_sp_book_row) others; /* all but the vectors' rules, sorted by place */
    VD_SP_VEC(struct vd_rule) rules;
};

/*
 * Appends the rulebook to the blob in `blob` (malloc'ed, reallocated); `size` grows.
 * VD_E_LIMIT: it would be larger than the format allows. The checked policy's rules are
 * given back on the way: it is the last that reads them.
 */
vd_status vd_sp_book_append(struct vd_sp_image *image, uint8_t **blob, size_t *size);

/* book_rows.c: everything but the rules on access vectors and the rows' places. */
void vd_sp_book_fill(struct vd_sp_book *book);

/*
 * book_rows.c: the row of one access vector of the checked policy. `ret` holds the row of
 * the one before, whose sets it takes where it comes from the same rule.
 */
void vd_sp_book_av(struct vd_sp_book *book, uint32_t index, struct vd_sp_book_row *ret);

/* A constraint of a policy without a source, as the offset of its text; book_text.c. */
uint32_t vd_sp_book_constraint(struct vd_sp_book *book, const struct vd_sp_constraint *from);

/* The offset of a text of `size` bytes, which is added. */
uint32_t vd_sp_book_text(struct vd_sp_book *book, const char *text, size_t size);

#endif
