/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/flow.h"

#include <stdlib.h>
#include <string.h>

#include "tools/analysis/flow_domain.h"
#include "tools/analysis/reach.h"

static void clear_loops(struct vd_graph *graph)
{
    for (uint32_t i = 0; i < graph->types; i++)
        vd_bitmap_clear(vd_graph_row(graph, i), i);
}

vd_status vd_flow_information(const struct vd_policydb *db, const struct vd_flow_options *options,
                              struct vd_graph *ret, struct vd_diag *diag)
{
    uint32_t types = vd_policydb_header(db)->types;
    struct vd_graph out = {}, in = {};
    struct vd_reach reach = {};
    vd_status status = vd_graph_init(&out, types, diag);

    if (status == VD_OK)
        status = vd_graph_init(&in, types, diag);
    if (status == VD_OK && vd_reach_init(&reach, db, options->any_booleans) != VD_OK)
        status = vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    for (uint32_t class = 1; status == VD_OK && class < options->map->classes; class ++) {
        vd_reach_add(&reach, class,
                     vd_perm_map_mask(options->map, class, true, options->min_weight), &out);
        vd_reach_add(&reach, class,
                     vd_perm_map_mask(options->map, class, false, options->min_weight), &in);
    }
    if (status == VD_OK) {
        vd_graph_add_reversed(&out, &in);
        clear_loops(&out);
        *ret = out;
        out = (struct vd_graph){};
    }
    vd_reach_done(&reach);
    vd_graph_done(&out);
    vd_graph_done(&in);
    return status;
}

/* ------------------------------------------------------------------ rules of a step */

/* Which sets hold a type. */
vd_status vd_flow_holders(const struct vd_rules *rules, uint32_t type, bool **ret)
{
    uint32_t count = rules->book.head->sections[VD_BOOK_SETS].count;
    bool *holds = calloc(count, sizeof(*holds));

    if (holds == NULL)
        return VD_E_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        holds[i] = (vd_rulebook_set(&rules->book, i)->flags & VD_RULE_SET_ROLES) == 0 &&
                   vd_rulebook_holds(&rules->book, &rules->db, i, type);
    *ret = holds;
    return VD_OK;
}

bool vd_flow_in_force(const struct vd_rules *rules, const struct vd_flow_options *options,
                      const struct vd_rule *rule)
{
    return options->any_booleans || vd_rulebook_active(&rules->book, &rules->db, rule);
}

vd_status vd_flow_information_rules(const struct vd_rules *rules,
                                    const struct vd_flow_options *options,
                                    const struct vd_flow_step *step, vd_flow_rule_fn found,
                                    void *arg)
{
    bool *from = NULL, *to = NULL;
    vd_status status = vd_flow_holders(rules, step->from, &from);

    if (status == VD_OK)
        status = vd_flow_holders(rules, step->to, &to);
    for (uint32_t i = 0; status == VD_OK && i < rules->book.rule_count; i++) {
        const struct vd_rule *rule = &rules->book.rules[i];
        bool writes, reads;

        if (rule->kind != VD_RULE_ALLOW)
            continue;
        writes = from[rule->source] && to[rule->target] &&
                 (rule->perms &
                  vd_perm_map_mask(options->map, rule->class, true, options->min_weight)) != 0;
        reads = to[rule->source] && from[rule->target] &&
                (rule->perms &
                 vd_perm_map_mask(options->map, rule->class, false, options->min_weight)) != 0;
        if ((writes || reads) && vd_flow_in_force(rules, options, rule))
            found(arg, rule, 0);
    }
    free(from);
    free(to);
    return status;
}
