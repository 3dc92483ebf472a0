/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key store: a durable key against a bare SQLite commit of as many bytes (by the wall clock,
 * since most of both is waiting for the disk, and by CPU time), a key found by name and one
 * opened among 100,000, and the start of a store with 100,000 keys.
 */
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"
#include "lib/sys.h"
#include "services/crypto/store/store.h"

#define KEYS   100000u
#define PAIRS  25u
#define EACH   40u
#define STARTS 9u
#define NOW    1700000000u

static struct vd_secret root, material;
static struct vd_kstore *store;
static uint8_t ids[KEYS][VD_KSTORE_ID_SIZE];
static char dir[] = "/var/tmp/veridian-bench-XXXXXX", path[64];
static uint64_t next_name;
static sqlite3 *bare;
static sqlite3_stmt *insert;

static void check(vd_status status)
{
    if (status != VD_OK)
        abort();
}

static struct vd_kstore_attributes attributes(uint64_t number)
{
    struct vd_kstore_attributes a = {.domain = "default",
                                     .service = "bench",
                                     .label = "system_u:object_r:key_t:s0",
                                     .type = 1,
                                     .usages = 3,
                                     .min_decrypt_version = 1};

    /* Names in no order. */
    snprintf(a.name, sizeof(a.name), "bench/%016llx",
             (unsigned long long)(number * 0x9e3779b97f4a7c15u));
    return a;
}

static void fill(void)
{
    static struct vd_kstore_attributes a[1000];
    static struct vd_kstore_new new[1000];

    for (uint32_t at = 0; at < KEYS; at += 1000) {
        for (uint32_t i = 0; i < 1000; i++) {
            a[i] = attributes(at + i);
            new[i] = (struct vd_kstore_new){.attributes = &a[i], .material = &material, .now = NOW};
        }
        check(vd_kstore_create(store, new, 1000, ids + at, NULL));
    }
    next_name = KEYS;
}

static void open_store(uint32_t flags)
{
    struct vd_kstore_options o = {.directory = path, .root = &root, .now = NOW, .flags = flags};
    struct vd_diag diag = {};

    if (vd_kstore_open(&o, &store, &diag) != VD_OK) {
        fprintf(stderr, "%s\n", diag.text);
        exit(1);
    }
}

static void create(void *ctx, uint64_t ops)
{
    uint8_t id[1][VD_KSTORE_ID_SIZE];

    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        struct vd_kstore_attributes a = attributes(next_name++);
        struct vd_kstore_new new = {.attributes = &a, .material = &material, .now = NOW};
        check(vd_kstore_create(store, &new, 1, id, NULL));
    }
}

static void sql(const char *text)
{
    if (sqlite3_exec(bare, text, NULL, NULL, NULL) != SQLITE_OK)
        abort();
}

static void open_bare(void)
{
    char file[96];

    snprintf(file, sizeof(file), "%s/bare.db", dir);
    if (sqlite3_open(file, &bare) != SQLITE_OK)
        abort();
    sql("PRAGMA journal_mode=WAL");
    sql("PRAGMA synchronous=FULL");
    sql("CREATE TABLE t(seq INTEGER PRIMARY KEY, body BLOB)");
    if (sqlite3_prepare_v2(bare, "INSERT INTO t(body) VALUES(zeroblob(380))", -1, &insert, NULL) !=
        SQLITE_OK)
        abort();
}

/* What a key's rows take, head, tag and body. */
static void bare_insert(void *ctx, uint64_t ops)
{
    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        if (sqlite3_step(insert) != SQLITE_DONE)
            abort();
        sqlite3_reset(insert);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static double wall_ns(void (*run)(void *, uint64_t), uint64_t ops)
{
    uint64_t start = vd_sys_monotonic_ns();

    run(NULL, ops);
    return (double)(vd_sys_monotonic_ns() - start) / (double)ops;
}

static void bench_create(void)
{
    double own[PAIRS], peer[PAIRS], ratio[PAIRS];

    for (uint32_t i = 0; i < PAIRS; i++) {
        own[i] = wall_ns(create, EACH);
        peer[i] = wall_ns(bare_insert, EACH);
        ratio[i] = own[i] / peer[i];
    }
    vd_bench_report("keys.store.create.wall", median(own, PAIRS), "ns/op",
                    "bare SQLite insert and commit", median(peer, PAIRS), median(ratio, PAIRS),
                    PAIRS);
    vd_bench_run(&(struct vd_bench){.name = "keys.store.create.cpu",
                                    .unit = "ns/op",
                                    .run = create,
                                    .peer_name = "bare SQLite insert and commit",
                                    .peer_run = bare_insert});
}

static void find(void *ctx, uint64_t ops)
{
    static uint64_t at;
    struct vd_kstore_key key;

    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        char name[32];
        at = (at + 7919) % KEYS;
        snprintf(name, sizeof(name), "bench/%016llx",
                 (unsigned long long)(at * 0x9e3779b97f4a7c15u));
        check(vd_kstore_find(store, name, &key));
        VD_BENCH_KEEP(key.versions);
    }
}

static void get(void *ctx, uint64_t ops)
{
    static uint64_t at;
    struct vd_kstore_key key;

    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        at = (at + 7919) % KEYS;
        check(vd_kstore_get(store, ids[at], &key));
        VD_BENCH_KEEP(key.versions);
    }
}

static void load(void *ctx, uint64_t ops)
{
    static uint64_t at;

    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        struct vd_secret loaded = {};
        at = (at + 7919) % KEYS;
        check(vd_kstore_load(store, ids[at], 0, &loaded, NULL));
        VD_BENCH_KEEP(loaded.size);
        vd_secret_done(&loaded);
    }
}

static void bench_start(void)
{
    double ms[STARTS];

    for (uint32_t i = 0; i < STARTS; i++) {
        uint64_t start;
        vd_kstore_close(store);
        start = vd_sys_monotonic_ns();
        open_store(0);
        ms[i] = (double)(vd_sys_monotonic_ns() - start) / 1e6;
    }
    vd_bench_report("keys.store.start.100k", median(ms, STARTS), "ms", NULL, 0, 0, STARTS);
}

int main(void)
{
    uint8_t bytes[32] = {1, 2, 3};
    char command[80];

    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/store", dir);
    check(vd_secret_set(&root, bytes, sizeof(bytes), NULL));
    check(vd_secret_set(&material, bytes, sizeof(bytes), NULL));
    open_store(VD_KSTORE_CREATE);
    open_bare();
    fill();
    bench_start();
    vd_bench_run(&(struct vd_bench){.name = "keys.store.find.100k", .unit = "ns/op", .run = find});
    vd_bench_run(&(struct vd_bench){.name = "keys.store.get.100k", .unit = "ns/op", .run = get});
    vd_bench_run(&(struct vd_bench){.name = "keys.store.load.100k", .unit = "ns/op", .run = load});
    bench_create();
    vd_kstore_close(store);
    sqlite3_finalize(insert);
    sqlite3_close(bare);
    vd_secret_done(&material);
    vd_secret_done(&root);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
