/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/checked.h"
#include "tests/harness.h"

VD_TEST(checked_edges)
{
    uint32_t r = 0;

    VD_EXPECT(VD_ADD(UINT32_MAX - 1, 1u, &r));
    VD_EXPECT_EQ(r, UINT32_MAX);
    VD_EXPECT(!VD_ADD(UINT32_MAX, 1u, &r));
    VD_EXPECT(VD_SUB(5u, 5u, &r));
    VD_EXPECT_EQ(r, 0);
    VD_EXPECT(!VD_SUB(4u, 5u, &r));
    VD_EXPECT(VD_MUL(65535u, 65537u, &r));
    VD_EXPECT_EQ(r, UINT32_MAX);
    VD_EXPECT(!VD_MUL(65536u, 65536u, &r));
}

/* The result's type counts, not the operands'. */
VD_TEST(checked_result_type)
{
    uint8_t small = 0;
    uint64_t wide = 0;

    VD_EXPECT(VD_ADD(200u, 55u, &small));
    VD_EXPECT_EQ(small, 255);
    VD_EXPECT(!VD_ADD(200u, 56u, &small));
    VD_EXPECT(VD_ADD(UINT32_MAX, UINT32_MAX, &wide));
    VD_EXPECT_EQ(wide, 0x1fffffffeu);
    VD_EXPECT(!VD_SUB(0, 1, &wide));
}

/* Every 8-bit pair against exact arithmetic. */
VD_TEST(checked_exhaustive)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t x = (uint8_t)a;
            uint8_t y = (uint8_t)b;
            uint8_t r;
            VD_EXPECT_EQ(VD_ADD(x, y, &r), a + b <= 255);
            VD_EXPECT_EQ(VD_SUB(x, y, &r), a >= b);
            VD_EXPECT_EQ(VD_MUL(x, y, &r), a * b <= 255);
        }
    }
}

VD_TEST(range_within_edges)
{
    static const struct {
        uint64_t offset, size, total;
        bool within;
    } rows[] = {
        {0, 0, 0, true},
        {0, 1, 0, false},
        {1, 0, 0, false},
        {0, 10, 10, true},
        {10, 0, 10, true},
        {1, 10, 10, false},
        {11, 0, 10, false},
        {UINT64_MAX, 1, 10, false},
        {1, UINT64_MAX, 10, false},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, false},
        {0, UINT64_MAX, UINT64_MAX, true},
        {UINT64_MAX, 0, UINT64_MAX, true},
        {UINT64_MAX, 1, UINT64_MAX, false},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        if (vd_range_within(rows[i].offset, rows[i].size, rows[i].total) != rows[i].within)
            vd_test_fail(__FILE__, __LINE__, "row %zu", i);
    }
}
