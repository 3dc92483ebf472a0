/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What mbedTLS and the compiler use of <string.h>; efi/libc.c has the code. */
#ifndef VD_BOOTLOADER_LIBC_STRING_H
#define VD_BOOTLOADER_LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
void *memset(void *dst, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
char *strchr(const char *s, int c);

#endif
