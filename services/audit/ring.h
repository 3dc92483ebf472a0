/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reader of a BPF ring buffer that gives room back only when it is told to.
 *
 * libbpf's own reader frees each event as soon as its callback returns; an
 * event would be gone from the ring before the log has it on the disk. Here
 * events stay in the ring until vd_audit_ring_release, so that after a kill the
 * next reader finds them again.
 *
 * Source: kernel, Documentation/bpf/ringbuf.rst and kernel/bpf/ringbuf.c. One thread.
 */
#ifndef VD_SERVICES_AUDIT_RING_H
#define VD_SERVICES_AUDIT_RING_H

#include "core/base/diag.h"

struct vd_audit_ring {
    int fd;      /* of the map; readable when events wait */
    uint32_t id; /* the kernel's id of the map */
    uint64_t *consumer;
    const uint64_t *producer;
    const uint8_t *data; /* `mask + 1` bytes, mapped twice in a row */
    uint64_t mask;
    uint64_t position; /* read so far */
    size_t consumer_bytes;
    size_t producer_bytes;
};

/* Opens the ring pinned at `path`. VD_E_NOT_FOUND, VD_E_INVALID for another kind of map. */
vd_status vd_audit_ring_open(struct vd_audit_ring *ret, const char *path, struct vd_diag *diag);
void vd_audit_ring_close(struct vd_audit_ring *ring);

/*
 * The next event, lent until it is released; `ret_data` is NULL if none waits.
 * VD_E_INVALID if the ring's content cannot be.
 */
vd_status vd_audit_ring_next(struct vd_audit_ring *ring, const void **ret_data, uint32_t *ret_size,
                             struct vd_diag *diag);

/* Gives the room of all events read so far back to the kernel. */
void vd_audit_ring_release(struct vd_audit_ring *ring);

#endif
