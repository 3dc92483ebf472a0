/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests that are no operations; attachments, random bytes, status. */
#include "lib/keyclient/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define ATTACHMENTS_MAX (1u << 20) /* of one key, that are listed */

static vd_status exchange_once(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    const struct vd_keyclient_exchange *e = ctx;
    struct vd_keyclient_request request = {
        .verb = e->verb, .way = VD_KEYCLIENT_SOCKET, .fd = -1, .slow = e->slow};
    struct vd_writer w;
    struct vd_reader r;
    uint32_t handle = 0;

    if (e->key != NULL)
        VD_TRY(vd_keyclient_handle(c, e->key, &handle, diag));
    w = vd_keyclient_writer(c);
    if (e->key != NULL)
        vd_write_le32(&w, handle);
    if (e->write != NULL)
        e->write(&w, e->ctx);
    request.w = &w;
    VD_TRY(vd_keyclient_call(c, &request, &r, diag));
    if (e->read != NULL)
        VD_TRY(e->read(&r, e->ctx, diag));
    return vd_read_done(&r) == VD_OK ? VD_OK : vd_keyclient_wrong(diag);
}

static vd_status exchange_wiped(struct vd_keyclient_conn *c, void *ctx, struct vd_diag *diag)
{
    const struct vd_keyclient_exchange *e = ctx;
    vd_status status = exchange_once(c, ctx, diag);

    if (e->secret)
        vd_keyclient_wipe(c);
    return status;
}

vd_status vd_keyclient_ask(struct vd_keyclient *client, struct vd_keyclient_exchange *e,
                           struct vd_diag *diag)
{
    struct vd_keyclient_job job = {.once = exchange_wiped, .ctx = e};

    return vd_keyclient_run(client, &job, diag);
}

vd_status vd_keyclient_change(struct vd_keyclient *client, struct vd_keyclient_exchange *e,
                              struct vd_diag *diag)
{
    struct vd_keyclient_job job = {.once = exchange_wiped, .ctx = e, .changes = true};

    return vd_keyclient_run(client, &job, diag);
}

vd_status vd_keyclient_read_output(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    struct vd_keyclient_buffer *out = ((struct vd_keyclient_output *)ctx)->out;
    const uint8_t *data;
    size_t size;

    if (vd_key_read_data(r, &data, &size, NULL) != VD_OK)
        return vd_keyclient_wrong(diag);
    out->size = size;
    if (size > out->room)
        return vd_diagf(diag, VD_E_NO_SPACE, "the result has %zu bytes, there is room for %zu",
                        size, out->room);
    if (size != 0)
        vd_copy(out->data, data, size);
    return VD_OK;
}

/* Attachments */

static void write_changes(struct vd_writer *w, const void *ctx)
{
    const struct vd_keyclient_changes *changes = ctx;

    vd_write_u8(w, changes->final);
    vd_write_le16(w, (uint16_t)changes->count);
    for (uint32_t i = 0; i < changes->count; i++)
        vd_key_write_attach(w, &changes->changes[i]);
}

vd_status vd_keyclient_attach(struct vd_keyclient_key *key,
                              const struct vd_keyclient_changes *changes, struct vd_diag *diag)
{
    struct vd_keyclient_exchange e = {.verb = VD_KEY_ATTACH,
                                      .key = key,
                                      .write = write_changes,
                                      .ctx = (void *)(uintptr_t)changes};

    if (changes->count > VD_KEY_ATTACH_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "at most %u attachments are changed at once",
                        VD_KEY_ATTACH_MAX);
    return vd_keyclient_change(key->client, &e, diag);
}

static void write_attached(struct vd_writer *w, const void *ctx)
{
    const struct vd_keyclient_output *o = ctx;

    vd_write_le16(w, o->form_or_kind);
    vd_key_write_text(w, o->name);
}

vd_status vd_keyclient_attached(struct vd_keyclient_key *key, enum vd_key_attachment kind,
                                const char *name, struct vd_keyclient_buffer *out,
                                struct vd_diag *diag)
{
    struct vd_keyclient_output o = {.form_or_kind = (uint16_t)kind, .name = name, .out = out};
    struct vd_keyclient_exchange e = {.verb = VD_KEY_ATTACHED,
                                      .key = key,
                                      .write = write_attached,
                                      .read = vd_keyclient_read_output,
                                      .ctx = &o};

    if (!vd_key_name_valid(name, VD_KEY_ATTACHMENT_NAME, true))
        return vd_diag_fail(diag, VD_E_INVALID, "no attachment has such a name");
    return vd_keyclient_ask(key->client, &e, diag);
}

struct attachments {
    uint16_t kind;
    struct vd_keyclient_attachment *rows; /* owned */
    uint32_t count, room;
    uint8_t more;
};

static void write_attachments(struct vd_writer *w, const void *ctx)
{
    const struct attachments *a = ctx;

    vd_write_le16(w, a->kind);
    vd_write_u8(w, a->count != 0);
    if (a->count == 0)
        return;
    vd_write_le16(w, a->rows[a->count - 1].kind);
    vd_key_write_text(w, a->rows[a->count - 1].name);
}

static vd_status make_room(struct attachments *a, uint32_t more, struct vd_diag *diag)
{
    struct vd_keyclient_attachment *larger;
    uint32_t room = a->room;

    if (more == 0)
        return VD_OK;
    if (a->count + more > ATTACHMENTS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a key has more than %u attachments", ATTACHMENTS_MAX);
    while (room < a->count + more)
        room = room != 0 ? 2 * room : 64;
    larger = room != a->room ? realloc(a->rows, room * sizeof(*larger)) : a->rows;
    if (larger == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a list of attachments");
    a->rows = larger;
    a->room = room;
    return VD_OK;
}

/* True if `b` comes behind `a`: a service that goes round in circles would be listed for ever. */
static bool behind(const struct vd_keyclient_attachment *a, const struct vd_keyclient_attachment *b)
{
    return b->kind > a->kind || (b->kind == a->kind && strcmp(b->name, a->name) > 0);
}

static vd_status read_attachments(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    struct attachments *a = ctx;
    uint32_t last = a->count;
    uint16_t count;

    if (vd_read_le16(r, &count) != VD_OK || vd_read_u8(r, &a->more) != VD_OK || a->more > 1 ||
        (count == 0 && a->more != 0))
        return vd_keyclient_wrong(diag);
    VD_TRY(make_room(a, count, diag));
    for (uint16_t i = 0; i < count; i++) {
        struct vd_keyclient_attachment *row = &a->rows[last + i];
        if (vd_read_le16(r, &row->kind) != VD_OK ||
            vd_key_read_text(r, VD_KEY_ATTACHMENT_NAME, row->name, NULL) != VD_OK ||
            (last + i != 0 && !behind(row - 1, row)))
            return vd_keyclient_wrong(diag);
    }
    a->count = last + count;
    return VD_OK;
}

vd_status vd_keyclient_attachments(struct vd_keyclient_key *key, enum vd_key_attachment kind,
                                   struct vd_keyclient_attachment **ret, uint32_t *ret_count,
                                   struct vd_diag *diag)
{
    struct attachments a = {.kind = (uint16_t)kind};
    struct vd_keyclient_exchange e = {.verb = VD_KEY_ATTACHMENTS,
                                      .key = key,
                                      .write = write_attachments,
                                      .read = read_attachments,
                                      .ctx = &a};
    vd_status status;

    do
        status = vd_keyclient_ask(key->client, &e, diag);
    while (status == VD_OK && a.more != 0);
    if (status != VD_OK) {
        free(a.rows);
        return status;
    }
    *ret = a.rows;
    *ret_count = a.count;
    return VD_OK;
}

/* The service */

struct random {
    uint32_t size;
    void *out;
};

static void write_random(struct vd_writer *w, const void *ctx)
{
    vd_write_le32(w, ((const struct random *)ctx)->size);
}

static vd_status read_random(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    const struct random *random = ctx;
    const uint8_t *data;
    size_t size;

    if (vd_key_read_data(r, &data, &size, NULL) != VD_OK || size != random->size)
        return vd_keyclient_wrong(diag);
    vd_copy(random->out, data, size);
    return VD_OK;
}

vd_status vd_keyclient_random(struct vd_keyclient *client, void *ret, size_t size,
                              struct vd_diag *diag)
{
    struct random random = {(uint32_t)size, ret};
    struct vd_keyclient_exchange e = {.verb = VD_KEY_RANDOM,
                                      .secret = true,
                                      .write = write_random,
                                      .read = read_random,
                                      .ctx = &random};

    if (size == 0 || size > VD_KEY_RANDOM_MAX)
        return vd_diagf(diag, VD_E_RANGE, "1 to %u random bytes at once", VD_KEY_RANDOM_MAX);
    return vd_keyclient_ask(client, &e, diag);
}

static vd_status read_counts(struct vd_reader *r, void *ctx, struct vd_diag *diag)
{
    uint64_t *counts = ctx;
    uint16_t count;

    if (vd_read_le16(r, &count) != VD_OK || count != VD_KEY_STATUS_COUNT)
        return vd_keyclient_wrong(diag);
    for (uint16_t i = 0; i < count; i++)
        if (vd_read_le64(r, &counts[i]) != VD_OK)
            return vd_keyclient_wrong(diag);
    return VD_OK;
}

vd_status vd_keyclient_status(struct vd_keyclient *client, uint64_t ret[VD_KEY_STATUS_COUNT],
                              struct vd_diag *diag)
{
    uint64_t counts[VD_KEY_STATUS_COUNT];
    struct vd_keyclient_exchange e = {.verb = VD_KEY_STATUS, .read = read_counts, .ctx = counts};

    VD_TRY(vd_keyclient_ask(client, &e, diag));
    vd_copy(ret, counts, sizeof(counts));
    return VD_OK;
}
