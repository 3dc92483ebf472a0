/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the records' writer share. */
#ifndef VD_LIB_AUDITRING_INTERNAL_H
#define VD_LIB_AUDITRING_INTERNAL_H

#include "core/abi/auditring.h"
#include "lib/auditring/auditring.h"
#include "lib/ipc/socket.h"

#include <pthread.h>

struct vd_auditring {
    /* Read without the lock; never change. */
    struct vd_auditring_head *mem;
    uint32_t slots;
    int memory;   /* descriptor of `mem`, for the next daemon */
    char *socket; /* owned */
    uint32_t server_uid;
    uint32_t timeout_ms;

    pthread_mutex_t lock; /* of what follows */
    int fd;               /* -1: not connected */
    uint32_t id;          /* of the last request */
    uint64_t retry_ns;    /* not to be connected before */
    struct vd_ipc_buffer buffer;
};

/* Maps the memory that a daemon made; `fd` becomes the ring's on VD_OK. */
vd_status vd_auditring_map(struct vd_auditring *ring, int fd, struct vd_diag *diag);

/* VD_OK if a daemon reads the ring, if need be a new one to which it is handed over. */
vd_status vd_auditring_recover(struct vd_auditring *ring, struct vd_diag *diag);

/* Tells the daemon that there are records. */
void vd_auditring_wake(struct vd_auditring *ring);

#endif
