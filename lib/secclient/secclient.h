/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For user-space object managers: may this subject do that to this object?
 *
 *     static const char *const perms[] = {"read", "write"};
 *     const struct vd_secclient_names names = {"file", perms, 2};
 *     vd_secclient_new(NULL, &client, &diag);
 *     vd_secclient_class(client, &names, &class, &diag);
 *     vd_secclient_subject(client, "staff_u:staff_r:staff_t:s0", &subject, &diag);
 *     vd_secclient_object(client, "system_u:object_r:etc_t:s0", &object, &diag);
 *     if (vd_secclient_check(client, subject, object, class, 1u << 0)) … read
 *
 * Decisions come from the security server (veridian-securityd) and are kept in
 * the process. A kept decision is given without a system call, and only while
 * the page of memory that the server shares says that the server runs and that
 * its policy is the one that decided: a reload, a changed boolean and the
 * server's end are noticed at once. What the policy wants recorded is always
 * asked of the server, which records it.
 *
 * Fails closed: no server, no answer in time, a context that the policy in force
 * does not allow: refused. After a restart of the server the client connects
 * again by itself and names its subjects, objects and classes anew.
 *
 * Threads: every function may be called by any number at once; kept decisions
 * are read without a lock. A child after fork(2) makes a connection of its own.
 * Memory: 64 bytes a kept decision, and the texts of what was named.
 */
#ifndef VD_LIB_SECCLIENT_SECCLIENT_H
#define VD_LIB_SECCLIENT_SECCLIENT_H

#include "core/base/diag.h"

#define VD_SECCLIENT_ANY_UID UINT32_MAX

struct vd_secclient;

/* Zero is the default of every field. */
struct vd_secclient_options {
    const char *socket;  /* NULL: /run/veridian/security.sock */
    uint32_t timeout_ms; /* of one request; 0: 5000 */
    uint32_t cache;      /* decisions kept, a power of two from 4 to 2^24; 0: 4096 */
    uint32_t server_uid; /* who must have made the socket; VD_SECCLIENT_ANY_UID: anybody */
};

/* A question in full. */
struct vd_secclient_question {
    uint32_t subject;
    uint32_t object;
    uint32_t class;
    uint32_t requested; /* bits, in the order in which the class's permissions were named */
};

/* An answer in full; zero is a refusal. */
struct vd_secclient_answer {
    bool allowed;        /* all that was requested */
    uint32_t sequence;   /* of the policy that decided; 0: not asked of the server */
    uint32_t permitted;  /* everything that the subject may do to the object */
    uint32_t denied;     /* of what was requested */
    uint32_t auditallow; /* recorded when allowed */
    uint32_t auditdeny;  /* recorded when denied */
    uint32_t flags;      /* VD_SECCLIENT_… */
    uint32_t without_te; /* which layer does not give it: no rule, */
    uint32_t without_constraint;
    uint32_t without_role;
    uint32_t without_bounds;
};
#define VD_SECCLIENT_PERMISSIVE (1u << 0)  /* the subject's type is permissive */
#define VD_SECCLIENT_INVALID    (1u << 31) /* the policy in force does not allow a context */

/* Which rules make a new context. */
enum vd_secclient_kind {
    VD_SECCLIENT_TRANSITION = 1, /* a new process or object */
    VD_SECCLIENT_MEMBER = 2,     /* a member of a polyinstantiated object */
    VD_SECCLIENT_CHANGE = 3,     /* a relabelled object */
};

/* Makes a client; connects when it is needed. `options` may be NULL. VD_E_RANGE, VD_E_NO_MEMORY. */
vd_status vd_secclient_new(const struct vd_secclient_options *options, struct vd_secclient **ret,
                           struct vd_diag *diag);
void vd_secclient_free(struct vd_secclient *client);

/* Connects now; VD_E_MISSING if no server runs, VD_E_UNTRUSTED if it is somebody else's. */
vd_status vd_secclient_connect(struct vd_secclient *client, struct vd_diag *diag);

/*
 * Names a subject or an object by its context, which the policy in force must
 * allow (VD_E_SYNTAX, VD_E_NOT_FOUND, VD_E_INVALID with the offset). VD_E_LIMIT
 * beyond the server's limits. The number is never 0.
 */
vd_status vd_secclient_subject(struct vd_secclient *client, const char *context, uint32_t *ret_id,
                               struct vd_diag *diag);
vd_status vd_secclient_object(struct vd_secclient *client, const char *context, uint32_t *ret_id,
                              struct vd_diag *diag);

/* Gives a subject or object another context. */
vd_status vd_secclient_relabel(struct vd_secclient *client, uint32_t id, const char *context,
                               struct vd_diag *diag);

/* The number names nothing any more, and may be given to another one. */
void vd_secclient_forget(struct vd_secclient *client, uint32_t id);

/* A class, and 1 to 32 of its permissions: number i is bit i in all masks. */
struct vd_secclient_names {
    const char *class;
    const char *const *perms;
    uint32_t perm_count;
};

/*
 * Names a class. What the policy in force does not know is refused, or allowed
 * where its handle_unknown says so.
 */
vd_status vd_secclient_class(struct vd_secclient *client, const struct vd_secclient_names *names,
                             uint32_t *ret_id, struct vd_diag *diag);

/* True if all of `requested` is allowed (none is not). Cost of a kept decision: a few memory reads. */
bool vd_secclient_check(struct vd_secclient *client, uint32_t subject, uint32_t object,
                        uint32_t class, uint32_t requested);

/* The same asked of the server, with all that it says; a status tells why there is no answer. */
vd_status vd_secclient_ask(struct vd_secclient *client,
                           const struct vd_secclient_question *question,
                           struct vd_secclient_answer *ret, struct vd_diag *diag);

/* One ioctl command or netlink message, up to 0xffff. */
struct vd_secclient_number {
    enum { VD_SECCLIENT_IOCTL = 1, VD_SECCLIENT_NLMSG = 2 } kind;
    uint16_t number;
};

/*
 * The same for one number, which rules of extended permissions may narrow:
 * `question->requested` is the one permission of its kind. Always asked of the server.
 */
vd_status vd_secclient_ask_number(struct vd_secclient *client,
                                  const struct vd_secclient_question *question,
                                  const struct vd_secclient_number *number,
                                  struct vd_secclient_answer *ret, struct vd_diag *diag);

/* What a new context is made of. */
struct vd_secclient_creation {
    enum vd_secclient_kind kind;
    uint32_t subject;
    uint32_t object;
    uint32_t class;
    const char *name; /* of the new object; NULL: none */
};

/*
 * The context of something new, on the heap, for the caller to free. VD_E_DENIED
 * if the policy does not allow the context that its rules give.
 */
vd_status vd_secclient_create(struct vd_secclient *client,
                              const struct vd_secclient_creation *creation, char **ret,
                              struct vd_diag *diag);

/* A context in the policy's own form, on the heap; fails if the policy does not allow it. */
vd_status vd_secclient_validate(struct vd_secclient *client, const char *context, char **ret,
                                struct vd_diag *diag);

/* The context of a subject or object, on the heap, and whether the policy in force allows it. */
vd_status vd_secclient_context(struct vd_secclient *client, uint32_t id, char **ret,
                               bool *ret_valid, struct vd_diag *diag);

/*
 * The context of the process at the other end of the connected socket `fd`, on the heap: what the
 * kernel that enforces says, else what the server's table says of the user. VD_E_DENIED: none.
 */
vd_status vd_secclient_peer(struct vd_secclient *client, int fd, char **ret, struct vd_diag *diag);

/* Requests that were sent to the server so far: what the cache did not answer. */
uint64_t vd_secclient_requests(struct vd_secclient *client);

#endif
