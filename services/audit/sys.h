/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the audit service's files share: errors of system calls as diagnostics,
 * and SHA-256 for core/audit.
 */
#ifndef VD_SERVICES_AUDIT_SYS_H
#define VD_SERVICES_AUDIT_SYS_H

#include "core/audit/segment.h"
#include "lib/hash.h"

/*
 * Notes "WHAT: TEXT OF ERRNO" for `file` (may be NULL) and returns a status that
 * fits `error`: VD_E_NOT_FOUND, VD_E_NO_SPACE, VD_E_NO_MEMORY, VD_E_IO, VD_E_SYSTEM.
 */
vd_status vd_audit_errno(struct vd_diag *diag, int error, const char *what, const char *file);

/* SHA-256 for core/audit; `hasher` (zero at first) is borrowed. One thread. */
struct vd_audit_hash vd_audit_sha256(struct vd_hasher *hasher);

/* Nanoseconds of CLOCK_REALTIME and CLOCK_BOOTTIME. */
uint64_t vd_audit_realtime_ns(void);
uint64_t vd_audit_boottime_ns(void);

/* This boot's id from /proc/sys/kernel/random/boot_id; zero where there is none. */
void vd_audit_boot_id(uint8_t ret[VD_AUDIT_BOOT_ID_SIZE]);

#endif
