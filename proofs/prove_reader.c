/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* proof: core/base/reader.c unwind 9 */
/*
 * For every input of at most 8 bytes and every three calls with any sizes: a
 * call takes exactly its size or nothing, and the reader stays inside.
 */
#include "core/base/reader.h"
#include "proofs/proof.h"

/* What the call `op` takes when it succeeds. */
static size_t wanted(uint8_t op, size_t size)
{
    return op == 0 ? 1 : op == 1 ? 2 : op == 2 ? 4 : op == 3 ? 8 : size;
}

static vd_status call(struct vd_reader *r, uint8_t op, size_t size)
{
    const uint8_t *bytes;
    struct vd_reader sub;
    uint64_t u64;
    uint32_t u32;
    uint16_t u16;
    uint8_t u8;

    switch (op) {
    case 0:
        return vd_read_u8(r, &u8);
    case 1:
        return vd_read_be16(r, &u16);
    case 2:
        return vd_read_le32(r, &u32);
    case 3:
        return vd_read_be64(r, &u64);
    case 4:
        return vd_read_bytes(r, size, &bytes);
    case 5:
        return vd_read_sub(r, size, &sub);
    default:
        return vd_read_skip(r, size);
    }
}

int main(void)
{
    uint8_t input[8];
    size_t input_size = nondet_size();
    struct vd_reader r;

    VD_ASSUME(input_size <= sizeof(input));
    vd_reader_init(&r, input, input_size);
    for (int i = 0; i < 3; i++) {
        uint8_t op = nondet_u8() % 7;
        size_t size = nondet_size();
        size_t left = vd_reader_left(&r);
        size_t offset = vd_reader_offset(&r);
        vd_status status = call(&r, op, size);

        VD_PROVE(status == VD_OK || status == VD_E_TRUNCATED);
        VD_PROVE((status == VD_OK) == (wanted(op, size) <= left));
        VD_PROVE(vd_reader_offset(&r) == offset + (status == VD_OK ? wanted(op, size) : 0));
        VD_PROVE(vd_reader_offset(&r) + vd_reader_left(&r) == input_size);
        VD_PROVE_WRONG(status == VD_OK);
    }
    VD_PROVE((vd_read_done(&r) == VD_OK) == (vd_reader_left(&r) == 0));
    return 0;
}
