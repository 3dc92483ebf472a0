/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory primitives: copy, comparison in constant time, wiping.
 */
#ifndef VD_CORE_BASE_MEM_H
#define VD_CORE_BASE_MEM_H

#include "core/base/types.h"

/* Copies `size` bytes; the areas do not overlap. */
VD_INLINE void vd_copy(void *dst, const void *src, size_t size)
{
    __builtin_memcpy(dst, src, size);
}

/*
 * True if `size` bytes are equal. The time depends on `size` alone, never on
 * the content or on where the first difference is.
 */
bool vd_ct_equal(const void *a, const void *b, size_t size);

/* Overwrites `size` bytes with zero; the compiler cannot leave it out. */
void vd_wipe(void *mem, size_t size);

#endif
