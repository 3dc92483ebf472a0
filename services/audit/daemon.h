/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the ring and from other services to the log: the daemon's work without its options.
 *
 * Order of every batch: read events, write them, fdatasync, and only then give
 * their room back to the kernel. A batch is what waits in the ring, at most
 * VD_AUDIT_BATCH events, and nothing waits for a batch to fill: an event is on
 * the disk one sync after the sync that was running when it came.
 *
 * A failed write ends the daemon (status of the log); what was not written
 * stays in the ring, and what then does not fit there is counted by the kernel.
 */
#ifndef VD_SERVICES_AUDIT_DAEMON_H
#define VD_SERVICES_AUDIT_DAEMON_H

#include "services/audit/log.h"
#include "services/audit/names.h"
#include "services/audit/producers.h"
#include "services/audit/ring.h"
#include "services/audit/sequence.h"

#define VD_AUDIT_BATCH     1024u
#define VD_AUDIT_SETTLE_MS 2000 /* after which a missing number counts as lost */

struct vd_audit_daemon {
    struct vd_audit_ring ring;                   /* fd -1: no kernel side, only producers */
    char boot_id[2 * VD_AUDIT_BOOT_ID_SIZE + 1]; /* in hexadecimal; set by restore */
    int counters_fd;                             /* map of struct vd_event_counters; -1: none */
    int signals;                                 /* signalfd: SIGTERM and SIGINT end the daemon */
    struct vd_audit_log *log;
    struct vd_audit_names names;
    struct vd_audit_producers producers;
    struct vd_audit_sequence sequence;
    uint64_t malformed;
    uint64_t segment; /* in which the sequence's state was written last */
    vd_status failed; /* of a record of lost events */
    struct vd_diag *diag;
};

/*
 * Takes up the numbers that the log already has of this boot and this ring, so
 * that events which a killed daemon wrote but did not release are not written
 * twice. To be called before vd_audit_log_open makes a new segment. A log that
 * cannot be read is no error here.
 */
void vd_audit_daemon_restore(struct vd_audit_daemon *d, const char *log_dir,
                             const struct vd_audit_hash *hash);

/* Writes the first record of a run: what opening the log found, and the ring's id. */
vd_status vd_audit_daemon_start(struct vd_audit_daemon *d, const char *not_confined);

/* Works until a signal comes. Then drains the ring and closes the segment. */
vd_status vd_audit_daemon_run(struct vd_audit_daemon *d);

#endif
