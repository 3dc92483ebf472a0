/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The client of the key service (veridian-cryptod): what the command, the PKCS#11 module, the
 * REST front and programs call.
 *
 *     vd_keyclient_new(NULL, &client, &diag);
 *     vd_keyclient_open(client, "web/tls", &key, &diag);
 *     struct vd_keyclient_op op = {.key = key, .text = {message, size}, .out = {buffer, room}};
 *     vd_keyclient_operate(client, VD_KEY_SIGN, &op, &diag);       op.out.size bytes
 *     vd_keyclient_key_free(key);
 *     vd_keyclient_free(client);
 *
 * Threads: every function may be called by any number at once, also with the same key; a stream
 * belongs to one thread at a time. Each call has a connection of a pool for itself, so that
 * threads wait for each other only when all are in use. A child after fork(2) makes connections
 * of its own; streams and rooms are its parent's.
 *
 * Restart: keys are opened again by themselves on another connection, by their id, so that a
 * name can never come to mean another key. Operations are asked again once; what changes keys is
 * not, since it may have been done: VD_E_MISSING then says so.
 *
 * Large data goes through memory shared with the service, by itself. Nothing is allocated for an
 * operation once a connection has served one of its size. The service is not trusted: its
 * answers are checked against what was asked (VD_E_INVALID).
 *
 * Status: the service's own with its diagnostic; VD_E_MISSING: no service; VD_E_UNTRUSTED: it is
 * somebody else's; VD_E_TIMEOUT; VD_E_DENIED: the policy does not allow it; VD_E_KEY_USAGE, …
 */
#ifndef VD_LIB_KEYCLIENT_KEYCLIENT_H
#define VD_LIB_KEYCLIENT_KEYCLIENT_H

#include "lib/keyclient/wire.h"
#include "lib/secret.h"

#define VD_KEYCLIENT_ANY_UID         UINT32_MAX
#define VD_KEYCLIENT_CONNECTIONS_MAX 64u
#define VD_KEYCLIENT_OVERHEAD        64u /* a ciphertext is at most so much longer than its text */
#define VD_KEYCLIENT_TEXT_MAX        (31u << 20) /* bytes of one operation; more: a stream */

struct vd_keyclient;
struct vd_keyclient_key;
struct vd_keyclient_stream;
struct vd_keyclient_room;

/* Zero is the default of every field. */
struct vd_keyclient_options {
    const char *socket;  /* NULL: VERIDIAN_CRYPTO_SOCKET of the environment, else VD_KEY_SOCKET */
    uint32_t timeout_ms; /* of one request; 0: 30000. Making a key has at least 120000 */
    /* Whose service it must be; VD_KEYCLIENT_ANY_UID: anybody's. 0: root's, our own user's, or
     * that of the owner of the socket's directory, who decides who listens there anyway. */
    uint32_t server_uid;
    uint32_t connections; /* at most; 0: 16 */
    bool no_lane;         /* sockets alone (for measuring) */
    int given; /* a connection that somebody made, taken: the only one there is; 0: none */
};

/* Makes a client, which connects when it is needed. `options` may be NULL. */
vd_status vd_keyclient_new(const struct vd_keyclient_options *options, struct vd_keyclient **ret,
                           struct vd_diag *diag);

/* After its keys, streams and rooms. NULL is fine. */
void vd_keyclient_free(struct vd_keyclient *client);

/* Connects now, to learn whether the service is there. */
vd_status vd_keyclient_connect(struct vd_keyclient *client, struct vd_diag *diag);

/* In a child after fork: closes its copies of the parent's connections, as its first call would. */
void vd_keyclient_own(struct vd_keyclient *client);

/* The socket's path; borrowed. */
const char *vd_keyclient_socket(const struct vd_keyclient *client);

/* Keys */

/* Opens by name, or by "id:" and 32 hex digits. VD_E_NOT_FOUND. */
vd_status vd_keyclient_open(struct vd_keyclient *client, const char *name,
                            struct vd_keyclient_key **ret, struct vd_diag *diag);
void vd_keyclient_key_free(struct vd_keyclient_key *key);

/* What the service said when the key was opened; borrowed. */
const struct vd_key_info *vd_keyclient_key_info(const struct vd_keyclient_key *key);

/* Makes a key; acknowledged is durable. `attributes->name` and `type` are needed. VD_E_EXISTS. */
vd_status vd_keyclient_create(struct vd_keyclient *client,
                              const struct vd_key_attributes *attributes,
                              uint8_t ret_id[VD_KEY_ID_SIZE], struct vd_diag *diag);

struct vd_keyclient_bytes {
    const void *data;
    size_t size;
};

/* Where an output goes: the caller sets data and room, the function size. */
struct vd_keyclient_buffer {
    void *data;
    size_t room;
    size_t size;
};

struct vd_keyclient_import {
    const struct vd_key_attributes *attributes;
    enum vd_alg_form form;
    struct vd_keyclient_bytes material;
};
vd_status vd_keyclient_import(struct vd_keyclient *client, const struct vd_keyclient_import *from,
                              uint8_t ret_id[VD_KEY_ID_SIZE], struct vd_diag *diag);

/* One page of keys in the order of their names. */
struct vd_keyclient_page {
    const char *prefix;              /* of the names; NULL: all */
    const struct vd_key_info *after; /* the last one of the page before; NULL: from the start */
    struct vd_key_info *infos;       /* the caller's: room for VD_KEY_LIST_MAX */
    uint32_t count;                  /* set: how many there are */
    bool more;                       /* set: others follow */
};
vd_status vd_keyclient_list(struct vd_keyclient *client, struct vd_keyclient_page *page,
                            struct vd_diag *diag);

/* A key and its versions (up to VD_KEY_VERSIONS_MAX, on the heap; the caller frees). */
struct vd_keyclient_shown {
    struct vd_key_info info;
    struct vd_key_version *versions;
    uint32_t version_count;
};
vd_status vd_keyclient_show(struct vd_keyclient *client, const char *name,
                            struct vd_keyclient_shown *ret, struct vd_diag *diag);

/* The public part of a version (0: the newest), SPKI or RAW_PUBLIC. VD_E_NO_SPACE. */
vd_status vd_keyclient_public(struct vd_keyclient_key *key, uint32_t version, enum vd_alg_form form,
                              struct vd_keyclient_buffer *out, struct vd_diag *diag);

/* A new version, whose number it gives. */
vd_status vd_keyclient_rotate(struct vd_keyclient_key *key, uint32_t *ret_version,
                              struct vd_diag *diag);

/* Changes what the bits `which` (VD_KEY_SET_…) name. `ret` may be NULL. */
vd_status vd_keyclient_set(struct vd_keyclient_key *key, uint32_t which,
                           const struct vd_key_attributes *attributes, struct vd_key_info *ret,
                           struct vd_diag *diag);

/*
 * Destroys a version (0: the key) when `grace_s` seconds have passed; until then it is of no use
 * and can be taken back. `ret_at`: when, in seconds since 1970; may be NULL.
 */
vd_status vd_keyclient_destroy(struct vd_keyclient_key *key, uint32_t version, uint64_t grace_s,
                               uint64_t *ret_at, struct vd_diag *diag);
vd_status vd_keyclient_restore(struct vd_keyclient_key *key, struct vd_diag *diag);

/* Operations */

struct vd_keyclient_op {
    struct vd_keyclient_key *key;
    struct vd_keyclient_key *other; /* wrap: the key that goes out */
    struct vd_keyclient_room *room; /* NULL: none, see below */
    uint32_t version;               /* as in struct vd_key_op, like the four after it */
    uint16_t mechanism;
    uint16_t form;
    uint32_t length;
    struct vd_keyclient_bytes text, aux, extra;
    struct vd_keyclient_buffer out;    /* may be `text` itself */
    struct vd_keyclient_buffer second; /* encapsulate: the shared secret (32 bytes) */
    uint32_t served;                   /* set: the version that served */
    vd_status status;                  /* set by a batch: this item's own */
};

/*
 * VD_KEY_ENCRYPT, DECRYPT, SIGN, VERIFY, ENCAPSULATE, DECAPSULATE, DERIVE, REWRAP or WRAP. Parts:
 * struct vd_key_op. VD_E_NO_SPACE: `out` is too small (`out.size` says what is needed, where that
 * is known); VD_E_LIMIT beyond VD_KEYCLIENT_TEXT_MAX. Nothing is in `out` after a failure.
 */
vd_status vd_keyclient_operate(struct vd_keyclient *client, enum vd_key_verb verb,
                               struct vd_keyclient_op *op, struct vd_diag *diag);

/*
 * The same operation up to VD_KEY_BATCH_MAX times in one request; keys may differ, rooms are not
 * used. VD_OK: each item has its `status`; else none was done. VD_E_LIMIT: requests or results
 * do not fit a frame (the sum of sizes is to stay below 48 KiB).
 */
vd_status vd_keyclient_batch(struct vd_keyclient *client, enum vd_key_verb verb,
                             struct vd_keyclient_op *ops, uint32_t count, struct vd_diag *diag);

/*
 * A room: memory that the service shares, for data that is made there and shall not be copied.
 * While it is held, so is its connection. Parts of an operation with `room` that lie in its
 * memory are not copied; its outputs may lie there too. The content is the caller's to wipe.
 */
vd_status vd_keyclient_room_take(struct vd_keyclient *client, size_t size_bytes,
                                 struct vd_keyclient_room **ret, struct vd_diag *diag);
uint8_t *vd_keyclient_room_data(const struct vd_keyclient_room *room);
void vd_keyclient_room_free(struct vd_keyclient_room *room);

/* Unwraps a key that was wrapped: `op` as for decrypting (text: the blob), `attributes` the new key's. */
vd_status vd_keyclient_unwrap(struct vd_keyclient *client, const struct vd_keyclient_op *op,
                              const struct vd_key_attributes *attributes,
                              uint8_t ret_id[VD_KEY_ID_SIZE], struct vd_diag *diag);

/* Streams: data of any size in chunks */

/*
 * Begins to seal: op->key, version, length (of a chunk; 0: 1 MiB), aux; op->out gets the header,
 * which comes first in the output.
 */
vd_status vd_keyclient_stream_seal(struct vd_keyclient *client, struct vd_keyclient_op *op,
                                   struct vd_keyclient_stream **ret, struct vd_diag *diag);

/* Begins to open: op->key, text (the header), aux. */
vd_status vd_keyclient_stream_open(struct vd_keyclient *client, struct vd_keyclient_op *op,
                                   struct vd_keyclient_stream **ret, struct vd_diag *diag);

/* Bytes of plaintext in every chunk but the last. */
size_t vd_keyclient_stream_chunk(const struct vd_keyclient_stream *stream);

/*
 * The next chunk: plaintext of the chunk's size when sealing, that and VD_KEYCLIENT_STREAM_TAG
 * when opening; the last one may be shorter. VD_E_TAG: changed, cut off or in another order.
 */
#define VD_KEYCLIENT_STREAM_TAG 16u
vd_status vd_keyclient_stream_next(struct vd_keyclient_stream *stream, bool last,
                                   const struct vd_keyclient_bytes *text,
                                   struct vd_keyclient_buffer *out, struct vd_diag *diag);
void vd_keyclient_stream_free(struct vd_keyclient_stream *stream);

/* Attachments, random bytes, status */

/*
 * Up to VD_KEY_ATTACH_MAX changes in one transaction. `final`: an older store cannot undo it
 * (revocations).
 */
struct vd_keyclient_changes {
    const struct vd_key_attach *changes;
    uint32_t count;
    bool final;
};
vd_status vd_keyclient_attach(struct vd_keyclient_key *key,
                              const struct vd_keyclient_changes *changes, struct vd_diag *diag);

/* One attachment's value. VD_E_NOT_FOUND; VD_E_NO_SPACE. */
vd_status vd_keyclient_attached(struct vd_keyclient_key *key, enum vd_key_attachment kind,
                                const char *name, struct vd_keyclient_buffer *out,
                                struct vd_diag *diag);

struct vd_keyclient_attachment {
    uint16_t kind;
    char name[VD_KEY_ATTACHMENT_NAME + 1];
};
/* All of a kind (0: every), on the heap, for the caller to free. */
vd_status vd_keyclient_attachments(struct vd_keyclient_key *key, enum vd_key_attachment kind,
                                   struct vd_keyclient_attachment **ret, uint32_t *ret_count,
                                   struct vd_diag *diag);

/* Up to VD_KEY_RANDOM_MAX bytes of the service's generator. */
vd_status vd_keyclient_random(struct vd_keyclient *client, void *ret, size_t size,
                              struct vd_diag *diag);

vd_status vd_keyclient_status(struct vd_keyclient *client, uint64_t ret[VD_KEY_STATUS_COUNT],
                              struct vd_diag *diag);

#endif
