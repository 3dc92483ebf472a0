/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A log segment: a header and records chained by SHA-256, so that no byte can
 * be changed, removed or put in unnoticed (docs/formats/audit-log.md).
 *
 *   header   128 content bytes, then their SHA-256
 *   frame    u32 length, u32 kind, u64 sequence, payload, SHA-256
 *
 * A frame's hash covers the 32 bytes before it (the hash of the frame or header
 * before) and the frame's own bytes: one contiguous piece of the file. The next
 * segment's header names the last hash and the valid size of the one before,
 * and how it ended.
 *
 * A segment ends with an end frame (closed), right after a frame (open: it is
 * being written, or its writer was killed), or torn: see vd_audit_segment_next.
 *
 * core/ has no cryptography: the caller gives SHA-256. No allocation, any thread.
 */
#ifndef VD_CORE_AUDIT_SEGMENT_H
#define VD_CORE_AUDIT_SEGMENT_H

#include "core/audit/record.h"

#define VD_AUDIT_MAGIC             "VDAUDIT\n"
#define VD_AUDIT_MAGIC_SIZE        8u
#define VD_AUDIT_SEGMENT_VERSION   1u
#define VD_AUDIT_HASH_SIZE         32u
#define VD_AUDIT_BOOT_ID_SIZE      16u
#define VD_AUDIT_HEADER_CONTENT    128u
#define VD_AUDIT_HEADER_SIZE       160u /* content and hash */
#define VD_AUDIT_FRAME_HEAD_SIZE   16u
#define VD_AUDIT_FRAME_EXTRA_SIZE  48u /* what a frame adds to its payload */
#define VD_AUDIT_END_PAYLOAD_SIZE  16u
#define VD_AUDIT_FRAME_MAX_BYTES   (VD_AUDIT_RECORD_MAX_BYTES + VD_AUDIT_FRAME_EXTRA_SIZE)
#define VD_AUDIT_SEGMENT_MAX_BYTES (256u << 20) /* a reader refuses a larger file */

/* The caller's SHA-256 over `size` bytes; writes 32 bytes to `ret`. */
struct vd_audit_hash {
    void *ctx;
    vd_status (*sha256)(void *ctx, const void *data, size_t size, uint8_t *ret);
};

/* How the segment before ended, as its successor's writer found it. */
enum vd_audit_previous {
    VD_AUDIT_PREVIOUS_NONE,    /* this is the first segment */
    VD_AUDIT_PREVIOUS_CLOSED,  /* by an end frame */
    VD_AUDIT_PREVIOUS_OPEN,    /* right after a frame: the writer was killed */
    VD_AUDIT_PREVIOUS_TORN,    /* within a frame: the writer or the machine died */
    VD_AUDIT_PREVIOUS_DAMAGED, /* a frame before the end does not verify */
};

struct vd_audit_segment {
    uint64_t number;         /* from 1 */
    uint64_t first_sequence; /* of its first frame */
    uint8_t boot_id[VD_AUDIT_BOOT_ID_SIZE];
    uint64_t created_ns;                       /* CLOCK_REALTIME */
    uint32_t previous;                         /* enum vd_audit_previous */
    uint64_t previous_size;                    /* valid bytes of the segment before */
    uint8_t previous_hash[VD_AUDIT_HASH_SIZE]; /* its last valid hash; zero for none */
    uint8_t hash[VD_AUDIT_HASH_SIZE];          /* of this header's content */
};

enum vd_audit_frame_kind {
    VD_AUDIT_FRAME_RECORD = 1,
    VD_AUDIT_FRAME_END = 2, /* payload: u64 realtime ns, u64 number of records */
};

struct vd_audit_frame {
    uint64_t offset; /* of the frame in the segment */
    uint64_t sequence;
    uint32_t kind;
    uint32_t payload_size;
    const uint8_t *payload; /* borrowed */
    const uint8_t *hash;    /* borrowed, 32 bytes */
};

/* Where a walk through a segment stands. */
enum vd_audit_state {
    VD_AUDIT_STATE_FRAME,  /* a frame was read, more may follow */
    VD_AUDIT_STATE_CLOSED, /* the end frame was the last */
    VD_AUDIT_STATE_OPEN,   /* the segment ends right after a frame (or its header) */
    VD_AUDIT_STATE_TORN,   /* the rest is a frame that was not written whole */
};

struct vd_audit_cursor {
    const uint8_t *data; /* the segment, borrowed */
    size_t size;
    size_t offset;     /* end of what is verified */
    uint64_t sequence; /* of the next frame */
    uint64_t records;  /* record frames so far */
    bool closed;
    struct vd_audit_hash hash;
    struct vd_audit_segment header;
};

/* Writes a header and its hash (which `segment->hash` takes too) to 160 bytes. */
vd_status vd_audit_segment_encode(struct vd_audit_segment *segment,
                                  const struct vd_audit_hash *hash, uint8_t *ret);

/* Reads a header from the start of `data`; checks form and hash. */
vd_status vd_audit_segment_parse(const void *data, size_t size, const struct vd_audit_hash *hash,
                                 struct vd_audit_segment *ret, struct vd_diag *diag);

/*
 * Appends a frame (its kind, sequence and payload) to `w`, whose last 32 bytes
 * must be the hash before. `w` stays as it was on failure. VD_E_LIMIT for a
 * payload outside its limits.
 */
vd_status vd_audit_frame_encode(struct vd_writer *w, const struct vd_audit_hash *hash,
                                const struct vd_audit_frame *frame);

/* Appends the end frame. */
vd_status vd_audit_end_encode(struct vd_writer *w, const struct vd_audit_hash *hash,
                              uint64_t sequence, uint64_t realtime_ns, uint64_t records);

/* Starts a walk: parses the header. `data` is borrowed by the cursor. */
vd_status vd_audit_cursor_init(struct vd_audit_cursor *ret, const void *data, size_t size,
                               const struct vd_audit_hash *hash, struct vd_diag *diag);

/*
 * The next frame, verified, or how the segment ends. `ret` is filled only for
 * VD_AUDIT_STATE_FRAME. A tail counts as torn only if a write that was cut off
 * can have left it: it is shorter than the frame it begins, or from its first
 * byte or its hash on there is nothing but zero. Everything else that does not
 * verify fails, VD_E_CHECKSUM for a hash, with the frame's offset in `diag`.
 */
vd_status vd_audit_segment_next(struct vd_audit_cursor *cursor, enum vd_audit_state *ret_state,
                                struct vd_audit_frame *ret, struct vd_diag *diag);

/* The hash at the end of what is verified: 32 bytes, borrowed. */
const uint8_t *vd_audit_cursor_head(const struct vd_audit_cursor *cursor);

#endif
