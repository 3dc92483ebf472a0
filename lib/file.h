/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Whole files: read with a bound, written so that nobody ever sees half of one.
 *
 * For configuration, keys, images and reports, all of which fit in memory; a
 * log that grows has its own writer. Threads: no shared state.
 */
#ifndef VD_LIB_FILE_H
#define VD_LIB_FILE_H

#include "core/base/diag.h"

#include <sys/types.h>

/* Bytes on the heap. A NUL that `size` does not count always follows them. */
struct vd_bytes {
    uint8_t *data;
    size_t size;
};

/* Wipes nothing: secrets have a type of their own. Serves VD_AUTO; an empty struct is fine. */
void vd_bytes_free(struct vd_bytes *bytes);

/*
 * Reads the whole file at `path` into `ret`, which the caller frees. At most
 * `max_bytes` (VD_E_LIMIT beyond). The size a file claims is only a hint, so
 * pipes, devices and files of /proc and /sys work.
 * VD_E_NOT_FOUND: no such file; VD_E_INVALID: a directory; VD_E_IO: the rest.
 * The diagnostic names the file.
 */
vd_status vd_file_load(const char *path, size_t max_bytes, struct vd_bytes *ret,
                       struct vd_diag *diag);

/* The same from an open descriptor, which stays open; `name` serves the diagnostic alone. */
vd_status vd_file_load_fd(int fd, const char *name, size_t max_bytes, struct vd_bytes *ret,
                          struct vd_diag *diag);

/*
 * Writes `path` as a whole: a new file in the same directory, synced, renamed
 * over the old one, directory synced. Whoever opens `path`, and whatever power
 * cut or kill comes between, sees the old content or the new. `mode` is set as
 * given, whatever the umask. A symbolic link at `path` is replaced, not followed.
 * A device or pipe there is written directly. A kill can leave a file
 * `.NAME.XXXXXXXX.tmp` beside it.
 * VD_E_NOT_FOUND: no such directory; VD_E_NO_SPACE; VD_E_IO: the rest.
 */
vd_status vd_file_store(const char *path, const void *data, size_t size, mode_t mode,
                        struct vd_diag *diag);

/* Writes all bytes to `fd`, however often the kernel takes only a part; errno on failure. */
vd_status vd_fd_write(int fd, const void *data, size_t size);

/* Closes and sets to -1; serves VD_AUTO. A negative descriptor is fine; errno is kept. */
void vd_fd_close(int *fd);

#endif
