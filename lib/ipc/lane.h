/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A lane: frames of one connection through memory that both sides map, for small requests
 * whose time counts: a round trip takes a third of the socket's time, and less where the two
 * sides run on different processors (bench: ipc). The socket stays: for descriptors, for larger frames, and since its end
 * tells that the other side is gone.
 *
 *     server                                  client
 *     vd_ipc_lane_new(&lane, &fd, diag);      vd_ipc_lane_map(fd, &lane, diag);
 *     vd_ipc_lane_wait(&lane, …);             vd_ipc_lane_call(&lane, &line, &request, &answer, …);
 *     vd_ipc_lane_take(&lane, &buffer, …);
 *     vd_ipc_lane_answer(&lane, &frame, …);
 *
 * One request at a time. Neither side trusts the memory: a frame is copied before it is read,
 * sizes are read once. The memory cannot be cut off (sealed). One thread a side.
 */
#ifndef VD_LIB_IPC_LANE_H
#define VD_LIB_IPC_LANE_H

#include "lib/ipc/socket.h"

#define VD_IPC_LANE_FRAME_MAX 16384u /* bytes of a frame, its header included */

struct vd_ipc_lane_page; /* what is shared */

struct vd_ipc_lane {
    struct vd_ipc_lane_page *page; /* NULL: there is none */
    uint32_t number;               /* of the request before */
};

/* Makes the server's side; `ret_fd` is to be sent to the client and closed. */
vd_status vd_ipc_lane_new(struct vd_ipc_lane *lane, int *ret_fd, struct vd_diag *diag);

/* The client's side; `fd` stays the caller's. VD_E_INVALID: not a lane, or not sealed. */
vd_status vd_ipc_lane_map(int fd, struct vd_ipc_lane *lane, struct vd_diag *diag);

/* Unmaps; an empty one is fine. */
void vd_ipc_lane_done(struct vd_ipc_lane *lane);

/* True if a request of that payload can go through the lane. */
bool vd_ipc_lane_fits(const struct vd_ipc_frame *frame);

/*
 * The server waits for the client at most `timeout_ms`: VD_OK, and `ret_socket` tells
 * whether a frame waits on the socket instead of the lane; VD_E_TIMEOUT: look whether the
 * client is still there.
 */
vd_status vd_ipc_lane_wait(struct vd_ipc_lane *lane, uint32_t timeout_ms, bool *ret_socket,
                           struct vd_diag *diag);

/* The request, copied to `buffer`; the parser's errors. */
vd_status vd_ipc_lane_take(const struct vd_ipc_lane *lane, struct vd_ipc_buffer *buffer,
                           struct vd_ipc_frame *ret, struct vd_diag *diag);

/* Answers it. VD_E_LIMIT: the frame does not fit, nothing was sent. */
vd_status vd_ipc_lane_answer(struct vd_ipc_lane *lane, const struct vd_ipc_frame *frame,
                             struct vd_diag *diag);

/* The client's request and its answer, as vd_ipc_call; `line->fd` is the connection's socket. */
vd_status vd_ipc_lane_call(struct vd_ipc_lane *lane, const struct vd_ipc_line *line,
                           const struct vd_ipc_frame *request, struct vd_ipc_frame *ret,
                           struct vd_diag *diag);

/*
 * The same, whatever the answer says: VD_OK and a frame that may answer something else, or the
 * reason why there is none. vd_ipc_frame_answers judges it.
 */
vd_status vd_ipc_lane_exchange(struct vd_ipc_lane *lane, const struct vd_ipc_line *line,
                               const struct vd_ipc_frame *request, struct vd_ipc_frame *ret,
                               struct vd_diag *diag);

/* Wipes the frames that went through; between requests, by the client. */
void vd_ipc_lane_wipe(struct vd_ipc_lane *lane);

/* The client tells that it has sent a frame on the socket: then vd_ipc_receive gets the answer. */
void vd_ipc_lane_knock(struct vd_ipc_lane *lane);

#endif
