/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the configuration promises to mbedTLS, the same for EFI and host. */
#include "bootloader/mbedtls/config.h"
#include "core/base/mem.h"

void mbedtls_platform_zeroize(void *memory, size_t size);

void mbedtls_platform_zeroize(void *memory, size_t size)
{
    if (size > 0)
        vd_wipe(memory, size);
}

int vd_mbedtls_snprintf(char *buffer, size_t size, const char *format, ...)
{
    (void)format;
    if (size > 0)
        buffer[0] = '\0';
    return -1;
}
