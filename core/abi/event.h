/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One event as the BPF programs put it into the ring buffer and the audit
 * daemon takes it out: the border between kernel/bpf and services/audit.
 *
 * The layout is fixed: little-endian host integers, no padding, no pointers.
 * The sender zeroes the whole struct first, so unused fields are 0. Numbers
 * (sids, classes, permissions) are the kernel's and the loaded policy's own;
 * the daemon turns them into names (core/audit). A reader refuses another size
 * or version.
 *
 * Loss is exact: the sender draws `sequence` from vd_event_counters.next before
 * it reserves room in the ring, so an event without room leaves a gap that the
 * reader sees. Events of several processors can stand in the ring out of order
 * of their sequence.
 */
#ifndef VD_CORE_ABI_EVENT_H
#define VD_CORE_ABI_EVENT_H

#include "core/base/types.h"

#define VD_EVENT_VERSION   1u
#define VD_EVENT_COMM_SIZE 16u
#define VD_EVENT_PATH_SIZE 256u

/* Names under the loader's pin directory (VD_KERNEL_PIN_DIR). */
#define VD_EVENT_RING_PIN     "events"         /* the ring buffer */
#define VD_EVENT_COUNTERS_PIN "event_counters" /* array of one struct vd_event_counters */

/*
 * X(NAME, text): what kind of event it is (AUDIT-1), from 1. LOST and LOG are
 * made by the daemon: a gap in the sequence, and its own start and stop.
 */
#define VD_EVENT_TYPE_TABLE(X)               \
    X(SYSCALL, "system-call")                \
    X(FILE, "file-access")                   \
    X(NETWORK, "network-connection")         \
    X(PROCESS, "process-execution")          \
    X(AUTHENTICATION, "authentication")      \
    X(AUTHORISATION, "authorisation")        \
    X(CONFIGURATION, "configuration-change") \
    X(ANOMALY, "anomaly")                    \
    X(LOST, "events-lost")                   \
    X(LOG, "log")

enum vd_event_type {
    VD_EVENT_TYPE_NONE,
#define VD_EVENT_TYPE_(name, text) VD_EVENT_TYPE_##name,
    VD_EVENT_TYPE_TABLE(VD_EVENT_TYPE_)
#undef VD_EVENT_TYPE_
        VD_EVENT_TYPE_COUNT,
};

/* X(NAME, text): the hook that asked, from 1; 0: not from a hook. */
#define VD_EVENT_HOOK_TABLE(X)            \
    X(FILE_OPEN, "file-open")             \
    X(FILE_PERMISSION, "file-permission") \
    X(MMAP, "mmap")                       \
    X(MPROTECT, "mprotect")               \
    X(EXEC, "exec")                       \
    X(TRANSITION, "transition")           \
    X(FORK, "fork")                       \
    X(CREATE, "create")                   \
    X(LINK, "link")                       \
    X(UNLINK, "unlink")                   \
    X(RENAME, "rename")                   \
    X(SETATTR, "setattr")                 \
    X(RELABEL, "relabel")                 \
    X(MOUNT, "mount")                     \
    X(PTRACE, "ptrace")                   \
    X(SIGNAL, "signal")                   \
    X(MODULE, "module")                   \
    X(BPF, "bpf")                         \
    X(SOCKET, "socket")                   \
    X(POLICY, "policy")                   \
    X(CAPABLE, "capable")

enum vd_event_hook {
    VD_EVENT_NO_HOOK,
#define VD_EVENT_HOOK_(name, text) VD_EVENT_##name,
    VD_EVENT_HOOK_TABLE(VD_EVENT_HOOK_)
#undef VD_EVENT_HOOK_
        VD_EVENT_HOOK_COUNT,
};

/* What the policy answered. Zero is deny, as everywhere. */
enum vd_event_verdict {
    VD_EVENT_DENIED = 0,
    VD_EVENT_ALLOWED = 1,
};

/* Flags. */
#define VD_EVENT_F_PATH_CUT   (1u << 0) /* the path is longer than `path` holds */
#define VD_EVENT_F_NAME_ONLY  (1u << 1) /* `path` is the last component only */
#define VD_EVENT_F_UNLABELLED (1u << 2) /* subject or object had no label */

struct vd_event {
    uint32_t size;     /* of this struct in bytes */
    uint16_t version;  /* VD_EVENT_VERSION */
    uint16_t type;     /* enum vd_event_type */
    uint64_t time_ns;  /* since boot, suspend included (CLOCK_BOOTTIME) */
    uint64_t sequence; /* from 0, one for each event of the ring, lost ones too */
    uint32_t pid;      /* thread's number in the first pid namespace */
    uint32_t tgid;     /* process' number there */
    uint32_t uid;      /* in the first user namespace */
    uint32_t gid;
    uint32_t subject_sid;          /* row of the map of contexts; 0: none */
    uint32_t object_sid;           /* the same */
    uint32_t class;                /* the policy's number; 0: it has none */
    uint32_t requested;            /* permissions asked for, bits of the class */
    uint32_t denied;               /* those refused by the policy */
    uint32_t audited;              /* those for whose sake this event was sent */
    uint64_t inode;                /* 0: no file */
    uint32_t device;               /* kernel's dev_t of the inode's file system */
    uint32_t policy_seqno;         /* of the policy that decided */
    int32_t error;                 /* what the caller gets: 0 or a negative errno */
    uint8_t verdict;               /* enum vd_event_verdict */
    uint8_t permissive;            /* 1: a denial was let pass */
    uint16_t flags;                /* VD_EVENT_F_… */
    uint32_t new_sid;              /* exec and create: the new context; 0: none */
    uint16_t hook;                 /* enum vd_event_hook */
    uint16_t path_len;             /* bytes of path, without a NUL */
    uint32_t detail;               /* the hook's own number: system call, signal, port, … */
    uint32_t reserved;             /* 0 */
    char comm[VD_EVENT_COMM_SIZE]; /* NUL-terminated task name */
    char path[VD_EVENT_PATH_SIZE]; /* bytes after path_len are not looked at */
};

_Static_assert(sizeof(struct vd_event) == 376, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, time_ns) == 8, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, pid) == 24, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, class) == 48, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, inode) == 64, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, verdict) == 84, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, new_sid) == 88, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, hook) == 92, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, comm) == 104, "shared with the BPF programs");
_Static_assert(offsetof(struct vd_event, path) == 120, "shared with the BPF programs");

/*
 * Value of the map of counters. Both only grow, changed by atomic addition.
 * Once no program runs, `next` less what the reader has taken is `lost`.
 */
struct vd_event_counters {
    uint64_t next; /* sequence of the next event */
    uint64_t lost; /* events for which the ring had no room */
};

_Static_assert(sizeof(struct vd_event_counters) == 16, "shared with the BPF programs");

#endif
