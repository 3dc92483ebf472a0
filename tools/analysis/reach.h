/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The trie of type enforcement turned into bits: whom each type reaches by some of
 * a class's permissions. Each shared block is looked at once for a question.
 */
#ifndef VD_TOOLS_ANALYSIS_REACH_H
#define VD_TOOLS_ANALYSIS_REACH_H

#include "core/policydb/policydb.h"
#include "tools/analysis/graph.h"

struct vd_reach {
    const struct vd_policydb *db; /* borrowed */
    uint32_t *allowed;            /* by leaf */
    uint64_t *words;              /* by block: the targets reached */
    uint32_t *seen;               /* by block: the question `words` answers */
    uint32_t question;
};

/* `any_booleans`: what some branch of a condition allows counts. VD_E_NO_MEMORY. */
vd_status vd_reach_init(struct vd_reach *ret, const struct vd_policydb *db, bool any_booleans);
void vd_reach_done(struct vd_reach *reach);

/* Adds an edge from each source to each target with some permission of `mask`. */
void vd_reach_add(struct vd_reach *reach, uint32_t class, uint32_t mask, struct vd_graph *graph);

/* What a source may do to a target. */
uint32_t vd_reach_allowed(const struct vd_reach *reach, uint32_t source, uint32_t target,
                          uint32_t class);

#endif
