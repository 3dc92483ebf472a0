/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The log's writer. A record counts as kept ("acknowledged") once
 * vd_audit_log_sync has returned VD_OK after its append; what was kept is never
 * lost by a kill or a power cut, and never changed unnoticed.
 *
 * Opening verifies the newest segment and always starts a new one, which
 * commits to the last valid hash; a segment is never written to again. A failed
 * write or sync is final: every later call fails with VD_E_IO or the first status,
 * since after a failed fdatasync nobody knows what the disk holds.
 *
 * One thread. Only one writer can hold a directory (flock).
 */
#ifndef VD_SERVICES_AUDIT_LOG_H
#define VD_SERVICES_AUDIT_LOG_H

#include "core/audit/segment.h"

#define VD_AUDIT_LOG_SEGMENT_BYTES (64u << 20) /* default size at which a new segment starts */

struct vd_audit_log;

/* What opening found in the newest segment. */
struct vd_audit_found {
    uint32_t previous;      /* enum vd_audit_previous */
    uint64_t segment;       /* its number; 0: none */
    uint64_t valid_bytes;   /* of it */
    uint64_t left_bytes;    /* after them */
    uint64_t next_sequence; /* of the log */
};

/*
 * Opens or makes the log in `dir` (mode 0700). `segment_bytes` 0 means the
 * default; at most VD_AUDIT_SEGMENT_MAX_BYTES less one frame. VD_E_BUSY if
 * another writer holds it. `hash` is borrowed and must outlive the log.
 */
vd_status vd_audit_log_open(struct vd_audit_log **ret, const char *dir, uint64_t segment_bytes,
                            const struct vd_audit_hash *hash, struct vd_diag *diag);

/* What opening found; borrowed. */
const struct vd_audit_found *vd_audit_log_found(const struct vd_audit_log *log);

/* Queues a record; its number goes to `ret_sequence` (may be NULL). Writes when the queue is full. */
vd_status vd_audit_log_append(struct vd_audit_log *log, const struct vd_audit_record *record,
                              uint64_t *ret_sequence, struct vd_diag *diag);

/* Writes what is queued and waits until the disk has it. */
vd_status vd_audit_log_sync(struct vd_audit_log *log, struct vd_diag *diag);

/* Number of records and end frames kept so far, which is the next one's number. */
uint64_t vd_audit_log_kept(const struct vd_audit_log *log);

/* Number of the segment that takes the next record, unless it is full. */
uint64_t vd_audit_log_segment(const struct vd_audit_log *log);

/* The hash of the last frame queued: 32 bytes, borrowed until the next call. */
const uint8_t *vd_audit_log_head(const struct vd_audit_log *log);

/* Writes the end frame and syncs. The log takes no more records. */
vd_status vd_audit_log_close(struct vd_audit_log *log, struct vd_diag *diag);

/* Frees; without vd_audit_log_close the segment stays open, as after a kill. */
void vd_audit_log_free(struct vd_audit_log *log);

/* Descriptor of the directory, for a sandbox to allow; borrowed. */
int vd_audit_log_dir(const struct vd_audit_log *log);

#endif
