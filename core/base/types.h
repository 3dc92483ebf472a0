/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The integer types and compiler words that every part of core/ uses.
 *
 * core/ is compiled for the host, for UEFI and, in part, for BPF. A BPF program
 * gets its types from vmlinux.h, which collides with the C headers, so they are
 * included only where vmlinux.h is not.
 */
#ifndef VD_CORE_BASE_TYPES_H
#define VD_CORE_BASE_TYPES_H

#ifndef __VMLINUX_H__
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#ifndef UINT32_MAX
#define UINT32_MAX 0xffffffffu
#endif

/* An unused result of this type is an error. (The model checker does not know attributes.) */
#ifdef __CPROVER__
#define VD_NODISCARD
#else
#define VD_NODISCARD [[nodiscard]]
#endif

#define VD_INLINE       static inline __attribute__((always_inline))
#define VD_PURE         __attribute__((pure))
#define VD_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Number of elements of an array (not of a pointer). */
#define VD_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Runs `fn(&var)` when the variable goes out of scope; the only cleanup form. */
#define VD_AUTO(fn) __attribute__((cleanup(fn)))

#endif
