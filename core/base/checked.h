/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arithmetic on values from outside. Each macro stores the result and is true
 * if it is exact; on overflow it is false and the result must not be used.
 * The operands and the result are of any integer types.
 */
#ifndef VD_CORE_BASE_CHECKED_H
#define VD_CORE_BASE_CHECKED_H

#include "core/base/types.h"

#define VD_ADD(a, b, ret) (!__builtin_add_overflow((a), (b), (ret)))
#define VD_SUB(a, b, ret) (!__builtin_sub_overflow((a), (b), (ret)))
#define VD_MUL(a, b, ret) (!__builtin_mul_overflow((a), (b), (ret)))

/* True if [offset, offset+size) lies within [0, total). */
VD_INLINE bool vd_range_within(uint64_t offset, uint64_t size, uint64_t total)
{
    return offset <= total && size <= total - offset;
}

#endif
