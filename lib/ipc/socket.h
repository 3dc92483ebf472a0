/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Frames over AF_UNIX SOCK_SEQPACKET: listening, connecting, one packet at a
 * time with a deadline, and who is at the other end.
 *
 * A packet is whole or refused: one that is longer than a frame is not cut, a
 * descriptor that the header does not announce is closed. Deadlines are
 * absolute, on CLOCK_MONOTONIC, so that a peer that trickles cannot stretch
 * them. All sockets are non-blocking and close on exec. SIGPIPE never comes.
 * One thread a socket and direction. Memory: the caller's.
 */
#ifndef VD_LIB_IPC_SOCKET_H
#define VD_LIB_IPC_SOCKET_H

#include "lib/ipc/frame.h"

#include <sys/types.h>

#define VD_IPC_NO_WAIT 0u         /* as a deadline: what cannot be done now is VD_E_BUSY */
#define VD_IPC_FOREVER UINT64_MAX /* as a deadline */
#define VD_IPC_BACKLOG 64

/* A received packet; the frame of vd_ipc_receive borrows it. */
struct vd_ipc_buffer {
    uint8_t bytes[VD_IPC_FRAME_MAX];
};

/* For a request and its answer. */
struct vd_ipc_line {
    int fd;
    struct vd_ipc_buffer *buffer; /* the answer's */
    uint64_t deadline_ns;
};

/* Who connected, as the kernel saw it at that time (SO_PEERCRED). */
struct vd_ipc_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* The deadline `ms` milliseconds from now. */
uint64_t vd_ipc_deadline(uint32_t ms);

/*
 * Listens at `path` with file mode `mode`. A socket file that a dead process
 * left there is replaced; VD_E_BUSY if a live one listens, VD_E_EXISTS if
 * something else stands there.
 */
vd_status vd_ipc_listen(const char *path, mode_t mode, int *ret_fd, struct vd_diag *diag);

/* The same with SOCK_STREAM, for protocols of others: accepting and peers alone are for it. */
vd_status vd_ipc_listen_stream(const char *path, mode_t mode, int *ret_fd, struct vd_diag *diag);

/* Takes the next connection; VD_E_BUSY if none waits. */
vd_status vd_ipc_accept(int listener, int *ret_fd, struct vd_ipc_peer *ret_peer,
                        struct vd_diag *diag);

/* Connects; VD_E_MISSING if nobody listens there. */
vd_status vd_ipc_connect(const char *path, uint64_t deadline_ns, int *ret_fd, struct vd_diag *diag);

/* The peer of a connected socket. */
vd_status vd_ipc_peer(int fd, struct vd_ipc_peer *ret, struct vd_diag *diag);

/*
 * Sends one frame; `frame->fd` stays the caller's. VD_E_TIMEOUT or VD_E_BUSY at
 * the deadline, VD_E_MISSING if the other side is gone.
 */
vd_status vd_ipc_send(int fd, const struct vd_ipc_frame *frame, uint64_t deadline_ns,
                      struct vd_diag *diag);

/*
 * Receives one frame; `ret->fd` (-1: none) is the caller's to close. A packet
 * that is no frame gives the parser's status. VD_E_MISSING: the other side has
 * closed (an empty packet counts as that too); VD_E_TIMEOUT, VD_E_BUSY.
 */
vd_status vd_ipc_receive(int fd, struct vd_ipc_buffer *buffer, uint64_t deadline_ns,
                         struct vd_ipc_frame *ret, struct vd_diag *diag);

/*
 * Sends a request and waits for its answer. An answer that tells of a failure
 * gives its status and diagnostic; `ret` is filled on VD_OK only. An answer to
 * anything else is VD_E_INVALID: the connection is of no use then.
 */
vd_status vd_ipc_call(const struct vd_ipc_line *line, const struct vd_ipc_frame *request,
                      struct vd_ipc_frame *ret, struct vd_diag *diag);

#endif
