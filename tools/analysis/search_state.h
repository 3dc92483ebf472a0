/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside vd_search_run: what was asked, resolved. Not for other modules.
 */
#ifndef VD_TOOLS_ANALYSIS_SEARCH_STATE_H
#define VD_TOOLS_ANALYSIS_SEARCH_STATE_H

#include "tools/analysis/search.h"

#define VD_SEARCH_CALLS 256u /* spans in a list of calls */

/* What matches a name, by number. */
struct vd_search_matcher {
    bool any; /* nothing was asked */
    bool direct;
    uint64_t *terms; /* types and attributes that match as a term */
    uint64_t *types; /* types asked for */
    uint64_t *roles;
};

struct vd_search_state {
    const struct vd_rules *rules;
    const struct vd_search *asked;
    uint32_t types, all_types, roles; /* rows: types alone, with attributes, roles */
    struct vd_search_matcher source, target, result;
    uint64_t *classes, *bools; /* NULL: any */
    uint32_t *masks;           /* by class: permissions asked for; NULL: any */
    bool *lacks;               /* by class: it lacks a permission asked for */
    struct vd_rule_span calls[VD_SEARCH_CALLS];
    uint32_t call_count;
    uint64_t *expanded;                    /* scratch: bits of types or roles */
    uint64_t *source_items, *target_items; /* of the view */
    struct vd_diag *diag;
};

/* search_match.c: true if the rule matches; `ret` is valid until the next call. */
bool vd_search_match(struct vd_search_state *s, const struct vd_rule *rule,
                     struct vd_rule_view *ret);

#endif
