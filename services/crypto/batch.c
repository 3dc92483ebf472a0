/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Many operations in one request. Items with the same key that follow each other are one run:
 * asked for, counted and recorded once, before the first of them is done.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/use.h"

struct vd_keyd_batch {
    struct vd_key_op ops[VD_KEY_BATCH_MAX];
    vd_status read[VD_KEY_BATCH_MAX]; /* of each item by itself */
};

static bool has_batch(uint16_t verb)
{
    return (verb >= VD_KEY_ENCRYPT && verb <= VD_KEY_REWRAP);
}

static vd_status read_items(struct vd_keyd_call *call, struct vd_keyd_batch *batch, uint16_t count,
                            struct vd_diag *diag)
{
    for (uint16_t i = 0; i < count; i++) {
        struct vd_reader item;
        const uint8_t *data;
        size_t size;
        VD_TRY(vd_key_read_data(&call->in, &data, &size, diag));
        vd_reader_init(&item, data, size);
        batch->ops[i] = (struct vd_key_op){};
        batch->read[i] = vd_key_read_op(&item, &batch->ops[i], NULL);
        if (batch->read[i] == VD_OK)
            batch->read[i] = vd_read_done(&item);
    }
    return vd_key_read_end(&call->in, diag);
}

/* A status and a result, whose size is written when it is known. */
static void write_item(struct vd_writer *out, size_t at, vd_status status)
{
    struct vd_writer head;
    size_t size = out->len - at - 8;

    if (status != VD_OK) {
        if (out->len <= out->size)
            vd_wipe(out->buf + at, out->len - at);
        out->len = at + 8;
        size = 0;
    }
    vd_writer_init(&head, out->buf + at, 8);
    vd_write_le32(&head, (uint32_t)status);
    vd_write_le32(&head, (uint32_t)size);
}

/* True if there is room for as many more items without a result. */
static bool has_room(const struct vd_writer *out, uint32_t items)
{
    return !out->full && out->len + 8ull * items <= out->size;
}

static vd_status do_item(struct vd_keyd_use *use, struct vd_writer *out)
{
    struct vd_diag diag = {};
    vd_status status;

    use->out = out;
    status = vd_keyd_use_work(use, &diag);
    return status == VD_OK && out->full ? VD_E_LIMIT : status;
}

/* Items `from` to `to` name the same key. */
static void do_run(struct vd_keyd_conn *c, struct vd_keyd_call *call, uint16_t verb, uint16_t from,
                   uint16_t to)
{
    struct vd_keyd_batch *batch = c->batch;
    struct vd_writer *out = &call->out;
    struct vd_diag diag = {};
    struct vd_keyd_use use = {.op = &batch->ops[from]};
    uint32_t failures = 0;
    vd_status begun, first = VD_OK;

    begun = vd_keyd_use_begin(c, &use, verb, (uint32_t)(to - from), &diag);
    for (uint16_t i = from; i < to; i++) {
        size_t at = out->len;
        /* The frame less what the items behind need; a result that does not fit is VD_E_LIMIT. */
        struct vd_writer room = *out;
        vd_status status = batch->read[i] != VD_OK ? batch->read[i] : begun;
        vd_write_zero(&room, 8);
        room.size -= 8ull * (uint32_t)(c->batch_count - i - 1);
        use.op = &batch->ops[i];
        if (status == VD_OK)
            status = do_item(&use, &room);
        out->len = room.len;
        write_item(out, at, status);
        failures += status != VD_OK;
        first = first == VD_OK ? status : first;
        vd_keyd_arena_reset(c, c->secret);
    }
    if (begun == VD_OK && failures != 0)
        vd_keyd_use_failed(&use, failures, first, NULL);
    vd_keyd_use_end(&use);
}

vd_status vd_keyd_batch(struct vd_keyd_conn *c, struct vd_keyd_call *call, struct vd_diag *diag)
{
    uint16_t verb, count;

    VD_TRY(vd_key_read_u16(&call->in, &verb, diag));
    VD_TRY(vd_key_read_u16(&call->in, &count, diag));
    if (!has_batch(verb))
        return vd_diagf(diag, VD_E_INVALID, "verb %u does not come in batches", verb);
    if (count == 0 || count > VD_KEY_BATCH_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a batch has 1 to %u items", VD_KEY_BATCH_MAX);
    if (c->batch == NULL)
        c->batch = malloc(sizeof(*c->batch));
    if (c->batch == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a batch");
    VD_TRY(read_items(call, c->batch, count, diag));
    c->batch_count = count;
    vd_write_le16(&call->out, count);
    if (!has_room(&call->out, count))
        return vd_diag_fail(diag, VD_E_LIMIT, "the answer is larger than the lane");
    for (uint16_t i = 0, to; i < count; i = to) {
        for (to = (uint16_t)(i + 1);
             to < count && c->batch->ops[to].handle == c->batch->ops[i].handle;)
            to++;
        do_run(c, call, verb, i, to);
    }
    return VD_OK;
}
