/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* mbedTLS includes <stdlib.h> for its size types alone: its memory is configured. */
#ifndef VD_BOOTLOADER_LIBC_STDLIB_H
#define VD_BOOTLOADER_LIBC_STDLIB_H

#include <stddef.h>

#endif
