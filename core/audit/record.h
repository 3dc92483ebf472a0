/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The content of one audit record (AUDIT-1): who did what to which object,
 * under which policy, and how it ended.
 *
 * Bytes: u16 version, u16 type, then fields {u16 tag, u16 length, value}, tags
 * ascending, integers little-endian (docs/formats/audit-log.md). The encoding
 * is canonical: a record has exactly one, so parse and encode are inverse.
 * The record's id and its hash stand in the frame around it (segment.h).
 *
 * Parsed texts borrow the input. No allocation, any thread.
 */
#ifndef VD_CORE_AUDIT_RECORD_H
#define VD_CORE_AUDIT_RECORD_H

#include "core/abi/event.h"
#include "core/base/diag.h"
#include "core/base/reader.h"
#include "core/base/writer.h"

#define VD_AUDIT_RECORD_VERSION   1u
#define VD_AUDIT_RECORD_MAX_BYTES 16384u
#define VD_AUDIT_RECORD_MIN_BYTES 4u
#define VD_AUDIT_TEXT_MAX_BYTES   4096u
#define VD_AUDIT_EXTRA_MAX        16u /* free fields of one record */
#define VD_AUDIT_EXTRA_NAME_MAX   64u /* bytes of a free field's name */

/* `size` bytes, not NUL-terminated. */
struct vd_audit_text {
    const char *data; /* borrowed */
    uint32_t size;
};

/*
 * X(tag, NAME, member, kind, "text"): every field, in the order of its tag. Kinds:
 * U8, U16, U32, U64, I32; NAME: visible ASCII and spaces, made by the daemon;
 * BYTES: anything without NUL, as a process gave it.
 */
#define VD_AUDIT_FIELD_TABLE(X)                                      \
    X(1, REALTIME, realtime_ns, U64, "realtime_ns")                  \
    X(2, BOOTTIME, boottime_ns, U64, "boottime_ns")                  \
    X(3, EVENT_SEQUENCE, event_sequence, U64, "event_sequence")      \
    X(4, PID, pid, U32, "pid")                                       \
    X(5, TGID, tgid, U32, "tgid")                                    \
    X(6, UID, uid, U32, "uid")                                       \
    X(7, GID, gid, U32, "gid")                                       \
    X(8, COMM, comm, BYTES, "comm")                                  \
    X(9, SUBJECT_SID, subject_sid, U32, "subject_sid")               \
    X(10, SUBJECT_CONTEXT, subject_context, NAME, "subject_context") \
    X(11, OBJECT_KIND, object_kind, NAME, "object_kind")             \
    X(12, PATH, path, BYTES, "path")                                 \
    X(13, DEVICE, device, U32, "device")                             \
    X(14, INODE, inode, U64, "inode")                                \
    X(15, OBJECT_SID, object_sid, U32, "object_sid")                 \
    X(16, OBJECT_CONTEXT, object_context, NAME, "object_context")    \
    X(17, HOOK, hook, U16, "hook")                                   \
    X(18, DETAIL, detail, U32, "detail")                             \
    X(19, CLASS, class_number, U32, "class_number")                  \
    X(20, CLASS_NAME, class_name, NAME, "class")                     \
    X(21, REQUESTED, requested, U32, "requested_mask")               \
    X(22, REQUESTED_NAMES, requested_names, NAME, "requested")       \
    X(23, DENIED, denied, U32, "denied_mask")                        \
    X(24, DENIED_NAMES, denied_names, NAME, "denied")                \
    X(25, VERDICT, verdict, U8, "verdict")                           \
    X(26, PERMISSIVE, permissive, U8, "permissive")                  \
    X(27, ERROR, error, I32, "error")                                \
    X(28, POLICY_SEQNO, policy_seqno, U32, "policy_seqno")           \
    X(29, NEW_SID, new_sid, U32, "new_sid")                          \
    X(30, NEW_CONTEXT, new_context, NAME, "new_context")             \
    X(31, FLAGS, flags, U16, "flags")                                \
    X(32, LOST_FIRST, lost_first, U64, "lost_first")                 \
    X(33, LOST_COUNT, lost_count, U64, "lost_count")                 \
    X(34, MESSAGE, message, NAME, "message")

#define VD_AUDIT_TAG_EXTRA 64u /* free field: u8 name length, name, value; may repeat */

enum vd_audit_tag {
#define VD_AUDIT_TAG_(tag, name, member, kind, text) VD_AUDIT_TAG_##name = tag,
    VD_AUDIT_FIELD_TABLE(VD_AUDIT_TAG_)
#undef VD_AUDIT_TAG_
};

enum vd_audit_kind {
    VD_AUDIT_U8,
    VD_AUDIT_U16,
    VD_AUDIT_U32,
    VD_AUDIT_U64,
    VD_AUDIT_I32,
    VD_AUDIT_NAME,
    VD_AUDIT_BYTES,
};

typedef uint8_t vd_audit_in_U8;
typedef uint16_t vd_audit_in_U16;
typedef uint32_t vd_audit_in_U32;
typedef uint64_t vd_audit_in_U64;
typedef int32_t vd_audit_in_I32;
typedef struct vd_audit_text vd_audit_in_NAME;
typedef struct vd_audit_text vd_audit_in_BYTES;

struct vd_audit_extra {
    struct vd_audit_text name;  /* a-z, 0-9, '_', '.', '-' */
    struct vd_audit_text value; /* any bytes */
};

struct vd_audit_record {
    uint16_t type;    /* enum vd_event_type */
    uint64_t present; /* bit `tag`: the field is there */
#define VD_AUDIT_MEMBER_(tag, name, member, kind, text) vd_audit_in_##kind member;
    VD_AUDIT_FIELD_TABLE(VD_AUDIT_MEMBER_)
#undef VD_AUDIT_MEMBER_
    uint32_t extra_count;
    struct vd_audit_extra extra[VD_AUDIT_EXTRA_MAX];
};

/* A row of the table above, for code that walks all fields. */
struct vd_audit_field {
    uint16_t tag;
    uint16_t kind;   /* enum vd_audit_kind */
    uint32_t offset; /* in struct vd_audit_record */
    const char *text;
};

/* Sets a member and its bit of `present`. */
#define VD_AUDIT_SET(record, NAME, member, value)                \
    do {                                                         \
        (record)->member = (value);                              \
        (record)->present |= UINT64_C(1) << VD_AUDIT_TAG_##NAME; \
    } while (0)

VD_INLINE bool vd_audit_has(const struct vd_audit_record *record, uint32_t tag)
{
    return (record->present >> tag & 1) != 0;
}

/* All fields but the free ones, by ascending tag; their number goes to `ret_count`. */
const struct vd_audit_field *vd_audit_fields(uint32_t *ret_count);

/* "file-access" and so on; "unknown" for a number outside the table. */
const char *vd_audit_type_name(uint32_t type);

/* The type of that name; 0 if there is none. */
uint32_t vd_audit_type_find(const char *name);

/* "file-open" and so on; "unknown" for a number outside the table. */
const char *vd_audit_hook_name(uint32_t hook);

/*
 * Writes the record's bytes. VD_E_RANGE for a field that the format does not
 * allow (the parser would refuse it), VD_E_NO_SPACE if `w` is too small,
 * VD_E_LIMIT above VD_AUDIT_RECORD_MAX_BYTES.
 */
vd_status vd_audit_record_encode(const struct vd_audit_record *record, struct vd_writer *w);

/* Reads a record that fills `data` exactly. Offsets in `diag` count from `data`. */
vd_status vd_audit_record_parse(const void *data, size_t size, struct vd_audit_record *ret,
                                struct vd_diag *diag);

/*
 * Takes an event as it came out of the ring: checks size, version, ranges and
 * that the texts end where they say. On failure `ret` stays.
 */
vd_status vd_audit_event_parse(const void *data, size_t size, struct vd_event *ret,
                               struct vd_diag *diag);

#endif
