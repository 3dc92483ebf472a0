/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where information and processes can go, by the type rules.
 *
 * Information flows from A to B if A may write to B, or B may read from A, by a
 * permission of enough weight. A process goes from domain A to B by executing a
 * program: A may transition to B and execute some type E, E is an entry point of
 * B, and a type_transition says so or A may choose (setexec); or without a
 * program (dyntransition and setcurrent). Constraints, levels and roles are not
 * asked: what they take away is still shown.
 *
 * Graphs come from the trie, whose rows and blocks are shared, so that one of a
 * policy of 4,400 types costs a fraction of a second.
 */
#ifndef VD_TOOLS_ANALYSIS_FLOW_H
#define VD_TOOLS_ANALYSIS_FLOW_H

#include "tools/analysis/graph.h"
#include "tools/analysis/perm_map.h"
#include "tools/analysis/rules.h"

struct vd_flow_options {
    const struct vd_perm_map *map; /* information: which permissions count */
    uint32_t min_weight;           /* information: 1 to 10 */
    bool any_booleans;             /* both branches of every condition are in force */
};

/* Edges along which information flows. */
vd_status vd_flow_information(const struct vd_policydb *db, const struct vd_flow_options *options,
                              struct vd_graph *ret, struct vd_diag *diag);

/* Edges from domain to domain. */
vd_status vd_flow_domains(const struct vd_rules *rules, const struct vd_flow_options *options,
                          struct vd_graph *ret, struct vd_diag *diag);

/* A rule that makes an edge; `via` is the program's type, 0: none. */
typedef void (*vd_flow_rule_fn)(void *arg, const struct vd_rule *rule, uint32_t via);

struct vd_flow_step {
    uint32_t from, to;
    uint32_t max_programs; /* domains: at most so many entry points are told of */
    uint32_t programs;     /* domains: set to how many there are */
};

/* The rules that make an edge of one of these graphs. VD_E_NO_MEMORY. */
vd_status vd_flow_information_rules(const struct vd_rules *rules,
                                    const struct vd_flow_options *options,
                                    const struct vd_flow_step *step, vd_flow_rule_fn found,
                                    void *arg);
vd_status vd_flow_domain_rules(const struct vd_rules *rules, const struct vd_flow_options *options,
                               struct vd_flow_step *step, vd_flow_rule_fn found, void *arg);

#endif
