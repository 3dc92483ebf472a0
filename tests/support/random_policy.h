/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random policies in the language that both checkpolicy and this compiler
 * understand: the same number gives the same policy. Even numbers have MLS.
 */
#ifndef VD_TESTS_SUPPORT_RANDOM_POLICY_H
#define VD_TESTS_SUPPORT_RANDOM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VD_RANDOM_POLICY_TEXT    (1u << 20)
#define VD_RANDOM_POLICY_CLASSES 5u
#define VD_RANDOM_POLICY_PERMS   9u

struct vd_random_policy {
    char text[VD_RANDOM_POLICY_TEXT];
    size_t len;
    uint64_t seed;
    uint32_t types, attributes, roles, users, bools;
    bool mls;
    bool used[128][128][8]; /* transitions written: source, target, class */
};

extern const char *const vd_random_classes[VD_RANDOM_POLICY_CLASSES];
/* In bit order; fewer than VD_RANDOM_POLICY_PERMS end with NULL. */
extern const char *const vd_random_perms[VD_RANDOM_POLICY_CLASSES][VD_RANDOM_POLICY_PERMS];

/* A number below `n`. */
uint32_t vd_random_pick(struct vd_random_policy *policy, uint32_t n);

/* Writes policy number `seed` into `ret`, text and all. */
void vd_random_policy(struct vd_random_policy *ret, uint64_t seed);

/* A context whose names the policy has; it may be one that the policy does not allow. */
void vd_random_context(struct vd_random_policy *policy, char *text, size_t size);

#endif
