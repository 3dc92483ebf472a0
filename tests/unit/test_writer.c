/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/reader.h"
#include "core/base/writer.h"
#include "tests/harness.h"

static void write_all(struct vd_writer *w)
{
    vd_write_u8(w, 0x01);
    vd_write_le16(w, 0x0302);
    vd_write_be16(w, 0x0405);
    vd_write_le32(w, 0x09080706);
    vd_write_be32(w, 0x0a0b0c0d);
    vd_write_le64(w, UINT64_C(0x1514131211100f0e));
    vd_write_be64(w, UINT64_C(0x161718191a1b1c1d));
    vd_write_bytes(w, "\x1e\x1f", 2);
    vd_write_bytes(w, NULL, 0);
    vd_write_align(w, 8);
    vd_write_align(w, 8);
    vd_write_zero(w, 3);
}

enum { ALL = 35 };

VD_TEST(writer_writes_both_byte_orders)
{
    uint8_t buf[ALL];
    struct vd_writer w;

    memset(buf, 0xff, sizeof(buf));
    vd_writer_init(&w, buf, sizeof(buf));
    write_all(&w);
    VD_EXPECT_EQ(vd_write_done(&w), VD_OK);
    VD_EXPECT_EQ(w.len, ALL);
    for (size_t i = 0; i < ALL; i++)
        VD_EXPECT_EQ(buf[i], i < 31 ? i + 1 : 0);
}

/* Every shorter buffer: refused, the length needed is told, nothing behind it is touched. */
VD_TEST(writer_every_shorter_buffer)
{
    for (size_t size = 0; size < ALL; size++) {
        uint8_t buf[ALL];
        struct vd_writer w;
        memset(buf, 0xee, sizeof(buf));
        vd_writer_init(&w, buf, size);
        write_all(&w);
        VD_EXPECT_EQ(vd_write_done(&w), VD_E_NO_SPACE);
        VD_EXPECT_EQ(w.len, ALL);
        for (size_t i = size; i < ALL; i++)
            VD_EXPECT_EQ(buf[i], 0xee);
    }
}

VD_TEST(writer_measures_without_a_buffer)
{
    struct vd_writer w;

    vd_writer_init(&w, NULL, 0);
    write_all(&w);
    VD_EXPECT_EQ(w.len, ALL);
    VD_EXPECT_EQ(vd_write_done(&w), VD_E_NO_SPACE);
}

/* Once something did not fit, nothing more is written, even if it would fit. */
VD_TEST(writer_stays_full)
{
    uint8_t buf[4] = {9, 9, 9, 9};
    struct vd_writer w;

    vd_writer_init(&w, buf, sizeof(buf));
    vd_write_le64(&w, 0);
    vd_write_u8(&w, 1);
    VD_EXPECT_EQ(vd_write_done(&w), VD_E_NO_SPACE);
    VD_EXPECT_MEM(buf, "\x09\x09\x09\x09", 4);
}

VD_TEST(writer_length_does_not_wrap)
{
    uint8_t buf[4];
    struct vd_writer w;

    vd_writer_init(&w, buf, sizeof(buf));
    vd_write_u8(&w, 1);
    vd_write_zero(&w, SIZE_MAX);
    vd_write_u8(&w, 1);
    VD_EXPECT_EQ(vd_write_done(&w), VD_E_NO_SPACE);
    VD_EXPECT_EQ(w.len, SIZE_MAX);
}

/* What the writer writes the reader reads, for random values. */
VD_TEST(writer_and_reader_agree)
{
    uint64_t seed = 5;

    for (int round = 0; round < 1000; round++) {
        uint64_t v = vd_test_random(&seed);
        uint8_t buf[28];
        struct vd_writer w;
        struct vd_reader r;
        uint16_t le16, be16;
        uint32_t le32, be32;
        uint64_t le64, be64;
        vd_writer_init(&w, buf, sizeof(buf));
        vd_write_le16(&w, (uint16_t)v);
        vd_write_be16(&w, (uint16_t)v);
        vd_write_le32(&w, (uint32_t)v);
        vd_write_be32(&w, (uint32_t)v);
        vd_write_le64(&w, v);
        vd_write_be64(&w, v);
        VD_EXPECT_EQ(vd_write_done(&w), VD_OK);
        vd_reader_init(&r, buf, sizeof(buf));
        VD_EXPECT_EQ(vd_read_le16(&r, &le16), VD_OK);
        VD_EXPECT_EQ(vd_read_be16(&r, &be16), VD_OK);
        VD_EXPECT_EQ(vd_read_le32(&r, &le32), VD_OK);
        VD_EXPECT_EQ(vd_read_be32(&r, &be32), VD_OK);
        VD_EXPECT_EQ(vd_read_le64(&r, &le64), VD_OK);
        VD_EXPECT_EQ(vd_read_be64(&r, &be64), VD_OK);
        VD_EXPECT_EQ(vd_read_done(&r), VD_OK);
        VD_EXPECT(le16 == (uint16_t)v && be16 == (uint16_t)v);
        VD_EXPECT(le32 == (uint32_t)v && be32 == (uint32_t)v);
        VD_EXPECT(le64 == v && be64 == v);
    }
}
