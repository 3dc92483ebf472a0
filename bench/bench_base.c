/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The primitives of core/base: the checksum against zlib's CRC-32, the
 * comparison in constant time against OpenSSL's, the hash table alone.
 */
#include "bench/bench.h"
#include "core/base/crc64.h"
#include "core/base/htab.h"
#include "core/base/mem.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <zlib.h>

#define CRC_BYTES   65536u
#define EQUAL_BYTES 48u /* a SHA-384 digest */
#define SLOTS       4096u

static uint8_t data[CRC_BYTES];
static uint8_t copy[CRC_BYTES];

static void run_crc64(void *ctx, uint64_t ops)
{
    uint64_t crc = 0;

    for (uint64_t i = 0; i < ops; i++)
        crc = vd_crc64(crc, ctx, CRC_BYTES);
    VD_BENCH_KEEP(crc);
}

static void run_zlib(void *ctx, uint64_t ops)
{
    unsigned long crc = 0;

    for (uint64_t i = 0; i < ops; i++)
        crc = crc32(crc, ctx, CRC_BYTES);
    VD_BENCH_KEEP(crc);
}

static void run_ct_equal(void *ctx, uint64_t ops)
{
    for (uint64_t i = 0; i < ops; i++) {
        bool equal = vd_ct_equal(ctx, copy, EQUAL_BYTES);
        VD_BENCH_KEEP(equal);
    }
}

static void run_crypto_memcmp(void *ctx, uint64_t ops)
{
    for (uint64_t i = 0; i < ops; i++) {
        int differs = CRYPTO_memcmp(ctx, copy, EQUAL_BYTES);
        VD_BENCH_KEEP(differs);
    }
}

static void run_find(void *ctx, uint64_t ops)
{
    const struct vd_htab *table = ctx;
    uint32_t value = 0;

    for (uint64_t i = 0; i < ops; i++) {
        if (vd_htab_find(table, i % (SLOTS / 2), &value) != VD_OK)
            abort();
        VD_BENCH_KEEP(value);
    }
}

int main(void)
{
    static struct vd_htab_slot slots[SLOTS];
    struct vd_htab table;
    struct vd_bench crc = {.name = "base.crc64",
                           .unit = "MiB/s",
                           .run = run_crc64,
                           .ctx = data,
                           .peer_name = "zlib crc32",
                           .peer_run = run_zlib,
                           .peer_ctx = data,
                           .bytes_per_op = CRC_BYTES};
    struct vd_bench equal = {.name = "base.ct_equal.48",
                             .unit = "ns/op",
                             .run = run_ct_equal,
                             .ctx = data,
                             .peer_name = "OpenSSL CRYPTO_memcmp",
                             .peer_run = run_crypto_memcmp,
                             .peer_ctx = data};
    struct vd_bench find = {
        .name = "base.htab.find", .unit = "ns/op", .run = run_find, .ctx = &table};

    for (uint32_t i = 0; i < CRC_BYTES; i++)
        data[i] = copy[i] = (uint8_t)(i * 31);
    if (vd_htab_init(&table, slots, SLOTS) != VD_OK)
        abort();
    for (uint32_t i = 0; i < SLOTS / 2; i++) {
        if (vd_htab_insert(&table, i, i) != VD_OK)
            abort();
    }
    vd_bench_run(&crc);
    vd_bench_run(&equal);
    vd_bench_run(&find);
    return 0;
}
