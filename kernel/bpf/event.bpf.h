/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The record of a judged request, as core/abi/event.h has it. A full ring is
 * counted, never waited for.
 */
#ifndef VD_KERNEL_BPF_EVENT_BPF_H
#define VD_KERNEL_BPF_EVENT_BPF_H

#include "kernel/bpf/hooks.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, VD_KERNEL_EVENTS);
} vd_events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct vd_event_counters);
} vd_event_counters SEC(".maps");

#define VD_PATH_NAME_SIZE 64u /* with its '/', and the NUL that the next name overwrites */

static __always_inline __u16 vd_event_type(__u32 hook)
{
    switch (hook) {
    case VD_EVENT_FORK:
    case VD_EVENT_EXEC:
    case VD_EVENT_TRANSITION:
    case VD_EVENT_PTRACE:
    case VD_EVENT_SIGNAL:
        return VD_EVENT_TYPE_PROCESS;
    case VD_EVENT_RELABEL:
    case VD_EVENT_MOUNT:
    case VD_EVENT_MODULE:
    case VD_EVENT_BPF:
    case VD_EVENT_POLICY:
        return VD_EVENT_TYPE_CONFIGURATION;
    default:
        return VD_EVENT_TYPE_FILE;
    }
}

/*
 * The walk's state lies in the task's storage, not on the stack: the verifier
 * would follow every value of its counters.
 */
struct vd_path {
    struct vd_path_walk *walk;
    struct vd_event *event;
};

/* One step up, over a mount point or to the parent; 1 ends the walk. */
static long vd_path_up(__u64 index, struct vd_path *path)
{
    struct vd_path_walk *walk = path->walk;
    struct dentry *dentry = (struct dentry *)walk->dentry;
    struct mount *mount = (struct mount *)walk->mount;
    struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
    __u32 count = walk->count;

    if (dentry == parent || dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
        struct mount *above = BPF_CORE_READ(mount, mnt_parent);
        walk->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
        walk->mount = (__u64)above;
        walk->end = above == mount;
        return above == mount ? 1 : 0;
    }
    if (count >= VD_PATH_DEPTH)
        return 1;
    walk->names[count] = (__u64)BPF_CORE_READ(dentry, d_name.name);
    walk->count = count + 1;
    walk->dentry = (__u64)parent;
    return 0;
}

/* Writes the next name, from the root's side; 1 ends the text. */
static long vd_path_down(__u64 index, struct vd_path *path)
{
    struct vd_path_walk *walk = path->walk;
    struct vd_event *event = path->event;
    __u32 at = walk->at;
    __u32 name = walk->count - 1 - (__u32)index;
    long len;

    if (name >= VD_PATH_DEPTH)
        return 1;
    if (at > VD_EVENT_PATH_SIZE - VD_PATH_NAME_SIZE) {
        walk->end = 0;
        return 1;
    }
    event->path[at] = '/';
    len = bpf_probe_read_kernel_str(event->path + at + 1, VD_PATH_NAME_SIZE - 1,
                                    (void *)walk->names[name]);
    if (len <= 0 || len > VD_PATH_NAME_SIZE - 1)
        return 1;
    if (len == VD_PATH_NAME_SIZE - 1)
        walk->end = 0;
    walk->at = at + (__u32)len;
    return 0;
}

/* Writes the object's path, or its name where the mount is not known. */
static __always_inline void vd_event_path(struct vd_event *event, const struct vd_request *request)
{
    struct vfsmount *vfsmount = (struct vfsmount *)request->mount;
    struct dentry *dentry = (struct dentry *)request->dentry;
    struct vd_task_label *label =
        bpf_task_storage_get(&vd_tasks, bpf_get_current_task_btf(), NULL, 0);
    struct vd_path path = {.event = event};
    long len;

    if (vfsmount == NULL || label == NULL) {
        len = bpf_probe_read_kernel_str(event->path, sizeof(event->path),
                                        BPF_CORE_READ(dentry, d_name.name));
        event->path_len = len > 0 ? len - 1 : 0;
        event->flags |= VD_EVENT_F_NAME_ONLY;
        return;
    }
    path.walk = &label->path;
    __builtin_memset(path.walk, 0, sizeof(*path.walk));
    path.walk->dentry = (__u64)dentry;
    path.walk->mount = (__u64)((char *)vfsmount - bpf_core_field_offset(struct mount, mnt));
    bpf_loop(2 * VD_PATH_DEPTH, vd_path_up, &path, 0);
    bpf_loop(VD_PATH_DEPTH, vd_path_down, &path, 0);
    event->path_len = path.walk->at;
    if (path.walk->count == 0) {
        event->path[0] = '/';
        event->path_len = 1;
    }
    if (path.walk->end == 0)
        event->flags |= VD_EVENT_F_PATH_CUT;
}

static __always_inline void vd_event_inode(struct vd_event *event, struct dentry *dentry)
{
    struct inode *inode = BPF_CORE_READ(dentry, d_inode);

    if (inode == NULL)
        return; /* a name that is yet to be made */
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->device = BPF_CORE_READ(inode, i_sb, s_dev);
}

/* What came out of a request. */
struct vd_outcome {
    __u32 denied;
    __u32 audited;
    __u32 seqno;
    __u8 verdict; /* enum vd_event_verdict */
    __u8 permissive;
    __u16 flags;
};

static __attribute__((noinline)) int vd_event_send(const struct vd_request *request,
                                                   const struct vd_outcome *outcome)
{
    __u32 zero = 0;
    struct vd_event_counters *counters = bpf_map_lookup_elem(&vd_event_counters, &zero);
    struct vd_event *event;
    __u64 sequence, id;

    if (counters == NULL)
        return 0;
    sequence = __sync_fetch_and_add(&counters->next, 1);
    event = bpf_ringbuf_reserve(&vd_events, sizeof(*event), 0);
    if (event == NULL) {
        __sync_fetch_and_add(&counters->lost, 1);
        return 0;
    }
    __builtin_memset(event, 0, sizeof(*event));
    event->size = sizeof(*event);
    event->version = VD_EVENT_VERSION;
    event->type = vd_event_type(request->hook);
    event->time_ns = bpf_ktime_get_boot_ns();
    event->sequence = sequence;
    id = bpf_get_current_pid_tgid();
    event->pid = (__u32)id;
    event->tgid = id >> 32;
    id = bpf_get_current_uid_gid();
    event->uid = (__u32)id;
    event->gid = id >> 32;
    event->subject_sid = request->source;
    event->object_sid = request->target;
    event->class = request->class;
    event->requested = request->perms;
    event->denied = outcome->denied;
    event->audited = outcome->audited;
    event->policy_seqno = outcome->seqno;
    event->verdict = outcome->verdict;
    event->permissive = outcome->permissive;
    event->error = outcome->verdict == VD_EVENT_ALLOWED || outcome->permissive ? 0 : -VD_EACCES;
    event->flags = outcome->flags;
    event->new_sid = request->made;
    event->hook = request->hook;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    if (request->dentry != 0) {
        vd_event_inode(event, (struct dentry *)request->dentry);
        vd_event_path(event, request);
    }
    bpf_ringbuf_submit(event, 0);
    return 0;
}

#endif
