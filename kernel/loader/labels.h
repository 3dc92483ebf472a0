/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which file has which label: the two text files that go with a policy.
 *
 * File contexts, in SELinux's form: `REGEX [-TYPE] CONTEXT`, a line each; REGEX
 * is a POSIX extended expression over the whole path (without intervals, back
 * references and repetitions of repetitions, which the C library may take
 * unbounded time for), TYPE one of - d c b l p s;
 * the last line that matches wins; CONTEXT `<<none>>` leaves the file without a
 * label, that is, refused. File system contexts: `FSTYPE CONTEXT`, for file
 * systems whose objects all have one label.
 *
 * Both are input: every error has a file and a line, and nothing is applied.
 */
#ifndef VD_KERNEL_LOADER_LABELS_H
#define VD_KERNEL_LOADER_LABELS_H

#include "core/abi/kernel.h"
#include "core/base/diag.h"

#include <sys/types.h>

#define VD_LABEL_RULES_MAX  16384u
#define VD_LABEL_FILE_MAX   (4u << 20) /* bytes of either file */
#define VD_LABEL_GROUPS_MAX 8u         /* groups inside each other in an expression */

struct vd_label_rules;

/* Reads file contexts. `name` serves the diagnostic. Freed with vd_label_rules_free. */
vd_status vd_label_rules_parse(const char *text, size_t len, const char *name,
                               struct vd_label_rules **ret, struct vd_diag *diag);
void vd_label_rules_free(struct vd_label_rules *rules);

/* The context of the file `path` with that mode; NULL if no line matches or says <<none>>. */
const char *vd_label_rules_match(const struct vd_label_rules *rules, const char *path, mode_t mode);

/* Rule number `index` from 0: its context and line; NULL past the last or for <<none>>. */
size_t vd_label_rules_count(const struct vd_label_rules *rules);
const char *vd_label_rules_context(const struct vd_label_rules *rules, size_t index,
                                   uint32_t *ret_line);

/* A line of the file system contexts. */
struct vd_fs_label {
    struct vd_fs_key key;
    uint32_t line;
    char context[VD_LABEL_TEXT_SIZE];
};

#define VD_FS_LABELS_MAX 64u

struct vd_fs_labels {
    struct vd_fs_label rows[VD_FS_LABELS_MAX];
    size_t count;
};

/* Reads file system contexts. On failure `ret` is empty. */
vd_status vd_fs_labels_parse(const char *text, size_t len, const char *name,
                             struct vd_fs_labels *ret, struct vd_diag *diag);

/* What vd_label_walk does with a file: `fd` is an O_PATH descriptor of it. */
typedef vd_status vd_label_apply(void *arg, int fd, const char *path, const char *context,
                                 struct vd_diag *diag);

struct vd_label_walk {
    const struct vd_label_rules *rules;
    const struct vd_fs_labels *fs; /* their file systems are not walked */
    vd_label_apply *apply;
    void *arg;
    uint64_t files;     /* counted by the walk */
    uint64_t unmatched; /* files that no line matches */
    unsigned depth;     /* the walk's own */
};

/*
 * Calls `apply` for every file under the directory `path` and for itself, with
 * descriptors only: no path is resolved twice, no symbolic link followed. At
 * most 64 levels deep. Stops at the first failure.
 */
vd_status vd_label_tree(struct vd_label_walk *walk, const char *path, struct vd_diag *diag);

#endif
