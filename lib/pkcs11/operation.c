/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An operation that a session has begun: its mechanism, its key, and what came so far. */
#include "lib/pkcs11/internal.h"

#include <stdlib.h>

#include "core/base/mem.h"

CK_RV vd_p11_op_new(struct vd_p11_session *session, enum vd_p11_kind kind,
                    struct vd_p11_operation **ret)
{
    if (session->op[kind] != NULL)
        return CKR_OPERATION_ACTIVE;
    session->op[kind] = calloc(1, sizeof(**ret));
    if (session->op[kind] == NULL)
        return CKR_HOST_MEMORY;
    *ret = session->op[kind];
    return CKR_OK;
}

void vd_p11_op_end(struct vd_p11_session *session, enum vd_p11_kind kind)
{
    struct vd_p11_operation *op = session->op[kind];

    if (op == NULL)
        return;
    session->op[kind] = NULL;
    vd_p11_object_put(op->object);
    vd_p11_hash_free(op->hash);
    vd_p11_buffer_done(&op->data);
    vd_p11_buffer_done(&op->result);
    vd_p11_buffer_done(&op->signature);
    free(op->found);
    vd_wipe(op, sizeof(*op));
    free(op);
}

CK_RV vd_p11_buffer_reserve(struct vd_p11_buffer *buffer, size_t size)
{
    size_t room = buffer->room * 2;
    uint8_t *bytes;

    if (size <= buffer->room - buffer->size)
        return CKR_OK;
    if (room < buffer->size + size)
        room = buffer->size + size;
    bytes = malloc(room);
    if (bytes == NULL)
        return CKR_HOST_MEMORY;
    if (buffer->size != 0) {
        vd_copy(bytes, buffer->bytes, buffer->size);
        vd_wipe(buffer->bytes, buffer->size);
    }
    free(buffer->bytes);
    buffer->bytes = bytes;
    buffer->room = room;
    return CKR_OK;
}

CK_RV vd_p11_buffer_add(struct vd_p11_buffer *buffer, const void *data, size_t size)
{
    CK_RV rv;

    if (size > VD_P11_DATA_MAX - buffer->size)
        return CKR_DATA_LEN_RANGE;
    rv = vd_p11_buffer_reserve(buffer, size);
    if (rv != CKR_OK)
        return rv;
    if (size != 0)
        vd_copy(buffer->bytes + buffer->size, data, size);
    buffer->size += size;
    return CKR_OK;
}

void vd_p11_buffer_done(struct vd_p11_buffer *buffer)
{
    if (buffer->bytes != NULL)
        vd_wipe(buffer->bytes, buffer->size);
    free(buffer->bytes);
    *buffer = (struct vd_p11_buffer){};
}

CK_RV vd_p11_give(const struct vd_p11_buffer *result, CK_BYTE *out, CK_ULONG *out_len,
                  bool *ret_active)
{
    CK_ULONG room = *out_len;

    *out_len = result->size;
    *ret_active = true;
    if (out == NULL)
        return CKR_OK;
    if (room < result->size)
        return CKR_BUFFER_TOO_SMALL;
    if (result->size != 0)
        vd_copy(out, result->bytes, result->size);
    *ret_active = false;
    return CKR_OK;
}
