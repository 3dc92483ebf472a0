/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Records and segments that the audit tests share. */
#ifndef VD_TESTS_AUDIT_FIXTURE_H
#define VD_TESTS_AUDIT_FIXTURE_H

#include "core/audit/segment.h"
#include "services/audit/sys.h"
#include "tests/harness.h"

#define AUDIT_TEXT(s) ((struct vd_audit_text){s, sizeof(s) - 1})

/* A record with every field. */
static inline struct vd_audit_record audit_full_record(void)
{
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_FILE, .extra_count = 2};

    VD_AUDIT_SET(&r, REALTIME, realtime_ns, 1'700'000'000'123'456'789);
    VD_AUDIT_SET(&r, BOOTTIME, boottime_ns, 42);
    VD_AUDIT_SET(&r, EVENT_SEQUENCE, event_sequence, 7);
    VD_AUDIT_SET(&r, PID, pid, 100);
    VD_AUDIT_SET(&r, TGID, tgid, 99);
    VD_AUDIT_SET(&r, UID, uid, 1000);
    VD_AUDIT_SET(&r, GID, gid, 1001);
    VD_AUDIT_SET(&r, COMM, comm, AUDIT_TEXT("c\xff\x01t"));
    VD_AUDIT_SET(&r, SUBJECT_SID, subject_sid, 3);
    VD_AUDIT_SET(&r, SUBJECT_CONTEXT, subject_context, AUDIT_TEXT("u:r:t:s0"));
    VD_AUDIT_SET(&r, OBJECT_KIND, object_kind, AUDIT_TEXT("file"));
    VD_AUDIT_SET(&r, PATH, path, AUDIT_TEXT("/etc/sha\ndow"));
    VD_AUDIT_SET(&r, DEVICE, device, 0xfd00001);
    VD_AUDIT_SET(&r, INODE, inode, UINT64_MAX);
    VD_AUDIT_SET(&r, OBJECT_SID, object_sid, 4);
    VD_AUDIT_SET(&r, OBJECT_CONTEXT, object_context, AUDIT_TEXT("u:object_r:shadow_t:s0"));
    VD_AUDIT_SET(&r, HOOK, hook, VD_EVENT_FILE_OPEN);
    VD_AUDIT_SET(&r, DETAIL, detail, 5);
    VD_AUDIT_SET(&r, CLASS, class_number, 6);
    VD_AUDIT_SET(&r, CLASS_NAME, class_name, AUDIT_TEXT("file"));
    VD_AUDIT_SET(&r, REQUESTED, requested, 3);
    VD_AUDIT_SET(&r, REQUESTED_NAMES, requested_names, AUDIT_TEXT("open read"));
    VD_AUDIT_SET(&r, DENIED, denied, 2);
    VD_AUDIT_SET(&r, DENIED_NAMES, denied_names, AUDIT_TEXT("read"));
    VD_AUDIT_SET(&r, VERDICT, verdict, VD_EVENT_DENIED);
    VD_AUDIT_SET(&r, PERMISSIVE, permissive, 1);
    VD_AUDIT_SET(&r, ERROR, error, -13);
    VD_AUDIT_SET(&r, POLICY_SEQNO, policy_seqno, 1);
    VD_AUDIT_SET(&r, NEW_SID, new_sid, 8);
    VD_AUDIT_SET(&r, NEW_CONTEXT, new_context, AUDIT_TEXT("u:r:new_t:s0"));
    VD_AUDIT_SET(&r, FLAGS, flags, VD_EVENT_F_NAME_ONLY);
    VD_AUDIT_SET(&r, LOST_FIRST, lost_first, 9);
    VD_AUDIT_SET(&r, LOST_COUNT, lost_count, 10);
    VD_AUDIT_SET(&r, MESSAGE, message, AUDIT_TEXT("a message"));
    r.extra[0] = (struct vd_audit_extra){AUDIT_TEXT("name"), AUDIT_TEXT("value\0with NUL")};
    r.extra[1] = (struct vd_audit_extra){AUDIT_TEXT("name"), AUDIT_TEXT("")};
    return r;
}

/* A short record that names its number. */
static inline struct vd_audit_record audit_small_record(uint64_t number)
{
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_PROCESS};

    VD_AUDIT_SET(&r, EVENT_SEQUENCE, event_sequence, number);
    VD_AUDIT_SET(&r, COMM, comm, AUDIT_TEXT("true"));
    return r;
}

#endif
