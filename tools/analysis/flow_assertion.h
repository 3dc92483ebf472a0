/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Decides assertions of no-flow and no-domain-flow with the graphs of flow.h. One
 * graph is kept from assertion to assertion, for as long as they ask for the same.
 */
#ifndef VD_TOOLS_ANALYSIS_FLOW_ASSERTION_H
#define VD_TOOLS_ANALYSIS_FLOW_ASSERTION_H

#include "tools/analysis/assertions.h"
#include "tools/analysis/flow.h"

struct vd_flow_judge {
    const struct vd_rules *rules; /* the policy, borrowed; for domains with its rulebook */
    struct vd_rules under;        /* the same with the assertion's booleans */
    void *blob;                   /* of `under`, owned; NULL: the policy's own booleans */
    struct vd_perm_map map;
    struct vd_flow_options options;
    struct vd_graph graph;
    const struct vd_assertion *last; /* whose graph that is */
};

struct vd_flow_result {
    uint64_t failures; /* pairs with a path, up to VD_ASSERTION_MAX_COUNTED */
    uint32_t *path;    /* a shortest one: types, owned; NULL: it holds */
    uint32_t length;   /* steps: one type less */
};

/* VD_E_NO_MEMORY. `rules` stay in place until vd_flow_judge_done. */
vd_status vd_flow_judge_init(struct vd_flow_judge *ret, const struct vd_rules *rules);
void vd_flow_judge_done(struct vd_flow_judge *judge);

/*
 * Decides an assertion. With `always` both branches of every condition count at
 * once: what holds then holds under every setting. After it `judge->under` and
 * `judge->options` tell the path's rules (flow.h). VD_E_NOT_FOUND: domains, and
 * the policy has no rulebook; VD_E_LIMIT, VD_E_NO_MEMORY. The caller frees the path.
 */
vd_status vd_flow_judge(struct vd_flow_judge *judge, const struct vd_assertion *assertion,
                        struct vd_flow_result *ret, struct vd_diag *diag);

#endif
