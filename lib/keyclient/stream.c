/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Streams: each belongs to its connection, which others may use between two chunks. */
#include "lib/keyclient/internal.h"

#include <stdlib.h>

#include "lib/diagf.h"

struct vd_keyclient_stream {
    struct vd_keyclient_conn *conn;
    uint64_t link;
    uint32_t number;
    uint32_t chunk;
};

struct begin {
    enum vd_key_verb verb;
    struct vd_keyclient_op *op;
    struct vd_keyclient_stream *stream;
};

static vd_status begin(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    struct begin *b = ctx;
    struct vd_keyclient_op *op = b->op;
    struct vd_key_op request = {};
    struct vd_keyclient_request call = {.verb = b->verb, .fd = -1};
    struct vd_key_result result;
    struct vd_writer w;
    struct vd_reader r;

    VD_TRY(vd_keyclient_handle(c, op->key, &request.handle, diag));
    VD_TRY(vd_keyclient_lay_out(c, b->verb, op, &request, diag));
    w = vd_keyclient_writer(c);
    vd_key_write_op(&w, &request);
    call.w = &w;
    VD_TRY(vd_keyclient_call(c, &call, &r, diag));
    if (vd_key_read_result(&r, &result, NULL) != VD_OK || vd_read_done(&r) != VD_OK)
        return vd_keyclient_wrong(diag);
    b->stream->chunk = b->verb == VD_KEY_STREAM_SEAL ? op->length : result.version;
    if (b->stream->chunk == 0 || b->stream->chunk > VD_KEYCLIENT_TEXT_MAX)
        return vd_keyclient_wrong(diag);
    c->streams++;
    b->stream->conn = c;
    b->stream->link = c->link;
    b->stream->number = result.number;
    return vd_keyclient_take_result(c, &request, &result, op, diag);
}

static vd_status begin_stream(struct vd_keyclient *client, enum vd_key_verb verb,
                              struct vd_keyclient_op *op, struct vd_keyclient_stream **ret,
                              struct vd_diag *diag)
{
    struct vd_keyclient_stream *stream = calloc(1, sizeof(*stream));
    struct begin b = {verb, op, stream};
    struct vd_keyclient_job job = {.once = begin, .ctx = &b, .streams = true};
    vd_status status;

    if (stream == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a stream");
    status = vd_keyclient_run(client, &job, diag);
    if (status != VD_OK) {
        vd_keyclient_stream_free(stream);
        return status;
    }
    *ret = stream;
    return VD_OK;
}

vd_status vd_keyclient_stream_seal(struct vd_keyclient *client, struct vd_keyclient_op *op,
                                   struct vd_keyclient_stream **ret, struct vd_diag *diag)
{
    if (op->length == 0)
        op->length = 1u << 20;
    return begin_stream(client, VD_KEY_STREAM_SEAL, op, ret, diag);
}

vd_status vd_keyclient_stream_open(struct vd_keyclient *client, struct vd_keyclient_op *op,
                                   struct vd_keyclient_stream **ret, struct vd_diag *diag)
{
    return begin_stream(client, VD_KEY_STREAM_OPEN, op, ret, diag);
}

size_t vd_keyclient_stream_chunk(const struct vd_keyclient_stream *stream)
{
    return stream->chunk;
}

static vd_status next(struct vd_keyclient_stream *s, bool last, struct vd_keyclient_op *op,
                      struct vd_diag *diag)
{
    struct vd_keyclient_conn *c = s->conn;
    struct vd_keyclient_request call = {.verb = VD_KEY_STREAM_NEXT, .fd = -1};
    struct vd_key_op request = {};
    struct vd_key_result result;
    struct vd_writer w;
    struct vd_reader r;

    VD_TRY(vd_keyclient_lay_out(c, VD_KEY_STREAM_NEXT, op, &request, diag));
    w = vd_keyclient_writer(c);
    vd_write_le32(&w, s->number);
    vd_write_u8(&w, last);
    vd_key_write_op(&w, &request);
    call.w = &w;
    VD_TRY(vd_keyclient_call(c, &call, &r, diag));
    if (vd_key_read_result(&r, &result, NULL) != VD_OK || vd_read_done(&r) != VD_OK)
        return vd_keyclient_wrong(diag);
    return vd_keyclient_take_result(c, &request, &result, op, diag);
}

vd_status vd_keyclient_stream_next(struct vd_keyclient_stream *stream, bool last,
                                   const struct vd_keyclient_bytes *text,
                                   struct vd_keyclient_buffer *out, struct vd_diag *diag)
{
    struct vd_keyclient_op op = {.text = *text, .out = *out};
    vd_status status;

    VD_TRY(vd_keyclient_take_this(stream->conn, stream->link, diag));
    status = next(stream, last, &op, diag);
    vd_keyclient_wipe(stream->conn);
    vd_keyclient_put(stream->conn);
    out->size = status == VD_OK || status == VD_E_NO_SPACE ? op.out.size : 0;
    return status;
}

void vd_keyclient_stream_free(struct vd_keyclient_stream *stream)
{
    struct vd_keyclient_conn *c = stream != NULL ? stream->conn : NULL;
    struct vd_diag ignored = {};

    /* Of a connection that has ended the service has let go everything. */
    if (c != NULL && vd_keyclient_take_this(c, stream->link, &ignored) == VD_OK) {
        struct vd_writer w = vd_keyclient_writer(c);
        struct vd_keyclient_request call = {.verb = VD_KEY_STREAM_END, .w = &w, .fd = -1};
        struct vd_reader r;
        vd_write_le32(&w, stream->number);
        if (vd_keyclient_call(c, &call, &r, &ignored) == VD_OK && c->streams != 0)
            c->streams--;
        vd_keyclient_put(c);
    }
    free(stream);
}
