/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fixed bitmaps over 64-bit words, bit i in word i/64 at position i%64.
 *
 * Inline, without calls: the BPF programs compile them too. The caller keeps
 * indexes below 64 * words.
 */
#ifndef VD_CORE_BASE_BITMAP_H
#define VD_CORE_BASE_BITMAP_H

#include "core/base/types.h"

/* Words needed for `bits` bits. */
#define VD_BITMAP_WORDS(bits) (((bits) + 63u) / 64u)

VD_INLINE bool vd_bitmap_get(const uint64_t *words, uint32_t bit)
{
    return words[bit / 64] >> (bit % 64) & 1;
}

VD_INLINE void vd_bitmap_set(uint64_t *words, uint32_t bit)
{
    words[bit / 64] |= (uint64_t)1 << (bit % 64);
}

VD_INLINE void vd_bitmap_clear(uint64_t *words, uint32_t bit)
{
    words[bit / 64] &= ~((uint64_t)1 << (bit % 64));
}

/* True if every bit of `sub` is set in `super`; both have `count` words. */
VD_INLINE bool vd_bitmap_covers(const uint64_t *super, const uint64_t *sub, uint32_t count)
{
    uint64_t missing = 0;

    for (uint32_t i = 0; i < count; i++)
        missing |= sub[i] & ~super[i];
    return missing == 0;
}

/* True if both hold the same bits. */
VD_INLINE bool vd_bitmap_equal(const uint64_t *a, const uint64_t *b, uint32_t count)
{
    uint64_t diff = 0;

    for (uint32_t i = 0; i < count; i++)
        diff |= a[i] ^ b[i];
    return diff == 0;
}

/* Number of bits set. */
VD_INLINE uint32_t vd_bitmap_weight(const uint64_t *words, uint32_t count)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++) {
        /* A loop of its own: BPF has no population count. */
        for (uint64_t w = words[i]; w != 0; w &= w - 1)
            n++;
    }
    return n;
}

#endif
