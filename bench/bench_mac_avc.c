/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A cached decision against libselinux's access vector cache, without and with
 * its entry references, over a few pairs and over many. Both caches are asked
 * for what they hold; in the peer's place of the kernel stands a function of
 * this program, so that no SELinux need run here.
 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include "bench/selinux_avc.h"
#include "core/mac/avc.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_PAIRS SELINUX_AVC_PAIRS
#define SLOTS     8192u
#define ORDER     4096u

struct state {
    uint16_t order[ORDER]; /* random: the pairs that are asked, one after another */
    bool by_reference;
    struct vd_avc avc;
    struct selinux_avc peer;
    struct vd_mac_key keys[MAX_PAIRS];
    struct selinux_ref refs[MAX_PAIRS];
};

static void run_own(void *ctx, uint64_t ops)
{
    struct state *s = ctx;
    struct vd_avc_stats stats = {};
    struct vd_decision d;

    for (uint64_t i = 0; i < ops; i++) {
        uint32_t at = s->order[i % ORDER];
        if (!vd_avc_lookup(&s->avc, s->keys[at], &stats, &d))
            abort();
        VD_BENCH_KEEP(d.allowed);
    }
}

static void run_peer(void *ctx, uint64_t ops)
{
    struct state *s = ctx;
    struct selinux_decision d;

    for (uint64_t i = 0; i < ops; i++) {
        uint32_t at = s->order[i % ORDER];
        if (s->peer.avc_has_perm_noaudit(s->peer.sources[at], s->peer.targets[at],
                                         (uint16_t)s->keys[at].class, 1,
                                         s->by_reference ? &s->refs[at] : NULL, &d) != 0)
            abort();
        VD_BENCH_KEEP(d.allowed);
    }
}

static void fill_own(struct state *s)
{
    static struct vd_avc_slot slots[SLOTS];
    const struct vd_decision d = {.allowed = 1};

    if (vd_avc_init(&s->avc, slots, SLOTS, 1) != VD_OK)
        abort();
    for (uint32_t i = 0; i < MAX_PAIRS; i++) {
        s->keys[i] = (struct vd_mac_key){i + 1, 1000 + i, i % 7 + 1};
        vd_avc_insert(&s->avc, s->keys[i], 1, &d, NULL);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        uint32_t pairs;
        bool by_reference;
    } cases[] = {{"mac.avc.10pairs", 10, false},
                 {"mac.avc.400pairs", 400, false},
                 {"mac.avc.10pairs.reference", 10, true},
                 {"mac.avc.400pairs.reference", 400, true}};
    static struct state s;
    bool peer = selinux_avc_open(&s.peer);

    fill_own(&s);
    if (!peer)
        printf("# libselinux is not here, or does not start: no peer\n");
    for (size_t i = 0; i < VD_COUNT(cases); i++) {
        struct vd_bench bench = {.name = cases[i].name, .unit = "ns/op", .run = run_own, .ctx = &s};

        for (uint32_t n = 0; n < ORDER; n++)
            s.order[n] = (uint16_t)(random() % cases[i].pairs);
        s.by_reference = cases[i].by_reference;
        if (peer) {
            bench.peer_name = s.by_reference ? "libselinux, entry reference" : "libselinux";
            bench.peer_run = run_peer;
            bench.peer_ctx = &s;
        }
        vd_bench_run(&bench);
    }
    /* Each pair once: else the peer was not answering from its cache. */
    if (peer && selinux_kernel_asked != MAX_PAIRS) {
        fprintf(stderr, "libselinux asked %u times for %u pairs\n", selinux_kernel_asked,
                MAX_PAIRS);
        return 1;
    }
    return 0;
}
