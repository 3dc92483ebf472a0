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

enum vd_crc64_ways { VD_CRC64_BY_TABLE, VD_CRC64_BY_CLMUL, VD_CRC64_BY_WIDE };

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

/* The same with registers of 32 bytes: 128 bytes a step. */
typedef long long vd_clmul_wide __attribute__((vector_size(32)));

#ifdef __clang__ /* one instruction, two names */
#define VD_CLMUL_WIDE __builtin_ia32_pclmulqdq256
#else
#define VD_CLMUL_WIDE __builtin_ia32_vpclmulqdq_v4di
#endif
#define VD_CLMUL_FOLD_WIDE(value, by)                    \
    ((vd_clmul_wide)VD_CLMUL_WIDE((value), (by), 0x00) ^ \
     (vd_clmul_wide)VD_CLMUL_WIDE((value), (by), 0x11))

__attribute__((target("pclmul,avx2,vpclmulqdq"))) static inline vd_clmul_wide
vd_clmul_load_wide(const uint8_t *p)
{
    vd_clmul_wide wide;

    __builtin_memcpy(&wide, p, sizeof(wide));
    return wide;
}

__attribute__((target("pclmul,avx2,vpclmulqdq"))) static inline size_t
vd_crc64_fold_wide(uint64_t crc, const uint8_t *p, size_t size, uint8_t ret[VD_CRC64_FOLDED])
{
    const vd_clmul_wide by_1024 = {(long long)0x8757d71d4fcc1000, (long long)0xd7d86b2af73de740,
                                   (long long)0x8757d71d4fcc1000, (long long)0xd7d86b2af73de740};
    const vd_clmul_lane by_128 = {(long long)0xe05dd497ca393ae4, (long long)0xdabe95afc7875f40};
    vd_clmul_wide a = vd_clmul_load_wide(p), b = vd_clmul_load_wide(p + 32);
    vd_clmul_wide c = vd_clmul_load_wide(p + 64), d = vd_clmul_load_wide(p + 96);
    vd_clmul_lane lane[8];
    size_t left = size - sizeof(lane);

    a ^= (vd_clmul_wide){(long long)crc, 0, 0, 0};
    for (p += sizeof(lane); left >= sizeof(lane); left -= sizeof(lane), p += sizeof(lane)) {
        a = VD_CLMUL_FOLD_WIDE(a, by_1024) ^ vd_clmul_load_wide(p);
        b = VD_CLMUL_FOLD_WIDE(b, by_1024) ^ vd_clmul_load_wide(p + 32);
        c = VD_CLMUL_FOLD_WIDE(c, by_1024) ^ vd_clmul_load_wide(p + 64);
        d = VD_CLMUL_FOLD_WIDE(d, by_1024) ^ vd_clmul_load_wide(p + 96);
    }
    __builtin_memcpy(&lane[0], &a, sizeof(a));
    __builtin_memcpy(&lane[2], &b, sizeof(b));
    __builtin_memcpy(&lane[4], &c, sizeof(c));
    __builtin_memcpy(&lane[6], &d, sizeof(d));
    for (uint32_t i = 1; i < 8; i++)
        lane[0] = VD_CLMUL_FOLD(lane[0], by_128) ^ lane[i];
    for (; left >= 16; left -= 16, p += 16)
        lane[0] = VD_CLMUL_FOLD(lane[0], by_128) ^ vd_clmul_load(p);
    __builtin_memcpy(ret, &lane[0], VD_CRC64_FOLDED);
    return size - left;
}

VD_INLINE uint32_t vd_cpuid_ecx(uint32_t leaf)
{
    uint32_t eax = leaf, ebx, ecx = 0, edx;

    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx;
}

/* The processor can, and whoever switches tasks keeps the upper halves. */
VD_INLINE bool vd_can_fold_wide(uint32_t ecx)
{
    uint32_t eax, edx;

    if ((ecx >> 27 & 3) != 3) /* OSXSAVE, AVX */
        return false;
    __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return (eax & 6) == 6 && (vd_cpuid_ecx(7) >> 10 & 1) != 0; /* VPCLMULQDQ */
}

/* The best that the processor can. */
VD_INLINE uint32_t vd_crc64_fold_way(void)
{
    uint32_t ecx = vd_cpuid_ecx(1);

    if ((ecx >> 1 & 1) == 0) /* PCLMULQDQ */
        return VD_CRC64_BY_TABLE;
    return vd_can_fold_wide(ecx) ? VD_CRC64_BY_WIDE : VD_CRC64_BY_CLMUL;
}

/*
 * Folds `size` (at least VD_CRC64_FOLD_MIN) bytes behind the state `crc`, which is not inverted,
 * to the bytes in `ret`, which take their place behind the state 0. Returns how many were
 * folded; 0: the processor cannot, `ret` is untouched.
 */
VD_INLINE size_t vd_crc64_fold(uint32_t way, uint64_t crc, const uint8_t *p, size_t size,
                               uint8_t ret[VD_CRC64_FOLDED])
{
    return way == VD_CRC64_BY_WIDE ? vd_crc64_fold_wide(crc, p, size, ret)
                                   : vd_crc64_fold_pclmul(crc, p, size, ret);
}
#else
VD_INLINE uint32_t vd_crc64_fold_way(void)
{
    return VD_CRC64_BY_TABLE;
}

VD_INLINE size_t vd_crc64_fold(uint32_t way, uint64_t crc, const uint8_t *p, size_t size,
                               uint8_t ret[VD_CRC64_FOLDED])
{
    (void)way, (void)crc, (void)p, (void)size, (void)ret;
    return 0;
}
#endif

#endif
