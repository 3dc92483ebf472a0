/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A single record for the audit daemon, on its disk before the call returns:
 * what a change of policy or a key's destruction waits for. Some hundred
 * microseconds; for every operation of a service see auditring.h.
 */
#ifndef VD_LIB_AUDITRING_WRITE_H
#define VD_LIB_AUDITRING_WRITE_H

#include "core/audit/record.h"
#include "lib/ipc/frame.h"

/* Encodes a record as a request to the daemon, without an id; `ret` borrows `bytes`. */
vd_status vd_audit_request(const struct vd_audit_record *record,
                           uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES], struct vd_ipc_frame *ret);

/*
 * Sends a record on a connection of its own and waits until it is on the disk,
 * until `deadline_ns` at most (lib/ipc/socket.h). VD_E_MISSING: no daemon
 * listens at `path`; VD_E_TIMEOUT; VD_E_BUG: the record does not fit the format;
 * else the daemon's refusal. Any thread.
 */
vd_status vd_audit_write(const char *path, const struct vd_audit_record *record,
                         uint64_t deadline_ns, struct vd_diag *diag);

#endif
