/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of labels: security.bpf.* attributes. Only a domain that may relabel
 * from the old and to the new label sets one; nobody removes one.
 */
#include "kernel/bpf/xattr.bpf.h"

static const char vd_prefix[] = VD_XATTR_PREFIX;

/* True if the attribute is one of ours, or if its name cannot be read. */
static __always_inline bool vd_is_label_name(const char *name)
{
    char text[sizeof(VD_XATTR_PREFIX)] = {};

    if (bpf_probe_read_kernel_str(text, sizeof(text), name) < 0)
        return true;
    for (__u32 i = 0; i < sizeof(VD_XATTR_PREFIX) - 1; i++) {
        if (text[i] != vd_prefix[i])
            return false;
    }
    return true;
}

/*
 * The sid of the label in the hook's argument number `arg`, of `size` bytes; 0
 * if the policy's labels have none such. Fetched by number, since older kernels
 * refuse a program that names an argument of type void pointer.
 */
static __always_inline __u32 vd_value_sid(void *ctx, __u32 arg, size_t size)
{
    struct vd_task_label *scratch = vd_label_scratch();
    __u64 value;
    __u32 len = size > VD_LABEL_TEXT_SIZE ? 0 : (__u32)size;
    __u32 *sid;

    /* The verifier must see the compared register used as the length. */
    __asm__ volatile("" : "+r"(len));
    if (scratch == NULL || len == 0 || len > VD_LABEL_TEXT_SIZE)
        return VD_SID_NONE;
    if (bpf_get_func_arg(ctx, arg, &value) != 0 ||
        bpf_probe_read_kernel(scratch->text, len, (void *)value) != 0)
        return VD_SID_NONE;
    sid = bpf_map_lookup_elem(&vd_label_texts, scratch->text);
    return sid == NULL ? VD_SID_NONE : *sid;
}

static __always_inline int vd_ask_relabel(struct dentry *dentry, __u32 target, __u32 perm)
{
    struct inode *inode = dentry->d_inode;
    struct vd_request request;

    if (inode == NULL)
        return -VD_EACCES;
    vd_request_init(&request, VD_EVENT_RELABEL, vd_current_sid(), target,
                    vd_inode_kind(inode->i_mode));
    request.dentry = (__u64)dentry;
    vd_request_want(&request, perm);
    return vd_check(&request);
}

SEC("lsm.s/inode_setxattr")
int BPF_PROG(vd_inode_setxattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
             const void *value, size_t size, int flags)
{
    __u32 old;
    int ret;

    if (!vd_is_label_name(name))
        return 0;
    old = vd_dentry_sid(dentry);
    ret = vd_ask_relabel(dentry, old == VD_SID_NONE ? VD_SID_UNLABELED : old, VD_KP_RELABELFROM);
    return ret != 0 ? ret : vd_ask_relabel(dentry, vd_value_sid(ctx, 3, size), VD_KP_RELABELTO);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(vd_inode_removexattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name)
{
    if (!vd_is_label_name(name))
        return 0;
    /* Sid 0 as the new label: refused for every domain, with an event. */
    return vd_ask_relabel(dentry, VD_SID_NONE, VD_KP_RELABELTO);
}

/* The attribute stands on the disk: the label in memory follows. */
SEC("lsm/inode_post_setxattr")
int BPF_PROG(vd_inode_post_setxattr, struct dentry *dentry, const char *name, const void *value,
             size_t size, int flags)
{
    struct inode *inode = dentry->d_inode;
    struct vd_inode_label *label;
    __u32 sid;

    if (inode == NULL || !vd_is_label_name(name))
        return 0;
    sid = vd_value_sid(ctx, 2, size);
    label = bpf_inode_storage_get(&vd_inodes, inode, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (label != NULL)
        label->sid = sid;
    return 0;
}
