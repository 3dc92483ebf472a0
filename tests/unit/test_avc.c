/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/avc.h"

#include "tests/harness.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOTS 64u

static struct vd_avc_slot slots[SLOTS];
static struct vd_avc avc;

/* A decision that tells for which key and policy it was made. */
static struct vd_decision mark(struct vd_mac_key key, uint32_t sequence)
{
    return (struct vd_decision){.allowed = key.source,
                                .auditallow = key.target,
                                .auditdeny = key.class,
                                .flags = sequence,
                                .without_te = key.source ^ sequence,
                                .without_bounds = ~key.target};
}

static bool marked(const struct vd_decision *d, struct vd_mac_key key, uint32_t sequence)
{
    struct vd_decision expected = mark(key, sequence);

    return memcmp(d, &expected, sizeof(expected)) == 0;
}

VD_TEST(avc_finds_what_was_put_in)
{
    struct vd_mac_key key = {1, 2, 3};
    struct vd_decision d = mark(key, 9);
    struct vd_decision got;
    struct vd_avc_stats stats = {};

    VD_EXPECT_EQ(vd_avc_init(&avc, slots, SLOTS, 9), VD_OK);
    VD_EXPECT(!vd_avc_lookup(&avc, key, &stats, &got));
    vd_avc_insert(&avc, key, 9, &d, &stats);
    VD_EXPECT(vd_avc_lookup(&avc, key, &stats, &got));
    VD_EXPECT(marked(&got, key, 9));
    VD_EXPECT(!vd_avc_lookup(&avc, (struct vd_mac_key){2, 1, 3}, &stats, &got));
    VD_EXPECT(!vd_avc_lookup(&avc, (struct vd_mac_key){1, 2, 4}, &stats, &got));
    VD_EXPECT_EQ(stats.lookups, 4);
    VD_EXPECT_EQ(stats.hits, 1);
    VD_EXPECT_EQ(stats.misses, 3);
    VD_EXPECT_EQ(stats.evictions, 0);
    /* Class 0 is no class, though an unused slot has it. */
    VD_EXPECT(!vd_avc_lookup(&avc, (struct vd_mac_key){0, 0, 0}, NULL, &got));
    vd_avc_insert(&avc, (struct vd_mac_key){0, 0, 0}, 9, &d, NULL);
    VD_EXPECT(!vd_avc_lookup(&avc, (struct vd_mac_key){0, 0, 0}, NULL, &got));
}

VD_TEST(avc_forgets_with_a_new_policy)
{
    struct vd_mac_key key = {1, 2, 3};
    struct vd_decision d = mark(key, 1);
    struct vd_decision got;

    VD_EXPECT_EQ(vd_avc_init(&avc, slots, SLOTS, 1), VD_OK);
    vd_avc_insert(&avc, key, 1, &d, NULL);
    vd_avc_reset(&avc, 2);
    VD_EXPECT(!vd_avc_lookup(&avc, key, NULL, &got));
    /* A decision that was begun under the old policy comes too late. */
    vd_avc_insert(&avc, key, 1, &d, NULL);
    VD_EXPECT(!vd_avc_lookup(&avc, key, NULL, &got));
    d = mark(key, 2);
    vd_avc_insert(&avc, key, 2, &d, NULL);
    VD_EXPECT(vd_avc_lookup(&avc, key, NULL, &got) && marked(&got, key, 2));
}

VD_TEST(avc_is_bounded_and_keeps_what_is_used)
{
    struct vd_avc_stats stats = {};
    struct vd_mac_key hot = {77, 78, 1};
    struct vd_decision d = mark(hot, 1);
    struct vd_decision got;
    uint32_t kept = 0;

    VD_EXPECT_EQ(vd_avc_init(&avc, slots, SLOTS, 1), VD_OK);
    vd_avc_insert(&avc, hot, 1, &d, &stats);
    for (uint32_t i = 0; i < 1000; i++) {
        struct vd_mac_key key = {i, i + 1, 2};
        d = mark(key, 1);
        kept += vd_avc_lookup(&avc, hot, NULL, &got);
        vd_avc_insert(&avc, key, 1, &d, &stats);
        VD_EXPECT(vd_avc_lookup(&avc, key, NULL, &got) && marked(&got, key, 1));
    }
    VD_EXPECT(stats.evictions >= 1000 - SLOTS);
    VD_EXPECT(kept > 10);
}

VD_TEST(avc_refuses_odd_sizes)
{
    static const uint32_t bad[] = {0, 1, 2, 3, 5, 63, VD_AVC_MAX_SLOTS * 2, UINT32_MAX};

    for (size_t i = 0; i < VD_COUNT(bad); i++)
        VD_EXPECT_EQ(vd_avc_init(&avc, slots, bad[i], 1), VD_E_RANGE);
    VD_EXPECT_EQ(vd_avc_init(&avc, slots, VD_AVC_WAYS, 1), VD_OK);
}

#define THREADS 4
#define ROUNDS  50000u

struct worker {
    uint64_t seed;
    uint64_t hits;
    bool owner, torn;
};

/* Few slots and few keys: readers and writers meet all the time. */
static void *work(void *arg)
{
    struct worker *w = arg;

    for (uint32_t i = 0; i < ROUNDS && !w->torn; i++) {
        uint64_t r = vd_test_random(&w->seed);
        struct vd_mac_key key = {(uint32_t)r & 7, (uint32_t)(r >> 8) & 7,
                                 1 + ((uint32_t)r >> 16 & 1)};
        uint32_t before = vd_avc_sequence(&avc);
        struct vd_decision d;

        if (vd_avc_lookup(&avc, key, NULL, &d)) {
            uint32_t after = vd_avc_sequence(&avc);
            /* Whole, for this key, made under a policy that was in force meanwhile. */
            w->torn = !marked(&d, key, d.flags) || d.flags < before || d.flags > after;
            w->hits++;
        } else {
            d = mark(key, before);
            vd_avc_insert(&avc, key, before, &d, NULL);
        }
        /* One thread owns the policy. */
        if (w->owner && (r >> 32 & 1023) == 0)
            vd_avc_reset(&avc, before + 1);
    }
    return NULL;
}

VD_TEST(avc_gives_whole_answers_to_concurrent_readers)
{
    struct worker workers[THREADS] = {};
    pthread_t threads[THREADS];
    uint64_t hits = 0;

    VD_EXPECT_EQ(vd_avc_init(&avc, slots, 16, 1), VD_OK);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].seed = i + 1;
        workers[i].owner = i == 0;
        VD_EXPECT_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        VD_EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        VD_EXPECT(!workers[i].torn);
        hits += workers[i].hits;
    }
    VD_EXPECT(hits > ROUNDS / 10);
}
