/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the loader's files share.
 */
#ifndef VD_KERNEL_LOADER_INTERNAL_H
#define VD_KERNEL_LOADER_INTERNAL_H

#include "core/policydb/policydb.h"
#include "kernel/loader/labels.h"
#include "kernel/loader/loader.h"
#include "lib/file.h"

/* bpftool's text, not ours to mend. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "kernel/veridian.skel.h"
#pragma GCC diagnostic pop

struct vd_loader {
    struct vd_loader_facts facts;
    struct vd_bytes policy;
    struct vd_policydb db;
    struct vd_label_rules *rules;
    struct vd_fs_labels fs;
    struct vd_kernel *kernel; /* the skeleton */
    uint32_t next_sid;
    bool permissive;
};

/* Fills the maps from the policy: names, contexts, label texts, the policy itself. */
vd_status vd_loader_fill(struct vd_loader *loader, struct vd_diag *diag);

/* The sid of a context given as text, a new one if it has none yet. */
vd_status vd_loader_sid(struct vd_loader *loader, const char *text, uint32_t *ret,
                        struct vd_diag *diag);

/* Labels the caller and every other task of user space that runs. */
vd_status vd_loader_tasks(struct vd_loader *loader, struct vd_diag *diag);

/* Registers every map and program as guarded. */
vd_status vd_loader_guard(struct vd_loader *loader, struct vd_diag *diag);

/* Writes a map's element; key and value have the map's sizes. */
vd_status vd_loader_put(const struct bpf_map *map, const void *key, const void *value,
                        struct vd_diag *diag);

#endif
