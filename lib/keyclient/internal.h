/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the client library's files share. */
#ifndef VD_LIB_KEYCLIENT_INTERNAL_H
#define VD_LIB_KEYCLIENT_INTERNAL_H

#include "lib/ipc/lane.h"
#include "lib/ipc/socket.h"
#include "lib/keyclient/keyclient.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* What a connection needs while a request is under way; too large for the stack. */
struct vd_keyclient_frames {
    uint8_t request[VD_IPC_PAYLOAD_MAX];
    struct vd_ipc_buffer answer;
};

/* Memory shared with the service. */
struct vd_keyclient_shared {
    uint8_t *data; /* NULL: none */
    size_t size;
    uint32_t number; /* the service's */
};

/* A connection. Who has it `busy` is alone with everything but `closing`. */
struct vd_keyclient_conn {
    struct vd_keyclient *client;
    uint32_t index; /* in the pool */
    bool busy;      /* under the client's lock, like `link` while it is not busy */
    uint64_t link;  /* which connection of the process's life; 0: not connected */
    bool lost;      /* of no use any more */
    int fd;
    ino_t socket; /* inode of `fd`: a child may have closed it and opened something else */
    struct vd_ipc_lane lane;
    struct vd_keyclient_shared shared;
    struct vd_keyclient_frames *frames; /* owned */
    size_t request_size, answer_size;   /* bytes of the last ones in `frames` */
    uint32_t id;                        /* of the last request */
    uint32_t streams;                   /* running on it */
    uint32_t handles;                   /* of keys, opened on it */
    uint32_t *closing; /* owned: handles to be closed; under the client's lock, like their count */
    uint32_t closing_count, closing_room;
};

struct vd_keyclient {
    char *socket; /* owned */
    uint32_t timeout_ms;
    uint32_t server_uid;
    bool no_lane;
    bool is_given; /* its only connection came from the caller */
    int given;     /* until it is used, else -1 */
    /* A page that is zero in a child: 1 the pool is being made the child's, 2 it is ours. */
    _Atomic uint32_t *owner;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    uint64_t links; /* connections made so far */
    uint32_t limit; /* connections allowed */
    bool full;      /* the service takes no more: what there are have to do */
    struct vd_keyclient_conn conns[VD_KEYCLIENT_CONNECTIONS_MAX];
};

struct vd_keyclient_key {
    struct vd_keyclient *client;
    struct vd_key_info info;
    char id[3 + 2 * VD_KEY_ID_SIZE + 1]; /* "id:…" */
    /* For each connection of the pool, written by who has it. */
    struct {
        uint64_t link; /* to which the handle belongs; 0: none */
        uint32_t handle;
    } on[VD_KEYCLIENT_CONNECTIONS_MAX];
};

/* Something to be done on a connection, perhaps twice: the first may turn out to be dead. */
struct vd_keyclient_job {
    vd_status (*once)(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag);
    void *ctx;
    bool changes; /* keys: never asked twice */
    bool streams; /* begins a stream: a connection that has room for one */
};

/* Takes a connection, connects it if need be, runs the job, gives it back. */
vd_status vd_keyclient_run(struct vd_keyclient *client, struct vd_keyclient_job *job,
                           struct vd_diag *diag);

/* Takes a connection / that one / gives it back. */
vd_status vd_keyclient_take(struct vd_keyclient *client, bool streams,
                            struct vd_keyclient_conn **ret, struct vd_diag *diag);
vd_status vd_keyclient_take_this(struct vd_keyclient_conn *c, uint64_t link, struct vd_diag *diag);
void vd_keyclient_put(struct vd_keyclient_conn *c);

/* Ends the connection and what belongs to it. */
void vd_keyclient_drop(struct vd_keyclient_conn *c);

/* Makes the connection of `c`, which is busy. */
vd_status vd_keyclient_join(struct vd_keyclient_conn *c, struct vd_diag *diag);

/* The writer of a request's payload; one at a time. */
struct vd_writer vd_keyclient_writer(struct vd_keyclient_conn *c);

enum vd_keyclient_way {
    VD_KEYCLIENT_ANY_WAY, /* through the lane where it fits: the answer must, too */
    VD_KEYCLIENT_SOCKET,
};

struct vd_keyclient_request {
    enum vd_key_verb verb;
    enum vd_keyclient_way way;
    const struct vd_writer *w;
    int fd;     /* to pass; -1: none */
    bool slow;  /* makes a key */
    int *taken; /* where a descriptor of the answer goes; NULL: it is closed */
};

/* Sends a request and waits for its answer, which borrows the connection's frames. */
vd_status vd_keyclient_call(struct vd_keyclient_conn *c, const struct vd_keyclient_request *request,
                            struct vd_reader *ret, struct vd_diag *diag);

/* Wipes the frames of the last request and answer. */
void vd_keyclient_wipe(struct vd_keyclient_conn *c);

/* The service's answer is not what the protocol says: VD_E_INVALID. */
vd_status vd_keyclient_wrong(struct vd_diag *diag);

/* The key's handle on a connection, opened there if need be. */
vd_status vd_keyclient_handle(struct vd_keyclient_conn *c, struct vd_keyclient_key *key,
                              uint32_t *ret, struct vd_diag *diag);

/* A shared buffer of at least `size` bytes. */
vd_status vd_keyclient_share(struct vd_keyclient_conn *c, size_t size, struct vd_diag *diag);

/* A request written by `write`, its answer read by `read`, both with `ctx`. */
struct vd_keyclient_exchange {
    enum vd_key_verb verb;
    bool slow;                    /* makes a key */
    bool secret;                  /* in the request or the answer */
    struct vd_keyclient_key *key; /* whose handle begins the request; NULL: none */
    void (*write)(struct vd_writer *w, const void *ctx);
    vd_status (*read)(struct vd_reader *r, void *ctx, struct vd_diag *diag);
    void *ctx;
};

/* Makes it; `change` never asks twice. */
vd_status vd_keyclient_ask(struct vd_keyclient *client, struct vd_keyclient_exchange *e,
                           struct vd_diag *diag);
vd_status vd_keyclient_change(struct vd_keyclient *client, struct vd_keyclient_exchange *e,
                              struct vd_diag *diag);

/* For requests whose answer is data. */
struct vd_keyclient_output {
    uint32_t version;
    uint16_t form_or_kind;
    const char *name;
    struct vd_keyclient_buffer *out;
};
vd_status vd_keyclient_read_output(struct vd_reader *r, void *ctx, struct vd_diag *diag);

/* Decides how an operation's parts travel, puts them there, and fills the request but its handles. */
vd_status vd_keyclient_lay_out(struct vd_keyclient_conn *c, enum vd_key_verb verb,
                               const struct vd_keyclient_op *op, struct vd_key_op *ret,
                               struct vd_diag *diag);

/* Takes outputs from where they were asked for. */
vd_status vd_keyclient_take_result(struct vd_keyclient_conn *c, const struct vd_key_op *asked,
                                   const struct vd_key_result *result, struct vd_keyclient_op *op,
                                   struct vd_diag *diag);

/* Closes the handles that keys left behind. */
void vd_keyclient_close_handles(struct vd_keyclient_conn *c);

#endif
