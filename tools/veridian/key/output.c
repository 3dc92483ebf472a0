/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Outputs that appear whole or not at all. */
#define _GNU_SOURCE
#include "tools/veridian/key/common.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/diagf.h"
#include "lib/sys.h"

static bool is_standard(const char *path)
{
    return path == NULL || strcmp(path, "-") == 0;
}

/* A new file beside `path`, under a name that nobody guesses. */
static vd_status make_temporary(struct vd_key_output *o, mode_t mode, struct vd_diag *diag)
{
    char *copy = strdup(o->path);
    char *directory = copy != NULL ? dirname(copy) : NULL;

    if (directory == NULL || asprintf(&o->temporary, "%s/.veridian-XXXXXX", directory) < 0) {
        o->temporary = NULL;
        free(copy);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    }
    free(copy);
    o->fd = mkostemp(o->temporary, O_CLOEXEC);
    if (o->fd < 0) {
        free(o->temporary);
        o->temporary = NULL;
        return vd_sys_errno(diag, errno, "cannot make a file beside it", o->path);
    }
    return fchmod(o->fd, mode) == 0
               ? VD_OK
               : vd_sys_errno(diag, errno, "cannot set the file's mode", o->path);
}

vd_status vd_key_output_begin(struct vd_key_output *o, const char *path, mode_t mode,
                              struct vd_diag *diag)
{
    struct stat st;

    *o = (struct vd_key_output){.path = path, .fd = -1};
    if (is_standard(path)) {
        if (path == NULL && isatty(STDOUT_FILENO)) {
            vd_diag_hint(diag, "--out FILE writes a file, --out - writes to the terminal anyway");
            return vd_diag_fail(diag, VD_E_USAGE, "the output is no text for a terminal");
        }
        o->fd = STDOUT_FILENO;
        return VD_OK;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY); /* a pipe or device */
        return o->fd >= 0 ? VD_OK : vd_sys_errno(diag, errno, "cannot open", path);
    }
    return make_temporary(o, mode, diag);
}

vd_status vd_key_output_write(struct vd_key_output *o, const void *data, size_t size,
                              struct vd_diag *diag)
{
    return vd_fd_write(o->fd, data, size) == VD_OK
               ? VD_OK
               : vd_sys_errno(diag, errno, "cannot write",
                              is_standard(o->path) ? "standard output" : o->path);
}

static vd_status sync_directory(const char *path, struct vd_diag *diag)
{
    char *copy = strdup(path);
    int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool good = fd >= 0 && fsync(fd) == 0;

    free(copy);
    if (fd >= 0)
        close(fd);
    return good ? VD_OK : vd_sys_errno(diag, errno, "cannot sync its directory", path);
}

vd_status vd_key_output_finish(struct vd_key_output *o, struct vd_diag *diag)
{
    if (o->temporary == NULL)
        return VD_OK;
    if (fsync(o->fd) != 0 || rename(o->temporary, o->path) != 0)
        return vd_sys_errno(diag, errno, "cannot finish the file", o->path);
    free(o->temporary);
    o->temporary = NULL;
    return sync_directory(o->path, diag);
}

void vd_key_output_drop(struct vd_key_output *o)
{
    if (o->temporary != NULL) {
        unlink(o->temporary);
        free(o->temporary);
        o->temporary = NULL;
    }
    if (o->fd > STDERR_FILENO)
        close(o->fd);
    o->fd = -1;
}

vd_status vd_key_write(const char *path, const void *data, size_t size, mode_t mode,
                       struct vd_diag *diag)
{
    struct vd_key_output o VD_AUTO(vd_key_output_drop) = {.fd = -1};

    VD_TRY(vd_key_output_begin(&o, path, mode, diag));
    VD_TRY(vd_key_output_write(&o, data, size, diag));
    return vd_key_output_finish(&o, diag);
}
