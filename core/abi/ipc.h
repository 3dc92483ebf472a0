/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The frame in which the project's processes talk to each other: one packet of
 * an AF_UNIX SOCK_SEQPACKET socket, a header and a payload (docs/formats/ipc.md).
 * Integers are little-endian.
 */
#ifndef VD_CORE_ABI_IPC_H
#define VD_CORE_ABI_IPC_H

#include "core/base/types.h"

#define VD_IPC_MAGIC       "VDIP" /* 4 bytes, no NUL */
#define VD_IPC_VERSION     1u
#define VD_IPC_HEADER_SIZE 24u
#define VD_IPC_FRAME_MAX   65536u /* bytes of a packet */
#define VD_IPC_PAYLOAD_MAX (VD_IPC_FRAME_MAX - VD_IPC_HEADER_SIZE)
#define VD_IPC_STATUS_MAX  255u /* statuses above it are not known to any version */

/* Flags of a frame. */
#define VD_IPC_ANSWER     (1u << 0) /* to the request with the same id */
#define VD_IPC_DESCRIPTOR (1u << 1) /* one file descriptor comes with the packet */
#define VD_IPC_FLAGS_ALL  (VD_IPC_ANSWER | VD_IPC_DESCRIPTOR)

/* Which protocol the payload belongs to: a client on the wrong socket is told so. */
enum vd_ipc_service {
    VD_IPC_SERVICE_NONE,
    VD_IPC_SERVICE_SECURITY, /* core/abi/security.h */
    VD_IPC_SERVICE_AUDIT,    /* core/abi/audit_ipc.h */
    VD_IPC_SERVICE_KEY,      /* core/abi/crypto.h */
};

#endif
