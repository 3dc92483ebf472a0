/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/file.h"
#include "lib/diagf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_READ_BYTES ((size_t)64 << 10)
#define TEMP_NAME_TRIES  16

void vd_bytes_free(struct vd_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct vd_bytes){};
}

void vd_fd_close(int *fd)
{
    int kept = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = kept;
}

static vd_status status_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return VD_E_NOT_FOUND;
    case EISDIR:
    case ENAMETOOLONG:
        return VD_E_INVALID;
    case ENOSPC:
    case EDQUOT:
        return VD_E_NO_SPACE;
    case ENOMEM:
        return VD_E_NO_MEMORY;
    default:
        return VD_E_IO;
    }
}

static vd_status fail(struct vd_diag *diag, const char *path, const char *what)
{
    int number = errno;

    vd_diag_file(diag, path);
    return vd_diagf_errno(diag, status_of_errno(number), number, "%s", what);
}

/* Where to begin: the claimed size where it fits the bound, and one byte to see the end. */
static size_t first_capacity(int fd, size_t max_bytes)
{
    struct stat st;
    size_t want = FIRST_READ_BYTES;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        want = (uint64_t)st.st_size < max_bytes ? (size_t)st.st_size : max_bytes;
    return (want < max_bytes ? want : max_bytes) + 1;
}

static vd_status grow(struct vd_bytes *bytes, size_t *capacity, size_t max_bytes)
{
    size_t want = *capacity > max_bytes / 2 ? max_bytes + 1 : *capacity * 2;
    uint8_t *data = realloc(bytes->data, want + 1);

    if (data == NULL)
        return VD_E_NO_MEMORY;
    bytes->data = data;
    *capacity = want;
    return VD_OK;
}

/* Reads up to the end or one byte more than the bound; errno says why VD_E_IO. */
static vd_status read_all(int fd, size_t max_bytes, struct vd_bytes *bytes)
{
    size_t capacity = first_capacity(fd, max_bytes);

    bytes->data = malloc(capacity + 1);
    if (bytes->data == NULL)
        return VD_E_NO_MEMORY;
    while (bytes->size <= max_bytes) {
        ssize_t got;
        if (bytes->size == capacity)
            VD_TRY(grow(bytes, &capacity, max_bytes));
        got = read(fd, bytes->data + bytes->size, capacity - bytes->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return VD_E_IO;
        if (got == 0)
            break;
        bytes->size += (size_t)got;
    }
    bytes->data[bytes->size] = '\0';
    return bytes->size > max_bytes ? VD_E_LIMIT : VD_OK;
}

vd_status vd_file_load_fd(int fd, const char *name, size_t max_bytes, struct vd_bytes *ret,
                          struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    vd_status status;

    if (max_bytes > SIZE_MAX / 4)
        return vd_diag_fail(diag, VD_E_BUG, "the bound of a file is no bound");
    status = read_all(fd, max_bytes, &bytes);
    if (status == VD_E_IO)
        return fail(diag, name, "cannot read");
    if (status != VD_OK) {
        vd_diag_file(diag, name);
        if (status == VD_E_LIMIT)
            return vd_diagf(diag, status, "larger than the %zu bytes allowed", max_bytes);
        return vd_diagf(diag, status, "cannot read: %s", vd_status_text(status));
    }
    *ret = bytes;
    bytes = (struct vd_bytes){};
    return VD_OK;
}

vd_status vd_file_load(const char *path, size_t max_bytes, struct vd_bytes *ret,
                       struct vd_diag *diag)
{
    VD_AUTO(vd_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return fail(diag, path, "cannot open");
    return vd_file_load_fd(fd, path, max_bytes, ret, diag);
}

vd_status vd_fd_write(int fd, const void *data, size_t size)
{
    const uint8_t *p = data;

    while (size > 0) {
        ssize_t put = write(fd, p, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return VD_E_IO;
        p += put;
        size -= (size_t)put;
    }
    return VD_OK;
}

/* The directory of `path`, opened, and the last component within `path`. */
static vd_status open_parent(const char *path, int *ret_dir, const char **ret_base,
                             struct vd_diag *diag)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    char dir[PATH_MAX] = ".";
    int fd;

    if (base[0] == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) {
        vd_diag_file(diag, path);
        return vd_diag_fail(diag, VD_E_INVALID, "cannot write: the name of a file is expected");
    }
    if (slash != NULL) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        if (len >= sizeof(dir)) {
            errno = ENAMETOOLONG;
            return fail(diag, path, "cannot write");
        }
        memcpy(dir, path, len);
        dir[len] = '\0';
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(diag, path, "cannot open the directory");
    *ret_dir = fd;
    *ret_base = base;
    return VD_OK;
}

/* A new file with a name nobody could foresee; negative with errno on failure. */
static int open_temp(int dir, const char *base, char temp[NAME_MAX + 1])
{
    for (int i = 0; i < TEMP_NAME_TRIES; i++) {
        uint32_t random;
        int fd;
        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
            return -1;
        if (snprintf(temp, NAME_MAX + 1, ".%s.%08x.tmp", base, random) > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static int fill(int fd, const void *data, size_t size, mode_t mode)
{
    if (vd_fd_write(fd, data, size) != VD_OK || fchmod(fd, mode) != 0)
        return -1;
    return fsync(fd);
}

/* Devices, pipes and sockets cannot be replaced by a file. */
static vd_status write_special(int dir, const char *base, const void *data, size_t size)
{
    VD_AUTO(vd_fd_close) int fd = openat(dir, base, O_WRONLY | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? VD_E_IO : vd_fd_write(fd, data, size);
}

vd_status vd_file_store(const char *path, const void *data, size_t size, mode_t mode,
                        struct vd_diag *diag)
{
    VD_AUTO(vd_fd_close) int dir = -1;
    VD_AUTO(vd_fd_close) int fd = -1;
    const char *base = NULL;
    char temp[NAME_MAX + 1];
    struct stat st;

    VD_TRY(open_parent(path, &dir, &base, diag));
    if (fstatat(dir, base, &st, 0) == 0 && !S_ISREG(st.st_mode)) {
        if (write_special(dir, base, data, size) != VD_OK)
            return fail(diag, path, "cannot write");
        return VD_OK;
    }
    fd = open_temp(dir, base, temp);
    if (fd < 0)
        return fail(diag, path, "cannot create a file beside it");
    if (fill(fd, data, size, mode) != 0 || renameat(dir, temp, dir, base) != 0) {
        vd_status status = fail(diag, path, "cannot write");
        unlinkat(dir, temp, 0);
        return status;
    }
    if (fsync(dir) != 0 && errno != EINVAL) /* some file systems cannot sync a directory */
        return fail(diag, path, "cannot sync the directory");
    return VD_OK;
}
