/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/bitmap.h"
#include "tests/harness.h"

#define BITS  200u
#define WORDS VD_BITMAP_WORDS(BITS)

VD_TEST(bitmap_words)
{
    VD_EXPECT_EQ(VD_BITMAP_WORDS(0u), 0);
    VD_EXPECT_EQ(VD_BITMAP_WORDS(1u), 1);
    VD_EXPECT_EQ(VD_BITMAP_WORDS(64u), 1);
    VD_EXPECT_EQ(VD_BITMAP_WORDS(65u), 2);
}

VD_TEST(bitmap_each_bit_is_its_own)
{
    for (uint32_t bit = 0; bit < BITS; bit++) {
        uint64_t words[WORDS] = {};
        vd_bitmap_set(words, bit);
        VD_EXPECT_EQ(words[bit / 64], UINT64_C(1) << (bit % 64));
        VD_EXPECT_EQ(vd_bitmap_weight(words, WORDS), 1);
        for (uint32_t other = 0; other < BITS; other++)
            VD_EXPECT_EQ(vd_bitmap_get(words, other), other == bit);
        vd_bitmap_clear(words, bit);
        VD_EXPECT_EQ(vd_bitmap_weight(words, WORDS), 0);
    }
}

VD_TEST(bitmap_clear_leaves_the_others)
{
    for (uint32_t bit = 0; bit < BITS; bit++) {
        uint64_t words[WORDS];
        memset(words, 0xff, sizeof(words));
        vd_bitmap_clear(words, bit);
        VD_EXPECT_EQ(vd_bitmap_weight(words, WORDS), WORDS * 64 - 1);
        VD_EXPECT(!vd_bitmap_get(words, bit));
    }
}

/* Against a model that keeps one byte a bit. */
VD_TEST(bitmap_covers_and_equal_like_the_model)
{
    uint64_t seed = 1;

    for (int round = 0; round < 2000; round++) {
        uint64_t a[WORDS] = {};
        uint64_t b[WORDS] = {};
        bool covers = true;
        bool equal = true;
        uint32_t weight = 0;
        for (uint32_t bit = 0; bit < BITS; bit++) {
            bool in_a = vd_test_random(&seed) % 2 != 0;
            /* Most rounds differ in few bits, so that each answer occurs often. */
            bool in_b = vd_test_random(&seed) % 300 == 0 ? !in_a : in_a;
            if (in_a)
                vd_bitmap_set(a, bit);
            if (in_b)
                vd_bitmap_set(b, bit);
            covers = covers && (in_a || !in_b);
            equal = equal && in_a == in_b;
            weight += in_a;
        }
        VD_EXPECT_EQ(vd_bitmap_covers(a, b, WORDS), covers);
        VD_EXPECT_EQ(vd_bitmap_equal(a, b, WORDS), equal);
        VD_EXPECT_EQ(vd_bitmap_weight(a, WORDS), weight);
    }
}

VD_TEST(bitmap_of_no_words)
{
    VD_EXPECT(vd_bitmap_covers(NULL, NULL, 0));
    VD_EXPECT(vd_bitmap_equal(NULL, NULL, 0));
    VD_EXPECT_EQ(vd_bitmap_weight(NULL, 0), 0);
}
