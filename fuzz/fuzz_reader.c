/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is a program for the reader: each byte picks a call, the calls
 * read the same input. Whatever the calls, the position stays within the
 * input, a failed call takes nothing, and a call that succeeds takes exactly
 * its size.
 */
#include "core/base/reader.h"
#include "fuzz/fuzz.h"

static size_t step(struct vd_reader *r, uint8_t op)
{
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        const uint8_t *p;
        struct vd_reader sub;
    } out;
    size_t want = op >> 3;

    switch (op & 7) {
    case 0:
        return vd_read_u8(r, &out.u8) == VD_OK ? 1 : 0;
    case 1:
        return vd_read_le16(r, &out.u16) == VD_OK ? 2 : 0;
    case 2:
        return vd_read_be32(r, &out.u32) == VD_OK ? 4 : 0;
    case 3:
        return vd_read_le64(r, &out.u64) == VD_OK ? 8 : 0;
    case 4:
        return vd_read_bytes(r, want, &out.p) == VD_OK ? want : 0;
    case 5:
        return vd_read_sub(r, want, &out.sub) == VD_OK ? want : 0;
    case 6:
        return vd_read_skip(r, want) == VD_OK ? want : 0;
    default:
        return vd_read_skip(r, SIZE_MAX - want) == VD_OK ? SIZE_MAX : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_reader r;

    vd_reader_init(&r, data, size);
    for (size_t i = 0; i < size; i++) {
        size_t before = vd_reader_offset(&r);
        size_t took = step(&r, data[i]);
        VD_FUZZ_ASSERT(took <= size);
        VD_FUZZ_ASSERT(vd_reader_offset(&r) == before + took);
        VD_FUZZ_ASSERT(vd_reader_offset(&r) + vd_reader_left(&r) == size);
    }
    VD_FUZZ_ASSERT((vd_read_done(&r) == VD_OK) == (vd_reader_left(&r) == 0));
    return 0;
}
