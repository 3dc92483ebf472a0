/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * "Did you mean …": the known name nearest to an unknown one.
 */
#ifndef VD_TOOLS_SEPOLICY_SUGGEST_H
#define VD_TOOLS_SEPOLICY_SUGGEST_H

#include "tools/sepolicy/model.h"

struct vd_sp_suggestion {
    const char *wanted;
    const char *best; /* NULL: none yet */
    uint32_t distance;
};

void vd_sp_suggest_init(struct vd_sp_suggestion *s, const char *wanted);

/* Considers a known name; the nearest within a third of the length wins, the first among equals. */
void vd_sp_suggest(struct vd_sp_suggestion *s, const char *known);

/* The hint, in the arena, or NULL. */
const char *vd_sp_suggest_hint(const struct vd_sp_suggestion *s, struct vd_sp_arena *arena);

/* The hint for an unknown name of a name space. */
const char *vd_sp_suggest_symbol(struct vd_sp *sp, enum vd_sp_space space, uint32_t name);

#endif
