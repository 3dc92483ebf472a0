/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Labels on disk: the extended attribute security.bpf.veridian, whose value is
 * a context as text. Read in sleepable hooks only, once per inode in memory.
 * Kernels before 6.13 or so let BPF read user.* attributes only and answer
 * -EPERM here: the label is then missing unless the loader set it.
 */
#ifndef VD_KERNEL_BPF_XATTR_BPF_H
#define VD_KERNEL_BPF_XATTR_BPF_H

#include "kernel/bpf/hooks.bpf.h"

extern int bpf_get_file_xattr(struct file *file, const char *name__str,
                              struct bpf_dynptr *value_p) __ksym;
extern int bpf_get_dentry_xattr(struct dentry *dentry, const char *name__str,
                                struct bpf_dynptr *value_p) __ksym;

static const char vd_xattr_name[] = VD_XATTR_NAME;

/* The task's text buffer, all zero: it becomes a key of vd_label_texts. */
static __always_inline struct vd_task_label *vd_label_scratch(void)
{
    struct vd_task_label *label =
        bpf_task_storage_get(&vd_tasks, bpf_get_current_task_btf(), NULL, 0);

    if (label != NULL)
        __builtin_memset(label->text, 0, sizeof(label->text));
    return label;
}

/*
 * Takes the text of `len` bytes in the scratch as the inode's label. A label
 * set meanwhile stands: only 0 is replaced.
 */
static __always_inline __u32 vd_label_adopt(struct inode *inode, struct vd_task_label *scratch,
                                            int len)
{
    struct vd_inode_label *label;
    __u32 *sid;

    if (len <= 0 || len > VD_LABEL_TEXT_SIZE)
        return VD_SID_NONE;
    sid = bpf_map_lookup_elem(&vd_label_texts, scratch->text);
    if (sid == NULL)
        return VD_SID_NONE;
    label = bpf_inode_storage_get(&vd_inodes, inode, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (label == NULL)
        return VD_SID_NONE;
    __sync_val_compare_and_swap(&label->sid, 0, *sid);
    return label->sid;
}

static __always_inline __u32 vd_file_sid(struct file *file)
{
    struct inode *inode = file->f_inode;
    __u32 sid = vd_inode_sid(inode);
    struct vd_task_label *scratch;
    struct bpf_dynptr value;
    int len;

    if (sid != VD_SID_NONE)
        return sid;
    scratch = vd_label_scratch();
    if (scratch == NULL ||
        bpf_dynptr_from_mem(scratch->text, sizeof(scratch->text), 0, &value) != 0)
        return VD_SID_NONE;
    len = bpf_get_file_xattr(file, vd_xattr_name, &value);
    return vd_label_adopt(inode, scratch, len);
}

static __always_inline __u32 vd_dentry_sid(struct dentry *dentry)
{
    struct inode *inode = dentry->d_inode;
    struct vd_task_label *scratch;
    struct bpf_dynptr value;
    __u32 sid;
    int len;

    if (inode == NULL)
        return VD_SID_NONE;
    sid = vd_inode_sid(inode);
    if (sid != VD_SID_NONE)
        return sid;
    scratch = vd_label_scratch();
    if (scratch == NULL ||
        bpf_dynptr_from_mem(scratch->text, sizeof(scratch->text), 0, &value) != 0)
        return VD_SID_NONE;
    len = bpf_get_dentry_xattr(dentry, vd_xattr_name, &value);
    return vd_label_adopt(inode, scratch, len);
}

#endif
