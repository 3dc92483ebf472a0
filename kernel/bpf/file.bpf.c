/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Files in use: opening, attributes, and mapping for execution. The permissions are those
 * that SELinux asks for (hooks.c: open_file_to_av, file_map_prot_check).
 */
#include "kernel/bpf/xattr.bpf.h"

SEC("lsm.s/file_open")
int BPF_PROG(vd_file_open, struct file *file)
{
    struct inode *inode = file->f_inode;
    __u32 mode = file->f_mode;
    __u32 flags = file->f_flags;
    struct vd_request request;

    vd_request_init(&request, VD_EVENT_FILE_OPEN, vd_current_sid(), vd_file_sid(file),
                    vd_inode_kind(inode->i_mode));
    vd_request_file(&request, file);
    vd_request_want(&request, VD_KP_OPEN);
    if ((flags & VD_O_FMODE_EXEC) != 0) {
        /* Opened to be executed: its reader is the kernel, not the program. */
        vd_request_want(&request, VD_KP_EXECUTE);
        return vd_check(&request);
    }
    /* Access mode 3, for devices' ioctls alone, has neither bit: it needs both rules. */
    if ((mode & (VD_FMODE_READ | VD_FMODE_WRITE)) == 0)
        mode |= VD_FMODE_READ | VD_FMODE_WRITE;
    if ((mode & VD_FMODE_READ) != 0)
        vd_request_want(&request, VD_KP_READ);
    if ((mode & VD_FMODE_WRITE) != 0)
        vd_request_want(&request, (flags & (VD_O_APPEND | VD_O_TRUNC)) == VD_O_APPEND
                                      ? VD_KP_APPEND
                                      : VD_KP_WRITE);
    return vd_check(&request);
}

/*
 * Attributes of a file. A change of size changes the content, whether or not
 * the file was opened for it (truncate(), O_RDONLY with O_TRUNC); so does
 * `touch`, which whoever may write can do anyway. The kernel's own removal of
 * set-user-id bits at a write was judged with the write.
 */
SEC("lsm.s/inode_setattr")
int BPF_PROG(vd_inode_setattr, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
    struct inode *inode = dentry->d_inode;
    __u32 valid = attr->ia_valid;
    struct vd_request request;

    if ((valid & VD_ATTR_FORCE) != 0) {
        valid &= ~(VD_ATTR_FORCE | VD_ATTR_MODE | VD_ATTR_KILLED);
        if ((valid & ~VD_ATTR_TIMES) == 0)
            return 0;
    }
    if (inode == NULL)
        return -VD_EACCES;
    vd_request_init(&request, VD_EVENT_SETATTR, vd_current_sid(), vd_dentry_sid(dentry),
                    vd_inode_kind(inode->i_mode));
    request.dentry = (__u64)dentry;
    if ((valid & VD_ATTR_CHOSEN) != 0)
        vd_request_want(&request, VD_KP_SETATTR);
    if ((valid & VD_ATTR_SIZE) != 0 || (valid & VD_ATTR_CHOSEN) == 0)
        vd_request_want(&request, VD_KP_WRITE);
    return vd_check(&request);
}

/*
 * Where the policy has extended permissions for the file, the command needs
 * `ioctl` and a rule that names it (SELinux: ioctl_has_perm).
 */
static __always_inline int vd_ask_command(struct file *file, __u32 command)
{
    struct inode *inode = file->f_inode;
    struct vd_request request;

    vd_request_init(&request, VD_EVENT_FILE_PERMISSION, vd_current_sid(), vd_inode_sid(inode),
                    vd_inode_kind(inode->i_mode));
    request.xperm = vd_ioctl_xperm(request.source, request.target, request.class, command);
    if (request.xperm == 0)
        return 0;
    vd_request_file(&request, file);
    vd_request_want(&request, VD_KP_IOCTL);
    return vd_check(&request);
}

/* Flags like "immutable" are set through ioctl: they are attributes. */
static __always_inline int vd_ask_flags(struct file *file, __u32 command)
{
    struct inode *inode = file->f_inode;
    struct vd_request request;

    if (command != VD_FS_IOC_SETFLAGS && command != VD_FS_IOC32_SETFLAGS &&
        command != VD_FS_IOC_FSSETXATTR)
        return 0;
    vd_request_init(&request, VD_EVENT_SETATTR, vd_current_sid(), vd_inode_sid(inode),
                    vd_inode_kind(inode->i_mode));
    vd_request_file(&request, file);
    vd_request_want(&request, VD_KP_SETATTR);
    return vd_check(&request);
}

SEC("lsm/file_ioctl")
int BPF_PROG(vd_file_ioctl, struct file *file, unsigned int command, unsigned long arg)
{
    int ret = vd_ask_flags(file, command);

    return ret != 0 ? ret : vd_ask_command(file, command);
}

SEC("lsm/file_ioctl_compat")
int BPF_PROG(vd_file_ioctl_compat, struct file *file, unsigned int command, unsigned long arg)
{
    int ret = vd_ask_flags(file, command);

    return ret != 0 ? ret : vd_ask_command(file, command);
}

/* Watching what happens to a file: a fanotify watch can also hold up or refuse every open. */
SEC("lsm/path_notify")
int BPF_PROG(vd_path_notify, const struct path *path, __u64 mask, unsigned int type)
{
    struct inode *inode = path->dentry->d_inode;
    struct vd_request request;

    if (inode == NULL)
        return -VD_EACCES;
    vd_request_init(&request, VD_EVENT_FILE_PERMISSION, vd_current_sid(), vd_inode_sid(inode),
                    vd_inode_kind(inode->i_mode));
    request.dentry = (__u64)path->dentry;
    vd_request_want(&request, VD_KP_WATCH);
    return vd_check(&request);
}

/* Memory that can be executed and is no unchanged file. */
static __always_inline int vd_ask_execmem(struct vd_request *request, __u32 hook, __u32 sid)
{
    vd_request_init(request, hook, sid, sid, VD_KC_PROCESS);
    vd_request_want(request, VD_KP_EXECMEM);
    return vd_check(request);
}

SEC("lsm.s/mmap_file")
int BPF_PROG(vd_mmap_file, struct file *file, unsigned long reqprot, unsigned long prot,
             unsigned long flags)
{
    __u32 type = flags & VD_MAP_TYPE;
    bool shared = type == VD_MAP_SHARED || type == VD_MAP_SHARED_VALIDATE;
    bool execute = (prot & VD_PROT_EXEC) != 0;
    bool writable = (prot & VD_PROT_WRITE) != 0;
    __u32 source = vd_current_sid();
    struct vd_request request;
    struct inode *inode;
    int ret;

    if (execute && (file == NULL || (!shared && writable))) {
        ret = vd_ask_execmem(&request, VD_EVENT_MMAP, source);
        if (ret != 0)
            return ret;
    }
    if (file == NULL)
        return 0;
    inode = file->f_inode;
    vd_request_init(&request, VD_EVENT_MMAP, source, vd_file_sid(file),
                    vd_inode_kind(inode->i_mode));
    vd_request_file(&request, file);
    vd_request_want(&request, VD_KP_MAP);
    vd_request_want(&request, VD_KP_READ);
    if (shared && writable)
        vd_request_want(&request, VD_KP_WRITE);
    if (execute)
        vd_request_want(&request, VD_KP_EXECUTE);
    return vd_check(&request);
}

/*
 * Memory made executable later: an anonymous region asks execmem, a file's
 * region execute, and execmod where private pages may have been written.
 */
SEC("lsm/file_mprotect")
int BPF_PROG(vd_file_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
             unsigned long prot)
{
    __u32 source = vd_current_sid();
    struct file *file = vma->vm_file;
    struct vd_request request;
    struct inode *inode;

    if ((prot & VD_PROT_EXEC) == 0)
        return 0;
    if (file == NULL)
        return vd_ask_execmem(&request, VD_EVENT_MPROTECT, source);
    inode = file->f_inode;
    vd_request_init(&request, VD_EVENT_MPROTECT, source, vd_inode_sid(inode),
                    vd_inode_kind(inode->i_mode));
    vd_request_file(&request, file);
    vd_request_want(&request, VD_KP_EXECUTE);
    if (vma->anon_vma != NULL || (prot & VD_PROT_WRITE) != 0)
        vd_request_want(&request, VD_KP_EXECMOD);
    return vd_check(&request);
}
