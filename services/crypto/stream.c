/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Streams of one connection. A stream holds a key of its own, derived when it was started: so
 * each piece asks anew whether the key may still serve, and whoever destroys the key ends the
 * streams of every connection.
 */
#define _GNU_SOURCE
#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/use.h"

/* With the lock. */
static void drop(struct vd_keyd_conn *c, struct vd_keyd_stream *stream)
{
    vd_alg_stream_free(stream->stream);
    if (stream->key != NULL)
        vd_keyd_key_drop(&c->server->keys, stream->key);
    *stream = (struct vd_keyd_stream){};
}

void vd_keyd_stream_drop(struct vd_keyd_conn *c, struct vd_keyd_stream *stream)
{
    pthread_mutex_lock(&c->stream_lock);
    drop(c, stream);
    pthread_mutex_unlock(&c->stream_lock);
}

void vd_keyd_end_streams(struct vd_keyd *s, const struct vd_keyd_key *key, uint32_t version)
{
    pthread_mutex_lock(&s->lock);
    for (struct vd_keyd_conn *c = s->conns; c != NULL; c = c->next) {
        pthread_mutex_lock(&c->stream_lock);
        for (uint32_t i = 0; i < VD_KEY_STREAMS_MAX; i++) {
            struct vd_keyd_stream *stream = &c->streams[i];
            if (stream->key != key || (version != 0 && stream->version != version))
                continue;
            vd_alg_stream_free(stream->stream);
            stream->stream = NULL; /* its owner is told so, and gives the reference back */
        }
        pthread_mutex_unlock(&c->stream_lock);
    }
    pthread_mutex_unlock(&s->lock);
}

static struct vd_keyd_stream *find(struct vd_keyd_conn *c, uint32_t number)
{
    for (uint32_t i = 0; i < VD_KEY_STREAMS_MAX; i++)
        if (c->streams[i].key != NULL && c->streams[i].number == number)
            return &c->streams[i];
    return NULL;
}

static struct vd_keyd_stream *find_free(struct vd_keyd_conn *c)
{
    for (uint32_t i = 0; i < VD_KEY_STREAMS_MAX; i++)
        if (c->streams[i].key == NULL)
            return &c->streams[i];
    return NULL;
}

static vd_status seal(struct vd_keyd_use *use, struct vd_keyd_stream *stream, struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    uint8_t head[VD_ALG_STREAM_HEADER];
    struct vd_alg_buffer buffer = {.data = head, .room = sizeof(head)};
    struct vd_alg_stream_setup setup = {.chunk_size = op->length};
    struct vd_key_result result = {.number = stream->number};

    VD_TRY(vd_keyd_use_version(use, op->version, diag));
    setup.version = use->version;
    VD_TRY(vd_keyd_part_private(use->c, &op->aux, &setup.aad, diag));
    VD_TRY(vd_alg_stream_seal(use->alg, &setup, &buffer, &stream->stream, diag));
    result.version = use->version;
    result.out = (struct vd_key_part){.data = head, .size = buffer.size};
    vd_key_write_result(use->out, &result);
    return VD_OK;
}

static vd_status open_stream(struct vd_keyd_use *use, struct vd_keyd_stream *stream,
                             struct vd_diag *diag)
{
    const struct vd_key_op *op = use->op;
    struct vd_key_result result = {.number = stream->number};
    struct vd_alg_ciphertext head;
    struct vd_alg_message message = {};

    VD_TRY(vd_keyd_part_private(use->c, &op->text, &message.text, diag));
    VD_TRY(vd_keyd_part_private(use->c, &op->aux, &message.aad, diag));
    VD_TRY(vd_alg_ciphertext_parse(&message.text, &head, diag));
    if (!head.stream)
        return vd_diag_fail(diag, VD_E_MAGIC, "this is a ciphertext, not a stream");
    if (head.type != use->facts.type)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "the stream is of a key of another type");
    if (head.version == 0)
        return vd_diag_fail(diag, VD_E_RANGE, "the stream names no version");
    VD_TRY(vd_keyd_use_version(use, head.version, diag));
    VD_TRY(vd_alg_stream_open(use->alg, &message, &stream->stream, diag));
    result.version = vd_alg_stream_chunk_size(stream->stream);
    vd_key_write_result(use->out, &result);
    return VD_OK;
}

/* The stream's own reference to the key, which outlives the handle. */
static vd_status hold(const struct vd_keyd_use *use, struct vd_keyd_stream *stream,
                      struct vd_diag *diag)
{
    struct vd_keyd *s = use->c->server;
    struct vd_kstore_key row;

    VD_TRY(vd_kstore_get(s->store, use->key->id, &row));
    return vd_keyd_keys_open(&s->keys, &row, &stream->key, diag);
}

/* Destroyed meanwhile? Who destroyed it did not see this stream yet. */
static vd_status check_there(struct vd_keyd_conn *c, const struct vd_keyd_stream *stream,
                             struct vd_diag *diag)
{
    struct vd_keyd_facts facts;
    struct vd_kstore_version version;

    vd_keyd_key_facts(stream->key, &facts);
    if (facts.state == VD_KEY_ACTIVE &&
        vd_kstore_version(c->server->store, stream->key->id, stream->version, &version) == VD_OK &&
        !version.destroyed)
        return VD_OK;
    return vd_diag_fail(diag, VD_E_REVOKED, "the key is destroyed");
}

static vd_status start(struct vd_keyd_use *use, struct vd_diag *diag)
{
    struct vd_keyd_conn *c = use->c;
    struct vd_keyd_stream stream = {.verb = use->verb, .number = c->numbers + 1};
    struct vd_keyd_stream *place = find_free(c);
    vd_status status;

    if (place == NULL)
        return vd_diagf(diag, VD_E_LIMIT, "a connection has at most %u streams",
                        VD_KEY_STREAMS_MAX);
    VD_TRY(hold(use, &stream, diag));
    status = use->verb == VD_KEY_STREAM_SEAL ? seal(use, &stream, diag)
                                             : open_stream(use, &stream, diag);
    stream.version = use->version;
    pthread_mutex_lock(&c->stream_lock);
    if (status == VD_OK) {
        *place = stream;
        c->numbers++;
        status = check_there(c, place, diag);
        if (status != VD_OK)
            drop(c, place);
    } else {
        drop(c, &stream);
    }
    pthread_mutex_unlock(&c->stream_lock);
    return status;
}

vd_status vd_keyd_stream_start(struct vd_keyd_conn *c, struct vd_keyd_call *call,
                               struct vd_diag *diag)
{
    struct vd_key_op op;
    struct vd_keyd_use use = {.op = &op, .out = &call->out};
    vd_status status;

    VD_TRY(vd_key_read_op(&call->in, &op, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    VD_TRY(vd_keyd_use_begin(c, &use, call->verb, 1, diag));
    status = start(&use, diag);
    if (status != VD_OK)
        vd_keyd_use_failed(&use, 1, status, diag->text);
    vd_keyd_use_end(&use);
    return status;
}

/* The key may have changed since the stream began. */
static vd_status check(struct vd_keyd_conn *c, const struct vd_keyd_stream *stream,
                       struct vd_diag *diag)
{
    struct vd_keyd *s = c->server;
    struct vd_keyd_facts facts;

    vd_keyd_key_facts(stream->key, &facts);
    VD_TRY(vd_keyd_use_check(s, &facts, stream->verb, diag));
    if (stream->version < facts.min_decrypt_version)
        return vd_diagf(diag, VD_E_REVOKED, "version %u serves no more", stream->version);
    VD_TRY(vd_keyd_permit_verb(c, stream->verb, stream->key, facts.label, diag));
    return stream->stream != NULL
               ? VD_OK
               : vd_diag_fail(diag, VD_E_REVOKED, "the key was destroyed, or this version of it");
}

/* A request for the next piece. */
struct piece {
    struct vd_key_op op;
    uint8_t last;
};

/* One piece: a private copy in, and a private place for what comes out. */
static vd_status next(struct vd_keyd_conn *c, struct vd_keyd_stream *stream,
                      const struct piece *what, struct vd_writer *out, struct vd_diag *diag)
{
    const struct vd_key_op *op = &what->op;
    struct vd_key_result result = {.version = stream->version, .number = stream->number};
    struct vd_alg_bytes text, there = {};
    struct vd_alg_buffer piece = {};

    c->secret = true; /* the plaintext is copied in or comes out */
    VD_TRY(vd_keyd_part_private(c, &op->text, &text, diag));
    if (op->out.buffer != 0)
        VD_TRY(vd_keyd_part(c, &op->out, &there, diag));
    piece.room = text.size + VD_ALG_TAG_SIZE;
    VD_TRY(vd_keyd_arena_take(c, piece.room, (uint8_t **)&piece.data, diag));
    if (op->out.buffer != 0 && stream->verb == VD_KEY_STREAM_SEAL && there.size < piece.room)
        return vd_diagf(diag, VD_E_NO_SPACE, "the piece will have %zu bytes, there is room for %zu",
                        piece.room, there.size);
    VD_TRY(vd_alg_stream_next(stream->stream, &text, what->last == 1, &piece, diag));
    result.out = (struct vd_key_part){.data = piece.data, .size = piece.size};
    if (op->out.buffer != 0) {
        if (there.size < piece.size)
            return vd_diag_fail(diag, VD_E_NO_SPACE, "there is no room for the piece");
        vd_copy((void *)(uintptr_t)there.data, piece.data, piece.size);
        result.out.buffer = op->out.buffer;
        result.out.offset = op->out.offset;
    }
    vd_key_write_result(out, &result);
    return VD_OK;
}

vd_status vd_keyd_stream_next(struct vd_keyd_conn *c, struct vd_keyd_call *call,
                              struct vd_diag *diag)
{
    struct vd_keyd_stream *stream;
    struct piece piece;
    uint32_t number;
    vd_status status;

    VD_TRY(vd_key_read_u32(&call->in, &number, diag));
    VD_TRY(vd_key_read_u8(&call->in, &piece.last, diag));
    VD_TRY(vd_key_read_op(&call->in, &piece.op, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    if (piece.last > 1)
        return vd_diag_fail(diag, VD_E_RANGE, "a chunk is the last one or is not");
    stream = find(c, number);
    if (stream == NULL)
        return vd_diagf(diag, VD_E_HANDLE, "this connection has no stream %u", number);
    pthread_mutex_lock(&c->stream_lock);
    status = check(c, stream, diag);
    if (status == VD_OK)
        status = next(c, stream, &piece, &call->out, diag);
    if (stream->stream != NULL && vd_alg_stream_ended(stream->stream))
        drop(c, stream);
    pthread_mutex_unlock(&c->stream_lock);
    return status;
}

vd_status vd_keyd_stream_end(struct vd_keyd_conn *c, struct vd_keyd_call *call,
                             struct vd_diag *diag)
{
    struct vd_keyd_stream *stream;
    uint32_t number;

    VD_TRY(vd_key_read_u32(&call->in, &number, diag));
    VD_TRY(vd_key_read_end(&call->in, diag));
    stream = find(c, number);
    if (stream == NULL)
        return vd_diagf(diag, VD_E_HANDLE, "this connection has no stream %u", number);
    vd_keyd_stream_drop(c, stream);
    return VD_OK;
}
