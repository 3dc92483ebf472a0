/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is a segment. The hash is a weak one, so that a fuzzer gets past
 * it. The walk ends, stays within the input and only ever moves forward.
 */
#include "core/audit/segment.h"
#include "core/base/htab.h"
#include "fuzz/fuzz.h"

static vd_status weak_hash(void *ctx, const void *data, size_t size, uint8_t *ret)
{
    const uint8_t *bytes = data;
    uint8_t sum = (uint8_t)size;

    (void)ctx;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    for (size_t i = 0; i < VD_AUDIT_HASH_SIZE; i++)
        ret[i] = sum;
    return VD_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vd_audit_hash hash = {.sha256 = weak_hash};
    enum vd_audit_state state = VD_AUDIT_STATE_FRAME;
    struct vd_audit_cursor cursor;
    struct vd_audit_frame frame;
    struct vd_audit_record record;

    if (vd_audit_cursor_init(&cursor, data, size, &hash, NULL) != VD_OK)
        return 0;
    while (state == VD_AUDIT_STATE_FRAME) {
        size_t before = cursor.offset;
        if (vd_audit_segment_next(&cursor, &state, &frame, NULL) != VD_OK)
            break;
        VD_FUZZ_ASSERT(cursor.offset <= size);
        if (state != VD_AUDIT_STATE_FRAME)
            break;
        VD_FUZZ_ASSERT(cursor.offset == before + VD_AUDIT_FRAME_EXTRA_SIZE + frame.payload_size);
        VD_FUZZ_ASSERT(frame.payload >= data && frame.payload + frame.payload_size <= data + size);
        (void)!vd_audit_record_parse(frame.payload, frame.payload_size, &record, NULL);
    }
    return 0;
}
