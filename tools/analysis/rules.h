/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A compiled policy with its rulebook, and its rules as text: in the policy's own
 * language, as they were written, or cut down to some of their terms.
 *
 * Text that comes from the sources (file names, quoted names, constraints) is
 * written harmless to a terminal. Threads: constant once opened.
 */
#ifndef VD_TOOLS_ANALYSIS_RULES_H
#define VD_TOOLS_ANALYSIS_RULES_H

#include <jansson.h>
#include <stdio.h>

#include "tools/rulebook/rulebook.h"

struct vd_rules {
    struct vd_policydb db;
    struct vd_rulebook book;
};

/*
 * Which parts of a set are meant: item i of the set for each bit of `items`, in
 * words of 64; NULL: the set as it is written. `self` counts apart.
 */
struct vd_rule_part {
    const uint64_t *items;
    bool self; /* only of a target */
};

/* A rule with the parts of its source and target that are meant. */
struct vd_rule_view {
    const struct vd_rule *rule;
    struct vd_rule_part source, target;
};

/* The whole rule. */
struct vd_rule_view vd_rule_whole(const struct vd_rule *rule);

/* "allow a_t b_t:file { read write };", without a line's end. */
void vd_rule_write(const struct vd_rules *rules, const struct vd_rule_view *view, FILE *out);

/* " # t.te:12, [ on && ! off ]:False"; nothing if there is neither place nor condition. */
void vd_rule_write_place(const struct vd_rules *rules, const struct vd_rule *rule, FILE *out);

/* The rule as an object: kind, source, target, class, permissions, …, condition, file, line. */
json_t *vd_rule_json(const struct vd_rules *rules, const struct vd_rule_view *view);

/* A condition in infix form, as setools writes it: "on && ! off". */
void vd_condition_write(const struct vd_policydb *db, const struct vd_pdb_cond_node *nodes,
                        uint32_t count, FILE *out);

/* A range of levels: "s0", "s0 - s0:c0.c3". */
void vd_range_write(const struct vd_policydb *db, const struct vd_pdb_range *range, FILE *out);

/* "read", "{ read write }", "{ }". */
void vd_perms_write(const struct vd_policydb *db, uint32_t class, uint32_t mask, FILE *out);

/* Foreign text, harmless to a terminal. */
void vd_foreign_write(const char *text, FILE *out);

#endif
