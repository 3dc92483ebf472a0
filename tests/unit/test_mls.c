/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/constraint.h"

#include "tests/harness.h"

#define ROUNDS 20000

/* Few sensitivities and sparse categories, so that every relation comes up. */
static struct vd_mls_level random_level(uint64_t *state)
{
    struct vd_mls_level level = {.sens = 1 + (uint32_t)(vd_test_random(state) % 3)};
    uint32_t word = vd_test_random(state) & 1 ? 15 : 0;

    level.cats[word] = vd_test_random(state) & 3;
    return level;
}

VD_TEST(mls_dominance_is_a_partial_order)
{
    uint64_t state = 1;
    uint32_t incomparable = 0, strict = 0;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct vd_mls_level a = random_level(&state);
        struct vd_mls_level b = random_level(&state);
        struct vd_mls_level c = random_level(&state);
        uint32_t ab = vd_mls_compare(&a, &b);

        VD_EXPECT_EQ(vd_mls_compare(&a, &a), VD_MLS_EQUAL);
        VD_EXPECT_EQ(ab == VD_MLS_EQUAL, vd_mls_level_equal(&a, &b));
        if (vd_mls_dominates(&a, &b) && vd_mls_dominates(&b, &c))
            VD_EXPECT(vd_mls_dominates(&a, &c));
        VD_EXPECT_EQ(vd_mls_compare(&b, &a), (ab & 1) << 1 | ab >> 1);
        incomparable += ab == 0;
        strict += ab == VD_MLS_DOM;
    }
    VD_EXPECT(incomparable > ROUNDS / 10 && strict > ROUNDS / 10);
}

/* The comparison against its definition, bit by bit. */
VD_TEST(mls_compare_follows_the_definition)
{
    uint64_t state = 2;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct vd_mls_level a = random_level(&state);
        struct vd_mls_level b = random_level(&state);
        bool dom = a.sens >= b.sens;
        bool domby = a.sens <= b.sens;

        if (i % 16 == 0)
            a.sens = i % 32 == 0 ? UINT32_MAX : 0;
        dom = a.sens >= b.sens;
        domby = a.sens <= b.sens;
        for (uint32_t bit = 0; bit < VD_MLS_CATS_MAX; bit++) {
            if (vd_bitmap_get(b.cats, bit) && !vd_bitmap_get(a.cats, bit))
                dom = false;
            if (vd_bitmap_get(a.cats, bit) && !vd_bitmap_get(b.cats, bit))
                domby = false;
        }
        VD_EXPECT_EQ(vd_mls_compare(&a, &b), (dom ? VD_MLS_DOM : 0) | (domby ? VD_MLS_DOMBY : 0));
    }
}

/* For two levels exactly one of: equal, above, below, incomparable. */
VD_TEST(mls_relations_of_constraints)
{
    static const struct {
        uint32_t rel, holds_for; /* bit n: holds for relation n */
    } rows[] = {{VD_REL_EQ, 1u << 3},
                {VD_REL_NE, 1u << 0 | 1u << 1 | 1u << 2},
                {VD_REL_DOM, 1u << 1 | 1u << 3},
                {VD_REL_DOMBY, 1u << 2 | 1u << 3},
                {VD_REL_INCOMP, 1u << 0},
                {0, 0},
                {6, 0}};

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        for (uint32_t relation = 0; relation < 4; relation++)
            VD_EXPECT_EQ(vd_cx_holds(rows[i].rel, relation), rows[i].holds_for >> relation & 1);
    }
}

VD_TEST(mls_pairs_compare_the_right_levels)
{
    static const struct {
        uint32_t left, right, above; /* left dominates right in the contexts below */
    } rows[] = {
        {VD_PART_L1, VD_PART_L2, VD_MLS_DOMBY}, {VD_PART_L1, VD_PART_H2, VD_MLS_DOMBY},
        {VD_PART_H1, VD_PART_L2, VD_MLS_DOM},   {VD_PART_H1, VD_PART_H2, VD_MLS_DOMBY},
        {VD_PART_L1, VD_PART_H1, VD_MLS_DOMBY}, {VD_PART_L2, VD_PART_H2, VD_MLS_DOMBY},
    };
    const struct vd_context source = {.low.sens = 1, .high.sens = 3};
    const struct vd_context target = {.low.sens = 2, .high.sens = 4};
    struct vd_cx cx = {.source = &source, .target = &target};

    for (uint32_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < VD_COUNT(rows); i++)
            VD_EXPECT_EQ(vd_cx_levels(&cx, vd_cx_level_pair(rows[i].left, rows[i].right)),
                         rows[i].above);
        VD_EXPECT_EQ(cx.levels_known, 0x3f);
    }
    VD_EXPECT_EQ(vd_cx_level_pair(VD_PART_L2, VD_PART_L1), 6);
    VD_EXPECT_EQ(vd_cx_level_pair(VD_PART_H2, VD_PART_H2), 6);
    VD_EXPECT_EQ(vd_cx_level_pair(VD_PART_U1, VD_PART_U2), 6);
}
