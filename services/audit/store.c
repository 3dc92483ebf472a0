/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/audit/sys.h"

#define DIGITS        10
#define PREFIX        "segment-"
#define SUFFIX        ".vlog"
#define FIRST_ROOM    64u
#define READ_MIN_ROOM 4096u

void vd_audit_store_name(uint64_t number, char ret[VD_AUDIT_NAME_SIZE])
{
    snprintf(ret, VD_AUDIT_NAME_SIZE, PREFIX "%0*llu" SUFFIX, DIGITS, (unsigned long long)number);
}

/* The number in a segment's name; 0 for any other name. */
static uint64_t number_of(const char *name)
{
    char again[VD_AUDIT_NAME_SIZE];
    uint64_t number = 0;

    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    for (const char *c = name + strlen(PREFIX); *c >= '0' && *c <= '9' && number < UINT32_MAX; c++)
        number = number * 10 + (uint64_t)(*c - '0');
    vd_audit_store_name(number, again);
    return strcmp(name, again) == 0 ? number : 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static vd_status collect(DIR *dir, struct vd_audit_store *list, struct vd_diag *diag)
{
    const struct dirent *entry;
    uint32_t room = 0;

    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        uint64_t number = number_of(entry->d_name);
        if (number == 0)
            continue;
        if (list->count == VD_AUDIT_SEGMENTS_MAX)
            return vd_diag_fail(diag, VD_E_LIMIT, "the log has more than 1000000 segments");
        if (list->count == room) {
            room = room == 0 ? FIRST_ROOM : room * 2;
            uint64_t *more = reallocarray(list->numbers, room, sizeof(*more));
            if (more == NULL)
                return vd_audit_errno(diag, ENOMEM, "cannot list the log", NULL);
            list->numbers = more;
        }
        list->numbers[list->count++] = number;
    }
    if (errno != 0)
        return vd_audit_errno(diag, errno, "cannot list the log", NULL);
    if (list->count > 1)
        qsort(list->numbers, list->count, sizeof(*list->numbers), compare);
    return VD_OK;
}

vd_status vd_audit_store_scan(struct vd_audit_store *store, struct vd_diag *diag)
{
    struct vd_audit_store list = {.fd = store->fd};
    int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    vd_status status;

    if (dir == NULL) {
        status = vd_audit_errno(diag, errno, "cannot list the log", NULL);
        if (fd >= 0)
            close(fd);
        return status;
    }
    status = collect(dir, &list, diag);
    closedir(dir);
    if (status != VD_OK) {
        free(list.numbers);
        return status;
    }
    free(store->numbers);
    *store = list;
    return VD_OK;
}

vd_status vd_audit_store_open(struct vd_audit_store *ret, const char *dir, struct vd_diag *diag)
{
    struct vd_audit_store store = {.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    vd_status status;

    if (store.fd < 0)
        return vd_audit_errno(diag, errno, "cannot open the log's directory", dir);
    status = vd_audit_store_scan(&store, diag);
    if (status != VD_OK) {
        close(store.fd);
        return status;
    }
    *ret = store;
    return VD_OK;
}

void vd_audit_store_done(struct vd_audit_store *store)
{
    free(store->numbers);
    if (store->fd >= 0)
        close(store->fd);
    *store = (struct vd_audit_store){.fd = -1};
}

/* Reads to the end of the file, which may grow meanwhile. */
static vd_status read_all(int fd, uint8_t **data, size_t *size, size_t room)
{
    for (;;) {
        ssize_t n;
        if (*size == room) {
            uint8_t *more;
            room = room < READ_MIN_ROOM ? READ_MIN_ROOM : room + room / 2;
            if (room > VD_AUDIT_SEGMENT_MAX_BYTES + READ_MIN_ROOM)
                return VD_E_LIMIT;
            more = realloc(*data, room);
            if (more == NULL)
                return VD_E_NO_MEMORY;
            *data = more;
        }
        n = read(fd, *data + *size, room - *size);
        if (n == 0)
            return VD_OK;
        if (n < 0 && errno != EINTR)
            return VD_E_IO;
        *size += n > 0 ? (size_t)n : 0;
    }
}

static vd_status load_fd(int fd, uint8_t **ret_data, size_t *ret_size)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct stat st;
    vd_status status;

    if (fstat(fd, &st) != 0)
        return VD_E_IO;
    if (!S_ISREG(st.st_mode))
        return VD_E_MAGIC;
    if (st.st_size > VD_AUDIT_SEGMENT_MAX_BYTES)
        return VD_E_LIMIT;
    data = malloc((size_t)st.st_size + 1);
    if (data == NULL)
        return VD_E_NO_MEMORY;
    status = read_all(fd, &data, &size, (size_t)st.st_size + 1);
    if (status != VD_OK) {
        free(data);
        return status;
    }
    *ret_data = data;
    *ret_size = size;
    return VD_OK;
}

vd_status vd_audit_store_load(const struct vd_audit_store *store, uint64_t number,
                              uint8_t **ret_data, size_t *ret_size, struct vd_diag *diag)
{
    char name[VD_AUDIT_NAME_SIZE];
    vd_status status;
    int fd;

    vd_audit_store_name(number, name);
    fd = openat(store->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return vd_audit_errno(diag, errno, "cannot open the segment", name);
    status = load_fd(fd, ret_data, ret_size);
    close(fd);
    if (status != VD_OK) {
        vd_diag_file(diag, name);
        return vd_diag_fail(diag, status, vd_status_text(status));
    }
    return VD_OK;
}

bool vd_audit_store_busy(const struct vd_audit_store *store)
{
    if (flock(store->fd, LOCK_SH | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    flock(store->fd, LOCK_UN);
    return false;
}
