/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What services say to the audit daemon, in frames of core/abi/ipc.h.
 *
 * RECORD: the payload is an encoded record (core/audit/record.h). The answer,
 * without a payload, comes when the disk has it.
 * RING: asks for shared memory (core/abi/auditring.h), which comes with the
 * answer; or, with the descriptor of a ring that a daemon before made, hands
 * that one over, and what nobody has read there is written to the log. One for
 * each connection; it ends with the connection.
 * WAKE: there are records in the ring. No answer.
 *
 * A producer may not set what the daemon knows itself: the times, the event's
 * number, the losses of the ring. The daemon notes who sent it.
 */
#ifndef VD_CORE_ABI_AUDIT_IPC_H
#define VD_CORE_ABI_AUDIT_IPC_H

#define VD_AUDIT_IPC_RECORD 1u
#define VD_AUDIT_IPC_RING   2u
#define VD_AUDIT_IPC_WAKE   3u
#define VD_AUDIT_IPC_SOCKET "/run/veridian/audit.sock"

/* Of a record as a service gives it: what the daemon adds must fit too. */
#define VD_AUDIT_IPC_RECORD_MAX 16128u
#define VD_AUDIT_IPC_EXTRA_MAX  12u /* its free fields */

#endif
