/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/sys.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/sys.h"

#define BOOT_ID_TEXT_SIZE 36 /* a UUID with dashes */

vd_status vd_audit_errno(struct vd_diag *diag, int error, const char *what, const char *file)
{
    return vd_sys_errno(diag, error, what, file);
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

uint64_t vd_audit_realtime_ns(void)
{
    return vd_sys_realtime_ns();
}

uint64_t vd_audit_boottime_ns(void)
{
    return vd_sys_boottime_ns();
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
