/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Puts a compiled policy into the kernel and its enforcement into force.
 *
 *     vd_loader_open    judges policy and label files, loads programs and maps
 *     vd_loader_label   gives every file under a directory its label
 *     vd_loader_attach  labels the tasks, guards, attaches, pins
 *
 * Nothing is enforced before vd_loader_attach, so a failure before it leaves
 * the kernel as it was; one within it takes back what was attached. After it
 * the programs stay for good: they are pinned, and guard themselves.
 *
 * Needs root, a kernel with BPF LSM in force (`bpf` in /sys/kernel/security/lsm),
 * and the BPF file system at /sys/fs/bpf. One loader for one thread.
 */
#ifndef VD_KERNEL_LOADER_LOADER_H
#define VD_KERNEL_LOADER_LOADER_H

#include "core/abi/kernel.h"
#include "core/base/diag.h"

struct vd_loader;

struct vd_loader_options {
    const char *policy; /* paths */
    const char *file_contexts;
    const char *fs_contexts;
    bool permissive; /* record refusals, let them pass */
};

/* What was done, for reports. */
struct vd_loader_facts {
    uint64_t policy_size;    /* bytes */
    uint64_t files;          /* labelled or looked at */
    uint64_t unmatched;      /* of these without a label */
    uint32_t programs;       /* attached */
    uint32_t contexts;       /* known when attached */
    uint32_t user_processes; /* others than the caller that ran already */
};

/*
 * VD_E_UNSUPPORTED: the kernel has no BPF LSM in force; VD_E_EXISTS: a policy
 * is in force already; else the failing part's status. Freed with vd_loader_free.
 */
vd_status vd_loader_open(const struct vd_loader_options *options, struct vd_loader **ret,
                         struct vd_diag *diag);

/* Labels the tree at `path` (absolute). Only before vd_loader_attach. */
vd_status vd_loader_label(struct vd_loader *loader, const char *path, struct vd_diag *diag);

/* Puts the policy into force. */
vd_status vd_loader_attach(struct vd_loader *loader, struct vd_diag *diag);

/* Borrows; valid as long as the loader. */
const struct vd_loader_facts *vd_loader_facts(const struct vd_loader *loader);

/* Frees memory and descriptors; what is pinned stays. Serves VD_AUTO through a pointer. */
void vd_loader_free(struct vd_loader *loader);

#endif
