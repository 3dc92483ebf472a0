/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Directories' contents: new objects and their labels, removal, renaming.
 *
 * A new object's label is the transition of (task, parent directory, class),
 * put into inode storage by inode_init_security, which the file system calls
 * before the object can be found by its name.
 */
#include "kernel/bpf/xattr.bpf.h"

/* `perm` on the directory. */
static __always_inline int vd_ask_dir(__u32 hook, __u32 source, struct inode *dir,
                                      struct dentry *dentry, __u32 perm)
{
    struct vd_request request;

    vd_request_init(&request, hook, source, vd_inode_sid(dir), VD_KC_DIR);
    request.dentry = (__u64)dentry;
    vd_request_want(&request, VD_KP_WRITE);
    vd_request_want(&request, perm);
    return vd_check(&request);
}

/* A new object of class `kind` in `dir`. */
static __always_inline int vd_ask_create(struct inode *dir, struct dentry *dentry, __u32 kind)
{
    __u32 source = vd_current_sid();
    __u32 parent = vd_inode_sid(dir);
    struct vd_request request;
    __u32 made = VD_SID_NONE;
    int ret = vd_ask_dir(VD_EVENT_CREATE, source, dir, dentry, VD_KP_ADD_NAME);

    if (ret != 0)
        return ret;
    if (source != VD_SID_NONE && parent != VD_SID_NONE)
        made = vd_transition_sid(source, parent, kind);
    vd_request_init(&request, VD_EVENT_CREATE, source, made, kind);
    request.made = made;
    request.dentry = (__u64)dentry;
    vd_request_want(&request, VD_KP_CREATE);
    return vd_check(&request);
}

/* `perm` on the object of a name; its label is `target`. */
static __always_inline int vd_ask_object(__u32 hook, struct dentry *dentry, __u32 target,
                                         __u32 perm)
{
    struct inode *inode = dentry->d_inode;
    struct vd_request request;

    if (inode == NULL)
        return -VD_EACCES;
    vd_request_init(&request, hook, vd_current_sid(), target, vd_inode_kind(inode->i_mode));
    request.dentry = (__u64)dentry;
    vd_request_want(&request, perm);
    return vd_check(&request);
}

SEC("lsm.s/inode_create")
int BPF_PROG(vd_inode_create, struct inode *dir, struct dentry *dentry, umode_t mode)
{
    return vd_ask_create(dir, dentry, VD_KC_FILE);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(vd_inode_mkdir, struct inode *dir, struct dentry *dentry, umode_t mode)
{
    return vd_ask_create(dir, dentry, VD_KC_DIR);
}

SEC("lsm.s/inode_symlink")
int BPF_PROG(vd_inode_symlink, struct inode *dir, struct dentry *dentry, const char *target)
{
    return vd_ask_create(dir, dentry, VD_KC_LNK_FILE);
}

SEC("lsm.s/inode_mknod")
int BPF_PROG(vd_inode_mknod, struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev)
{
    return vd_ask_create(dir, dentry, vd_inode_kind(mode));
}

SEC("lsm/inode_link")
int BPF_PROG(vd_inode_link, struct dentry *old_dentry, struct inode *dir, struct dentry *new_dentry)
{
    struct inode *inode = old_dentry->d_inode;
    /* This hook cannot sleep: a label that only the disk has is missing here. */
    __u32 target = inode == NULL ? VD_SID_NONE : vd_inode_sid(inode);
    int ret = vd_ask_dir(VD_EVENT_LINK, vd_current_sid(), dir, new_dentry, VD_KP_ADD_NAME);

    return ret != 0 ? ret : vd_ask_object(VD_EVENT_LINK, old_dentry, target, VD_KP_LINK);
}

SEC("lsm.s/inode_unlink")
int BPF_PROG(vd_inode_unlink, struct inode *dir, struct dentry *dentry)
{
    int ret = vd_ask_dir(VD_EVENT_UNLINK, vd_current_sid(), dir, dentry, VD_KP_REMOVE_NAME);

    return ret != 0 ? ret
                    : vd_ask_object(VD_EVENT_UNLINK, dentry, vd_dentry_sid(dentry), VD_KP_UNLINK);
}

SEC("lsm.s/inode_rmdir")
int BPF_PROG(vd_inode_rmdir, struct inode *dir, struct dentry *dentry)
{
    int ret = vd_ask_dir(VD_EVENT_UNLINK, vd_current_sid(), dir, dentry, VD_KP_REMOVE_NAME);

    return ret != 0 ? ret
                    : vd_ask_object(VD_EVENT_UNLINK, dentry, vd_dentry_sid(dentry), VD_KP_RMDIR);
}

SEC("lsm.s/inode_rename")
int BPF_PROG(vd_inode_rename, struct inode *old_dir, struct dentry *old_dentry,
             struct inode *new_dir, struct dentry *new_dentry)
{
    __u32 source = vd_current_sid();
    struct inode *replaced = new_dentry->d_inode;
    int ret = vd_ask_dir(VD_EVENT_RENAME, source, old_dir, old_dentry, VD_KP_REMOVE_NAME);

    if (ret == 0)
        ret = vd_ask_object(VD_EVENT_RENAME, old_dentry, vd_dentry_sid(old_dentry), VD_KP_RENAME);
    if (ret == 0)
        ret = vd_ask_dir(VD_EVENT_RENAME, source, new_dir, new_dentry, VD_KP_ADD_NAME);
    if (ret == 0 && replaced != NULL)
        ret = vd_ask_object(VD_EVENT_RENAME, new_dentry, vd_dentry_sid(new_dentry),
                            vd_inode_kind(replaced->i_mode) == VD_KC_DIR ? VD_KP_RMDIR
                                                                         : VD_KP_UNLINK);
    return ret;
}

/* The new inode is not yet reachable: nobody can see it without its label. */
SEC("lsm/inode_init_security")
int BPF_PROG(vd_inode_init_security, struct inode *inode, struct inode *dir,
             const struct qstr *name, struct xattr *xattrs, int *xattr_count)
{
    __u32 source = vd_current_sid();
    __u32 parent = vd_inode_sid(dir);
    struct vd_inode_label *label;
    __u32 made = VD_SID_NONE;

    if (source != VD_SID_NONE && parent != VD_SID_NONE)
        made = vd_transition_sid(source, parent, vd_inode_kind(inode->i_mode));
    if (made == VD_SID_NONE)
        return 0; /* stays unlabelled, which is refused at use */
    label = bpf_inode_storage_get(&vd_inodes, inode, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (label == NULL)
        return -VD_ENOMEM;
    label->sid = made;
    return 0;
}
