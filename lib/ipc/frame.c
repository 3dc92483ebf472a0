/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/ipc/frame.h"

#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

enum offset {
    AT_VERSION = 4,
    AT_FLAGS = 10,
    AT_STATUS = 16,
    AT_SIZE = 20,
};

static vd_status read_head(struct vd_reader *r, struct vd_ipc_frame *frame, uint16_t *ret_version,
                           uint32_t *ret_size)
{
    VD_TRY(vd_read_le16(r, ret_version));
    VD_TRY(vd_read_le16(r, &frame->service));
    VD_TRY(vd_read_le16(r, &frame->verb));
    VD_TRY(vd_read_le16(r, &frame->flags));
    VD_TRY(vd_read_le32(r, &frame->id));
    VD_TRY(vd_read_le32(r, &frame->status));
    return vd_read_le32(r, ret_size);
}

static vd_status check_head(const struct vd_ipc_frame *frame, uint16_t version, uint32_t size,
                            struct vd_diag *diag)
{
    if (version != VD_IPC_VERSION)
        return vd_diagf_at(diag, VD_E_VERSION, AT_VERSION, "frame version %u, expected %u", version,
                           VD_IPC_VERSION);
    if ((frame->flags & ~VD_IPC_FLAGS_ALL) != 0)
        return vd_diag_fail_at(diag, VD_E_RESERVED, AT_FLAGS, "unknown flags of a frame");
    if (frame->status > VD_IPC_STATUS_MAX ||
        (frame->status != 0 && (frame->flags & VD_IPC_ANSWER) == 0))
        return vd_diag_fail_at(diag, VD_E_RESERVED, AT_STATUS,
                               "a status that no frame of this kind can have");
    if (size > VD_IPC_PAYLOAD_MAX)
        return vd_diag_fail_at(diag, VD_E_LIMIT, AT_SIZE, "the payload is larger than a frame");
    return VD_OK;
}

vd_status vd_ipc_frame_parse(const void *data, size_t size, struct vd_ipc_frame *ret,
                             struct vd_diag *diag)
{
    struct vd_ipc_frame frame = {.fd = -1};
    const uint8_t *magic;
    struct vd_reader r;
    uint32_t payload = 0;
    uint16_t version = 0;

    vd_reader_init(&r, data, size);
    if (vd_read_bytes(&r, sizeof(VD_IPC_MAGIC) - 1, &magic) != VD_OK ||
        read_head(&r, &frame, &version, &payload) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the packet ends within its header");
    if (memcmp(magic, VD_IPC_MAGIC, sizeof(VD_IPC_MAGIC) - 1) != 0)
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "this is no frame of this project");
    VD_TRY(check_head(&frame, version, payload, diag));
    if (vd_read_bytes(&r, payload, &frame.payload) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the packet ends within its payload");
    if (vd_read_done(&r) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRAILING, vd_reader_offset(&r),
                               "there is data after the payload");
    frame.size = payload;
    *ret = frame;
    return VD_OK;
}

vd_status vd_ipc_frame_head(const struct vd_ipc_frame *frame, uint8_t ret[VD_IPC_HEADER_SIZE])
{
    struct vd_writer w;
    uint32_t flags = frame->flags & VD_IPC_ANSWER;

    if (frame->size > VD_IPC_PAYLOAD_MAX)
        return VD_E_LIMIT;
    vd_writer_init(&w, ret, VD_IPC_HEADER_SIZE);
    vd_write_bytes(&w, VD_IPC_MAGIC, sizeof(VD_IPC_MAGIC) - 1);
    vd_write_le16(&w, VD_IPC_VERSION);
    vd_write_le16(&w, frame->service);
    vd_write_le16(&w, frame->verb);
    vd_write_le16(&w, (uint16_t)(flags | (frame->fd >= 0 ? VD_IPC_DESCRIPTOR : 0)));
    vd_write_le32(&w, frame->id);
    vd_write_le32(&w, frame->status);
    vd_write_le32(&w, (uint32_t)frame->size);
    return vd_write_done(&w);
}

static void write_text(struct vd_writer *w, const char *text)
{
    size_t len = strlen(text);

    vd_write_le16(w, (uint16_t)len);
    vd_write_bytes(w, text, len);
}

void vd_ipc_diag_encode(const struct vd_diag *diag, struct vd_writer *w)
{
    vd_write_u8(w, diag->has_offset);
    vd_write_le64(w, diag->has_offset ? diag->offset : 0);
    write_text(w, diag->file);
    write_text(w, diag->text);
    write_text(w, diag->hint);
}

/* A text of at most `size` - 1 bytes without NUL. */
static vd_status read_text(struct vd_reader *r, char *buf, size_t size)
{
    const uint8_t *bytes;
    uint16_t len;

    VD_TRY(vd_read_le16(r, &len));
    VD_TRY(vd_read_bytes(r, len, &bytes));
    if (len >= size || memchr(bytes, '\0', len) != NULL)
        return VD_E_INVALID;
    vd_copy(buf, bytes, len);
    buf[len] = '\0';
    return VD_OK;
}

static vd_status read_diag(const struct vd_ipc_frame *frame, struct vd_diag *ret)
{
    struct vd_reader r;
    uint8_t has_offset;

    vd_reader_init(&r, frame->payload, frame->size);
    VD_TRY(vd_read_u8(&r, &has_offset));
    VD_TRY(vd_read_le64(&r, &ret->offset));
    VD_TRY(read_text(&r, ret->file, sizeof(ret->file)));
    VD_TRY(read_text(&r, ret->text, sizeof(ret->text)));
    VD_TRY(read_text(&r, ret->hint, sizeof(ret->hint)));
    ret->has_offset = has_offset == 1;
    return has_offset > 1 ? VD_E_INVALID : vd_read_done(&r);
}

vd_status vd_ipc_diag_parse(const struct vd_ipc_frame *frame, struct vd_diag *diag)
{
    struct vd_diag told = {};

    if (frame->status == VD_OK || frame->status >= VD_STATUS_COUNT ||
        read_diag(frame, &told) != VD_OK)
        return vd_diag_fail(diag, VD_E_INVALID,
                            "the other side tells of a failure in no known way");
    told.status = (vd_status)frame->status;
    if (diag != NULL && diag->status == VD_OK)
        *diag = told;
    return told.status;
}

vd_status vd_ipc_frame_answers(const struct vd_ipc_frame *answer,
                               const struct vd_ipc_frame *request, struct vd_diag *diag)
{
    /* Verb 0 is nobody's: the connection itself, or what came as no frame, is refused. */
    bool refusal = answer->verb == 0 && answer->id == 0 && answer->status != VD_OK;

    if ((answer->flags & VD_IPC_ANSWER) != 0 && refusal && answer->service == request->service)
        return vd_ipc_diag_parse(answer, diag);
    if ((answer->flags & VD_IPC_ANSWER) == 0 || answer->id != request->id ||
        answer->verb != request->verb || answer->service != request->service)
        return vd_diag_fail(diag, VD_E_INVALID, "the answer belongs to another request");
    return answer->status == VD_OK ? VD_OK : vd_ipc_diag_parse(answer, diag);
}
