/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/mem.h"
#include "tests/harness.h"

/* One changed bit at every position of every length up to 64. */
VD_TEST(ct_equal_every_position)
{
    uint8_t a[64];
    uint8_t b[64];

    for (size_t i = 0; i < sizeof(a); i++)
        a[i] = b[i] = (uint8_t)(i * 37);
    for (size_t n = 0; n <= sizeof(a); n++) {
        VD_EXPECT(vd_ct_equal(a, b, n));
        for (size_t bit = 0; bit < sizeof(a) * 8; bit++) {
            b[bit / 8] ^= (uint8_t)(1 << bit % 8);
            VD_EXPECT_EQ(vd_ct_equal(a, b, n), bit / 8 >= n);
            b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* Differences that would cancel in a sum or an exclusive or of them. */
VD_TEST(ct_equal_differences_do_not_cancel)
{
    for (unsigned x = 1; x < 256; x++) {
        uint8_t a[2] = {0, 0};
        uint8_t b[2] = {(uint8_t)x, (uint8_t)x};
        uint8_t c[2] = {(uint8_t)x, (uint8_t)(256 - x)};
        VD_EXPECT(!vd_ct_equal(a, b, 2));
        VD_EXPECT(!vd_ct_equal(a, c, 2));
    }
}

VD_TEST(wipe_wipes_exactly_its_bytes)
{
    for (size_t n = 0; n <= 62; n++) {
        uint8_t mem[64];
        memset(mem, 0xaa, sizeof(mem));
        vd_wipe(mem + 1, n);
        for (size_t i = 0; i < sizeof(mem); i++)
            VD_EXPECT_EQ(mem[i], i >= 1 && i < 1 + n ? 0 : 0xaa);
    }
}

VD_TEST(copy_copies)
{
    uint8_t from[5] = {1, 2, 3, 4, 5};
    uint8_t to[7] = {};

    vd_copy(to + 1, from, 5);
    VD_EXPECT_MEM(to, "\0\1\2\3\4\5\0", 7);
}
