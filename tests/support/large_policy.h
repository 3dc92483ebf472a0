/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A policy of the reference policy's size, random but the same each time: 4,500
 * types, 300 attributes, 134 classes, 100,000 rules, MLS with 1,024 categories,
 * 40 roles, bounds, transitions, constraints on every class.
 */
#ifndef VD_TESTS_SUPPORT_LARGE_POLICY_H
#define VD_TESTS_SUPPORT_LARGE_POLICY_H

#include "core/mac/mac.h"

/* The blob (malloc'ed). */
uint8_t *large_policy(size_t *ret_size);

/*
 * A random context for a policy: mostly numbers that exist, levels from its
 * pool with categories added or taken away. `state`: of the random stream.
 */
struct vd_context random_context(const struct vd_policydb *db, uint64_t *state);

/* A question; about every second one is one that a type rule answers. */
void random_question(const struct vd_policydb *db, uint64_t *state, struct vd_context *ret_source,
                     struct vd_context *ret_target, uint32_t *ret_class);

#endif
