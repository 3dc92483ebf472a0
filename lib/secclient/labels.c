/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* New contexts, and contexts as texts. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/secclient/internal.h"

/* u16 length and bytes, to the answer's end, as a string on the heap. */
static vd_status take_text(struct vd_reader *r, char **ret, struct vd_diag *diag)
{
    const uint8_t *bytes;
    uint16_t len;
    char *text;

    if (vd_read_le16(r, &len) != VD_OK || vd_read_bytes(r, len, &bytes) != VD_OK ||
        vd_read_done(r) != VD_OK || memchr(bytes, '\0', len) != NULL)
        return vd_diag_fail(diag, VD_E_INVALID, "the server's answer has another form");
    text = malloc((size_t)len + 1);
    if (text == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a context");
    vd_copy(text, bytes, len);
    text[len] = '\0';
    *ret = text;
    return VD_OK;
}

static vd_status create(struct vd_secclient *client, const struct vd_secclient_creation *c,
                        char **ret, struct vd_diag *diag)
{
    uint8_t bytes[VD_SEC_NAME_MAX + 32];
    uint32_t subject, object, class;
    struct vd_writer w;
    struct vd_reader r;

    VD_TRY(vd_secclient_number(client, VD_SEC_SUBJECT, c->subject, &subject, diag));
    VD_TRY(vd_secclient_number(client, 0, c->object, &object, diag));
    VD_TRY(vd_secclient_number(client, VD_SECCLIENT_CLASS, c->class, &class, diag));
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_u8(&w, (uint8_t)c->kind);
    vd_write_le32(&w, subject);
    vd_write_le32(&w, object);
    vd_write_le32(&w, class);
    VD_TRY(vd_secclient_put(&w, c->name != NULL ? c->name : "", VD_SEC_NAME_MAX, diag));
    VD_TRY(vd_secclient_call(client, VD_SEC_TRANSITION, &w, &r, diag));
    return take_text(&r, ret, diag);
}

vd_status vd_secclient_create(struct vd_secclient *client,
                              const struct vd_secclient_creation *creation, char **ret,
                              struct vd_diag *diag)
{
    vd_status status;

    status = vd_secclient_begin(client, diag);
    if (status == VD_OK)
        status = create(client, creation, ret, diag);
    vd_secclient_end(client);
    return status;
}

vd_status vd_secclient_validate(struct vd_secclient *client, const char *context, char **ret,
                                struct vd_diag *diag)
{
    uint8_t bytes[VD_SEC_CONTEXT_MAX + 8];
    struct vd_writer w;
    struct vd_reader r;
    vd_status status;

    vd_writer_init(&w, bytes, sizeof(bytes));
    VD_TRY(vd_secclient_put(&w, context, VD_SEC_CONTEXT_MAX, diag));
    status = vd_secclient_begin(client, diag);
    if (status == VD_OK)
        status = vd_secclient_call(client, VD_SEC_VALIDATE, &w, &r, diag);
    if (status == VD_OK)
        status = take_text(&r, ret, diag);
    vd_secclient_end(client);
    return status;
}

static vd_status context_of(struct vd_secclient *client, uint32_t id, char **ret, bool *ret_valid,
                            struct vd_diag *diag)
{
    uint8_t bytes[4];
    uint32_t number;
    uint8_t valid;
    struct vd_writer w;
    struct vd_reader r;

    VD_TRY(vd_secclient_number(client, 0, id, &number, diag));
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_le32(&w, number);
    VD_TRY(vd_secclient_call(client, VD_SEC_CONTEXT, &w, &r, diag));
    if (vd_read_u8(&r, &valid) != VD_OK || valid > 1)
        return vd_diag_fail(diag, VD_E_INVALID, "the server's answer has another form");
    VD_TRY(take_text(&r, ret, diag));
    *ret_valid = valid == 1;
    return VD_OK;
}

vd_status vd_secclient_context(struct vd_secclient *client, uint32_t id, char **ret,
                               bool *ret_valid, struct vd_diag *diag)
{
    vd_status status;

    status = vd_secclient_begin(client, diag);
    if (status == VD_OK)
        status = context_of(client, id, ret, ret_valid, diag);
    vd_secclient_end(client);
    return status;
}

vd_status vd_secclient_peer(struct vd_secclient *client, int fd, char **ret, struct vd_diag *diag)
{
    uint8_t bytes[1];
    struct vd_writer w;
    struct vd_reader r;
    vd_status status;

    vd_writer_init(&w, bytes, sizeof(bytes));
    status = vd_secclient_begin(client, diag);
    client->pass = fd;
    if (status == VD_OK)
        status = vd_secclient_call(client, VD_SEC_PEER, &w, &r, diag);
    if (status == VD_OK)
        status = take_text(&r, ret, diag);
    client->pass = -1;
    vd_secclient_end(client);
    return status;
}
