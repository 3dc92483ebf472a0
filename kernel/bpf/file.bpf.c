/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Files in use: opening, and mapping for execution. The permissions are those
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
    if ((mode & VD_FMODE_READ) != 0)
        vd_request_want(&request, VD_KP_READ);
    if ((mode & VD_FMODE_WRITE) != 0)
        vd_request_want(&request, (flags & (VD_O_APPEND | VD_O_TRUNC)) == VD_O_APPEND
                                      ? VD_KP_APPEND
                                      : VD_KP_WRITE);
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
