/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The C library of the EFI program: what the compiler emits on its own and
 * what mbedTLS calls. Compiled with -fno-builtin, so that the compiler does not
 * turn a loop into a call to the function it stands in.
 */
#include "bootloader/libc/string.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t size)
{
    void *d = dst;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(size) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t size)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    if (d <= s || d >= s + size)
        return memcpy(dst, src, size);
    while (size--)
        d[size] = s[size];
    return dst;
}

void *memset(void *dst, int value, size_t size)
{
    void *d = dst;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(size) : "a"(value) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < size; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++) {
        if (!*s)
            return NULL;
    }
    return (char *)s;
}
