/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A change of policy: load, stage, commit, confirm, rollback, booleans.
 *
 * It runs in a thread of its own and makes the next state and, where another
 * policy is to be in force, that policy; both are on the disk when it ends well.
 * While it runs, the server changes neither its state nor its policy, which the
 * thread reads. The server then puts the result in force, which cannot fail.
 */
#ifndef VD_SERVICES_SECURITY_CHANGE_H
#define VD_SERVICES_SECURITY_CHANGE_H

#include <pthread.h>

#include "core/abi/security.h"
#include "lib/ipc/socket.h"
#include "services/security/store.h"

struct vd_secd_change {
    /* The request. */
    uint32_t verb;      /* enum vd_sec_verb */
    int fd;             /* of VD_SEC_LOAD: the policy; owned */
    uint32_t flags;     /* VD_SEC_LOAD_… */
    uint32_t confirm_s; /* 0: for good */
    bool persistent;
    uint32_t bool_count;
    struct vd_secd_bool bools[VD_SEC_BOOLS_MAX];
    bool automatic; /* a load was not confirmed in time */

    /* Who asked: the answer goes to that client, if it is still there. */
    uint64_t client; /* 0: nobody */
    uint32_t id;     /* of its request */
    struct vd_ipc_peer peer;

    /* What it works on, borrowed. */
    struct vd_secd_store *store;
    const struct vd_secd_state *state;
    const struct vd_secd_policy *policy;
    const char *audit_path;

    /* The result. */
    vd_status status;
    struct vd_diag diag;
    struct vd_secd_state next;
    struct vd_secd_policy made; /* db.base NULL: the same policy stays in force */

    bool running;
    int done; /* eventfd, readable when it has ended */
    pthread_t thread;
};

/* An idle change; `done` is an eventfd. */
vd_status vd_secd_change_init(struct vd_secd_change *change, struct vd_diag *diag);
void vd_secd_change_done(struct vd_secd_change *change);

/* Starts the thread; the request's fields are filled. */
vd_status vd_secd_change_start(struct vd_secd_change *change, struct vd_diag *diag);

/* The same in the calling thread. */
void vd_secd_change_perform(struct vd_secd_change *change);

/* Waits for the thread's end; the result stands until the next start. */
void vd_secd_change_finish(struct vd_secd_change *change);

/* This boot's id; zero where there is none. */
void vd_secd_boot_id(uint8_t ret[VD_SECD_BOOT_ID]);

#endif
