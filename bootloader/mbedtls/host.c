/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's memory for mbedTLS; efi/memory.c is the bootloader's. */
#include "bootloader/mbedtls/config.h"

#include <stdlib.h>

void *vd_mbedtls_calloc(size_t count, size_t size)
{
    return calloc(count, size);
}

void vd_mbedtls_free(void *memory)
{
    free(memory);
}
