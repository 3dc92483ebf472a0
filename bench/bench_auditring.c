/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records through shared memory: what a put costs a service, in one thread and
 * in four (peer: the same bytes through a socket of packets, both ends); what it
 * costs with a daemon that reads at the same time; how many records a second
 * come to the disk; and how long a record takes until it is there.
 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/auditring/internal.h"
#include "lib/auditring/write.h"
#include "lib/sys.h"
#include "services/audit/shared.h"

#define THREADS 4u
#define BURST   64u      /* records between two looks at the clock */
#define BURSTS  2000u    /* with the daemon */
#define MANY    1000000u /* records for the disk */
#define RUNS    5u
#define SINGLE  300u /* records, one after another */

#define TEXT(s) ((struct vd_audit_text){s, sizeof(s) - 1})

static struct {
    char dir[64], log[96], socket[96];
    pid_t daemon;
    struct vd_audit_record record;
    uint8_t bytes[1024];
    size_t size;
    struct vd_auditring local; /* nobody reads it */
    struct vd_auditring *ring; /* the daemon's */
    int pair[2];
} s;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench_auditring: %s\n", what);
    exit(1);
}

/* An operation with a key, as a key service records it. */
static void make_record(void)
{
    struct vd_audit_record *r = &s.record;
    struct vd_writer w;

    r->type = VD_EVENT_TYPE_AUTHORISATION;
    VD_AUDIT_SET(r, PID, pid, 1234);
    VD_AUDIT_SET(r, UID, uid, 1000);
    VD_AUDIT_SET(r, SUBJECT_CONTEXT, subject_context, TEXT("system_u:system_r:web_t:s0"));
    VD_AUDIT_SET(r, OBJECT_KIND, object_kind, TEXT("key"));
    VD_AUDIT_SET(r, OBJECT_CONTEXT, object_context, TEXT("system_u:object_r:web_key_t:s0"));
    VD_AUDIT_SET(r, CLASS_NAME, class_name, TEXT("key"));
    VD_AUDIT_SET(r, REQUESTED_NAMES, requested_names, TEXT("encrypt"));
    VD_AUDIT_SET(r, VERDICT, verdict, 1);
    r->extra[r->extra_count++] =
        (struct vd_audit_extra){TEXT("key"), TEXT("00112233445566778899aabbccddeeff")};
    vd_writer_init(&w, s.bytes, sizeof(s.bytes));
    if (vd_audit_record_encode(r, &w) != VD_OK)
        give_up("the record does not encode");
    s.size = w.len;
}

/* A ring whose room is given back at once, so that the put alone is measured. */
static void put_local(uint64_t ops)
{
    struct vd_auditring_head *mem = s.local.mem;

    for (uint64_t i = 0; i < ops; i++) {
        if (i % BURST == 0)
            __atomic_store_n(&mem->tail, __atomic_load_n(&mem->head, __ATOMIC_RELAXED),
                             __ATOMIC_RELEASE);
        if (vd_auditring_put(&s.local, s.bytes, s.size, VD_IPC_NO_WAIT) != VD_OK)
            give_up("a put fails");
    }
}

static void run_put(void *ctx, uint64_t ops)
{
    (void)ctx;
    put_local(ops);
}

static void *thread_put(void *arg)
{
    put_local((uint64_t)(uintptr_t)arg);
    return NULL;
}

static void run_threads(void *ctx, uint64_t ops)
{
    pthread_t threads[THREADS];

    (void)ctx;
    for (uint32_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, thread_put, (void *)(uintptr_t)(ops / THREADS + 1)))
            give_up("no thread");
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void run_socket(void *ctx, uint64_t ops)
{
    uint8_t bytes[1024];

    (void)ctx;
    for (uint64_t i = 0; i < ops; i++) {
        if (send(s.pair[0], s.bytes, s.size, 0) != (ssize_t)s.size ||
            recv(s.pair[1], bytes, sizeof(bytes), 0) != (ssize_t)s.size)
            give_up("a packet fails");
    }
}

static void bench_put(void)
{
    struct vd_audit_arena arena;
    struct vd_audit_shared shared;
    struct vd_bench one = {.name = "auditring.put",
                           .unit = "ns/op",
                           .run = run_put,
                           .peer_name = "packet socket, both ends",
                           .peer_run = run_socket};
    struct vd_bench four = {.name = "auditring.put.threads4", .unit = "ns/op", .run = run_threads};
    int fd;

    if (vd_audit_arena_init(&arena, NULL) != VD_OK ||
        vd_audit_shared_make(&arena, &shared, &fd, NULL) != VD_OK ||
        vd_auditring_map(&s.local, fd, NULL) != VD_OK ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s.pair) != 0)
        give_up("no ring");
    vd_bench_run(&one);
    vd_bench_run(&four);
    vd_audit_shared_done(&arena, &shared);
    vd_audit_arena_done(&arena);
}

static void start_daemon(void)
{
    struct vd_auditring_options options = {.socket = s.socket, .server_uid = geteuid()};
    const char *build = getenv("VD_BUILD_ROOT");
    char path[512], fd[16], word[8];
    int ends[2];

    snprintf(path, sizeof(path), "%s/bin/veridian-auditd", build != NULL ? build : "build");
    if (pipe2(ends, O_CLOEXEC) != 0 || (s.daemon = fork()) < 0)
        give_up("no process");
    if (s.daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(ends[1], F_SETFD, 0);
        snprintf(fd, sizeof(fd), "%d", ends[1]);
        execl(path, path, "--foreground", "--ready-fd", fd, "--ring", "none", "--log", s.log,
              "--socket", s.socket, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (read(ends[0], word, sizeof(word)) <= 0 ||
        vd_auditring_open(&options, &s.ring, NULL) != VD_OK)
        give_up("the daemon does not start");
    close(ends[0]);
}

static void put_daemon(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (vd_auditring_put(s.ring, s.bytes, s.size, vd_ipc_deadline(20'000)) != VD_OK)
            give_up("a put fails");
}

static void flush(void)
{
    if (vd_auditring_flush(s.ring, vd_ipc_deadline(20'000), NULL) != VD_OK)
        give_up("a flush fails");
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

/* About 100,000 records a second, which the daemon reads meanwhile; its wake-ups are counted in. */
static void bench_live(void)
{
    static double ns[BURSTS];
    const struct timespec pause = {.tv_nsec = 600'000};

    for (uint32_t i = 0; i < BURSTS; i++) {
        uint64_t start = vd_sys_monotonic_ns();
        put_daemon(BURST);
        ns[i] = (double)(vd_sys_monotonic_ns() - start) / BURST;
        nanosleep(&pause, NULL);
    }
    vd_bench_report("auditring.put.live", median(ns, BURSTS), "ns/op", NULL, 0, 0, BURSTS);
}

static void bench_disk(void)
{
    double rate[RUNS];

    for (uint32_t i = 0; i < RUNS; i++) {
        uint64_t start = vd_sys_monotonic_ns();
        put_daemon(MANY);
        flush();
        rate[i] = MANY / ((double)(vd_sys_monotonic_ns() - start) / 1e9);
    }
    vd_bench_report("auditring.disk", median(rate, RUNS), "records/s", NULL, 0, 0, RUNS);
}

static void bench_single(void)
{
    static double own[SINGLE], peer[SINGLE], ratio[SINGLE];

    for (uint32_t i = 0; i < SINGLE; i++) {
        uint64_t start = vd_sys_monotonic_ns(), middle;
        put_daemon(1);
        flush();
        middle = vd_sys_monotonic_ns();
        if (vd_audit_write(s.socket, &s.record, vd_ipc_deadline(20'000), NULL) != VD_OK)
            give_up("a record fails");
        own[i] = (double)(middle - start) / 1e3;
        peer[i] = (double)(vd_sys_monotonic_ns() - middle) / 1e3;
        ratio[i] = own[i] / peer[i];
    }
    vd_bench_report("auditring.flush", median(own, SINGLE), "us/op", "a record over the socket",
                    median(peer, SINGLE), median(ratio, SINGLE), SINGLE);
}

int main(void)
{
    char command[128];
    int status;

    snprintf(s.dir, sizeof(s.dir), "/var/tmp/veridian-bench-XXXXXX");
    if (mkdtemp(s.dir) == NULL)
        give_up("no directory");
    snprintf(s.log, sizeof(s.log), "%s/log", s.dir);
    snprintf(s.socket, sizeof(s.socket), "%s/socket", s.dir);
    make_record();
    bench_put();
    start_daemon();
    bench_live();
    bench_disk();
    bench_single();
    status = vd_auditring_close(s.ring, NULL) == VD_OK ? 0 : 1;
    kill(s.daemon, SIGTERM);
    waitpid(s.daemon, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf %s", s.dir);
    return system(command) == 0 ? status : 1;
}
