/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations with keys: alone, in batches, with a room. */
#include "lib/keyclient/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/mem.h"
#include "lib/diagf.h"

#define FRAME_DATA (48u << 10) /* bytes of parts in a frame of the socket */
#define LANE_DATA  (8u << 10)  /* and of the lane: then shared memory is faster */
#define ALIGNMENT  64u
#define LANE_ROOM  15'000u /* bytes that an answer through the lane may have */

struct vd_keyclient_room {
    struct vd_keyclient_conn *conn;
};

/* What a verb's answer may have. */
static bool has_long_output(enum vd_key_verb verb)
{
    return verb == VD_KEY_ENCRYPT || verb == VD_KEY_DECRYPT || verb == VD_KEY_REWRAP ||
           verb == VD_KEY_STREAM_NEXT;
}

static bool is_secret(enum vd_key_verb verb)
{
    return verb == VD_KEY_ENCRYPT || verb == VD_KEY_DECRYPT || verb == VD_KEY_ENCAPSULATE ||
           verb == VD_KEY_DECAPSULATE || verb == VD_KEY_DERIVE || verb == VD_KEY_STREAM_NEXT;
}

static bool in_shared(const struct vd_keyclient_conn *c, const void *data, size_t size)
{
    uintptr_t at = (uintptr_t)data, start = (uintptr_t)c->shared.data;

    return c->shared.data != NULL && at >= start && size <= c->shared.size &&
           at - start <= c->shared.size - size;
}

/* How an operation's parts travel. */
struct layout {
    bool room;   /* some may lie in shared memory already */
    bool copy;   /* they are put there */
    size_t used; /* bytes of shared memory taken so far */
};

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct vd_key_part place(struct vd_keyclient_conn *c, struct layout *l,
                                const struct vd_keyclient_bytes *part)
{
    uint8_t *shared = c->shared.data;
    size_t at = l->used;

    if (l->room && in_shared(c, part->data, part->size))
        return (struct vd_key_part){.buffer = c->shared.number,
                                    .offset = (uint64_t)((const uint8_t *)part->data - shared),
                                    .size = part->size};
    if (!l->copy || part->size == 0)
        return (struct vd_key_part){.data = part->data, .size = part->size};
    vd_copy(shared + at, part->data, part->size);
    l->used += aligned(part->size);
    return (struct vd_key_part){.buffer = c->shared.number, .offset = at, .size = part->size};
}

static struct vd_key_part place_out(struct vd_keyclient_conn *c, struct layout *l,
                                    const struct vd_keyclient_buffer *out, size_t expected)
{
    size_t size = out->room < expected ? out->room : expected;

    if (l->room && size != 0 && in_shared(c, out->data, size))
        return (struct vd_key_part){.buffer = c->shared.number,
                                    .offset = (uint64_t)((uint8_t *)out->data - c->shared.data),
                                    .size = size};
    if (!l->copy || expected == 0)
        return (struct vd_key_part){};
    return (struct vd_key_part){.buffer = c->shared.number, .offset = l->used, .size = size};
}

/* Bytes that the parts and the output take up in shared memory, their alignment included. */
static size_t shared_size(const struct vd_keyclient_op *op, size_t expected)
{
    size_t room = op->out.room < expected ? op->out.room : expected;

    return aligned(op->text.size) + aligned(op->aux.size) + aligned(op->extra.size) + aligned(room);
}

/* Decides how the parts travel and puts them there. */
vd_status vd_keyclient_lay_out(struct vd_keyclient_conn *c, enum vd_key_verb verb,
                               const struct vd_keyclient_op *op, struct vd_key_op *ret,
                               struct vd_diag *diag)
{
    struct layout l = {.room = op->room != NULL};
    size_t expected = has_long_output(verb) ? op->text.size + VD_KEYCLIENT_OVERHEAD : 0;
    size_t sum = op->text.size + op->aux.size + op->extra.size;

    if (op->text.size > VD_KEYCLIENT_TEXT_MAX || op->aux.size > VD_KEYCLIENT_TEXT_MAX ||
        op->extra.size > VD_KEYCLIENT_TEXT_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "more than %u bytes in one operation",
                        VD_KEYCLIENT_TEXT_MAX);
    if (!l.room && sum > (c->lane.page != NULL ? LANE_DATA : FRAME_DATA)) {
        VD_TRY(vd_keyclient_share(c, shared_size(op, expected), diag));
        l.copy = true;
    }
    ret->version = op->version;
    ret->mechanism = op->mechanism;
    ret->form = op->form;
    ret->length = op->length;
    ret->text = place(c, &l, &op->text);
    ret->aux = place(c, &l, &op->aux);
    ret->extra = place(c, &l, &op->extra);
    ret->out = place_out(c, &l, &op->out, expected);
    return VD_OK;
}

static vd_status take_bytes(const struct vd_key_part *part, struct vd_keyclient_buffer *out,
                            struct vd_diag *diag)
{
    out->size = part->size;
    if (part->size > out->room)
        return vd_diagf(diag, VD_E_NO_SPACE, "the result has %zu bytes, there is room for %zu",
                        part->size, out->room);
    if (part->size != 0)
        vd_copy(out->data, part->data, part->size);
    return VD_OK;
}

/* The output, from where it was asked for and nowhere else. */
static vd_status take_out(const struct vd_keyclient_conn *c, const struct vd_key_part *asked,
                          const struct vd_key_part *given, struct vd_keyclient_buffer *out,
                          struct vd_diag *diag)
{
    struct vd_key_part part = *given;

    if (given->buffer != asked->buffer)
        return vd_keyclient_wrong(diag);
    if (asked->buffer == 0)
        return take_bytes(given, out, diag);
    if (given->offset != asked->offset || given->size > asked->size)
        return vd_keyclient_wrong(diag);
    part.data = c->shared.data + asked->offset;
    if (part.data != out->data)
        return take_bytes(&part, out, diag);
    out->size = part.size;
    return VD_OK;
}

vd_status vd_keyclient_take_result(struct vd_keyclient_conn *c, const struct vd_key_op *asked,
                                   const struct vd_key_result *result, struct vd_keyclient_op *op,
                                   struct vd_diag *diag)
{
    if (result->second.buffer != 0)
        return vd_keyclient_wrong(diag);
    VD_TRY(take_out(c, &asked->out, &result->out, &op->out, diag));
    VD_TRY(take_bytes(&result->second, &op->second, diag));
    op->served = result->version;
    return VD_OK;
}

struct once {
    enum vd_key_verb verb;
    struct vd_keyclient_op *op;
};

static vd_status operate(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    struct once *once = ctx;
    struct vd_key_op request = {};
    struct vd_keyclient_request call = {.verb = once->verb, .fd = -1};
    struct vd_key_result result;
    struct vd_writer w;
    struct vd_reader r;

    VD_TRY(vd_keyclient_handle(c, once->op->key, &request.handle, diag));
    if (once->op->other != NULL)
        VD_TRY(vd_keyclient_handle(c, once->op->other, &request.other, diag));
    VD_TRY(vd_keyclient_lay_out(c, once->verb, once->op, &request, diag));
    w = vd_keyclient_writer(c);
    vd_key_write_op(&w, &request);
    call.w = &w;
    VD_TRY(vd_keyclient_call(c, &call, &r, diag));
    if (vd_key_read_result(&r, &result, NULL) != VD_OK || vd_read_done(&r) != VD_OK)
        return vd_keyclient_wrong(diag);
    return vd_keyclient_take_result(c, &request, &result, once->op, diag);
}

/* The same, and no secret left in the frames. */
static vd_status operate_wiped(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    struct once *once = ctx;
    vd_status status = operate(c, ctx, diag);

    if (status != VD_OK && status != VD_E_NO_SPACE)
        once->op->out.size = 0;
    if (is_secret(once->verb))
        vd_keyclient_wipe(c);
    return status;
}

vd_status vd_keyclient_operate(struct vd_keyclient *client, enum vd_key_verb verb,
                               struct vd_keyclient_op *op, struct vd_diag *diag)
{
    struct once once = {verb, op};
    struct vd_keyclient_job job = {
        .once = operate_wiped, .ctx = &once, .changes = verb == VD_KEY_WRAP};

    if (op->room != NULL) {
        if (op->room->conn->lost)
            return vd_diag_fail(diag, VD_E_MISSING, "the room's connection has ended");
        return operate_wiped(op->room->conn, &once, diag);
    }
    return vd_keyclient_run(client, &job, diag);
}

/* Batches */

struct batch {
    enum vd_key_verb verb;
    struct vd_keyclient_op *ops;
    uint32_t count;
};

static vd_status write_batch(struct vd_keyclient_conn *c, const struct batch *b,
                             struct vd_writer *w, struct vd_diag *diag)
{
    /* Handles first: opening a key uses the connection's frames too. */
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t handle;
        VD_TRY(vd_keyclient_handle(c, b->ops[i].key, &handle, diag));
    }
    *w = vd_keyclient_writer(c);
    vd_write_le16(w, (uint16_t)b->verb);
    vd_write_le16(w, (uint16_t)b->count);
    for (uint32_t i = 0; i < b->count; i++) {
        const struct vd_keyclient_op *op = &b->ops[i];
        struct vd_key_op item = {.handle = op->key->on[c->index].handle,
                                 .version = op->version,
                                 .mechanism = op->mechanism,
                                 .form = op->form,
                                 .length = op->length,
                                 .text = {.data = op->text.data, .size = op->text.size},
                                 .aux = {.data = op->aux.data, .size = op->aux.size},
                                 .extra = {.data = op->extra.data, .size = op->extra.size}};
        uint8_t *size_at = w->buf + w->len;
        size_t start;
        struct vd_writer patch;
        vd_write_le32(w, 0);
        start = w->len;
        vd_key_write_op(w, &item);
        if (w->full)
            return vd_diag_fail(diag, VD_E_LIMIT, "the batch does not fit a frame");
        vd_writer_init(&patch, size_at, sizeof(uint32_t));
        vd_write_le32(&patch, (uint32_t)(w->len - start));
    }
    return VD_OK;
}

static vd_status read_item(struct vd_keyclient_conn *c, struct vd_reader *r,
                           struct vd_keyclient_op *op)
{
    static const struct vd_key_op in_frame;
    struct vd_key_result result;
    struct vd_reader item;
    uint32_t status, size;

    if (vd_read_le32(r, &status) != VD_OK || vd_read_le32(r, &size) != VD_OK ||
        vd_read_sub(r, size, &item) != VD_OK || (status != VD_OK && size != 0))
        return VD_E_INVALID;
    op->out.size = 0;
    op->status = status < VD_STATUS_COUNT ? (vd_status)status : VD_E_SYSTEM;
    if (status != VD_OK)
        return VD_OK;
    if (vd_key_read_result(&item, &result, NULL) != VD_OK || vd_read_done(&item) != VD_OK)
        return VD_E_INVALID;
    op->status = vd_keyclient_take_result(c, &in_frame, &result, op, NULL);
    return op->status == VD_E_INVALID ? VD_E_INVALID : VD_OK;
}

/* At most so many bytes of an item's answer; the service does not answer by another way. */
static size_t answer_size(enum vd_key_verb verb, const struct vd_keyclient_op *op)
{
    uint16_t type = op->key->info.attributes.type;
    size_t head = 40;

    if (has_long_output(verb))
        return head + op->text.size + VD_KEYCLIENT_OVERHEAD;
    if (verb == VD_KEY_VERIFY)
        return head;
    return head + (type == VD_ALG_ML_DSA_65 ? 3400u : 1600u);
}

static enum vd_keyclient_way way_of(const struct batch *b)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < b->count; i++)
        sum += answer_size(b->verb, &b->ops[i]);
    return sum <= LANE_ROOM ? VD_KEYCLIENT_ANY_WAY : VD_KEYCLIENT_SOCKET;
}

static vd_status do_batch(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    const struct batch *b = ctx;
    struct vd_keyclient_request call = {.verb = VD_KEY_BATCH, .fd = -1};
    struct vd_writer w;
    struct vd_reader r;
    uint16_t count;

    VD_TRY(write_batch(c, b, &w, diag));
    call.w = &w;
    call.way = way_of(b);
    VD_TRY(vd_keyclient_call(c, &call, &r, diag));
    if (vd_read_le16(&r, &count) != VD_OK || count != b->count)
        return vd_keyclient_wrong(diag);
    for (uint32_t i = 0; i < count; i++)
        if (read_item(c, &r, &b->ops[i]) != VD_OK)
            return vd_keyclient_wrong(diag);
    if (vd_read_done(&r) != VD_OK)
        return vd_keyclient_wrong(diag);
    return VD_OK;
}

static vd_status do_batch_wiped(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    const struct batch *b = ctx;
    vd_status status = do_batch(c, ctx, diag);

    if (is_secret(b->verb))
        vd_keyclient_wipe(c);
    return status;
}

vd_status vd_keyclient_batch(struct vd_keyclient *client, enum vd_key_verb verb,
                             struct vd_keyclient_op *ops, uint32_t count, struct vd_diag *diag)
{
    struct batch batch = {verb, ops, count};
    struct vd_keyclient_job job = {.once = do_batch_wiped, .ctx = &batch};

    if (count == 0)
        return VD_OK;
    if (count > VD_KEY_BATCH_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a batch has at most %u operations", VD_KEY_BATCH_MAX);
    return vd_keyclient_run(client, &job, diag);
}

/* Rooms */

vd_status vd_keyclient_room_take(struct vd_keyclient *client, size_t size_bytes,
                                 struct vd_keyclient_room **ret, struct vd_diag *diag)
{
    struct vd_keyclient_room *room = calloc(1, sizeof(*room));
    vd_status status;

    if (room == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a room");
    status = vd_keyclient_take(client, false, &room->conn, diag);
    if (status == VD_OK) {
        if (room->conn->link == 0)
            status = vd_keyclient_join(room->conn, diag);
        if (status == VD_OK)
            status = vd_keyclient_share(room->conn, size_bytes, diag);
        if (status == VD_OK) {
            *ret = room;
            return VD_OK;
        }
        room->conn->lost |= room->conn->link == 0;
        vd_keyclient_put(room->conn);
    }
    free(room);
    return status;
}

uint8_t *vd_keyclient_room_data(const struct vd_keyclient_room *room)
{
    return room->conn->shared.data;
}

void vd_keyclient_room_free(struct vd_keyclient_room *room)
{
    if (room == NULL)
        return;
    vd_keyclient_put(room->conn);
    free(room);
}
