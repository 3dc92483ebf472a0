/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/audit/sequence.h"

#include "tests/harness.h"

#define NUMBERS 200000u

static struct vd_audit_sequence s;
static uint64_t lost_first[16], lost_count[16];
static uint32_t runs;
static uint8_t was_lost[NUMBERS];

static void note(void *ctx, uint64_t first, uint64_t count)
{
    (void)ctx;
    if (runs < 16) {
        lost_first[runs] = first;
        lost_count[runs] = count;
    }
    runs++;
    for (uint64_t i = first; i < first + count && i < NUMBERS; i++)
        was_lost[i]++;
}

static void start(uint64_t base)
{
    runs = 0;
    memset(was_lost, 0, sizeof(was_lost));
    vd_audit_sequence_init(&s, base, note, NULL);
}

VD_TEST(sequence_in_order_loses_nothing)
{
    start(10);
    for (uint64_t i = 10; i < NUMBERS; i++)
        VD_EXPECT_EQ(vd_audit_sequence_take(&s, i), VD_AUDIT_ARRIVAL_NEW);
    vd_audit_sequence_settle(&s, NUMBERS);
    VD_EXPECT_EQ(s.lost, 0);
    VD_EXPECT_EQ(runs, 0);
    VD_EXPECT_EQ(s.received, NUMBERS - 10);
}

VD_TEST(sequence_gap_waits_for_settle)
{
    start(0);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 0), VD_AUDIT_ARRIVAL_NEW);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 4), VD_AUDIT_ARRIVAL_NEW);
    VD_EXPECT_EQ(runs, 0);
    VD_EXPECT_EQ(vd_audit_sequence_missing(&s), 3);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 2), VD_AUDIT_ARRIVAL_NEW);
    VD_EXPECT_EQ(vd_audit_sequence_missing(&s), 2);
    vd_audit_sequence_settle(&s, 7);
    VD_EXPECT_EQ(runs, 3);
    VD_EXPECT_EQ(lost_first[0], 1);
    VD_EXPECT_EQ(lost_first[1], 3);
    VD_EXPECT_EQ(lost_first[2], 5);
    VD_EXPECT_EQ(lost_count[2], 2);
    VD_EXPECT_EQ(s.lost, 4);
    VD_EXPECT_EQ(vd_audit_sequence_missing(&s), 0);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 3), VD_AUDIT_ARRIVAL_LATE);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 2), VD_AUDIT_ARRIVAL_REPEATED);
    VD_EXPECT_EQ(s.late, 1);
}

VD_TEST(sequence_repeats_are_seen)
{
    start(5);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 5), VD_AUDIT_ARRIVAL_NEW);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 7), VD_AUDIT_ARRIVAL_NEW);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 7), VD_AUDIT_ARRIVAL_REPEATED);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 5), VD_AUDIT_ARRIVAL_REPEATED);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 4), VD_AUDIT_ARRIVAL_LATE); /* before the start */
    VD_EXPECT_EQ(s.repeated, 2);
}

VD_TEST(sequence_resumes)
{
    start(0);
    vd_audit_sequence_resume(&s, 5, 20, 3);
    VD_EXPECT_EQ(s.lost, 3);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 19), VD_AUDIT_ARRIVAL_REPEATED);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 5), VD_AUDIT_ARRIVAL_REPEATED);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 4), VD_AUDIT_ARRIVAL_LATE);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, 20), VD_AUDIT_ARRIVAL_NEW);
    VD_EXPECT_EQ(vd_audit_sequence_missing(&s), 0);
}

VD_TEST(sequence_far_jump_is_one_run)
{
    start(0);
    VD_EXPECT_EQ(vd_audit_sequence_take(&s, UINT64_MAX - 1), VD_AUDIT_ARRIVAL_NEW);
    VD_EXPECT_EQ(runs, 1);
    VD_EXPECT_EQ(lost_first[0], 0);
    vd_audit_sequence_settle(&s, UINT64_MAX);
    VD_EXPECT_EQ(s.lost, UINT64_MAX - 1);
    VD_EXPECT_EQ(s.received, 1);
}

/* Any order within the window, any losses: each number is received or lost, exactly once. */
VD_TEST(sequence_property)
{
    static uint32_t order[NUMBERS];
    uint64_t seed = 1;

    for (uint32_t round = 0; round < 5; round++) {
        uint32_t spread = round == 0 ? 1 : 10u << 3 * round, lost = 0;
        start(0);
        for (uint32_t i = 0; i < NUMBERS; i++)
            order[i] = i;
        for (uint32_t i = 0; i + 1 < NUMBERS; i++) {
            uint32_t room = spread < NUMBERS - i ? spread : NUMBERS - i;
            uint32_t j = i + (uint32_t)(vd_test_random(&seed) % room);
            uint32_t kept = order[i];
            /* Swapping twice the same element is avoided: a block shuffle bounds the distance. */
            if (j / spread == i / spread) {
                order[i] = order[j];
                order[j] = kept;
            }
        }
        for (uint32_t i = 0; i < NUMBERS; i++) {
            if (vd_test_random(&seed) % 10 == 0) {
                lost++;
                order[i] |= 0x80000000u;
                continue;
            }
            VD_EXPECT_EQ(vd_audit_sequence_take(&s, order[i]), VD_AUDIT_ARRIVAL_NEW);
        }
        vd_audit_sequence_settle(&s, NUMBERS);
        VD_EXPECT_EQ(s.lost, lost);
        VD_EXPECT_EQ(s.received, NUMBERS - lost);
        for (uint32_t i = 0; i < NUMBERS; i++)
            VD_EXPECT_EQ(was_lost[order[i] & 0x7fffffffu], order[i] >> 31);
    }
}
