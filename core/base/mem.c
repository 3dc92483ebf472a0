/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/mem.h"

bool vd_ct_equal(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint32_t diff = 0;

    for (size_t i = 0; i < size; i++)
        diff |= (uint32_t)(x[i] ^ y[i]);
    /* 0 → 1, 1…255 → 0, without a branch on the value. */
    return (bool)(((diff - 1) >> 8) & 1);
}

void vd_wipe(void *mem, size_t size)
{
    __builtin_memset(mem, 0, size);
    /* The barrier claims to read the memory, so the store before it stays. */
    __asm__ volatile("" : : "r"(mem) : "memory");
}
