/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The decision engine: cached, full on the host against libsepol, full and
 * transitions in BPF, and opening a policy.
 *
 *     bench_mac POLICY.vpol [POLICY.bin]
 *
 * Both files come from one source; the second is SELinux's binary form for the
 * peer. The questions are those that a type rule answers, at random: every
 * second one hits other pages of the policy, as on a machine that has just
 * loaded it, so the figures hold the memory's share.
 */
#include "bench/bench.h"

#include "core/mac/avc.h"
#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "lib/file.h"
#include "tests/support/large_policy.h"

#ifdef VD_BENCH_BPF
#include "tests/integration/mac_bpf.h"
#endif
#ifdef VD_BENCH_SEPOL
#include <sepol/policydb/services.h>
#include <sepol/sepol.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS 4096u
#define HOT       1024u
#define SLOTS     8192u

struct question {
    struct vd_context source, target;
    uint32_t class;
    uint32_t peer_source, peer_target, peer_class;
};

struct state {
    struct vd_policydb db;
    struct vd_bytes bytes;
    struct question *questions;
    struct vd_avc avc;
};

static void run_full(void *ctx, uint64_t ops)
{
    const struct state *s = ctx;
    struct vd_decision d;

    for (uint64_t i = 0; i < ops; i++) {
        const struct question *q = &s->questions[i % QUESTIONS];
        vd_mac_decide(&s->db, &q->source, &q->target, q->class, &d);
        VD_BENCH_KEEP(d.allowed);
    }
}

static void run_cached(void *ctx, uint64_t ops)
{
    struct state *s = ctx;
    struct vd_avc_stats stats = {};
    struct vd_decision d;

    for (uint64_t i = 0; i < ops; i++) {
        struct vd_mac_key key = {(uint32_t)i % HOT, (uint32_t)i % HOT + 1, 1};
        if (!vd_avc_lookup(&s->avc, key, &stats, &d))
            abort();
        VD_BENCH_KEEP(d.allowed);
    }
}

static void run_transition(void *ctx, uint64_t ops)
{
    const struct state *s = ctx;
    struct vd_context made = {};

    for (uint64_t i = 0; i < ops; i++) {
        const struct question *q = &s->questions[i % QUESTIONS];
        (void)!vd_mac_transition(&s->db, &q->source, &q->target, q->class, VD_TRANS_TYPE, &made);
        VD_BENCH_KEEP(made.type);
    }
}

static void run_open(void *ctx, uint64_t ops)
{
    struct state *s = ctx;

    for (uint64_t i = 0; i < ops; i++) {
        struct vd_policydb db;
        if (vd_policydb_open(&db, s->bytes.data, s->bytes.size, NULL) != VD_OK)
            abort();
        VD_BENCH_KEEP(db.size);
    }
}

#ifdef VD_BENCH_SEPOL
static void run_sepol(void *ctx, uint64_t ops)
{
    const struct state *s = ctx;
    struct sepol_av_decision avd;
    unsigned reason;

    for (uint64_t i = 0; i < ops; i++) {
        const struct question *q = &s->questions[i % QUESTIONS];
        if (sepol_compute_av_reason(q->peer_source, q->peer_target,
                                    (sepol_security_class_t)q->peer_class, UINT32_MAX, &avd,
                                    &reason) != 0)
            abort();
        VD_BENCH_KEEP(avd.allowed);
    }
}

static bool peer_sid(const struct state *s, const struct vd_context *context, uint32_t *ret)
{
    char buf[4096];
    struct vd_text text;

    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(&s->db, context, &text);
    return sepol_context_to_sid(buf, text.len + 1, ret) == 0;
}

/* The same questions in the peer's numbers; false if the peer cannot be asked. */
static bool peer_load(struct state *s, const char *path)
{
    FILE *f = path == NULL ? NULL : fopen(path, "rb");
    bool good = f != NULL && sepol_set_policydb_from_file(f) == 0;

    for (uint32_t i = 0; good && i < QUESTIONS; i++) {
        struct question *q = &s->questions[i];
        sepol_security_class_t class;
        good = peer_sid(s, &q->source, &q->peer_source) &&
               peer_sid(s, &q->target, &q->peer_target) &&
               sepol_string_to_security_class(vd_policydb_name(&s->db, VD_SYM_CLASS, q->class),
                                              &class) == 0;
        q->peer_class = class;
    }
    if (f != NULL)
        fclose(f);
    return good;
}
#endif

#ifdef VD_BENCH_BPF
static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median over some questions, each run many times in the kernel. */
static void bench_bpf(const struct state *s, struct mac_bpf *bpf, const char *name,
                      int64_t (*run)(struct mac_bpf *, uint32_t))
{
    double values[101];

    for (uint32_t i = 0; i < 101; i++) {
        const struct question *q = &s->questions[i];
        struct mac_query *query = mac_bpf_query(bpf);
        query->source = q->source;
        query->target = q->target;
        query->class = q->class;
        query->kind = VD_TRANS_TYPE;
        query->source_sid = 2 * i + 1;
        query->target_sid = 2 * i + 2;
        query->seqno = 1;
        values[i] = (double)run(bpf, 20000);
    }
    qsort(values, 101, sizeof(values[0]), compare);
    vd_bench_report(name, values[50], "ns/op", NULL, 0, 0, 101);
}

static void bench_kernel(const struct state *s)
{
    struct mac_bpf *bpf = mac_bpf_new((uint32_t)s->bytes.size);

    if (bpf == NULL || !mac_bpf_policy(bpf, s->bytes.data, s->bytes.size)) {
        printf("# mac.decide.bpf and its kin left out: bpf() is refused here\n");
    } else {
        bench_bpf(s, bpf, "mac.decide.bpf", mac_bpf_decide);
        bench_bpf(s, bpf, "mac.decide.bpf.cached", mac_bpf_cached);
        bench_bpf(s, bpf, "mac.transition.bpf", mac_bpf_transition);
    }
    mac_bpf_free(bpf);
}
#endif

/* Questions with contexts that are valid, since the peer takes no others. */
static void choose(struct state *s)
{
    uint64_t state = 5;

    for (uint32_t i = 0; i < QUESTIONS;) {
        struct question *q = &s->questions[i];
        const struct vd_pdb_leaf *leaf;
        random_question(&s->db, &state, &q->source, &q->target, &q->class);
        q->source.role = q->target.role = VD_PDB_ROLE_OBJECT;
        leaf = vd_te_leaf(&s->db, q->source.type, q->target.type, q->class);
        if (leaf != NULL && leaf->allowed != 0 && vd_mac_context_valid(&s->db, &q->source) &&
            vd_mac_context_valid(&s->db, &q->target))
            i++;
    }
}

static void fill_cache(struct state *s)
{
    static struct vd_avc_slot slots[SLOTS];
    const struct vd_decision d = {.allowed = 1};

    if (vd_avc_init(&s->avc, slots, SLOTS, 1) != VD_OK)
        abort();
    for (uint32_t i = 0; i < HOT; i++)
        vd_avc_insert(&s->avc, (struct vd_mac_key){i, i + 1, 1}, 1, &d, NULL);
}

int main(int argc, char **argv)
{
    struct state s = {};
    struct vd_bench full = {.name = "mac.decide.full", .unit = "ns/op", .run = run_full, .ctx = &s};
    struct vd_diag diag = {};

    s.questions = calloc(QUESTIONS, sizeof(*s.questions));
    if (argc < 2 || s.questions == NULL ||
        vd_file_load(argv[1], VD_PDB_MAX_FILE, &s.bytes, &diag) != VD_OK ||
        (s.bytes.size = vd_policydb_extent(s.bytes.data, s.bytes.size),
         vd_policydb_open(&s.db, s.bytes.data, s.bytes.size, &diag)) != VD_OK) {
        fprintf(stderr, "usage: bench_mac POLICY.vpol [POLICY.bin]: %s\n", diag.text);
        return 2;
    }
    choose(&s);
    fill_cache(&s);
    vd_bench_run(&(struct vd_bench){
        .name = "mac.decide.cached", .unit = "ns/op", .run = run_cached, .ctx = &s});
#ifdef VD_BENCH_SEPOL
    if (peer_load(&s, argc > 2 ? argv[2] : NULL)) {
        full.peer_name = "libsepol";
        full.peer_run = run_sepol;
        full.peer_ctx = &s;
    }
#endif
    vd_bench_run(&full);
    vd_bench_run(&(struct vd_bench){
        .name = "mac.transition", .unit = "ns/op", .run = run_transition, .ctx = &s});
#ifdef VD_BENCH_BPF
    bench_kernel(&s);
#endif
    vd_bench_run(&(struct vd_bench){.name = "mac.policy.open",
                                    .unit = "MiB/s",
                                    .run = run_open,
                                    .ctx = &s,
                                    .bytes_per_op = s.bytes.size});
    vd_bytes_free(&s.bytes);
    free(s.questions);
    return 0;
}
