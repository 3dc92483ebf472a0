/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Files of the boot commands: new files, a directory of them, other programs run.
 *
 * Output is built in a temporary directory beside its place and moved there
 * file by file at the end, so that a failure leaves nothing half-written.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_FILES_H
#define VD_TOOLS_VERIDIAN_BOOT_FILES_H

#include "core/base/diag.h"
#include "core/boot/image.h"
#include "lib/file.h"

#include <limits.h>
#include <sys/types.h>

/* Writes and syncs a new file; VD_E_EXISTS if there is one. `mode` is exact, whatever the umask. */
vd_status vd_boot_file_store_new(const char *path, mode_t mode, const void *data, size_t size,
                                 struct vd_diag *diag);

/* "DIR/NAME" into `ret`; VD_E_LIMIT if it does not fit. */
vd_status vd_boot_path(char ret[PATH_MAX], const char *dir, const char *name, struct vd_diag *diag);

/* A directory under construction. */
struct vd_boot_stage {
    char final[PATH_MAX]; /* where the files go */
    char dir[PATH_MAX];   /* where they are built; empty: none */
    bool made_final;      /* the final directory was made by us */
};

/* Makes the output directory (mode 0700 if it is new) and a temporary one within it. */
vd_status vd_boot_stage_init(struct vd_boot_stage *stage, const char *final, struct vd_diag *diag);

/* Moves the named files (NULL-terminated list) into place; then nothing is left to undo. */
vd_status vd_boot_stage_commit(struct vd_boot_stage *stage, const char *const *names,
                               struct vd_diag *diag);

/*
 * The same, but never over a file: VD_E_EXISTS at the first one that is there. Of
 * two programs with the same list only one passes its first name.
 */
vd_status vd_boot_stage_commit_new(struct vd_boot_stage *stage, const char *const *names,
                                   struct vd_diag *diag);

/* Removes what was not committed; for VD_AUTO. */
void vd_boot_stage_done(struct vd_boot_stage *stage);

/*
 * Runs a program found in PATH and waits for it. VD_E_MISSING if there is no
 * such program (the diagnostic names `package`), VD_E_SYSTEM with the first
 * line of its messages if it fails. SOURCE_DATE_EPOCH is set to 0 unless the
 * environment has it.
 */
vd_status vd_boot_spawn(const char *const *argv, const char *package, struct vd_diag *diag);

#endif
