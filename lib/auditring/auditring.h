/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records for the audit daemon through shared memory: for services that record
 * each operation before its answer leaves, at the price of a copy.
 *
 *     vd_auditring_open(&options, &ring, diag);
 *     if (vd_auditring_put(ring, bytes, size, vd_ipc_deadline(100)) != VD_OK)
 *         refuse the operation;
 *
 * What put has taken (VD_OK) is in the memory of the daemon too: it comes into
 * the log although the service is killed at once. It is on the disk some
 * milliseconds later, or when vd_auditring_flush returns. Records stand in the
 * log in the order in which each thread put them.
 *
 * Everything fails closed: no room by the deadline, no daemon, a ring that the
 * daemon gave up. A put that failed may nevertheless be in the log: then an
 * operation stands there that was refused. When the daemon ends, put fails
 * until a new one runs; to that one the same memory is handed over, so that
 * nothing is lost but if both die before: see vd_auditring_tend.
 *
 * Cost: no system call while the daemon is awake or dozing, and it is for a
 * second after each record. Threads: put, flush and tend from any thread of the
 * process that opened the ring. After fork the child has no ring: put in it
 * ends it with SIGSEGV.
 *
 * System calls, for a sandbox: futex, clock_gettime, clock_nanosleep, sendmsg,
 * recvmsg, poll; for tend and a put that finds a new daemon, those of connecting
 * too: socket, connect, getsockopt, close.
 */
#ifndef VD_LIB_AUDITRING_AUDITRING_H
#define VD_LIB_AUDITRING_AUDITRING_H

#include "core/base/diag.h"

#define VD_AUDITRING_ANY_UID UINT32_MAX

struct vd_auditring;

struct vd_auditring_options {
    const char *socket;  /* NULL: VD_AUDIT_IPC_SOCKET */
    uint32_t server_uid; /* who must have started the daemon; VD_AUDITRING_ANY_UID: anybody */
    uint32_t timeout_ms; /* for connecting; 0: 1000 */
};

/*
 * Connects and gets a ring. `options` may be NULL. VD_E_MISSING: no daemon;
 * VD_E_UNTRUSTED: another user's; VD_E_BUSY: the daemon has no ring to give.
 */
vd_status vd_auditring_open(const struct vd_auditring_options *options, struct vd_auditring **ret,
                            struct vd_diag *diag);

/*
 * Puts one encoded record (vd_audit_record_encode) of 4 to
 * VD_AUDIT_IPC_RECORD_MAX bytes into the ring; copied. The daemon takes no record that it would not take over its
 * socket: one that does not parse costs the service its ring.
 * `deadline_ns` as in lib/ipc/socket.h: for how long to wait for room.
 * VD_E_TIMEOUT, VD_E_BUSY (VD_IPC_NO_WAIT): no room; VD_E_MISSING: no daemon;
 * VD_E_DENIED: the daemon gave the ring up, it must be opened anew; VD_E_RANGE: the size.
 */
vd_status vd_auditring_put(struct vd_auditring *ring, const void *record, size_t size,
                           uint64_t deadline_ns);

/* Waits until the disk has every record whose put returned before. Statuses as put. */
vd_status vd_auditring_flush(struct vd_auditring *ring, uint64_t deadline_ns, struct vd_diag *diag);

/*
 * Hands the ring over to a new daemon where the old one has ended. put and flush
 * do so too; a service that can be idle calls this about once a second, so that
 * its last records do not wait for the next operation. Costs nothing otherwise.
 */
vd_status vd_auditring_tend(struct vd_auditring *ring, struct vd_diag *diag);

/*
 * Gives everything back; NULL is fine. No other thread may use the ring any
 * more. VD_OK: the daemon has all records. VD_E_MISSING and others: there was no
 * daemon, and records are lost that no daemon has taken.
 */
vd_status vd_auditring_close(struct vd_auditring *ring, struct vd_diag *diag);

#endif
