/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Builds compiled policies without the compiler: for tests that need exact
 * control over a blob, and as a second opinion on the format.
 *
 * Every call ends the program if memory or a table runs out. Numbers start at
 * 1 in the order of the calls; role 1, object_r, exists from the start.
 */
#ifndef VD_TESTS_SUPPORT_POLICY_BUILDER_H
#define VD_TESTS_SUPPORT_POLICY_BUILDER_H

#include "core/policydb/policydb.h"

#define PB_MAX_ROLES 64u
#define PB_MAX_USERS 64u
#define PB_MAX_TYPES 8192u

struct pb;

struct pb *pb_new(uint32_t flags); /* VD_PDB_MLS … */

/* Adds a row of the table as it is; returns its number. */
uint32_t pb_row(struct pb *pb, enum vd_pdb_section section, const void *row);
/* Changes a row that was added. */
void *pb_at(struct pb *pb, enum vd_pdb_section section, uint32_t row);

uint32_t pb_name(struct pb *pb, const char *name);
void pb_symbol(struct pb *pb, enum vd_pdb_symbol_kind kind, const char *name, uint32_t value);

uint32_t pb_class(struct pb *pb, const char *name, const char *perms, uint32_t flags);
uint32_t pb_type(struct pb *pb, const char *name);
uint32_t pb_role(struct pb *pb, const char *name);
uint32_t pb_user(struct pb *pb, const char *name, uint32_t low_level, uint32_t high_level);
uint32_t pb_cat(struct pb *pb, const char *name);                 /* from 0 */
uint32_t pb_sens(struct pb *pb, const char *name, uint64_t cats); /* categories 0 to 63 */
uint32_t pb_level(struct pb *pb, uint32_t sens, uint64_t cats);   /* row of LEVELS, from 0 */
uint32_t pb_bool(struct pb *pb, const char *name, bool value);

void pb_role_type(struct pb *pb, uint32_t role, uint32_t type);
void pb_role_dominates(struct pb *pb, uint32_t role, uint32_t other);
void pb_role_allow(struct pb *pb, uint32_t from, uint32_t to);
void pb_user_role(struct pb *pb, uint32_t user, uint32_t role);

struct pb_rule {
    uint32_t source, class, target;
    uint32_t allowed, auditallow, dontaudit;
    uint32_t cond;   /* 0, or what pb_cond returned */
    uint32_t branch; /* in force while the condition is true (1) or false (0) */
};

/* Rules add up. */
void pb_rule(struct pb *pb, const struct pb_rule *rule);
void pb_allow(struct pb *pb, uint32_t source, uint32_t target, uint32_t class, uint32_t perms);
uint32_t pb_cond(struct pb *pb, const struct vd_pdb_cond_node *nodes, uint32_t count);

/* `key`: vd_pdb_trans_key; each at most once. */
void pb_transition(struct pb *pb, uint64_t key, uint32_t value);

/* A set of numbers below 64 * words as the operand of VD_CX_NAMES: its first word in BITMAPS. */
uint32_t pb_set(struct pb *pb, const uint64_t *words, uint32_t count);

/* A constraint on a class: BEGIN and END are put around the nodes. Classes in the order made. */
void pb_constraint(struct pb *pb, uint32_t class, uint32_t perms, const struct vd_pdb_node *nodes,
                   uint32_t count);
void pb_validatetrans(struct pb *pb, uint32_t class, const struct vd_pdb_node *nodes,
                      uint32_t count);

/* The blob (malloc'ed) and its size; frees the builder. */
uint8_t *pb_finish(struct pb *pb, size_t *ret_size);

#endif
