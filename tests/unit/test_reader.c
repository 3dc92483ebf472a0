/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/reader.h"
#include "tests/harness.h"

static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* u8, le16, be32, le64: fifteen bytes in all. */
static vd_status read_all(struct vd_reader *r)
{
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;

    VD_TRY(vd_read_u8(r, &a));
    VD_TRY(vd_read_le16(r, &b));
    VD_TRY(vd_read_be32(r, &c));
    VD_TRY(vd_read_le64(r, &d));
    VD_EXPECT_EQ(a, 1);
    VD_EXPECT_EQ(b, 0x0302);
    VD_EXPECT_EQ(c, 0x04050607);
    VD_EXPECT_EQ(d, 0x0f0e0d0c0b0a0908);
    return vd_read_done(r);
}

VD_TEST(reader_reads_both_byte_orders)
{
    struct vd_reader r;

    vd_reader_init(&r, data, sizeof(data));
    VD_EXPECT_EQ(read_all(&r), VD_OK);
    VD_EXPECT_EQ(vd_reader_offset(&r), sizeof(data));
}

VD_TEST(reader_refuses_every_shorter_input)
{
    for (size_t n = 0; n < sizeof(data); n++) {
        struct vd_reader r;
        vd_reader_init(&r, data, n);
        VD_EXPECT_EQ(read_all(&r), VD_E_TRUNCATED);
    }
}
