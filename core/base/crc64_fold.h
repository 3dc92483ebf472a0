/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CRC-64 of large data by carry-less multiplication (Gopal and others, "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ", 2009): sixteen bytes times x^n give
 * the same checksum as those n bits further on. The constants are x^(n + 63) and x^(n - 1)
 * modulo the polynomial, reflected; the unit test compares with the definition. Inside
 * vd_crc64 only.
 */
#ifndef VD_CORE_BASE_CRC64_FOLD_H
#define VD_CORE_BASE_CRC64_FOLD_H

#include "core/base/types.h"

#define VD_CRC64_FOLD_MIN ((size_t)64 << 10) /* below, asking what the processor can costs more */
#define VD_CRC64_FOLDED   16u

#if defined(__x86_64__) && !defined(__CPROVER)
typedef long long vd_clmul_lane __attribute__((vector_size(16)));

#define VD_CLMUL_FOLD(value, by)                                       \
    ((vd_clmul_lane)__builtin_ia32_pclmulqdq128((value), (by), 0x00) ^ \
     (vd_clmul_lane)__builtin_ia32_pclmulqdq128((value), (by), 0x11))

VD_INLINE vd_clmul_lane vd_clmul_load(const uint8_t *p)
{
    vd_clmul_lane lane;

    __builtin_memcpy(&lane, p, sizeof(lane));
    return lane;
}

__attribute__((target("pclmul"))) static inline size_t
vd_crc64_fold_pclmul(uint64_t crc, const uint8_t *p, size_t size, uint8_t ret[VD_CRC64_FOLDED])
{
    const vd_clmul_lane by_512 = {0x6ae3efbb9dd441f3, 0x081f6054a7842df4};
    const vd_clmul_lane by_128 = {(long long)0xe05dd497ca393ae4, (long long)0xdabe95afc7875f40};
    vd_clmul_lane lane[4];
    size_t left = size - 64;

    for (uint32_t i = 0; i < 4; i++)
        lane[i] = vd_clmul_load(p + (size_t)16 * i);
    lane[0] ^= (vd_clmul_lane){(long long)crc, 0};
    for (p += 64; left >= 64; left -= 64, p += 64) {
        lane[0] = VD_CLMUL_FOLD(lane[0], by_512) ^ vd_clmul_load(p);
        lane[1] = VD_CLMUL_FOLD(lane[1], by_512) ^ vd_clmul_load(p + 16);
        lane[2] = VD_CLMUL_FOLD(lane[2], by_512) ^ vd_clmul_load(p + 32);
        lane[3] = VD_CLMUL_FOLD(lane[3], by_512) ^ vd_clmul_load(p + 48);
    }
    for (uint32_t i = 1; i < 4; i++)
        lane[0] = VD_CLMUL_FOLD(lane[0], by_128) ^ lane[i];
    for (; left >= 16; left -= 16, p += 16)
        lane[0] = VD_CLMUL_FOLD(lane[0], by_128) ^ vd_clmul_load(p);
    __builtin_memcpy(ret, &lane[0], VD_CRC64_FOLDED);
    return size - left;
}

/*
 * Folds `size` (at least VD_CRC64_FOLD_MIN) bytes behind the state `crc`, which is not inverted,
 * to the bytes in `ret`, which take their place behind the state 0. Returns how many were
 * folded; 0: the processor cannot, `ret` is untouched.
 */
VD_INLINE size_t vd_crc64_fold(uint64_t crc, const uint8_t *p, size_t size,
                               uint8_t ret[VD_CRC64_FOLDED])
{
    uint32_t eax = 1, ebx, ecx = 0, edx;

    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if ((ecx >> 1 & 1) == 0) /* PCLMULQDQ */
        return 0;
    return vd_crc64_fold_pclmul(crc, p, size, ret);
}
#else
VD_INLINE size_t vd_crc64_fold(uint64_t crc, const uint8_t *p, size_t size,
                               uint8_t ret[VD_CRC64_FOLDED])
{
    (void)crc, (void)p, (void)size, (void)ret;
    return 0;
}
#endif

#endif
