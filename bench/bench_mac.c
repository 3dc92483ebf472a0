/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The decision engine: cached, full on the host against libsepol, full and
 * transitions in BPF, and opening a policy.
 *
 *     bench_mac POLICY.vpol [POLICY.bin [NAME]]
 *
 * With a NAME the lines are called mac.NAME.…, and are those that depend on the policy's
 * size. Both files come from one source; the second is SELinux's binary form for the
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

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUESTIONS 4096u
#define HOT       1024u
#define SLOTS     8192u
#define TIMED     200000u /* decisions whose times are sorted */
#define LOADS     15u

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

static double now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The 99th percentile of single decisions, the clock's own time included. */
static void bench_percentile(const struct state *s, const char *name)
{
    double *times = calloc(TIMED, sizeof(*times));
    struct vd_decision d;
    uint64_t state = 11;

    if (times == NULL)
        abort();
    for (uint32_t i = 0; i < TIMED; i++) {
        struct vd_context source, target;
        uint32_t class;
        double start;

        random_question(&s->db, &state, &source, &target, &class);
        start = now_ns(CLOCK_MONOTONIC);
        vd_mac_decide(&s->db, &source, &target, class, &d);
        VD_BENCH_KEEP(d.allowed);
        times[i] = now_ns(CLOCK_MONOTONIC) - start;
    }
    qsort(times, TIMED, sizeof(*times), compare);
    vd_bench_report(name, times[TIMED / 100 * 99], "ns", NULL, 0, 0, TIMED);
    free(times);
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
        if (vd_policydb_open(&db, s->bytes.data, s->db.size, NULL) != VD_OK)
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

#ifdef VD_BENCH_SEPOL
static double peer_read(const struct vd_bytes *bytes)
{
    struct policy_file file;
    policydb_t policy;
    double start;

    policy_file_init(&file);
    file.type = PF_USE_MEMORY;
    file.data = (char *)bytes->data;
    file.len = bytes->size;
    start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (policydb_init(&policy) != 0 || policydb_read(&policy, &file, 0) != 0)
        abort();
    start = now_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    policydb_destroy(&policy);
    (void)malloc_trim(0);
    return start;
}

/*
 * Opening our policy, checksum and all checks, against libsepol's reading of its own. The
 * peer's memory goes back to the system in between: a policy is loaded once in a process.
 */
static void bench_load(struct state *s, const char *path, const char *name)
{
    double own[LOADS], peer[LOADS], ratio[LOADS];
    struct vd_bytes bytes = {};

    if (vd_file_load(path, VD_PDB_MAX_SIZE, &bytes, NULL) != VD_OK)
        abort();
    for (uint32_t i = 0; i < LOADS; i++) {
        double start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        run_open(s, 1);
        own[i] = (now_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / 1e6;
        peer[i] = peer_read(&bytes) / 1e6;
        ratio[i] = own[i] / peer[i];
    }
    qsort(own, LOADS, sizeof(*own), compare);
    qsort(peer, LOADS, sizeof(*peer), compare);
    qsort(ratio, LOADS, sizeof(*ratio), compare);
    vd_bench_report(name, own[LOADS / 2], "ms", "policydb_read", peer[LOADS / 2], ratio[LOADS / 2],
                    LOADS);
    vd_bytes_free(&bytes);
}
#endif

/* "mac.WHAT", or "mac.POLICY.WHAT". */
static const char *line_name(const char *policy, const char *what)
{
    static char names[8][64];
    static uint32_t used;
    char *name = names[used++ % 8];

    (void)snprintf(name, sizeof(names[0]), "mac.%s%s%s", policy, *policy == '\0' ? "" : ".", what);
    return name;
}

static void bench_policy(struct state *s, const char *peer_path, const char *policy)
{
    struct vd_bench full = {
        .name = line_name(policy, "decide.full"), .unit = "ns/op", .run = run_full, .ctx = s};

#ifdef VD_BENCH_SEPOL
    if (peer_load(s, peer_path)) {
        full.peer_name = "libsepol";
        full.peer_run = run_sepol;
        full.peer_ctx = s;
    }
#endif
    vd_bench_run(&full);
    bench_percentile(s, line_name(policy, "decide.full.p99"));
    vd_bench_run(&(struct vd_bench){
        .name = line_name(policy, "transition"), .unit = "ns/op", .run = run_transition, .ctx = s});
    vd_bench_run(&(struct vd_bench){.name = line_name(policy, "policy.open"),
                                    .unit = "MiB/s",
                                    .run = run_open,
                                    .ctx = s,
                                    .bytes_per_op = s->db.size});
#ifdef VD_BENCH_SEPOL
    if (peer_path != NULL)
        bench_load(s, peer_path, line_name(policy, "policy.load"));
#endif
    vd_bench_report(line_name(policy, "policy.memory"), (double)s->db.size / (1 << 20), "MiB", NULL,
                    0, 0, 1);
}

int main(int argc, char **argv)
{
    struct state s = {};
    struct vd_diag diag = {};
    bool named = argc > 3;

    s.questions = calloc(QUESTIONS, sizeof(*s.questions));
    if (argc < 2 || s.questions == NULL ||
        vd_file_load(argv[1], VD_PDB_MAX_SIZE, &s.bytes, &diag) != VD_OK ||
        vd_policydb_open(&s.db, s.bytes.data, vd_policydb_extent(s.bytes.data, s.bytes.size),
                         &diag) != VD_OK) {
        fprintf(stderr, "usage: bench_mac POLICY.vpol [POLICY.bin [NAME]]: %s\n", diag.text);
        return 2;
    }
    choose(&s);
    if (!named) {
        fill_cache(&s);
        vd_bench_run(&(struct vd_bench){
            .name = "mac.decide.cached", .unit = "ns/op", .run = run_cached, .ctx = &s});
    }
    bench_policy(&s, argc > 2 ? argv[2] : NULL, named ? argv[3] : "");
#ifdef VD_BENCH_BPF
    if (!named)
        bench_kernel(&s);
#endif
    vd_bytes_free(&s.bytes);
    free(s.questions);
    return 0;
}
