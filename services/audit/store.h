/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A log's directory: segments `segment-NNNNNNNNNN.vlog`, numbered from 1.
 *
 * Files are reached through the directory's descriptor only. Whoever writes
 * holds an exclusive flock on the directory; readers need none. Unknown names in
 * the directory are left alone.
 */
#ifndef VD_SERVICES_AUDIT_STORE_H
#define VD_SERVICES_AUDIT_STORE_H

#include "core/audit/segment.h"

#define VD_AUDIT_NAME_SIZE    32u      /* a segment's file name with its NUL */
#define VD_AUDIT_SEGMENTS_MAX 1000000u /* segments in a directory */

struct vd_audit_store {
    int fd;            /* of the directory */
    uint64_t *numbers; /* of its segments, ascending; owned */
    uint32_t count;
};

/* Opens `dir` and lists its segments; VD_E_NOT_FOUND if it is not there. */
vd_status vd_audit_store_open(struct vd_audit_store *ret, const char *dir, struct vd_diag *diag);
void vd_audit_store_done(struct vd_audit_store *store);

/* Lists the segments again. */
vd_status vd_audit_store_scan(struct vd_audit_store *store, struct vd_diag *diag);

/* A segment's file name. */
void vd_audit_store_name(uint64_t number, char ret[VD_AUDIT_NAME_SIZE]);

/*
 * Reads a segment whole; the caller frees `ret_data`. VD_E_LIMIT above
 * VD_AUDIT_SEGMENT_MAX_BYTES, VD_E_MAGIC if it is not a regular file.
 */
vd_status vd_audit_store_load(const struct vd_audit_store *store, uint64_t number,
                              uint8_t **ret_data, size_t *ret_size, struct vd_diag *diag);

/* True while a writer holds the log. */
bool vd_audit_store_busy(const struct vd_audit_store *store);

#endif
