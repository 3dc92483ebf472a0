/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/reader.h"
#include "tests/harness.h"

#include <stdlib.h>

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

/* Each call, with how many bytes it takes and what it gives for 01 02 03 …. */
enum call { U8, LE16, LE32, LE64, BE16, BE32, BE64, CALLS };

static const struct {
    size_t size;
    uint64_t value;
} calls[CALLS] = {
    [U8] = {1, 0x01},
    [LE16] = {2, 0x0201},
    [LE32] = {4, 0x04030201},
    [LE64] = {8, 0x0807060504030201},
    [BE16] = {2, 0x0102},
    [BE32] = {4, 0x01020304},
    [BE64] = {8, 0x0102030405060708},
};

static vd_status make_call(struct vd_reader *r, enum call call, uint64_t *value)
{
    uint8_t u8 = 0xa5;
    uint16_t u16 = 0xa5;
    uint32_t u32 = 0xa5;
    uint64_t u64 = 0xa5;
    vd_status status = call == U8     ? vd_read_u8(r, &u8)
                       : call == LE16 ? vd_read_le16(r, &u16)
                       : call == LE32 ? vd_read_le32(r, &u32)
                       : call == LE64 ? vd_read_le64(r, &u64)
                       : call == BE16 ? vd_read_be16(r, &u16)
                       : call == BE32 ? vd_read_be32(r, &u32)
                                      : vd_read_be64(r, &u64);

    *value = call == U8                     ? u8
             : call == LE16 || call == BE16 ? u16
             : call == LE32 || call == BE32 ? u32
                                            : u64;
    return status;
}

VD_TEST(reader_each_call_at_every_length)
{
    for (enum call c = 0; c < CALLS; c++) {
        for (size_t n = 0; n <= sizeof(data); n++) {
            struct vd_reader r;
            uint64_t value;
            bool fits = calls[c].size <= n;
            vd_reader_init(&r, data, n);
            VD_EXPECT_EQ(make_call(&r, c, &value), fits ? VD_OK : VD_E_TRUNCATED);
            /* A failed call takes nothing and leaves its output. */
            VD_EXPECT_EQ(value, fits ? calls[c].value : 0xa5);
            VD_EXPECT_EQ(vd_reader_offset(&r), fits ? calls[c].size : 0);
        }
    }
}

VD_TEST(reader_runs_of_bytes_at_every_length)
{
    for (size_t n = 0; n <= sizeof(data); n++) {
        for (size_t want = 0; want <= sizeof(data) + 1; want++) {
            vd_status expected = want <= n ? VD_OK : VD_E_TRUNCATED;
            size_t taken = want <= n ? want : 0;
            const uint8_t *p = NULL;
            uint8_t copy[sizeof(data) + 1] = {};
            struct vd_reader r, sub = {};
            vd_reader_init(&r, data, n);
            VD_EXPECT_EQ(vd_read_bytes(&r, want, &p), expected);
            VD_EXPECT(expected != VD_OK || p == data);
            VD_EXPECT_EQ(vd_reader_left(&r), n - taken);
            vd_reader_init(&r, data, n);
            VD_EXPECT_EQ(vd_read_copy(&r, copy, want), expected);
            VD_EXPECT_MEM(copy, data, taken);
            VD_EXPECT_EQ(copy[taken], 0);
            vd_reader_init(&r, data, n);
            VD_EXPECT_EQ(vd_read_sub(&r, want, &sub), expected);
            VD_EXPECT_EQ(vd_reader_left(&sub), taken);
            vd_reader_init(&r, data, n);
            VD_EXPECT_EQ(vd_read_skip(&r, want), expected);
            VD_EXPECT_EQ(vd_read_done(&r), taken == n ? VD_OK : VD_E_TRAILING);
        }
    }
}

VD_TEST(reader_sizes_do_not_wrap)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX - sizeof(data)};
    const uint8_t *p;

    for (size_t i = 0; i < VD_COUNT(sizes); i++) {
        struct vd_reader r;
        vd_reader_init(&r, data, sizeof(data));
        VD_EXPECT_EQ(vd_read_skip(&r, 3), VD_OK);
        VD_EXPECT_EQ(vd_read_skip(&r, sizes[i]), VD_E_TRUNCATED);
        VD_EXPECT_EQ(vd_read_bytes(&r, sizes[i], &p), VD_E_TRUNCATED);
        VD_EXPECT_EQ(vd_reader_offset(&r), 3);
    }
}

VD_TEST(reader_of_nothing)
{
    struct vd_reader r;
    uint8_t byte;

    vd_reader_init(&r, NULL, 0);
    VD_EXPECT_EQ(vd_read_done(&r), VD_OK);
    VD_EXPECT_EQ(vd_read_copy(&r, &byte, 0), VD_OK);
    VD_EXPECT_EQ(vd_read_u8(&r, &byte), VD_E_TRUNCATED);
}

/* Random sequences of calls on heap copies of exact size: position as in the model. */
VD_TEST(reader_like_the_model)
{
    uint64_t seed = 9;

    for (int round = 0; round < 2000; round++) {
        size_t size = vd_test_random(&seed) % 40;
        uint8_t *input = malloc(size + (size == 0));
        size_t at = 0;
        struct vd_reader r;
        VD_EXPECT(input != NULL);
        for (size_t i = 0; i < size; i++)
            input[i] = (uint8_t)vd_test_random(&seed);
        vd_reader_init(&r, input, size);
        for (int step = 0; step < 20; step++) {
            enum call c = (enum call)(vd_test_random(&seed) % CALLS);
            uint64_t value, want = 0;
            bool fits = calls[c].size <= size - at;
            VD_EXPECT_EQ(make_call(&r, c, &value), fits ? VD_OK : VD_E_TRUNCATED);
            for (size_t i = 0; fits && i < calls[c].size; i++)
                want |= (uint64_t)input[at + i] << 8 * (c >= BE16 ? calls[c].size - 1 - i : i);
            if (fits) {
                VD_EXPECT_EQ(value, want);
                at += calls[c].size;
            }
            VD_EXPECT_EQ(vd_reader_offset(&r), at);
            VD_EXPECT_EQ(vd_reader_left(&r), size - at);
        }
        free(input);
    }
}
