/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the services' shared memory to the log (docs/formats/audit-ring.md).
 *
 * Room in a ring is given back when the disk has the records, so a daemon that
 * is killed leaves in the ring what may not be in the log. The service hands the
 * ring to the next daemon, which knows from the log what was written already:
 * each record is written exactly once.
 */
#ifndef VD_SERVICES_AUDIT_HANDED_H
#define VD_SERVICES_AUDIT_HANDED_H

#include "services/audit/shared.h"
#include "services/audit/source.h"

#define VD_AUDIT_KNOWN_MAX 64u /* rings of which the log is remembered */

/* The last record of a ring in the log of daemons before. */
struct vd_audit_known {
    struct vd_audit_source source;
    uint64_t position;
};

/* A service and its ring, if it has one. */
struct vd_audit_handed {
    struct vd_audit_source source; /* set by the caller, but for the ring's name */
    struct vd_audit_shared shared;
    bool known; /* `last` is meant */
    uint64_t last;
};

struct vd_audit_rings {
    struct vd_audit_arena arena;
    struct vd_audit_known known[VD_AUDIT_KNOWN_MAX];
    uint32_t known_next; /* the oldest, which the next one replaces */
    uint64_t received;
    uint64_t repeated;   /* written by a daemon before */
    uint64_t unfinished; /* places that a killed service left */
    uint64_t malformed;  /* rings that were given up */
    uint64_t taken_ns;   /* when the last record came */
    uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES];
};

/* Notes what a record of the log says of a ring. */
void vd_audit_rings_restore(struct vd_audit_rings *rings, const struct vd_audit_record *record);

/*
 * Makes a ring for a service (`fd` -1: the new descriptor goes there), or takes
 * up the one that it hands over.
 */
vd_status vd_audit_rings_open(struct vd_audit_rings *rings, struct vd_audit_handed *handed, int *fd,
                              struct vd_diag *why);

/*
 * Appends what waits to the log. A ring whose content is impossible is recorded
 * and given up. Fails if the log does.
 */
vd_status vd_audit_rings_take(struct vd_audit_rings *rings, struct vd_audit_handed *handed,
                              const struct vd_audit_sink *sink);

/* The same once the service is gone: what it did not finish is recorded, the ring ends. */
vd_status vd_audit_rings_end(struct vd_audit_rings *rings, struct vd_audit_handed *handed,
                             const struct vd_audit_sink *sink);

#endif
