/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What could take the enforcement away: bpf(), the maps and programs
 * themselves, mounts over the pins, tracing and killing the services, and
 * foreign code in the kernel. Root needs a rule for each like everyone.
 */
#include "kernel/bpf/hooks.bpf.h"

#define VD_BPF_COMMON_ATTRS 65536
#define VD_PTRACE_MODE_READ 1u
#define VD_SIGKILL          9
#define VD_SIGCHLD          17
#define VD_SIGSTOP          19
#define VD_MS_REMOUNT       32ul

/* What each command of bpf() needs; those not named, and new ones, need prog_load. */
static __always_inline __u32 vd_bpf_perm(int cmd)
{
    switch (cmd & ~VD_BPF_COMMON_ATTRS) {
    case BPF_MAP_CREATE:
        return VD_KP_MAP_CREATE;
    case BPF_MAP_LOOKUP_ELEM:
    case BPF_MAP_GET_NEXT_KEY:
    case BPF_MAP_LOOKUP_BATCH:
    case BPF_MAP_GET_NEXT_ID:
    case BPF_MAP_GET_FD_BY_ID:
    case BPF_OBJ_GET:
    case BPF_OBJ_GET_INFO_BY_FD:
        return VD_KP_MAP_READ;
    case BPF_MAP_UPDATE_ELEM:
    case BPF_MAP_DELETE_ELEM:
    case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
    case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
    case BPF_MAP_UPDATE_BATCH:
    case BPF_MAP_DELETE_BATCH:
        return VD_KP_MAP_WRITE;
    case BPF_PROG_TEST_RUN:
        return VD_KP_PROG_RUN;
    default:
        return VD_KP_PROG_LOAD;
    }
}

SEC("lsm/bpf")
int BPF_PROG(vd_bpf, int cmd, union bpf_attr *attr, unsigned int size)
{
    __u32 sid = vd_current_sid();

    return vd_ask(VD_EVENT_BPF, sid, sid, VD_KC_BPF, vd_bpf_perm(cmd));
}

/* A descriptor of a map: our own are objects of the security server. */
SEC("lsm/bpf_map")
int BPF_PROG(vd_bpf_map, struct bpf_map *map, fmode_t fmode)
{
    struct vd_guard_key key = {.kind = VD_GUARD_MAP, .id = map->id};
    __u32 *guarded = bpf_map_lookup_elem(&vd_guarded, &key);
    __u32 sid = vd_current_sid();
    struct vd_request request;

    if (guarded == NULL) {
        vd_request_init(&request, VD_EVENT_BPF, sid, sid, VD_KC_BPF);
        vd_request_want(&request, (fmode & VD_FMODE_WRITE) != 0 ? VD_KP_MAP_WRITE : VD_KP_MAP_READ);
        return vd_check(&request);
    }
    vd_request_init(&request, VD_EVENT_BPF, sid, VD_SID_SECURITY, VD_KC_SECURITY);
    if (*guarded == VD_GUARD_EVENTS)
        vd_request_want(&request, VD_KP_READ_POLICY);
    else if ((fmode & VD_FMODE_WRITE) != 0)
        vd_request_want(&request, VD_KP_LOAD_POLICY);
    else
        vd_request_want(&request, VD_KP_COMPUTE_AV);
    return vd_check(&request);
}

SEC("lsm/bpf_prog")
int BPF_PROG(vd_bpf_prog, struct bpf_prog *prog)
{
    struct vd_guard_key key = {.kind = VD_GUARD_PROGRAM, .id = BPF_CORE_READ(prog, aux, id)};
    __u32 *guarded = bpf_map_lookup_elem(&vd_guarded, &key);
    __u32 sid = vd_current_sid();

    if (guarded != NULL)
        return vd_ask(VD_EVENT_BPF, sid, VD_SID_SECURITY, VD_KC_SECURITY, VD_KP_LOAD_POLICY);
    return vd_ask(VD_EVENT_BPF, sid, sid, VD_KC_BPF, VD_KP_PROG_RUN);
}

/* `perm` on the file system of a mount. */
static __always_inline int vd_ask_filesystem(struct super_block *sb, __u32 perm)
{
    __u32 target = vd_sb_sid(sb);

    if (target == VD_SID_NONE)
        target = VD_SID_UNLABELED;
    return vd_ask(VD_EVENT_MOUNT, vd_current_sid(), target, VD_KC_FILESYSTEM, perm);
}

/* Mounting over an object. */
static __always_inline int vd_ask_mounton(const struct path *path)
{
    struct inode *inode = path->dentry->d_inode;
    struct vd_request request;

    if (inode == NULL)
        return -VD_EACCES;
    vd_request_init(&request, VD_EVENT_MOUNT, vd_current_sid(), vd_inode_sid(inode),
                    vd_inode_kind(inode->i_mode));
    request.dentry = (__u64)path->dentry;
    vd_request_want(&request, VD_KP_MOUNTON);
    return vd_check(&request);
}

SEC("lsm/sb_mount")
int BPF_PROG(vd_sb_mount, const char *device, const struct path *path, const char *type,
             unsigned long flags, void *data)
{
    if ((flags & VD_MS_REMOUNT) != 0)
        return vd_ask_filesystem(path->dentry->d_sb, VD_KP_REMOUNT);
    return vd_ask_mounton(path);
}

/* The steps of the newer calls (fsopen, fsmount, fspick), which sb_mount does not see. */
SEC("lsm/sb_set_mnt_opts")
int BPF_PROG(vd_sb_set_mnt_opts, struct super_block *sb)
{
    return vd_ask_filesystem(sb, VD_KP_MOUNT);
}

SEC("lsm/sb_remount")
int BPF_PROG(vd_sb_remount, struct super_block *sb)
{
    return vd_ask_filesystem(sb, VD_KP_REMOUNT);
}

SEC("lsm/move_mount")
int BPF_PROG(vd_move_mount, const struct path *from, const struct path *to)
{
    return vd_ask_mounton(to);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(vd_sb_pivotroot, const struct path *old_path, const struct path *new_path)
{
    return vd_ask_mounton(old_path);
}

SEC("lsm/sb_umount")
int BPF_PROG(vd_sb_umount, struct vfsmount *mnt, int flags)
{
    return vd_ask_filesystem(mnt->mnt_sb, VD_KP_UNMOUNT);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(vd_ptrace_access_check, struct task_struct *child, unsigned int mode)
{
    __u32 source = vd_current_sid();
    __u32 target = vd_task_sid(child);

    if ((mode & VD_PTRACE_MODE_READ) != 0)
        return vd_ask(VD_EVENT_PTRACE, source, target, VD_KC_FILE, VD_KP_READ);
    return vd_ask(VD_EVENT_PTRACE, source, target, VD_KC_PROCESS, VD_KP_PTRACE);
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(vd_ptrace_traceme, struct task_struct *parent)
{
    return vd_ask(VD_EVENT_PTRACE, vd_task_sid(parent), vd_current_sid(), VD_KC_PROCESS,
                  VD_KP_PTRACE);
}

static __always_inline __u32 vd_signal_perm(int sig)
{
    switch (sig) {
    case 0:
        return VD_KP_SIGNULL;
    case VD_SIGKILL:
        return VD_KP_SIGKILL;
    case VD_SIGCHLD:
        return VD_KP_SIGCHLD;
    case VD_SIGSTOP:
        return VD_KP_SIGSTOP;
    default:
        return VD_KP_SIGNAL;
    }
}

/*
 * With other credentials than the current task's the signal was prepared by
 * another task (USB, I/O completion): whose label that was is not known, so the
 * sender is taken as unlabelled, and refused.
 */
SEC("lsm/task_kill")
int BPF_PROG(vd_task_kill, struct task_struct *task, struct kernel_siginfo *info, int sig,
             const struct cred *cred)
{
    struct task_struct *current = bpf_get_current_task_btf();
    __u32 source = VD_SID_NONE;

    if (cred == NULL || cred == current->cred)
        source = vd_task_sid(current);
    return vd_ask(VD_EVENT_SIGNAL, source, vd_task_sid(task), VD_KC_PROCESS, vd_signal_perm(sig));
}

/* Who made a task the owner of a file, to be signalled (F_SETOWN): by the file's address. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, __u32);
} vd_owners SEC(".maps");

SEC("lsm/file_set_fowner")
int BPF_PROG(vd_file_set_fowner, struct file *file)
{
    __u64 key = (__u64)file;
    __u32 sid = vd_current_sid();

    /* An entry of an earlier file at that address must not stand for this one. */
    if (bpf_map_update_elem(&vd_owners, &key, &sid, BPF_ANY) != 0)
        bpf_map_delete_elem(&vd_owners, &key);
    return 0;
}

/*
 * F_SETSIG chooses any signal, SIGKILL too. Whoever's input or output sets it
 * off is not the sender: that is the task that called F_SETOWN.
 */
SEC("lsm/file_send_sigiotask")
int BPF_PROG(vd_file_send_sigiotask, struct task_struct *task, struct fown_struct *owner, int sig)
{
    __u64 key = (__u64)BPF_CORE_READ(owner, file);
    __u32 *source = bpf_map_lookup_elem(&vd_owners, &key);

    return vd_ask(VD_EVENT_SIGNAL, source == NULL ? VD_SID_NONE : *source, vd_task_sid(task),
                  VD_KC_PROCESS, sig == 0 ? VD_KP_SIGNAL : vd_signal_perm(sig));
}

/* Limits end a process as surely as a signal does: RLIMIT_FSIZE 0, RLIMIT_CPU 0. */
SEC("lsm/task_setrlimit")
int BPF_PROG(vd_task_setrlimit, struct task_struct *task, unsigned int resource)
{
    return vd_ask(VD_EVENT_PTRACE, vd_current_sid(), vd_task_sid(task), VD_KC_PROCESS,
                  VD_KP_SETRLIMIT);
}

static __always_inline int vd_ask_setsched(struct task_struct *task)
{
    return vd_ask(VD_EVENT_PTRACE, vd_current_sid(), vd_task_sid(task), VD_KC_PROCESS,
                  VD_KP_SETSCHED);
}

SEC("lsm/task_setscheduler")
int BPF_PROG(vd_task_setscheduler, struct task_struct *task)
{
    return vd_ask_setsched(task);
}

SEC("lsm/task_setnice")
int BPF_PROG(vd_task_setnice, struct task_struct *task, int nice)
{
    return vd_ask_setsched(task);
}

SEC("lsm/task_setioprio")
int BPF_PROG(vd_task_setioprio, struct task_struct *task, int priority)
{
    return vd_ask_setsched(task);
}

static __always_inline int vd_ask_kernel_code(void)
{
    __u32 sid = vd_current_sid();

    return vd_ask(VD_EVENT_MODULE, sid, sid, VD_KC_SYSTEM, VD_KP_MODULE_LOAD);
}

SEC("lsm/kernel_read_file")
int BPF_PROG(vd_kernel_read_file, struct file *file, enum kernel_read_file_id id, bool contents)
{
    return vd_ask_kernel_code();
}

SEC("lsm/kernel_load_data")
int BPF_PROG(vd_kernel_load_data, enum kernel_load_data_id id, bool contents)
{
    return vd_ask_kernel_code();
}

/*
 * Every way to the kernel's memory and the machine's ports that lockdown knows:
 * /proc/kcore, iopl and ioperm, tracefs, kprobes, … whatever the lockdown module
 * itself, which may be off, says.
 */
SEC("lsm/locked_down")
int BPF_PROG(vd_locked_down, enum lockdown_reason what)
{
    return vd_ask_kernel_code();
}
