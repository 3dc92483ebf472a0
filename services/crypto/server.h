/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key process: one thread a connection, which receives, reads, asks whether it may be, works,
 * records and answers; one thread that takes connections; one that wipes keys whose time in
 * memory is over, destroys those whose grace is over, and keeps the record's ring alive.
 *
 * Threads share the store (its own locks), the table of open keys (keys.h), the policy's client
 * and the ring; an operation with a loaded key takes no lock.
 */
#ifndef VD_SERVICES_CRYPTO_SERVER_H
#define VD_SERVICES_CRYPTO_SERVER_H

#include "lib/ipc/lane.h"
#include "lib/keyclient/wire.h"
#include "lib/peers.h"
#include "lib/secclient/secclient.h"
#include "services/crypto/audit.h"
#include "services/crypto/keys.h"
#include "services/crypto/root/root.h"

#define VD_KEYD_CLIENTS     256u /* standard of --max-clients */
#define VD_KEYD_CLIENTS_MAX 4096u
#define VD_KEYD_RESERVE     16u /* connections more for root and the service's own user */
#define VD_KEYD_USER_SHARE  2u  /* one user has at most this part of the connections */
#define VD_KEYD_STACK_BYTES (512u << 10)
#define VD_KEYD_PIECES      8u
#define VD_KEYD_ARENA_KEPT  (2u << 20)   /* private memory that a connection keeps */
#define VD_KEYD_ARENA_BYTES (512u << 20) /* of all connections together */
#define VD_KEYD_MAPPED_BYTES \
    (4ull << 30) /* of their shared buffers; a user has his share of both */

struct vd_keyd_conn;

/* A user who is connected, and what his connections take together. */
struct vd_keyd_user {
    struct vd_keyd_user *next; /* under the server's lock */
    uint32_t uid, conns;       /* likewise */
    bool own;                  /* root, the service's own: no share but all */
    _Atomic uint64_t arena_bytes, mapped_bytes;
};

struct vd_keyd {
    /* Set by the program before vd_keyd_start. */
    const char *label;    /* of keys that name none */
    uint32_t max_clients; /* the reserve comes on top */
    struct vd_peers peers;
    struct vd_secclient *policy; /* NULL: only root and the service's own user connect */
    struct vd_keyd_audit audit;
    struct vd_kstore *store;
    struct vd_alg *alg;
    struct vd_root *root;
    struct vd_secret root_key; /* the store's */
    struct vd_kstore_counter counter;
    uint32_t root_kind; /* enum vd_key_root */
    int listener, signals;
    int credentials; /* listens for the service manager; -1: there is none */
    const char *credentials_key;
    _Atomic uint32_t credential_threads;
    int web;          /* listens for the web interface; -1: there is none */
    int front;        /* to its front process */
    uint32_t adopted; /* clients handed to it */

    uint32_t class;                     /* the policy's number for class key */
    uint32_t rights[VD_KEY_VERB_COUNT]; /* its permission for each verb; 0: none */
    struct vd_keyd_keys keys;
    _Atomic bool stopping;
    pthread_mutex_t lock; /* of the list */
    pthread_cond_t gone;  /* a connection ended */
    pthread_cond_t wake;  /* the keeper is to look again */
    struct vd_keyd_conn *conns;
    uint32_t conn_count;
    struct vd_keyd_user *users;
    pthread_t keeper;
    bool keeping;
    vd_status purge_failed; /* the keeper's: what it has said already */
    _Atomic uint64_t arena_bytes, mapped_bytes;
    _Atomic uint64_t counts[VD_KEY_STATUS_COUNT]; /* those that only grow */
};

/* Threads for connections and the keeper; serves until a signal comes. */
vd_status vd_keyd_run(struct vd_keyd *s, struct vd_diag *diag);

/* Names class key; keys without a label get `s->label`. */
vd_status vd_keyd_prepare(struct vd_keyd *s, struct vd_diag *diag);

/* After vd_keyd_run: wipes what is left. */
void vd_keyd_done(struct vd_keyd *s);

struct vd_keyd_handle {
    struct vd_keyd_key *key; /* NULL: free */
    uint16_t turn;           /* how often the place was given, upper half of the handle */
};

struct vd_keyd_buffer {
    uint8_t *data; /* shared with the client; NULL: free */
    size_t size;
    uint32_t number;
};

struct vd_keyd_stream {
    struct vd_alg_stream *stream; /* NULL: free */
    struct vd_keyd_key *key;      /* a reference */
    uint32_t version, number;
    uint16_t verb; /* that started it */
};

struct vd_keyd_piece {
    uint8_t *data;
    size_t size, used;
};

struct vd_keyd_conn {
    struct vd_keyd *server;
    struct vd_keyd_conn *next; /* under the server's lock */
    int fd;
    int client; /* whose connection a front process speaks for; -1: its own */
    struct vd_ipc_peer peer;
    struct vd_keyd_user *user;           /* NULL: not enlisted */
    const struct vd_keyd_label *context; /* NULL: none */
    struct vd_ipc_lane lane;

    struct vd_keyd_handle *handles; /* owned; room for `handle_room` */
    uint32_t handle_count, handle_room, next_place;
    struct vd_keyd_buffer buffers[VD_KEY_BUFFERS_MAX];
    pthread_mutex_t stream_lock; /* who destroys a key ends its streams */
    struct vd_keyd_stream streams[VD_KEY_STREAMS_MAX];
    uint32_t numbers; /* of buffers and streams */
    bool secret;      /* private memory holds what is to be wiped after this request */

    struct vd_keyd_piece pieces[VD_KEYD_PIECES]; /* private copies of what came in shared memory */
    uint32_t piece_count;
    struct vd_keyd_batch *batch; /* owned; made when it is needed */
    uint32_t batch_count;
    struct vd_ipc_buffer request;
    uint8_t answer[VD_IPC_PAYLOAD_MAX];
};

/* One request on its way. */
struct vd_keyd_call {
    uint16_t verb;
    struct vd_reader in;  /* the payload */
    struct vd_writer out; /* the answer's */
    int fd;               /* that came; taken: -1 */
    int ret_fd;           /* that goes with the answer; closed then */
};

/* A row of the table of verbs. */
struct vd_keyd_verb {
    const char *name;
    const char *right; /* permission of class key; empty: none */
    bool manage, data;
};
const struct vd_keyd_verb *vd_keyd_verb(uint32_t verb);

/* The permissions of class key, in the order of their bits. */
extern const struct vd_secclient_names vd_keyd_rights;
uint32_t vd_keyd_right(const char *name);

/*
 * Serves a connection in a thread of its own; both descriptors are taken. With a `client` (else -1)
 * the caller is who is there, for as long as it is there: a front process speaks for it.
 */
vd_status vd_keyd_conn_start(struct vd_keyd *s, int fd, int client, struct vd_diag *diag);

/* The parts of it, for tests: a connection whose caller is not known yet, and one answer. */
struct vd_keyd_conn *vd_keyd_conn_new(struct vd_keyd *s, int fd);
void vd_keyd_conn_free(struct vd_keyd_conn *c);

/* Leaves the answer's payload, `ret_size` bytes, wiped: what counts is the status and that it ends. */
vd_status vd_keyd_answer(struct vd_keyd_conn *c, struct vd_ipc_frame *request, size_t *ret_size,
                         struct vd_diag *diag);

/* Ends the streams of a key that is no more, or of that version of it (0: all), on every connection. */
void vd_keyd_end_streams(struct vd_keyd *s, const struct vd_keyd_key *key, uint32_t version);

/* identity.c */

/* Takes the caller from `fd`: user, process, context; VD_E_DENIED. */
vd_status vd_keyd_identify(struct vd_keyd_conn *c, int fd, struct vd_diag *diag);

/* May the caller do this to a key of that label? VD_E_DENIED with the reason, recorded. */
vd_status vd_keyd_permit(struct vd_keyd_conn *c, uint32_t right, const struct vd_keyd_label *label,
                         struct vd_diag *diag);

/* The same of a verb and a key that is open; a denial is recorded. */
vd_status vd_keyd_permit_verb(struct vd_keyd_conn *c, uint32_t verb, const struct vd_keyd_key *key,
                              const struct vd_keyd_label *label, struct vd_diag *diag);

/* An event with the caller in it, of a verb; to be filled and recorded. */
struct vd_keyd_event vd_keyd_event(const struct vd_keyd_conn *c, uint32_t verb,
                                   const struct vd_keyd_key *key);

/* handles.c */

vd_status vd_keyd_handle_new(struct vd_keyd_conn *c, const struct vd_kstore_key *row, uint32_t *ret,
                             struct vd_diag *diag);
vd_status vd_keyd_handle_find(struct vd_keyd_conn *c, uint32_t handle, struct vd_keyd_key **ret,
                              struct vd_diag *diag);
vd_status vd_keyd_handle_close(struct vd_keyd_conn *c, uint32_t handle, struct vd_diag *diag);

/* Lets go of handles, buffers, streams and memory. */
void vd_keyd_conn_clear(struct vd_keyd_conn *c);

/* memory.c */

/* The bytes of a part where they are. VD_E_NOT_FOUND: no such buffer; VD_E_RANGE: outside it. */
vd_status vd_keyd_part(struct vd_keyd_conn *c, const struct vd_key_part *part,
                       struct vd_alg_bytes *ret, struct vd_diag *diag);

/* The same, copied to private memory if the client could change them. */
vd_status vd_keyd_part_private(struct vd_keyd_conn *c, const struct vd_key_part *part,
                               struct vd_alg_bytes *ret, struct vd_diag *diag);

/* Private memory until the request is answered. */
vd_status vd_keyd_arena_take(struct vd_keyd_conn *c, size_t size, uint8_t **ret,
                             struct vd_diag *diag);

/* Forgets what was taken; `wipe`: it held something secret. */
void vd_keyd_arena_reset(struct vd_keyd_conn *c, bool wipe);
void vd_keyd_arena_free(struct vd_keyd_conn *c);

/* Lets a shared buffer go; a free place is fine. */
void vd_keyd_buffer_drop(struct vd_keyd_conn *c, struct vd_keyd_buffer *buffer);

/* Ends a stream; an empty one is fine. */
void vd_keyd_stream_drop(struct vd_keyd_conn *c, struct vd_keyd_stream *stream);

/* What verbs do: each reads its payload from call->in and writes the answer to call->out. */
typedef vd_status vd_keyd_function(struct vd_keyd_conn *c, struct vd_keyd_call *call,
                                   struct vd_diag *diag);
vd_keyd_function vd_keyd_hello, vd_keyd_create, vd_keyd_import, vd_keyd_open, vd_keyd_close,
    vd_keyd_list, vd_keyd_show, vd_keyd_public, vd_keyd_operate, vd_keyd_wrap, vd_keyd_unwrap,
    vd_keyd_rotate, vd_keyd_set, vd_keyd_destroy, vd_keyd_restore, vd_keyd_attach, vd_keyd_attached,
    vd_keyd_attachments, vd_keyd_stream_start, vd_keyd_stream_next, vd_keyd_stream_end,
    vd_keyd_buffer, vd_keyd_batch, vd_keyd_random, vd_keyd_status, vd_keyd_adopt, vd_keyd_lane;

#endif
