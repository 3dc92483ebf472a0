/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records from other services, over a socket (core/abi/audit_ipc.h) and through
 * shared memory: root's, and those of the users that the daemon was told. A
 * record is answered, or its room given back, when the disk has it. One thread.
 */
#ifndef VD_SERVICES_AUDIT_PRODUCERS_H
#define VD_SERVICES_AUDIT_PRODUCERS_H

#include "lib/ipc/socket.h"
#include "services/audit/handed.h"

#define VD_AUDIT_PRODUCERS_MAX     64u /* connections */
#define VD_AUDIT_PRODUCER_UIDS_MAX 16u
#define VD_AUDIT_PRODUCER_BATCH    256u /* records between two syncs, those of rings apart */
#define VD_AUDIT_PRODUCER_AWAKE_MS 1000 /* after a ring's last record: no service need wake us */

/* A record that waits for the sync. */
struct vd_audit_pending {
    int fd; /* of its connection; -1: that is gone */
    uint32_t id;
};

struct vd_audit_producers {
    int listener; /* -1: there is no socket */
    int epoll;    /* told of connections; events have data.fd */
    uint32_t uids[VD_AUDIT_PRODUCER_UIDS_MAX];
    uint32_t uid_count;
    struct {
        int fd;
        int process; /* pidfd, for one that has a ring: children may hold its socket; -1: none */
        bool ended;  /* the process has */
        struct vd_audit_handed handed;
    } clients[VD_AUDIT_PRODUCERS_MAX];
    uint32_t client_count;
    struct vd_audit_pending pending[VD_AUDIT_PRODUCER_BATCH];
    uint32_t pending_count;
    uint64_t received; /* over the socket */
    struct vd_audit_rings rings;
    struct vd_ipc_buffer buffer;
};

/* Listens at `path` with file mode `mode`; uids are set before. */
vd_status vd_audit_producers_listen(struct vd_audit_producers *p, const char *path, mode_t mode,
                                    struct vd_diag *diag);
void vd_audit_producers_done(struct vd_audit_producers *p);

/* Begins to watch; `epoll` outlives `p`. */
vd_status vd_audit_producers_start(struct vd_audit_producers *p, int epoll, struct vd_diag *diag);

/* True if the event is one of a producer: then it was dealt with, as far as the log allowed. */
bool vd_audit_producers_event(struct vd_audit_producers *p, int fd);

/*
 * Appends what waits to the log, at most a batch; fails if the log fails. The
 * caller syncs, and then calls _answer.
 */
vd_status vd_audit_producers_take(struct vd_audit_producers *p, struct vd_audit_log *log,
                                  struct vd_diag *diag);

/* Answers the records appended since the last call, and gives their room back: the disk has them. */
void vd_audit_producers_answer(struct vd_audit_producers *p);

/*
 * Tells the services that the daemon will wait, at most `wait_ms`; returns for
 * how many milliseconds it may: 0 if something came meanwhile.
 */
int vd_audit_producers_rest(struct vd_audit_producers *p, int wait_ms);

/* Tells them that it works again. */
void vd_audit_producers_wake(struct vd_audit_producers *p);

/*
 * Takes the last records of the rings before the daemon ends: what comes later
 * is for the next one. Syncs.
 */
vd_status vd_audit_producers_stop(struct vd_audit_producers *p, struct vd_audit_log *log,
                                  struct vd_diag *diag);

#endif
