/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* mbedTLS includes <stdio.h>, but its configuration leaves nothing that prints. */
#ifndef VD_BOOTLOADER_LIBC_STDIO_H
#define VD_BOOTLOADER_LIBC_STDIO_H

#include <stddef.h>

#endif
