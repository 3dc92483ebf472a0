/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What every hook family uses: the maps, the label of a task or an inode, and
 * the request that check.bpf.c decides. veridian.bpf.c puts the families together.
 *
 * Fail closed: sid 0 (no label) is refused by vd_check whatever the
 * policy says; a hook never returns 0 before it has asked.
 */
#ifndef VD_KERNEL_BPF_HOOKS_BPF_H
#define VD_KERNEL_BPF_HOOKS_BPF_H

#include "vmlinux.h"

/* Before libbpf's headers, whose offsetof is no constant for the compiler. */
#include "core/abi/kernel.h"
#include "core/abi/event.h"
#undef offsetof
#include <bpf/bpf_helpers.h>
#undef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* Of the kernel's macros, which no type information carries. */
#define VD_EACCES              13
#define VD_EPERM               1
#define VD_ENOMEM              12
#define VD_S_IFMT              0170000
#define VD_S_IFSOCK            0140000
#define VD_S_IFLNK             0120000
#define VD_S_IFREG             0100000
#define VD_S_IFBLK             0060000
#define VD_S_IFDIR             0040000
#define VD_S_IFCHR             0020000
#define VD_S_IFIFO             0010000
#define VD_FMODE_READ          1u
#define VD_FMODE_WRITE         2u
#define VD_O_APPEND            02000
#define VD_O_TRUNC             01000
#define VD_O_FMODE_EXEC        0x20
#define VD_PF_KTHREAD          0x00200000
#define VD_TMPFS_MAGIC         0x01021994u
#define VD_SB_KERNMOUNT        (1u << 22)
#define VD_PROT_WRITE          2
#define VD_PROT_EXEC           4
#define VD_MAP_TYPE            0x0f
#define VD_MAP_SHARED          1
#define VD_MAP_SHARED_VALIDATE 3
#define VD_ATTR_MODE           (1u << 0)
#define VD_ATTR_SIZE           (1u << 3)
#define VD_ATTR_TIMES          (7u << 4)                        /* ATIME, MTIME, CTIME */
#define VD_ATTR_FORCE          (1u << 9)                        /* by the kernel itself */
#define VD_ATTR_KILLED         (1u << 11 | 1u << 12 | 1u << 14) /* KILL_SUID, _SGID, _PRIV */
#define VD_ATTR_CHOSEN         (7u << 0 | 3u << 7 | 1u << 16)   /* MODE, UID, GID, *_SET */
#define VD_FS_IOC_SETFLAGS     0x40086602u
#define VD_FS_IOC32_SETFLAGS   0x40046602u
#define VD_FS_IOC_FSSETXATTR   0x401c5820u

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct vd_task_label);
} vd_tasks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct vd_inode_label);
} vd_inodes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, struct vd_fs_key);
    __type(value, __u32);
} vd_filesystems SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, VD_KERNEL_SIDS);
    __type(key, struct vd_label_text);
    __type(value, __u32);
} vd_label_texts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct vd_kernel_names);
} vd_names SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, VD_KERNEL_GUARDED);
    __type(key, struct vd_guard_key);
    __type(value, __u32);
} vd_guarded SEC(".maps");

/* What a hook asks. check.bpf.c fills nothing in: the same request gives the event. */
struct vd_request {
    __u8 hook;    /* enum vd_event_hook */
    __u8 kind;    /* enum vd_kernel_class */
    __u8 missing; /* 1: a permission is asked for that the policy does not have */
    __u8 reserved;
    __u32 source; /* sid */
    __u32 target; /* sid */
    __u32 class;  /* the policy's number, 0: it has none */
    __u32 perms;  /* the class's bits */
    __u32 made;   /* sid that the object or task gets; 0: none */
    __u32 xperm;  /* VD_XPERM_…: what narrows the permissions; 0: nothing does */
    __u32 unused;
    __u64 dentry; /* addresses, for the event's path and inode; 0: none */
    __u64 mount;
};

/* 0: allowed; anything else refused, with an event where the policy wants one (check.bpf.c). */
int vd_judge(const struct vd_request *request);

/* The verdict as a hook returns it: 0 or -EACCES. */
static __always_inline int vd_check(const struct vd_request *request)
{
    int ret = vd_judge(request);

    /* The verifier must see the constants, whatever the compiler knows of vd_judge. */
    __asm__ volatile("" : "+r"(ret));
    return ret == 0 ? 0 : -VD_EACCES;
}

/*
 * The sid of what `source` makes out of or in `target`; 0 if there is none:
 * then refuse. Uses the current task's scratch.
 */
int vd_transition_sid(__u32 source, __u32 target, __u32 kind);

/*
 * What the extended permissions say about an ioctl command: VD_XPERM_…, 0 if the
 * policy has none for the two labels and the class, or one is missing.
 */
int vd_ioctl_xperm(__u32 source, __u32 target, __u32 class, __u32 command);

/* The current task's or another's sid; 0: it has no label. */
static __always_inline __u32 vd_task_sid(struct task_struct *task)
{
    struct vd_task_label *label = bpf_task_storage_get(&vd_tasks, task, NULL, 0);

    if (label != NULL)
        return label->sid;
    return (task->flags & VD_PF_KTHREAD) != 0 ? VD_SID_KERNEL : VD_SID_NONE;
}

static __always_inline __u32 vd_current_sid(void)
{
    return vd_task_sid(bpf_get_current_task_btf());
}

static __always_inline __u32 vd_inode_kind(__u32 mode)
{
    switch (mode & VD_S_IFMT) {
    case VD_S_IFDIR:
        return VD_KC_DIR;
    case VD_S_IFLNK:
        return VD_KC_LNK_FILE;
    case VD_S_IFCHR:
        return VD_KC_CHR_FILE;
    case VD_S_IFBLK:
        return VD_KC_BLK_FILE;
    case VD_S_IFIFO:
        return VD_KC_FIFO_FILE;
    case VD_S_IFSOCK:
        return VD_KC_SOCK_FILE;
    default:
        return VD_KC_FILE;
    }
}

/* The label that all objects of a file system share; 0: each has its own. */
static __always_inline __u32 vd_sb_sid(struct super_block *sb)
{
    struct vd_fs_key key = {};
    __u32 *sid;

    key.magic = BPF_CORE_READ(sb, s_magic);
    /* tmpfs labels its files one by one, save in the kernel's own mount of it (memfd). */
    key.kernel_mount =
        key.magic == VD_TMPFS_MAGIC && (BPF_CORE_READ(sb, s_flags) & VD_SB_KERNMOUNT) != 0;
    sid = bpf_map_lookup_elem(&vd_filesystems, &key);
    return sid == NULL ? VD_SID_NONE : *sid;
}

/* The label in memory, without a look at the disk. */
static __always_inline __u32 vd_inode_sid(struct inode *inode)
{
    struct vd_inode_label *label = bpf_inode_storage_get(&vd_inodes, inode, NULL, 0);

    if (label != NULL && label->sid != 0)
        return label->sid;
    return vd_sb_sid(inode->i_sb);
}

static __always_inline void vd_request_init(struct vd_request *request, __u32 hook, __u32 source,
                                            __u32 target, __u32 kind)
{
    __u32 zero = 0;
    struct vd_kernel_names *names = bpf_map_lookup_elem(&vd_names, &zero);

    *request = (struct vd_request){};
    request->hook = hook;
    request->kind = kind;
    request->source = source;
    request->target = target;
    if (names != NULL && kind < VD_KC_COUNT)
        request->class = names->class[kind];
}

static __always_inline void vd_request_want(struct vd_request *request, __u32 perm)
{
    __u32 zero = 0;
    struct vd_kernel_names *names = bpf_map_lookup_elem(&vd_names, &zero);
    __u32 kind = request->kind;
    __u32 mask = 0;

    if (names != NULL && kind < VD_KC_COUNT && perm < VD_KP_COUNT)
        mask = names->perm[kind][perm];
    if (mask == 0)
        request->missing = 1;
    request->perms |= mask;
}

/* The object is an open file. */
static __always_inline void vd_request_file(struct vd_request *request, struct file *file)
{
    request->dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
    request->mount = (__u64)BPF_CORE_READ(file, f_path.mnt);
}

/* One permission on one target, asked and answered. */
static __always_inline int vd_ask(__u32 hook, __u32 source, __u32 target, __u32 kind, __u32 perm)
{
    struct vd_request request;

    vd_request_init(&request, hook, source, target, kind);
    vd_request_want(&request, perm);
    return vd_check(&request);
}

#endif
