/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The contexts that clients registered, each kept once. Their text outlives the
 * policy: after a reload each is read anew, and one that the new policy does
 * not allow is kept but not valid, so that a rollback makes it valid again.
 *
 * Each has a number for the access vector cache, which no other context ever
 * has while the cache keeps its sequence. One thread.
 */
#ifndef VD_SERVICES_SECURITY_CONTEXTS_H
#define VD_SERVICES_SECURITY_CONTEXTS_H

#include "core/mac/transition.h"

#define VD_SECD_CONTEXTS_MAX  65536u
#define VD_SECD_CONTEXTS_HASH 16384u /* buckets, a power of two */
#define VD_SECD_CONTEXTS_USER 8192u  /* that one user brought who is no administrator */

struct vd_secd_context {
    struct vd_secd_context *next; /* of its bucket */
    uint32_t number;
    uint32_t uses;
    uint32_t user; /* who brought it, for as long as it is kept */
    bool valid;    /* `context` is its meaning under the policy in force */
    struct vd_context context;
    size_t size; /* of the text in bytes */
    char text[]; /* ends with NUL */
};

/* How many contexts a user brought that are kept still. */
struct vd_secd_share {
    uint32_t user;
    uint32_t count;
};

struct vd_secd_contexts {
    struct vd_secd_context **buckets; /* owned */
    uint32_t count;
    uint32_t numbers;             /* given out so far */
    uint64_t secret;              /* of the hash: no client can choose contexts for one bucket */
    struct vd_secd_share *shares; /* owned; one for each user who brought some */
    uint32_t share_count;
};

/* A context's text and who brings it. */
struct vd_secd_brought {
    struct vd_text text; /* borrowed */
    uint32_t user;
    bool admin; /* may bring any number of them */
};

vd_status vd_secd_contexts_init(struct vd_secd_contexts *ret);
void vd_secd_contexts_done(struct vd_secd_contexts *contexts);

/*
 * The context of that text, which `db` must allow; its uses grow by one. The
 * text is kept in the policy's own form. VD_E_LIMIT: there are too many, in all or of
 * this user.
 */
vd_status vd_secd_contexts_take(struct vd_secd_contexts *contexts, const struct vd_policydb *db,
                                const struct vd_secd_brought *brought, struct vd_secd_context **ret,
                                struct vd_diag *diag);

/* One use less; the last one frees it. */
void vd_secd_contexts_drop(struct vd_secd_contexts *contexts, struct vd_secd_context *context);

/* Reads all anew under another policy. */
void vd_secd_contexts_reload(struct vd_secd_contexts *contexts, const struct vd_policydb *db);

/* True if the numbers are used up: the cache needs a new sequence, then _renumber. */
bool vd_secd_contexts_full(const struct vd_secd_contexts *contexts);
void vd_secd_contexts_renumber(struct vd_secd_contexts *contexts);

#endif
