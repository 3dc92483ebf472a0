/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records for the audit daemon, over its socket (core/abi/audit_ipc.h).
 *
 * Decisions are sent without waiting: what the socket does not take is counted
 * as lost, and the loss is recorded as soon as it takes records again. A change
 * of policy waits until the daemon has its record on the disk, and is refused
 * if it cannot be recorded.
 */
#ifndef VD_SERVICES_SECURITY_AUDIT_H
#define VD_SERVICES_SECURITY_AUDIT_H

#include "core/audit/record.h"
#include "lib/ipc/socket.h"

#define VD_SECD_AUDIT_WAIT_MS 5000u

struct vd_secd_audit {
    const char *path; /* borrowed; NULL: nothing is recorded */
    int fd;           /* for decisions; -1: not connected */
    int epoll;        /* told of `fd` */
    uint64_t retry_ns;
    uint32_t id;
    uint64_t sent;
    uint64_t lost;   /* all in all */
    uint64_t unsaid; /* of them, not yet recorded as lost */
    struct vd_ipc_buffer buffer;
};

/* `epoll` learns of the connection; its events have data.fd == audit->fd. */
void vd_secd_audit_init(struct vd_secd_audit *audit, const char *path, int epoll);
void vd_secd_audit_done(struct vd_secd_audit *audit);

/* Sends a record, or counts it as lost. */
void vd_secd_audit_send(struct vd_secd_audit *audit, const struct vd_audit_record *record);

/* Takes the daemon's answers; to be called when `fd` is readable. */
void vd_secd_audit_receive(struct vd_secd_audit *audit);

/* Sends a record on a connection of its own and waits until it is on the disk. Any thread. */
vd_status vd_secd_audit_write(const char *path, const struct vd_audit_record *record,
                              struct vd_diag *diag);

#endif
