/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/policy/former.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/crc64.h"
#include "lib/file.h"

#define MAX_BYTES ((off_t)1 << 30)

/*
 * True for a file that nobody else could have written. Rows of a former policy enter the new
 * one without being checked against its rules: from a stranger they would decide what it says.
 */
static bool own(const struct stat *st)
{
    return (st->st_uid == geteuid() || st->st_uid == 0) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* A file that is regular, not empty and, if `mine`, nobody else's, mapped; NULL if there is none. */
static const void *map(const char *path, bool mine, size_t *ret_size)
{
    VD_AUTO(vd_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    void *data;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > MAX_BYTES || (mine && !own(&st)))
        return NULL;
    /*
     * All of it is read. Both files are replaced, never written in place: the mapping keeps
     * what it shows.
     */
    data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED)
        return NULL;
    *ret_size = (size_t)st.st_size;
    return data;
}

static void unmap(const void *data, size_t size)
{
    if (data != NULL)
        (void)munmap((void *)(uintptr_t)data, size);
}

/* Another build of this program may number things otherwise: its caches are not ours. */
static uint64_t program_checksum(void)
{
    size_t size = 0;
    const void *program = map("/proc/self/exe", false, &size);
    uint64_t checksum = program == NULL ? 0 : vd_crc64(0, program, size);

    unmap(program, size);
    return checksum;
}

bool vd_policy_former_open(struct vd_policy_former *former, const char *out)
{
    struct stat st;

    *former = (struct vd_policy_former){};
    if (lstat(out, &st) == 0 && !S_ISREG(st.st_mode))
        return false;
    former->found.compiler = program_checksum();
    if (former->found.compiler == 0 ||
        getrandom(former->found.secret, sizeof(former->found.secret), 0) !=
            sizeof(former->found.secret) ||
        asprintf(&former->path, "%s.cache", out) < 0) {
        former->path = NULL;
        return false;
    }
    former->found.cache = map(former->path, true, &former->found.cache_size);
    former->found.policy = map(out, true, &former->found.policy_size);
    return true;
}

void vd_policy_former_done(struct vd_policy_former *former)
{
    unmap(former->found.cache, former->found.cache_size);
    unmap(former->found.policy, former->found.policy_size);
    free(former->path);
    *former = (struct vd_policy_former){};
}

vd_status vd_policy_former_store(const struct vd_policy_former *former,
                                 const struct vd_sepolicy_result *result, struct vd_diag *diag)
{
    return vd_file_store(former->path, result->cache, result->cache_size, 0600, diag);
}
