/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What services say to the audit daemon, in frames of core/abi/ipc.h: one verb,
 * whose payload is an encoded record (core/audit/record.h). The answer, without
 * a payload, comes when the disk has the record.
 *
 * A producer may not set what the daemon knows itself: the times, the event's
 * number, the losses of the ring. The daemon notes who sent it.
 */
#ifndef VD_CORE_ABI_AUDIT_IPC_H
#define VD_CORE_ABI_AUDIT_IPC_H

#define VD_AUDIT_IPC_RECORD 1u
#define VD_AUDIT_IPC_SOCKET "/run/veridian/audit.sock"

#endif
