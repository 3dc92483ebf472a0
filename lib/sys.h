/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Errors of system calls as diagnostics, and the clocks.
 */
#ifndef VD_LIB_SYS_H
#define VD_LIB_SYS_H

#include "core/base/diag.h"

/*
 * Notes "WHAT: TEXT OF ERRNO" for `file` (may be NULL) and returns a status that
 * fits `error`: VD_E_NOT_FOUND, VD_E_NO_SPACE, VD_E_NO_MEMORY, VD_E_IO, VD_E_SYSTEM.
 */
vd_status vd_sys_errno(struct vd_diag *diag, int error, const char *what, const char *file);

/* Nanoseconds of CLOCK_REALTIME, CLOCK_BOOTTIME and CLOCK_MONOTONIC. */
uint64_t vd_sys_realtime_ns(void);
uint64_t vd_sys_boottime_ns(void);
uint64_t vd_sys_monotonic_ns(void);

#endif
