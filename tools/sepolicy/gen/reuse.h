/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rows of type enforcement that a former compilation built from the same rules
 * (tools/sepolicy/cache.h). They enter the image where they would have been built, block by
 * block and leaf by leaf, so that everything gets the number that building gives it.
 */
#ifndef VD_TOOLS_SEPOLICY_GEN_REUSE_H
#define VD_TOOLS_SEPOLICY_GEN_REUSE_H

#include "tools/sepolicy/gen/rules.h"

/* What the rules of one source set say of one class. */
struct vd_sp_set_class {
    uint32_t class;
    uint32_t rules; /* how many */
    bool fresh;     /* a rule whose effect a key does not tell: always built */
    struct vd_sp_row_key key;
};

struct vd_sp_reuse {
    struct vd_sp_te *te;
    const struct vd_sp_cache *old; /* NULL: nothing to take from */
    VD_SP_VEC(struct vd_sp_set_class) parts;
    uint32_t *part_first;                  /* by set: first of its parts */
    struct vd_sp_set_class *sums;          /* by class, of the source at hand */
    uint32_t *row_of, *block_of, *leaf_of; /* by number in the old policy: number + 1 now */
    uint32_t at;                           /* entry of the old cache that is looked at next */
};

/* After the rules are grouped by their sets. */
void vd_sp_reuse_init(struct vd_sp_reuse *reuse, struct vd_sp_te *te);

/* Works out the keys of one source's rows. Sources come in rising order. */
void vd_sp_reuse_source(struct vd_sp_reuse *reuse, uint32_t source);

/*
 * True if the row of this source and class was built from the same rules: `ret_row` is its
 * number in the image. Classes come in rising order. Either way the row's key is noted for
 * the next compilation.
 */
bool vd_sp_reuse_row(struct vd_sp_reuse *reuse, uint32_t source, uint32_t class, uint32_t *ret_row);

void vd_sp_reuse_done(struct vd_sp_reuse *reuse);

#endif
