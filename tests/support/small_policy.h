/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A small policy with something of everything, for the engine's tests: two
 * sensitivities, four categories, type bounds, booleans, role allow, every kind
 * of transition, MLS and name constraints, validatetrans.
 */
#ifndef VD_TESTS_SUPPORT_SMALL_POLICY_H
#define VD_TESTS_SUPPORT_SMALL_POLICY_H

#include "core/mac/mac.h"

enum { SP_PROCESS = 1, SP_FILE, SP_SOCKET, SP_NODE };

enum {
    SP_TRANSITION = 1 << 0,
    SP_DYNTRANSITION = 1 << 1,
    SP_FORK = 1 << 2,
    SP_SIGCHLD = 1 << 3,
};

enum {
    SP_READ = 1 << 0,
    SP_WRITE = 1 << 1,
    SP_EXECUTE = 1 << 2,
    SP_OPEN = 1 << 3,
    SP_RELABEL = 1 << 4,
};

enum { SP_INIT_T = 1, SP_APP_T, SP_CHILD_T, SP_SECRET_T, SP_PUBLIC_T, SP_APP_EXEC_T, SP_TMP_T };
enum { SP_OBJECT_R = 1, SP_SYSTEM_R, SP_APP_R, SP_ADMIN_R };
enum { SP_SYSTEM_U = 1, SP_APP_U };
enum { SP_S0 = 1, SP_S1 };
enum { SP_BOOL_DEBUG = 1 };

/* The blob (malloc'ed). */
uint8_t *small_policy(size_t *ret_size);

/* The blob opened; ends the running test if that fails. The caller frees *ret_blob. */
struct vd_policydb small_policy_open(uint8_t **ret_blob);

/* A level; the categories below 64 are given as bits. */
#define SP_LEVEL(sens_, cats_)              \
    (struct vd_mls_level)                   \
    {                                       \
        .sens = (sens_), .cats = {(cats_) } \
    }

struct vd_context sp_context(uint32_t user, uint32_t role, uint32_t type, struct vd_mls_level low,
                             struct vd_mls_level high);

/* The same at s0 without categories. */
struct vd_context sp_plain(uint32_t user, uint32_t role, uint32_t type);

#endif
