/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DEFAULT_RUNS    15
#define MAX_RUNS        200
#define TARGET_RUN_NS   20e6 /* long against the clock's resolution and a time slice's edge */
#define FIRST_GUESS_OPS 16

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure(void (*run)(void *, uint64_t), void *ctx, uint64_t ops)
{
    double start = cpu_ns();

    run(ctx, ops);
    return cpu_ns() - start;
}

/* How many operations fill the target time. */
static uint64_t calibrate(void (*run)(void *, uint64_t), void *ctx)
{
    uint64_t ops = FIRST_GUESS_OPS;

    for (;;) {
        double ns = measure(run, ctx, ops);
        if (ns >= TARGET_RUN_NS / 2 || ops > UINT64_C(1) << 40)
            return ops;
        ops *= ns < TARGET_RUN_NS / 20 ? 8 : 2;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Time for one operation, or throughput in MiB/s where bytes are counted. */
static double figure(const struct vd_bench *b, double ns, uint64_t ops)
{
    double per_op = ns / (double)ops;

    return b->bytes_per_op == 0 ? per_op : (double)b->bytes_per_op / (1 << 20) / (per_op / 1e9);
}

void vd_bench_report(const char *name, double value, const char *unit, const char *peer,
                     double peer_value, double ratio, uint32_t runs)
{
    printf("{\"name\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"", name, value, unit);
    if (peer != NULL)
        printf(",\"peer\":\"%s\",\"peer_value\":%.4g,\"ratio\":%.4g", peer, peer_value, ratio);
    else
        printf(",\"peer\":null,\"peer_value\":null,\"ratio\":null");
    printf(",\"runs\":%u}\n", runs);
    fflush(stdout);
}

void vd_bench_run(const struct vd_bench *b)
{
    uint32_t runs = b->runs == 0 ? DEFAULT_RUNS : b->runs > MAX_RUNS ? MAX_RUNS : b->runs;
    double own[MAX_RUNS], peer[MAX_RUNS], ratio[MAX_RUNS];
    uint64_t ops = calibrate(b->run, b->ctx);
    uint64_t peer_ops = b->peer_run != NULL ? calibrate(b->peer_run, b->peer_ctx) : 0;

    for (uint32_t i = 0; i < runs; i++) {
        own[i] = figure(b, measure(b->run, b->ctx, ops), ops);
        if (b->peer_run == NULL)
            continue;
        peer[i] = figure(b, measure(b->peer_run, b->peer_ctx, peer_ops), peer_ops);
        ratio[i] = own[i] / peer[i];
    }
    if (b->peer_run == NULL)
        vd_bench_report(b->name, median(own, runs), b->unit, NULL, 0, 0, runs);
    else
        vd_bench_report(b->name, median(own, runs), b->unit, b->peer_name, median(peer, runs),
                        median(ratio, runs), runs);
}
