/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/htab.h"
#include "tests/harness.h"

VD_TEST(htab_slot_counts)
{
    static struct vd_htab_slot slots[64];
    struct vd_htab table;

    for (uint32_t n = 0; n <= 64; n++) {
        bool good = n >= 4 && (n & (n - 1)) == 0;
        VD_EXPECT_EQ(vd_htab_init(&table, slots, n), good ? VD_OK : VD_E_RANGE);
    }
    VD_EXPECT_EQ(vd_htab_init(&table, slots, (UINT32_C(1) << 31) + 1), VD_E_RANGE);
    VD_EXPECT_EQ(vd_htab_init(&table, slots, UINT32_MAX), VD_E_RANGE);
}

VD_TEST(htab_refuses_the_fourth_quarter)
{
    struct vd_htab_slot slots[16];
    struct vd_htab table;
    uint32_t value = 77;

    VD_EXPECT_EQ(vd_htab_init(&table, slots, 16), VD_OK);
    for (uint32_t i = 0; i < 12; i++)
        VD_EXPECT_EQ(vd_htab_insert(&table, i, i), VD_OK);
    VD_EXPECT_EQ(vd_htab_insert(&table, 12, 12), VD_E_LIMIT);
    VD_EXPECT_EQ(vd_htab_insert(&table, 5, 99), VD_E_EXISTS);
    VD_EXPECT_EQ(vd_htab_find(&table, 12, &value), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(value, 77);
    VD_EXPECT_EQ(vd_htab_find(&table, 5, &value), VD_OK);
    VD_EXPECT_EQ(value, 5);
    VD_EXPECT_EQ(vd_htab_remove(&table, 5), VD_OK);
    VD_EXPECT_EQ(vd_htab_remove(&table, 5), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(vd_htab_insert(&table, 12, 12), VD_OK);
}

VD_TEST(htab_init_forgets)
{
    struct vd_htab_slot slots[8];
    struct vd_htab table;
    uint32_t value;

    memset(slots, 0xff, sizeof(slots));
    VD_EXPECT_EQ(vd_htab_init(&table, slots, 8), VD_OK);
    VD_EXPECT_EQ(vd_htab_find(&table, UINT64_MAX, &value), VD_E_NOT_FOUND);
    VD_EXPECT_EQ(table.count, 0);
}

/*
 * Random inserts, finds and removes against an array. Keys are few and the
 * table small, so that chains are long, wrap around, and lose their middle.
 */
VD_TEST(htab_like_the_model)
{
    enum { KEYS = 40, SLOTS = 32, LIMIT = SLOTS / 4 * 3 };
    struct vd_htab_slot slots[SLOTS];
    struct vd_htab table;
    uint64_t seed = 3;

    for (int round = 0; round < 200; round++) {
        struct {
            bool there;
            uint32_t value;
        } model[KEYS] = {};
        uint32_t count = 0;
        uint64_t spread = vd_test_random(&seed);
        VD_EXPECT_EQ(vd_htab_init(&table, slots, SLOTS), VD_OK);
        for (int step = 0; step < 500; step++) {
            uint64_t r = vd_test_random(&seed);
            uint32_t k = (uint32_t)(r >> 8) % KEYS;
            uint64_t key = k * spread;
            uint32_t value = (uint32_t)(r >> 32);
            uint32_t found = 0;
            if ((r & 1) != 0) {
                vd_status want = model[k].there ? VD_E_EXISTS : count == LIMIT ? VD_E_LIMIT : VD_OK;
                VD_EXPECT_EQ(vd_htab_insert(&table, key, value), want);
                if (want == VD_OK) {
                    model[k].there = true;
                    model[k].value = value;
                    count++;
                }
            } else {
                VD_EXPECT_EQ(vd_htab_remove(&table, key), model[k].there ? VD_OK : VD_E_NOT_FOUND);
                count -= model[k].there;
                model[k].there = false;
            }
            VD_EXPECT_EQ(table.count, count);
            for (uint32_t i = 0; i < KEYS; i++) {
                VD_EXPECT_EQ(vd_htab_find(&table, i * spread, &found),
                             model[i].there ? VD_OK : VD_E_NOT_FOUND);
                if (model[i].there)
                    VD_EXPECT_EQ(found, model[i].value);
            }
        }
    }
}

/* The mix is a bijection: its inverse brings every value back. */
VD_TEST(hash_mix_is_reversible)
{
    uint64_t seed = 11;

    for (int i = 0; i < 1000; i++) {
        uint64_t x = vd_test_random(&seed);
        uint64_t y = vd_hash_mix(x);
        y ^= y >> 31 ^ y >> 62;
        y *= UINT64_C(0x319642b2d24d8ec3);
        y ^= y >> 27 ^ y >> 54;
        y *= UINT64_C(0x96de1b173f119089);
        y ^= y >> 30 ^ y >> 60;
        VD_EXPECT_EQ(y, x);
    }
}
