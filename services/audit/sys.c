/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/diagf.h"

#define BOOT_ID_TEXT_SIZE 36 /* a UUID with dashes */

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

vd_status vd_audit_errno(struct vd_diag *diag, int error, const char *what, const char *file)
{
    vd_status status = vd_diagf_errno(diag, status_of(error), error, "%s", what);

    if (file != NULL)
        vd_diag_file(diag, file);
    return status;
}

static vd_status sha256(void *ctx, const void *data, size_t size, uint8_t *ret)
{
    VD_TRY(vd_hasher_init(ctx, VD_HASH_SHA256, NULL));
    VD_TRY(vd_hasher_update(ctx, data, size, NULL));
    return vd_hasher_final(ctx, ret, NULL);
}

struct vd_audit_hash vd_audit_sha256(struct vd_hasher *hasher)
{
    return (struct vd_audit_hash){.ctx = hasher, .sha256 = sha256};
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t = {};

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1'000'000'000 + (uint64_t)t.tv_nsec;
}

uint64_t vd_audit_realtime_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint64_t vd_audit_boottime_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void vd_audit_boot_id(uint8_t ret[VD_AUDIT_BOOT_ID_SIZE])
{
    char text[BOOT_ID_TEXT_SIZE] = {};
    uint32_t digits = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text));

    if (fd >= 0)
        close(fd);
    memset(ret, 0, VD_AUDIT_BOOT_ID_SIZE);
    for (ssize_t i = 0; i < size && digits < 2 * VD_AUDIT_BOOT_ID_SIZE; i++) {
        int value = hex_digit(text[i]);
        if (value < 0)
            continue;
        ret[digits / 2] = (uint8_t)(ret[digits / 2] << 4 | value);
        digits++;
    }
}
