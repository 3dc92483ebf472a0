/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A service that sends records, and what the daemon adds to them: the times, and
 * as free fields who sent them and, for shared memory, where in which ring they stood.
 */
#ifndef VD_SERVICES_AUDIT_SOURCE_H
#define VD_SERVICES_AUDIT_SOURCE_H

#include "lib/ipc/socket.h"
#include "services/audit/log.h"

#define VD_AUDIT_EXTRA_PID      "source_pid"
#define VD_AUDIT_EXTRA_UID      "source_uid"
#define VD_AUDIT_EXTRA_RING     "ring"
#define VD_AUDIT_EXTRA_POSITION "ring_position"
#define VD_AUDIT_EXTRA_OWN      4u /* of these; no record from outside may have one */

/* Where records go, and the diagnostic of its failures. */
struct vd_audit_sink {
    struct vd_audit_log *log;
    struct vd_diag *diag;
};

/* In text, as it stands in the records. */
struct vd_audit_source {
    char pid[24];
    char uid[24];
    char ring[24]; /* empty: none */
};

struct vd_audit_given {
    const uint8_t *bytes; /* an encoded record */
    size_t size;
    bool from_ring;
    uint64_t position; /* in the source's ring */
};

void vd_audit_source_init(struct vd_audit_source *source, const struct vd_ipc_peer *peer);

/* Names the source's ring. */
void vd_audit_source_ring(struct vd_audit_source *source, uint64_t id);

/* Checks a record and appends it. A failure that is the record's goes to `why`. */
vd_status vd_audit_source_append(const struct vd_audit_source *source,
                                 const struct vd_audit_given *given,
                                 const struct vd_audit_sink *sink, struct vd_diag *why);

/* What the daemon itself has to say about the source's ring. */
struct vd_audit_remark {
    const char *message;
    uint64_t position;
    const char *name, *value; /* a free field */
};

vd_status vd_audit_source_remark(const struct vd_audit_source *source,
                                 const struct vd_audit_remark *remark,
                                 const struct vd_audit_sink *sink);

#endif
