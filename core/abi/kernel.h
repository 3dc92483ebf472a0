/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the loader and the BPF programs share: the maps' keys and values, and
 * the names of the classes and permissions that the hooks ask for.
 *
 * A context has a security identifier (sid): its row in the map of contexts.
 * Sid 0 names nothing; the first sids are the policy's initial contexts.
 * Numbers of classes and permissions are the policy's own, so the loader looks
 * up each name once and hands the numbers over (struct vd_kernel_names). A name
 * that the policy does not have has the mask 0, and asking for it is refused.
 */
#ifndef VD_CORE_ABI_KERNEL_H
#define VD_CORE_ABI_KERNEL_H

#include "core/abi/context.h"

#define VD_KERNEL_PIN_DIR "/sys/fs/bpf/veridian"
#define VD_XATTR_NAME     "security.bpf.veridian"
#define VD_XATTR_PREFIX   "security.bpf."

#define VD_KERNEL_SIDS     8192u      /* rows of the map of contexts */
#define VD_KERNEL_AVC      16384u     /* decisions kept */
#define VD_KERNEL_EVENTS   (1u << 20) /* bytes of the ring */
#define VD_LABEL_TEXT_SIZE 128u       /* a context as text, zero-padded */
#define VD_KERNEL_GUARDED  256u       /* maps and programs under guard */

/* X(NAME, initial context's name in the policy); in the order of their sids, from 1. */
#define VD_KERNEL_SID_TABLE(X) \
    X(KERNEL, "kernel")        \
    X(INIT, "init")            \
    X(UNLABELED, "unlabeled")  \
    X(SECURITY, "security")    \
    X(MEMFD, "memfd")

enum vd_kernel_sid {
    VD_SID_NONE,
#define VD_KERNEL_SID_(name, text) VD_SID_##name,
    VD_KERNEL_SID_TABLE(VD_KERNEL_SID_)
#undef VD_KERNEL_SID_
        VD_SID_FIRST_FREE,
};

/* X(NAME, class's name) */
#define VD_KERNEL_CLASS_TABLE(X) \
    X(FILE, "file")              \
    X(DIR, "dir")                \
    X(LNK_FILE, "lnk_file")      \
    X(CHR_FILE, "chr_file")      \
    X(BLK_FILE, "blk_file")      \
    X(SOCK_FILE, "sock_file")    \
    X(FIFO_FILE, "fifo_file")    \
    X(FILESYSTEM, "filesystem")  \
    X(PROCESS, "process")        \
    X(PROCESS2, "process2")      \
    X(SYSTEM, "system")          \
    X(SECURITY, "security")      \
    X(BPF, "bpf")

enum vd_kernel_class {
    VD_KC_NONE,
#define VD_KERNEL_CLASS_(name, text) VD_KC_##name,
    VD_KERNEL_CLASS_TABLE(VD_KERNEL_CLASS_)
#undef VD_KERNEL_CLASS_
        VD_KC_COUNT,
};

/* X(NAME, permission's name); one name serves every class that has it. */
#define VD_KERNEL_PERM_TABLE(X)             \
    X(READ, "read")                         \
    X(WRITE, "write")                       \
    X(APPEND, "append")                     \
    X(OPEN, "open")                         \
    X(EXECUTE, "execute")                   \
    X(EXECUTE_NO_TRANS, "execute_no_trans") \
    X(ENTRYPOINT, "entrypoint")             \
    X(MAP, "map")                           \
    X(EXECMOD, "execmod")                   \
    X(CREATE, "create")                     \
    X(UNLINK, "unlink")                     \
    X(RENAME, "rename")                     \
    X(LINK, "link")                         \
    X(RMDIR, "rmdir")                       \
    X(REPARENT, "reparent")                 \
    X(ADD_NAME, "add_name")                 \
    X(REMOVE_NAME, "remove_name")           \
    X(SETATTR, "setattr")                   \
    X(WATCH, "watch")                       \
    X(RELABELFROM, "relabelfrom")           \
    X(RELABELTO, "relabelto")               \
    X(MOUNTON, "mounton")                   \
    X(MOUNT, "mount")                       \
    X(REMOUNT, "remount")                   \
    X(UNMOUNT, "unmount")                   \
    X(FORK, "fork")                         \
    X(TRANSITION, "transition")             \
    X(NNP_TRANSITION, "nnp_transition")     \
    X(PTRACE, "ptrace")                     \
    X(SHARE, "share")                       \
    X(EXECMEM, "execmem")                   \
    X(SETRLIMIT, "setrlimit")               \
    X(SETSCHED, "setsched")                 \
    X(SIGCHLD, "sigchld")                   \
    X(SIGKILL, "sigkill")                   \
    X(SIGSTOP, "sigstop")                   \
    X(SIGNULL, "signull")                   \
    X(SIGNAL, "signal")                     \
    X(MODULE_LOAD, "module_load")           \
    X(LOAD_POLICY, "load_policy")           \
    X(COMPUTE_AV, "compute_av")             \
    X(READ_POLICY, "read_policy")           \
    X(MAP_CREATE, "map_create")             \
    X(MAP_READ, "map_read")                 \
    X(MAP_WRITE, "map_write")               \
    X(PROG_LOAD, "prog_load")               \
    X(PROG_RUN, "prog_run")                 \
    X(IOCTL, "ioctl")

enum vd_kernel_perm {
#define VD_KERNEL_PERM_(name, text) VD_KP_##name,
    VD_KERNEL_PERM_TABLE(VD_KERNEL_PERM_)
#undef VD_KERNEL_PERM_
        VD_KP_COUNT,
};

/* The policy's numbers for the names above. */
struct vd_kernel_names {
    uint32_t class[VD_KC_COUNT];             /* 0: the policy has no such class */
    uint32_t perm[VD_KC_COUNT][VD_KP_COUNT]; /* bit of the class; 0: it has none */
};

/* The one value of the map of settings. */
struct vd_kernel_config {
    uint32_t enforcing; /* VD_KERNEL_ENFORCING or VD_KERNEL_PERMISSIVE; else enforcing */
    uint32_t seqno;     /* of the policy in force */
};
#define VD_KERNEL_ENFORCING  0x1e5ce001u
#define VD_KERNEL_PERMISSIVE 0x00a11001u

#define VD_PATH_DEPTH 16u

/* Scratch of an event's path: addresses met on the way from the object to the root. */
struct vd_path_walk {
    uint64_t dentry;
    uint64_t mount;
    uint64_t names[VD_PATH_DEPTH];
    uint32_t count; /* of names */
    uint32_t at;    /* bytes written */
    uint32_t end;   /* 1: the root was reached, nothing was cut */
    uint32_t reserved;
};

/* Task storage. The buffers are the task's own while one of its system calls runs. */
struct vd_task_label {
    uint32_t sid;
    uint32_t exec_sid;             /* what the running execve will give; 0: none runs */
    struct vd_context context;     /* scratch: a context being computed */
    char text[VD_LABEL_TEXT_SIZE]; /* scratch: a label being read */
    struct vd_path_walk path;      /* scratch */
};

/* Inode storage. */
struct vd_inode_label {
    uint32_t sid; /* 0: not read yet */
};

struct vd_label_text {
    char text[VD_LABEL_TEXT_SIZE];
};

/* File systems whose objects all have one label. */
struct vd_fs_key {
    uint64_t magic;        /* super block's s_magic */
    uint32_t kernel_mount; /* 1: mounted by the kernel for itself (pipes, memfd) */
    uint32_t reserved;     /* 0 */
};

/*
 * Cached answers: decisions, and the contexts of new objects. The kernel may
 * give an entry's memory to another key while a program still reads it, so each
 * carries `check`, a hash over key and answer: one that does not fit is a miss.
 */
struct vd_avc_key {
    uint32_t source; /* sid */
    uint32_t target; /* sid */
    uint32_t class;  /* the policy's number */
};

struct vd_avc_decision {
    uint32_t allowed;
    uint32_t auditallow;
    uint32_t auditdeny;
    uint32_t flags;
    uint32_t seqno;
    uint32_t check;
};

struct vd_avc_transition {
    uint32_t sid;
    uint32_t seqno;
    uint32_t check;
};

/* Maps and programs that only the loader may reach. */
struct vd_guard_key {
    uint32_t kind; /* enum vd_guard_kind */
    uint32_t id;   /* the kernel's id of the map or program */
};
enum vd_guard_kind { VD_GUARD_MAP = 1, VD_GUARD_PROGRAM };
enum vd_guard_value { VD_GUARD_CORE = 1, VD_GUARD_EVENTS };

/* X(NAME, text): counters, one row each of the per-CPU map. */
#define VD_KERNEL_STAT_TABLE(X)                \
    X(CHECKS, "checks")                        \
    X(HITS, "cache hits")                      \
    X(MISSES, "cache misses")                  \
    X(DENIALS, "denials")                      \
    X(UNDECIDED, "refused without a decision") \
    X(SIDS_FULL, "contexts refused for want of room")

enum vd_kernel_stat {
#define VD_KERNEL_STAT_(name, text) VD_KSTAT_##name,
    VD_KERNEL_STAT_TABLE(VD_KERNEL_STAT_)
#undef VD_KERNEL_STAT_
        VD_KSTAT_COUNT,
};

_Static_assert(sizeof(struct vd_task_label) ==
                   8 + 288 + VD_LABEL_TEXT_SIZE + sizeof(struct vd_path_walk),
               "no padding");
_Static_assert(sizeof(struct vd_fs_key) == 16, "hash key without padding");
_Static_assert(sizeof(struct vd_avc_key) == 12, "hash key without padding");

#endif
