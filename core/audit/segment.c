/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/audit/segment.h"

#include "core/base/mem.h"

#define CONTENT_USED 96u /* bytes of the header's content before its reserved ones */

vd_status vd_audit_segment_encode(struct vd_audit_segment *segment,
                                  const struct vd_audit_hash *hash, uint8_t *ret)
{
    uint8_t bytes[VD_AUDIT_HEADER_SIZE];
    struct vd_writer w;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_bytes(&w, VD_AUDIT_MAGIC, VD_AUDIT_MAGIC_SIZE);
    vd_write_le16(&w, VD_AUDIT_SEGMENT_VERSION);
    vd_write_le16(&w, VD_AUDIT_HEADER_SIZE);
    vd_write_le32(&w, segment->previous);
    vd_write_le64(&w, segment->number);
    vd_write_le64(&w, segment->first_sequence);
    vd_write_bytes(&w, segment->boot_id, VD_AUDIT_BOOT_ID_SIZE);
    vd_write_le64(&w, segment->created_ns);
    vd_write_le64(&w, segment->previous_size);
    vd_write_bytes(&w, segment->previous_hash, VD_AUDIT_HASH_SIZE);
    vd_write_zero(&w, VD_AUDIT_HEADER_CONTENT - CONTENT_USED);
    VD_TRY(
        hash->sha256(hash->ctx, bytes, VD_AUDIT_HEADER_CONTENT, bytes + VD_AUDIT_HEADER_CONTENT));
    vd_copy(segment->hash, bytes + VD_AUDIT_HEADER_CONTENT, VD_AUDIT_HASH_SIZE);
    vd_copy(ret, bytes, sizeof(bytes));
    return VD_OK;
}

static bool all_zero(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0)
            return false;
    }
    return true;
}

static vd_status parse_content(struct vd_reader *r, struct vd_audit_segment *s)
{
    VD_TRY(vd_read_le32(r, &s->previous));
    VD_TRY(vd_read_le64(r, &s->number));
    VD_TRY(vd_read_le64(r, &s->first_sequence));
    VD_TRY(vd_read_copy(r, s->boot_id, VD_AUDIT_BOOT_ID_SIZE));
    VD_TRY(vd_read_le64(r, &s->created_ns));
    VD_TRY(vd_read_le64(r, &s->previous_size));
    VD_TRY(vd_read_copy(r, s->previous_hash, VD_AUDIT_HASH_SIZE));
    return VD_OK;
}

/* The first segment has nothing before it, every other has at least a header. */
static bool previous_valid(const struct vd_audit_segment *s)
{
    bool first = s->previous == VD_AUDIT_PREVIOUS_NONE;

    if (s->number == 0 || s->previous > VD_AUDIT_PREVIOUS_DAMAGED || first != (s->number == 1))
        return false;
    if (first)
        return s->previous_size == 0 && all_zero(s->previous_hash, VD_AUDIT_HASH_SIZE);
    return s->previous == VD_AUDIT_PREVIOUS_DAMAGED || s->previous_size >= VD_AUDIT_HEADER_SIZE;
}

vd_status vd_audit_segment_parse(const void *data, size_t size, const struct vd_audit_hash *hash,
                                 struct vd_audit_segment *ret, struct vd_diag *diag)
{
    struct vd_audit_segment s = {};
    uint8_t digest[VD_AUDIT_HASH_SIZE];
    uint8_t magic[VD_AUDIT_MAGIC_SIZE] = {};
    const uint8_t *content, *reserved;
    uint16_t version, header_size;
    struct vd_reader r, whole;

    vd_reader_init(&r, data, size);
    whole = r;
    if (vd_read_copy(&r, magic, sizeof(magic)) != VD_OK ||
        !vd_ct_equal(magic, VD_AUDIT_MAGIC, sizeof(magic)))
        return vd_diag_fail_at(diag, VD_E_MAGIC, 0, "this is not a segment of an audit log");
    if (vd_read_le16(&r, &version) != VD_OK || vd_read_le16(&r, &header_size) != VD_OK ||
        vd_read_bytes(&whole, VD_AUDIT_HEADER_CONTENT, &content) != VD_OK ||
        parse_content(&r, &s) != VD_OK ||
        vd_read_bytes(&r, VD_AUDIT_HEADER_CONTENT - CONTENT_USED, &reserved) != VD_OK ||
        vd_read_copy(&r, s.hash, sizeof(s.hash)) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the segment ends within its header");
    if (version != VD_AUDIT_SEGMENT_VERSION)
        return vd_diag_fail_at(diag, VD_E_VERSION, 8, "the segment's version is not 1");
    VD_TRY(hash->sha256(hash->ctx, content, VD_AUDIT_HEADER_CONTENT, digest));
    if (!vd_ct_equal(digest, s.hash, sizeof(digest)))
        return vd_diag_fail_at(diag, VD_E_CHECKSUM, 0,
                               "the segment's header does not fit its hash");
    if (header_size != VD_AUDIT_HEADER_SIZE ||
        !all_zero(reserved, VD_AUDIT_HEADER_CONTENT - CONTENT_USED))
        return vd_diag_fail_at(diag, VD_E_RESERVED, 10,
                               "the header's size is not 160 or a reserved byte is not zero");
    if (!previous_valid(&s))
        return vd_diag_fail_at(diag, VD_E_INVALID, 12,
                               "what the header says about the segment before cannot be");
    *ret = s;
    return VD_OK;
}

vd_status vd_audit_frame_encode(struct vd_writer *w, const struct vd_audit_hash *hash,
                                const struct vd_audit_frame *frame)
{
    struct vd_writer next = *w;
    uint8_t digest[VD_AUDIT_HASH_SIZE];
    uint32_t size = frame->payload_size;

    if (w->len < VD_AUDIT_HASH_SIZE || w->full)
        return VD_E_BUG;
    if (size < VD_AUDIT_RECORD_MIN_BYTES || size > VD_AUDIT_RECORD_MAX_BYTES)
        return VD_E_LIMIT;
    vd_write_le32(&next, size);
    vd_write_le32(&next, frame->kind);
    vd_write_le64(&next, frame->sequence);
    vd_write_bytes(&next, frame->payload, size);
    VD_TRY(vd_write_done(&next));
    VD_TRY(hash->sha256(hash->ctx, w->buf + w->len - VD_AUDIT_HASH_SIZE,
                        VD_AUDIT_HASH_SIZE + VD_AUDIT_FRAME_HEAD_SIZE + size, digest));
    vd_write_bytes(&next, digest, sizeof(digest));
    VD_TRY(vd_write_done(&next));
    *w = next;
    return VD_OK;
}

vd_status vd_audit_end_encode(struct vd_writer *w, const struct vd_audit_hash *hash,
                              uint64_t sequence, uint64_t realtime_ns, uint64_t records)
{
    uint8_t payload[VD_AUDIT_END_PAYLOAD_SIZE];
    struct vd_audit_frame frame;
    struct vd_writer end;

    vd_writer_init(&end, payload, sizeof(payload));
    vd_write_le64(&end, realtime_ns);
    vd_write_le64(&end, records);
    frame = (struct vd_audit_frame){.kind = VD_AUDIT_FRAME_END,
                                    .sequence = sequence,
                                    .payload = payload,
                                    .payload_size = sizeof(payload)};
    return vd_audit_frame_encode(w, hash, &frame);
}

vd_status vd_audit_cursor_init(struct vd_audit_cursor *ret, const void *data, size_t size,
                               const struct vd_audit_hash *hash, struct vd_diag *diag)
{
    struct vd_audit_cursor cursor = {
        .data = data, .size = size, .offset = VD_AUDIT_HEADER_SIZE, .hash = *hash};

    if (size > VD_AUDIT_SEGMENT_MAX_BYTES)
        return vd_diag_fail(diag, VD_E_LIMIT, "the segment is larger than 256 MiB");
    VD_TRY(vd_audit_segment_parse(data, size, hash, &cursor.header, diag));
    cursor.sequence = cursor.header.first_sequence;
    *ret = cursor;
    return VD_OK;
}

const uint8_t *vd_audit_cursor_head(const struct vd_audit_cursor *cursor)
{
    return cursor->data + cursor->offset - VD_AUDIT_HASH_SIZE;
}

/* Form of a frame's head; the hash decides about the rest. */
static bool head_valid(const struct vd_audit_frame *frame)
{
    if (frame->kind == VD_AUDIT_FRAME_END)
        return frame->payload_size == VD_AUDIT_END_PAYLOAD_SIZE;
    return frame->kind == VD_AUDIT_FRAME_RECORD &&
           frame->payload_size >= VD_AUDIT_RECORD_MIN_BYTES &&
           frame->payload_size <= VD_AUDIT_RECORD_MAX_BYTES;
}

static bool end_valid(const struct vd_audit_cursor *cursor, const struct vd_audit_frame *frame)
{
    uint64_t realtime_ns, records = 0;
    struct vd_reader r;

    vd_reader_init(&r, frame->payload, frame->payload_size);
    return vd_read_le64(&r, &realtime_ns) == VD_OK && vd_read_le64(&r, &records) == VD_OK &&
           records == cursor->records;
}

/* Takes the frame's parts; false if the segment ends before the frame does. */
static bool take_frame(struct vd_reader *r, struct vd_audit_frame *frame)
{
    return vd_read_le32(r, &frame->payload_size) == VD_OK &&
           vd_read_le32(r, &frame->kind) == VD_OK && vd_read_le64(r, &frame->sequence) == VD_OK &&
           head_valid(frame) && vd_read_bytes(r, frame->payload_size, &frame->payload) == VD_OK &&
           vd_read_bytes(r, VD_AUDIT_HASH_SIZE, &frame->hash) == VD_OK;
}

static vd_status check_frame(const struct vd_audit_cursor *cursor,
                             const struct vd_audit_frame *frame, struct vd_diag *diag)
{
    uint8_t digest[VD_AUDIT_HASH_SIZE];

    VD_TRY(cursor->hash.sha256(cursor->hash.ctx, vd_audit_cursor_head(cursor),
                               VD_AUDIT_HASH_SIZE + VD_AUDIT_FRAME_HEAD_SIZE + frame->payload_size,
                               digest));
    if (!vd_ct_equal(digest, frame->hash, sizeof(digest)))
        return vd_diag_fail_at(diag, VD_E_CHECKSUM, frame->offset,
                               "the record does not fit its hash: it was changed");
    if (frame->sequence != cursor->sequence)
        return vd_diag_fail_at(diag, VD_E_INVALID, frame->offset,
                               "the record's number does not follow the one before");
    if (frame->kind == VD_AUDIT_FRAME_END && !end_valid(cursor, frame))
        return vd_diag_fail_at(diag, VD_E_INVALID, frame->offset,
                               "the end record counts another number of records");
    return VD_OK;
}

/* What stands where no whole frame could be taken. */
static vd_status judge_tail(const struct vd_audit_cursor *cursor,
                            const struct vd_audit_frame *frame, size_t left,
                            enum vd_audit_state *ret_state, struct vd_diag *diag)
{
    if (left < VD_AUDIT_FRAME_HEAD_SIZE || head_valid(frame) ||
        all_zero(cursor->data + cursor->offset, left)) {
        *ret_state = VD_AUDIT_STATE_TORN;
        return VD_OK;
    }
    return vd_diag_fail_at(diag, VD_E_INVALID, cursor->offset,
                           "the length or kind of a record cannot be: it was changed");
}

vd_status vd_audit_segment_next(struct vd_audit_cursor *cursor, enum vd_audit_state *ret_state,
                                struct vd_audit_frame *ret, struct vd_diag *diag)
{
    struct vd_audit_frame frame = {.offset = cursor->offset};
    size_t left = cursor->size - cursor->offset;
    struct vd_reader r;

    if (cursor->closed && left != 0)
        return vd_diag_fail_at(diag, VD_E_TRAILING, cursor->offset,
                               "there are bytes after the end record");
    if (left == 0) {
        *ret_state = cursor->closed ? VD_AUDIT_STATE_CLOSED : VD_AUDIT_STATE_OPEN;
        return VD_OK;
    }
    vd_reader_init(&r, cursor->data + cursor->offset, left);
    if (!take_frame(&r, &frame))
        return judge_tail(cursor, &frame, left, ret_state, diag);
    if (all_zero(frame.hash, vd_reader_left(&r) + VD_AUDIT_HASH_SIZE)) {
        *ret_state = VD_AUDIT_STATE_TORN;
        return VD_OK;
    }
    VD_TRY(check_frame(cursor, &frame, diag));
    cursor->offset += vd_reader_offset(&r);
    cursor->sequence++;
    cursor->records += frame.kind == VD_AUDIT_FRAME_RECORD;
    cursor->closed = frame.kind == VD_AUDIT_FRAME_END;
    *ret = frame;
    *ret_state = VD_AUDIT_STATE_FRAME;
    return VD_OK;
}
