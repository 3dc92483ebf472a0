/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the client library's files share. */
#ifndef VD_LIB_SECCLIENT_INTERNAL_H
#define VD_LIB_SECCLIENT_INTERNAL_H

#include "core/abi/security.h"
#include "core/mac/avc.h"
#include "lib/ipc/socket.h"
#include "lib/secclient/secclient.h"

#include <pthread.h>

/* A subject, object or class, and the number that the server of `link` gave it. */
struct vd_secclient_entry {
    uint32_t kind;    /* enum vd_sec_kind, or VD_SECCLIENT_CLASS; 0: free */
    uint32_t number;  /* the server's */
    uint64_t link;    /* connection to which it belongs; 0: none yet */
    uint8_t *payload; /* owned: of the request that names it */
    size_t size;
};
#define VD_SECCLIENT_CLASS 3u

struct vd_secclient_table {
    struct vd_secclient_entry *rows; /* owned */
    uint32_t count;
    uint32_t free_hint; /* no free row before it */
};

struct vd_secclient {
    /*
     * Read without the lock. The page stays at its address: a new server's is
     * mapped over it. `stamp` is the policy of the decisions in `avc`, whose
     * sequence grows by one whenever `stamp` changes, before it does.
     */
    const struct vd_sec_page *page;
    uint64_t stamp;
    struct vd_avc avc;
    struct vd_avc_slot *slots; /* owned */

    pthread_mutex_t lock; /* of everything below, and of all changes above */
    char *socket;         /* owned */
    uint32_t timeout_ms;
    uint32_t server_uid;
    int fd;        /* -1: not connected */
    pid_t pid;     /* whose connection it is */
    uint64_t link; /* number of the connection, from 1 */
    bool pinned;   /* the running operation ends with the connection */
    int pass;      /* descriptor that goes with the next request, borrowed; -1: none */
    uint32_t id;   /* of the last request */
    uint64_t requests;
    struct vd_secclient_table entities;
    struct vd_secclient_table classes;
    struct vd_ipc_buffer buffer;
};

/*
 * Around an operation: takes the lock, connects if need be, and holds the
 * operation to that connection, whose numbers mean nothing on another one.
 * vd_secclient_end belongs to it whatever the status.
 */
vd_status vd_secclient_begin(struct vd_secclient *client, struct vd_diag *diag);
void vd_secclient_end(struct vd_secclient *client);

/* All of these between the two. */

/* Sends a request and waits for its answer, which borrows `buffer`. */
vd_status vd_secclient_call(struct vd_secclient *client, uint32_t verb, const struct vd_writer *w,
                            struct vd_reader *ret, struct vd_diag *diag);

/*
 * The server's number for a subject or object (kind 0: either) or for a class
 * (VD_SECCLIENT_CLASS), named anew if need be.
 */
vd_status vd_secclient_number(struct vd_secclient *client, uint32_t kind, uint32_t id,
                              uint32_t *ret, struct vd_diag *diag);

/* Forgets all kept decisions. */
void vd_secclient_flush(struct vd_secclient *client);

/* Writes u16 length and text; VD_E_LIMIT beyond `max` bytes. */
vd_status vd_secclient_put(struct vd_writer *w, const char *text, size_t max, struct vd_diag *diag);

#endif
