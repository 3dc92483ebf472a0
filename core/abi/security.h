/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the security server and its clients say to each other: verbs and their
 * payloads in frames of core/abi/ipc.h, and the page of memory that every client
 * maps (docs/formats/security.md).
 *
 * Subjects, objects and classes have numbers that the server gives out; they
 * belong to the connection on which they were made, and end with it. They stay
 * the same over a reload. Permissions are bits in the order in which the client
 * named them, so a mask means the same under every policy.
 */
#ifndef VD_CORE_ABI_SECURITY_H
#define VD_CORE_ABI_SECURITY_H

#include "core/base/types.h"

#define VD_SEC_PROTOCOL         1u
#define VD_SEC_SOCKET           "/run/veridian/security.sock"
#define VD_SEC_CONTEXT_MAX      32768u /* bytes of a context's text */
#define VD_SEC_NAME_MAX         255u   /* bytes of a class's, permission's or boolean's name */
#define VD_SEC_PERMS_MAX        32u    /* of a class */
#define VD_SEC_BOOLS_MAX        256u   /* booleans of one request */
#define VD_SEC_CONFIRM_MAX_S    86400u
#define VD_SEC_LOAD_STAGE       (1u << 0)  /* checked and kept, not yet in force */
#define VD_SEC_DECISION_INVALID (1u << 31) /* flag of an answer: the policy does not know a part */

/*
 * X(NAME, text, right, admin): verbs from 1. `right` is the permission of class
 * security that the caller's context needs; empty: none. `admin`: 1 if the
 * caller must be one of the administrators too.
 */
#define VD_SEC_VERB_TABLE(X)                           \
    X(HELLO, "hello", "", 0)                           \
    X(REGISTER, "register", "compute_av", 0)           \
    X(RELABEL, "relabel", "compute_av", 0)             \
    X(FORGET, "forget", "", 0)                         \
    X(CLASS, "class", "compute_av", 0)                 \
    X(CHECK, "check", "compute_av", 0)                 \
    X(TRANSITION, "transition", "compute_create", 0)   \
    X(CONTEXT, "context", "compute_av", 0)             \
    X(VALIDATE, "validate", "check_context", 0)        \
    X(VALIDATETRANS, "validatetrans", "compute_av", 0) \
    X(STATUS, "status", "", 0)                         \
    X(BOOLS, "booleans", "", 0)                        \
    X(LOAD, "load", "load_policy", 1)                  \
    X(COMMIT, "commit", "load_policy", 1)              \
    X(CONFIRM, "confirm", "load_policy", 1)            \
    X(ROLLBACK, "rollback", "load_policy", 1)          \
    X(SET_BOOLS, "set-booleans", "setbool", 1)         \
    X(CHECK_NUMBER, "check-number", "compute_av", 0)   \
    X(PEER, "peer", "compute_av", 0)

enum vd_sec_verb {
    VD_SEC_VERB_NONE,
#define VD_SEC_VERB_(name, text, right, admin) VD_SEC_##name,
    VD_SEC_VERB_TABLE(VD_SEC_VERB_)
#undef VD_SEC_VERB_
        VD_SEC_VERB_COUNT,
};

enum vd_sec_kind {
    VD_SEC_SUBJECT = 1,
    VD_SEC_OBJECT = 2,
};

/* What a number of VD_SEC_CHECK_NUMBER is one of: extended permissions. */
enum vd_sec_number {
    VD_SEC_NUMBER_IOCTL = 1, /* ioctl commands, under the permission asked for */
    VD_SEC_NUMBER_NLMSG = 2, /* netlink messages */
};

/* Which rules make a new context. */
enum vd_sec_transition {
    VD_SEC_TRANSITION_TYPE = 1,   /* of a new process or object */
    VD_SEC_TRANSITION_MEMBER = 2, /* of a member of a polyinstantiated object */
    VD_SEC_TRANSITION_CHANGE = 3, /* of an object that is relabelled */
};

/* X(NAME, text): what VD_SEC_STATUS answers, u64 each, in this order. */
#define VD_SEC_STATUS_TABLE(X)                             \
    X(SEQUENCE, "policy sequence")                         \
    X(CHECKSUM, "policy checksum")                         \
    X(POLICY_BYTES, "policy bytes")                        \
    X(STAGED, "staged policy")                             \
    X(ROLLBACKS, "policies kept for rollback")             \
    X(CONFIRM_MS, "milliseconds until automatic rollback") \
    X(CLIENTS, "clients")                                  \
    X(REFUSED_CLIENTS, "clients refused")                  \
    X(DROPPED_CLIENTS, "clients dropped")                  \
    X(SUBJECTS, "subjects")                                \
    X(OBJECTS, "objects")                                  \
    X(CONTEXTS, "contexts")                                \
    X(REQUESTS, "requests")                                \
    X(FAILURES, "requests refused")                        \
    X(CHECKS, "checks")                                    \
    X(DENIALS, "denials")                                  \
    X(AVC_HITS, "cache hits")                              \
    X(AVC_MISSES, "cache misses")                          \
    X(AVC_EVICTIONS, "cache evictions")                    \
    X(AUDITED, "records sent")                             \
    X(AUDIT_LOST, "records lost")                          \
    X(LOADS, "policies loaded")                            \
    X(BAD_LOADS, "policies refused")

enum vd_sec_status {
#define VD_SEC_STATUS_(name, text) VD_SEC_STAT_##name,
    VD_SEC_STATUS_TABLE(VD_SEC_STATUS_)
#undef VD_SEC_STATUS_
        VD_SEC_STATUS_COUNT,
};

/*
 * The page: a sealed memfd, which only the server can write. Every client looks
 * at `alive` and `stamp` before it takes an answer out of its own cache.
 *
 * `alive` is the server's thread number while it runs. It is the futex of the
 * server's robust list: when the server ends, however it ends, the kernel itself
 * sets VD_SEC_PAGE_DEAD in it (Linux, Documentation/locking/robust-futexes.rst).
 * `stamp` names a policy with its booleans, and never has the same value again
 * while the machine is up, whatever server runs.
 */
#define VD_SEC_PAGE_MAGIC 0x50435356u /* "VSCP" */
#define VD_SEC_PAGE_BYTES 4096u
#define VD_SEC_PAGE_DEAD  0x40000000u /* FUTEX_OWNER_DIED */
#define VD_SEC_PAGE_TID   0x3fffffffu /* FUTEX_TID_MASK */

struct vd_sec_page {
    uint32_t magic;
    uint32_t version; /* VD_SEC_PROTOCOL */
    uint32_t alive;
    uint32_t lock; /* odd while what follows `stamp` is written */
    uint64_t stamp;
    uint64_t checksum; /* of the policy in force */
    uint32_t sequence; /* its number; 0: no policy is in force */
    uint32_t reserved;
};

_Static_assert(sizeof(struct vd_sec_page) == 40, "shared between processes");
_Static_assert(offsetof(struct vd_sec_page, stamp) == 16, "shared between processes");

/* True while the server that made the page runs. */
VD_INLINE bool vd_sec_page_alive(const struct vd_sec_page *page)
{
    uint32_t alive = __atomic_load_n(&page->alive, __ATOMIC_ACQUIRE);

    return (alive & VD_SEC_PAGE_TID) != 0 && (alive & VD_SEC_PAGE_DEAD) == 0;
}

#endif
