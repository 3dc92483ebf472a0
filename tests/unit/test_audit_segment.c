/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>

#include "tests/unit/audit_fixture.h"

#define RECORDS 3u

struct segment {
    struct vd_hasher hasher;
    struct vd_audit_hash hash;
    uint8_t data[4096];
    size_t size;
    size_t frame_at[RECORDS + 1]; /* the last is the end frame's */
};

static vd_status frame_encode(struct vd_writer *w, const struct vd_audit_hash *hash,
                              uint64_t sequence, const void *payload, size_t size)
{
    struct vd_audit_frame frame = {.kind = VD_AUDIT_FRAME_RECORD,
                                   .sequence = sequence,
                                   .payload = payload,
                                   .payload_size = (uint32_t)size};

    return vd_audit_frame_encode(w, hash, &frame);
}

static void build(struct segment *s, bool end)
{
    struct vd_audit_segment header = {.number = 1, .first_sequence = 5, .created_ns = 77};
    struct vd_writer w;

    *s = (struct segment){};
    s->hash = vd_audit_sha256(&s->hasher);
    vd_writer_init(&w, s->data, sizeof(s->data));
    VD_EXPECT_EQ(vd_audit_segment_encode(&header, &s->hash, s->data), VD_OK);
    w.len = VD_AUDIT_HEADER_SIZE;
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct vd_audit_record record = audit_small_record(i);
        uint8_t payload[256];
        struct vd_writer p;
        vd_writer_init(&p, payload, sizeof(payload));
        VD_EXPECT_EQ(vd_audit_record_encode(&record, &p), VD_OK);
        s->frame_at[i] = w.len;
        VD_EXPECT_EQ(frame_encode(&w, &s->hash, 5 + i, payload, p.len), VD_OK);
    }
    s->frame_at[RECORDS] = w.len;
    if (end)
        VD_EXPECT_EQ(vd_audit_end_encode(&w, &s->hash, 5 + RECORDS, 99, RECORDS), VD_OK);
    s->size = w.len;
}

/* Walks a copy of exact size to its end. */
static vd_status walk(const struct segment *s, size_t size, enum vd_audit_state *ret_state,
                      uint32_t *ret_frames, struct vd_diag *diag)
{
    uint8_t *copy = malloc(size + (size == 0));
    enum vd_audit_state state = VD_AUDIT_STATE_FRAME;
    struct vd_audit_cursor cursor;
    struct vd_audit_frame frame;
    uint32_t frames = 0;
    vd_status status;

    memcpy(copy, s->data, size);
    status = vd_audit_cursor_init(&cursor, copy, size, &s->hash, diag);
    while (status == VD_OK && state == VD_AUDIT_STATE_FRAME) {
        status = vd_audit_segment_next(&cursor, &state, &frame, diag);
        frames += status == VD_OK && state == VD_AUDIT_STATE_FRAME;
    }
    free(copy);
    *ret_state = state;
    *ret_frames = frames;
    return status;
}

VD_TEST(audit_segment_round_trip)
{
    struct segment s;
    struct vd_audit_cursor cursor;
    struct vd_audit_frame frame;
    enum vd_audit_state state;

    build(&s, true);
    VD_EXPECT_EQ(vd_audit_cursor_init(&cursor, s.data, s.size, &s.hash, NULL), VD_OK);
    VD_EXPECT_EQ(cursor.header.number, 1);
    VD_EXPECT_EQ(cursor.header.first_sequence, 5);
    VD_EXPECT_EQ(cursor.header.created_ns, 77);
    for (uint32_t i = 0; i <= RECORDS; i++) {
        VD_EXPECT_EQ(vd_audit_segment_next(&cursor, &state, &frame, NULL), VD_OK);
        VD_EXPECT_EQ(state, VD_AUDIT_STATE_FRAME);
        VD_EXPECT_EQ(frame.offset, s.frame_at[i]);
        VD_EXPECT_EQ(frame.sequence, 5 + i);
        VD_EXPECT_EQ(frame.kind, i < RECORDS ? VD_AUDIT_FRAME_RECORD : VD_AUDIT_FRAME_END);
        VD_EXPECT(frame.hash == vd_audit_cursor_head(&cursor));
    }
    VD_EXPECT_EQ(vd_audit_segment_next(&cursor, &state, &frame, NULL), VD_OK);
    VD_EXPECT_EQ(state, VD_AUDIT_STATE_CLOSED);
    VD_EXPECT_MEM(vd_audit_cursor_head(&cursor), s.data + s.size - VD_AUDIT_HASH_SIZE,
                  VD_AUDIT_HASH_SIZE);
    vd_hasher_done(&s.hasher);
}

/* Every length: an error within the header; then torn, or open right after a frame. */
VD_TEST(audit_segment_every_cut)
{
    struct segment s;

    build(&s, true);
    for (size_t n = 0; n < s.size; n++) {
        enum vd_audit_state state;
        struct vd_diag diag = {};
        uint32_t frames, whole = 0;
        bool border = n == VD_AUDIT_HEADER_SIZE;
        vd_status status = walk(&s, n, &state, &frames, &diag);

        if (n < VD_AUDIT_HEADER_SIZE) {
            VD_EXPECT_EQ(status, n < VD_AUDIT_MAGIC_SIZE ? VD_E_MAGIC : VD_E_TRUNCATED);
            continue;
        }
        for (uint32_t i = 1; i <= RECORDS; i++) {
            border |= n == s.frame_at[i];
            whole += n >= s.frame_at[i];
        }
        VD_EXPECT_EQ(status, VD_OK);
        VD_EXPECT_EQ(frames, whole);
        VD_EXPECT_EQ(state, border ? VD_AUDIT_STATE_OPEN : VD_AUDIT_STATE_TORN);
    }
    vd_hasher_done(&s.hasher);
}

/* No changed byte leaves a closed segment: it fails at the frame, or the tail is torn. */
VD_TEST(audit_segment_every_changed_byte)
{
    struct segment s;

    build(&s, true);
    for (size_t at = 0; at < s.size; at++) {
        for (uint32_t flip = 1; flip < 256; flip = flip * 2 + 1) {
            enum vd_audit_state state;
            struct vd_diag diag = {};
            uint32_t frames, whole = 0;
            vd_status status;

            s.data[at] ^= (uint8_t)flip;
            status = walk(&s, s.size, &state, &frames, &diag);
            s.data[at] ^= (uint8_t)flip;
            VD_EXPECT(status != VD_OK || state == VD_AUDIT_STATE_TORN);
            for (uint32_t i = 1; i <= RECORDS; i++)
                whole += at >= s.frame_at[i];
            VD_EXPECT_EQ(frames, at < VD_AUDIT_HEADER_SIZE ? 0 : whole);
            if (status != VD_OK && at >= VD_AUDIT_HEADER_SIZE)
                VD_EXPECT_EQ(diag.offset, s.frame_at[whole]);
        }
    }
    vd_hasher_done(&s.hasher);
}

VD_TEST(audit_segment_order_and_trailing)
{
    struct segment s;
    enum vd_audit_state state;
    uint32_t frames;
    size_t one;
    uint8_t swap[256];

    build(&s, true);
    one = s.frame_at[1] - s.frame_at[0];
    /* Two frames of equal size change places. */
    memcpy(swap, s.data + s.frame_at[0], one);
    memcpy(s.data + s.frame_at[0], s.data + s.frame_at[1], one);
    memcpy(s.data + s.frame_at[1], swap, one);
    VD_EXPECT_EQ(walk(&s, s.size, &state, &frames, NULL), VD_E_CHECKSUM);
    /* A frame is taken out. */
    vd_hasher_done(&s.hasher);
    build(&s, true);
    memmove(s.data + s.frame_at[1], s.data + s.frame_at[2], s.size - s.frame_at[2]);
    VD_EXPECT_EQ(walk(&s, s.size - one, &state, &frames, NULL), VD_E_CHECKSUM);
    vd_hasher_done(&s.hasher);
    /* Bytes after the end record, zero or not. */
    build(&s, true);
    VD_EXPECT_EQ(walk(&s, s.size + 1, &state, &frames, NULL), VD_E_TRAILING);
    vd_hasher_done(&s.hasher);
}

/* What a power cut leaves where the file's size was written before its blocks. */
VD_TEST(audit_segment_zero_tails_are_torn)
{
    struct segment s;
    enum vd_audit_state state;
    uint32_t frames;

    build(&s, false);
    for (size_t n = 1; n < 64; n++) {
        VD_EXPECT_EQ(walk(&s, s.size + n, &state, &frames, NULL), VD_OK);
        VD_EXPECT_EQ(state, VD_AUDIT_STATE_TORN);
        VD_EXPECT_EQ(frames, RECORDS);
    }
    /* The last frame whole but for its hash and a part of its payload. */
    memset(s.data + s.size - VD_AUDIT_HASH_SIZE - 4, 0, VD_AUDIT_HASH_SIZE + 4);
    VD_EXPECT_EQ(walk(&s, s.size + 100, &state, &frames, NULL), VD_OK);
    VD_EXPECT_EQ(state, VD_AUDIT_STATE_TORN);
    VD_EXPECT_EQ(frames, RECORDS - 1);
    /* But a frame with a hash that is not zero was changed. */
    s.data[s.size - 1] = 1;
    VD_EXPECT_EQ(walk(&s, s.size, &state, &frames, NULL), VD_E_CHECKSUM);
    vd_hasher_done(&s.hasher);
}

/* Forged with the right hashes: the form is checked too. */
VD_TEST(audit_segment_form)
{
    struct segment s;
    enum vd_audit_state state;
    struct vd_writer w;
    uint32_t frames;

    build(&s, false);
    vd_writer_init(&w, s.data, sizeof(s.data));
    w.len = s.size;
    VD_EXPECT_EQ(vd_audit_end_encode(&w, &s.hash, 5 + RECORDS, 0, RECORDS + 1), VD_OK);
    VD_EXPECT_EQ(walk(&s, w.len, &state, &frames, NULL), VD_E_INVALID); /* count */
    w.len = s.size;
    VD_EXPECT_EQ(vd_audit_end_encode(&w, &s.hash, 6 + RECORDS, 0, RECORDS), VD_OK);
    VD_EXPECT_EQ(walk(&s, w.len, &state, &frames, NULL), VD_E_INVALID); /* sequence */
    w.len = s.size;
    VD_EXPECT_EQ(frame_encode(&w, &s.hash, 0, "abc", 3), VD_E_LIMIT);
    VD_EXPECT_EQ(w.len, s.size);
    w.size = s.size + 20;
    VD_EXPECT_EQ(frame_encode(&w, &s.hash, 0, "abcd", 4), VD_E_NO_SPACE);
    VD_EXPECT_EQ(w.len, s.size);
    vd_hasher_done(&s.hasher);
}

static vd_status header_status(const struct vd_audit_hash *hash, struct vd_audit_segment header)
{
    uint8_t bytes[VD_AUDIT_HEADER_SIZE];
    struct vd_audit_segment again = {};
    vd_status status;

    VD_EXPECT_EQ(vd_audit_segment_encode(&header, hash, bytes), VD_OK);
    status = vd_audit_segment_parse(bytes, sizeof(bytes), hash, &again, NULL);
    if (status == VD_OK)
        VD_EXPECT_MEM(&again, &header, sizeof(again));
    return status;
}

VD_TEST(audit_segment_header_form)
{
    struct vd_hasher hasher = {};
    struct vd_audit_hash hash = vd_audit_sha256(&hasher);
    struct vd_audit_segment h = {.number = 2,
                                 .previous = VD_AUDIT_PREVIOUS_TORN,
                                 .previous_size = VD_AUDIT_HEADER_SIZE,
                                 .previous_hash = {1}};

    VD_EXPECT_EQ(header_status(&hash, h), VD_OK);
    h.previous_size--;
    VD_EXPECT_EQ(header_status(&hash, h), VD_E_INVALID);
    h.previous = VD_AUDIT_PREVIOUS_DAMAGED;
    VD_EXPECT_EQ(header_status(&hash, h), VD_OK);
    h.previous = VD_AUDIT_PREVIOUS_DAMAGED + 1;
    VD_EXPECT_EQ(header_status(&hash, h), VD_E_INVALID);
    h.previous = VD_AUDIT_PREVIOUS_NONE; /* but it is not the first */
    VD_EXPECT_EQ(header_status(&hash, h), VD_E_INVALID);
    h = (struct vd_audit_segment){.number = 1};
    VD_EXPECT_EQ(header_status(&hash, h), VD_OK);
    h.previous_hash[31] = 1;
    VD_EXPECT_EQ(header_status(&hash, h), VD_E_INVALID);
    h = (struct vd_audit_segment){.number = 0};
    VD_EXPECT_EQ(header_status(&hash, h), VD_E_INVALID);
    vd_hasher_done(&hasher);
}
