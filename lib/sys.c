/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/sys.h"

#include <errno.h>
#include <time.h>

#include "lib/diagf.h"

static vd_status status_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return VD_E_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return VD_E_NO_SPACE;
    case ENOMEM:
        return VD_E_NO_MEMORY;
    case EIO:
        return VD_E_IO;
    default:
        return VD_E_SYSTEM;
    }
}

vd_status vd_sys_errno(struct vd_diag *diag, int error, const char *what, const char *file)
{
    vd_status status = vd_diagf_errno(diag, status_of(error), error, "%s", what);

    if (file != NULL)
        vd_diag_file(diag, file);
    return status;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t = {};

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1'000'000'000 + (uint64_t)t.tv_nsec;
}

uint64_t vd_sys_realtime_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint64_t vd_sys_boottime_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

uint64_t vd_sys_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}
