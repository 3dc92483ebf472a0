/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The security server: one thread that answers, by epoll, and for each change of
 * policy a second one that reads, checks, writes and syncs, so that decisions go
 * on meanwhile. An answer is computed under one policy, the one in force.
 */
#ifndef VD_SERVICES_SECURITY_SERVER_H
#define VD_SERVICES_SECURITY_SERVER_H

#include "core/mac/avc.h"
#include "services/security/audit.h"
#include "services/security/change.h"
#include "services/security/client.h"
#include "services/security/kernel.h"
#include "services/security/page.h"
#include "lib/peers.h"

#define VD_SECD_AVC_SLOTS  16384u
#define VD_SECD_ADMINS_MAX 16u

/* What class security of the policy in force says about the verbs. */
struct vd_secd_rights {
    uint32_t class;                   /* 0: the policy has none */
    uint32_t perm[VD_SEC_VERB_COUNT]; /* 0: it has none, or none is needed */
    bool known;                       /* the initial context `security` is there */
    struct vd_context object;         /* that context */
};

struct vd_secd {
    /* Set by the program before vd_secd_start. */
    const char *socket_path;
    uint32_t socket_mode;
    uint32_t admins[VD_SECD_ADMINS_MAX]; /* user ids */
    uint32_t admin_count;
    struct vd_peers peers;
    struct vd_secd_kernel kernel; /* where it is there, it says the clients' contexts */
    const char *audit_path;       /* NULL: nothing is recorded */

    struct vd_secd_store store;
    struct vd_secd_state state;
    struct vd_secd_policy policy; /* in force; db.base NULL: none, everything is refused */
    struct vd_secd_rights rights;
    struct vd_secd_page page;
    uint64_t stamp;
    struct vd_secd_contexts contexts;
    struct vd_avc avc;
    struct vd_avc_slot *slots; /* owned */
    struct vd_avc_stats avc_stats;
    struct vd_secd_audit audit;
    struct vd_secd_change change;
    uint64_t
        retry_ns; /* CLOCK_BOOTTIME: a rollback by itself failed, the next one waits until then */
    struct vd_secd_client *clients[VD_SECD_CLIENTS_MAX]; /* owned; the first `client_count` */
    uint32_t client_count;
    uint64_t client_numbers;
    uint64_t counts[VD_SEC_STATUS_COUNT]; /* those that only grow */
    int listener, epoll, signals;
    struct vd_ipc_buffer buffer; /* of the request being answered */
    uint8_t answer[VD_IPC_PAYLOAD_MAX];
};

/* Listens; connections wait until vd_secd_run. */
vd_status vd_secd_start(struct vd_secd *s, struct vd_diag *diag);

/*
 * Opens the store at `path` and puts its policy in force; `initial` (may be
 * NULL) becomes the first one of an empty store.
 */
vd_status vd_secd_open(struct vd_secd *s, const char *path, const char *initial,
                       struct vd_diag *diag);

/* Serves until a signal comes. */
vd_status vd_secd_run(struct vd_secd *s, struct vd_diag *diag);

void vd_secd_done(struct vd_secd *s);

/* Puts a policy in force (it becomes the server's) and tells every client. */
void vd_secd_install(struct vd_secd *s, struct vd_secd_policy *policy);

/*
 * Answers one request (requests.c): VD_OK if an answer is in `s->answer` or the
 * client waits for a change, else the status and diagnostic to answer with.
 * `request->fd` stays the caller's unless it is taken (then -1).
 */
vd_status vd_secd_answer(struct vd_secd *s, struct vd_secd_client *client,
                         struct vd_ipc_frame *request, size_t *ret_size, struct vd_diag *diag);

/* May this client use this verb? VD_OK, or VD_E_DENIED with the reason (rights.c). */
vd_status vd_secd_permit(struct vd_secd *s, const struct vd_secd_client *client, uint32_t verb,
                         struct vd_diag *diag);

/* The rights under the policy in force. */
void vd_secd_rights_load(struct vd_secd *s);

/* The request of a check: client's numbers and bits. */
struct vd_secd_question {
    uint32_t subject;
    uint32_t object;
    uint32_t class;
    uint32_t requested;
    uint32_t kind;   /* enum vd_sec_number; 0: no number, else `requested` is one permission */
    uint32_t number; /* up to VD_XPERM_NUMBER_MAX */
};

/* The decision in the client's bits (check.c), recorded where the policy says so. */
struct vd_secd_reply {
    struct vd_decision decision;
    struct vd_verdict verdict;
};
vd_status vd_secd_check(struct vd_secd *s, struct vd_secd_client *client,
                        const struct vd_secd_question *question, struct vd_secd_reply *ret,
                        struct vd_diag *diag);

#endif
