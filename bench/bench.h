/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bench harness: measures a piece of work and, where there is one, its
 * peer, interleaved in the same run, and prints one JSON line:
 *   {"name","value","unit","peer","peer_value","ratio","runs"}
 * Values are medians of CPU time; the ratio is the median of the pairs'
 * ratios, since the machine's speed drifts between pairs.
 */
#ifndef VD_BENCH_BENCH_H
#define VD_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

struct vd_bench {
    const char *name; /* "mac.decide.cached" */
    const char *unit; /* "ns/op", or "MiB/s" when bytes_per_op is set */
    void (*run)(void *ctx, uint64_t ops);
    void *ctx;
    const char *peer_name; /* NULL: no peer */
    void (*peer_run)(void *ctx, uint64_t ops);
    void *peer_ctx;
    uint64_t bytes_per_op; /* 0: time for each operation is reported */
    uint32_t runs;         /* pairs; 0 means 15 */
};

/* Measures and prints the line on standard output. */
void vd_bench_run(const struct vd_bench *bench);

/* Prints a line whose figures were measured elsewhere; peer may be NULL. */
void vd_bench_report(const char *name, double value, const char *unit, const char *peer,
                     double peer_value, double ratio, uint32_t runs);

/* Keeps the compiler from dropping a computation whose result is `value`. */
#define VD_BENCH_KEEP(value) __asm__ volatile("" : : "g"(value) : "memory")

#endif
