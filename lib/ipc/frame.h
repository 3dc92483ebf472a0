/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A frame's bytes: checked whole on the way in, written on the way out.
 * Format: core/abi/ipc.h, docs/formats/ipc.md. No input or output, any thread.
 */
#ifndef VD_LIB_IPC_FRAME_H
#define VD_LIB_IPC_FRAME_H

#include "core/abi/ipc.h"
#include "core/base/diag.h"
#include "core/base/reader.h"
#include "core/base/writer.h"

struct vd_ipc_frame {
    uint16_t service;       /* enum vd_ipc_service */
    uint16_t verb;          /* of the service, from 1 */
    uint16_t flags;         /* VD_IPC_ANSWER; the other bit follows from `fd` */
    uint32_t id;            /* the asker's own number; its answer has the same */
    uint32_t status;        /* of an answer: enum vd_status; of a request 0 */
    const uint8_t *payload; /* borrowed */
    size_t size;            /* of the payload in bytes */
    int fd;                 /* descriptor that goes with it; -1: none */
};

/*
 * Reads one packet. VD_E_TRUNCATED, VD_E_TRAILING, VD_E_MAGIC, VD_E_VERSION,
 * VD_E_RESERVED, VD_E_LIMIT or VD_E_INVALID with the offset. The payload
 * borrows `data`. `ret->fd` is -1; the flag says whether one must have come.
 */
vd_status vd_ipc_frame_parse(const void *data, size_t size, struct vd_ipc_frame *ret,
                             struct vd_diag *diag);

/* Writes the header alone; VD_E_LIMIT if the payload is larger than a frame holds. */
vd_status vd_ipc_frame_head(const struct vd_ipc_frame *frame, uint8_t ret[VD_IPC_HEADER_SIZE]);

/*
 * An answer that tells of a failure carries its diagnostic: offset, file, text,
 * hint. Writes it; what `diag` does not say is empty.
 */
void vd_ipc_diag_encode(const struct vd_diag *diag, struct vd_writer *w);

/* Reads it back with `status`, which is the frame's; a wrong payload is VD_E_INVALID. */
vd_status vd_ipc_diag_parse(const struct vd_ipc_frame *frame, struct vd_diag *diag);

/*
 * Is `answer` the one to `request`? VD_E_INVALID if not: the connection is of no use then.
 * If it is, its status, with its diagnostic.
 */
vd_status vd_ipc_frame_answers(const struct vd_ipc_frame *answer,
                               const struct vd_ipc_frame *request, struct vd_diag *diag);

#endif
