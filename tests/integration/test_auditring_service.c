/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Services that hand records to a real veridian-auditd through shared memory,
 * and are killed; a daemon that is killed, stopped, ended; a service that
 * scribbles over its ring.
 *
 * A service is a child process. What was acknowledged it notes in memory that
 * the test shares with it, after the put has returned: nothing noted may miss in the log.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/abi/audit_ipc.h"
#include "core/audit/record.h"
#include "lib/auditring/internal.h"
#include "lib/sys.h"
#include "tests/harness.h"
#include "tests/support/auditd.h"

#define THREADS 4u
#define NUMBERS (1u << 20) /* records of one thread at most */
#define KILLS   300u

enum { NOTHING, FAILED, ACKNOWLEDGED };

/* Shared with the children. */
struct notes {
    uint32_t count[THREADS];          /* numbers used by each thread of the running service */
    uint32_t acknowledged;            /* all in all */
    uint32_t service;                 /* number of the running service */
    uint32_t stop;                    /* the service ends in order */
    uint8_t state[THREADS][NUMBERS];  /* of each number */
    uint8_t logged[THREADS][NUMBERS]; /* how often it stands in the log */
};
static struct notes *notes;

static void set_up(void)
{
    notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    VD_EXPECT(notes != MAP_FAILED);
    auditd_prepare();
    auditd_start();
}

static void tear_down(void)
{
    if (auditd.pid != 0)
        VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    munmap(notes, sizeof(*notes));
}

static uint32_t encode(uint32_t thread, uint32_t number, uint8_t *bytes, size_t room)
{
    static const char filler[512];
    static const char name[] = "fill";
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_AUTHORISATION, .extra_count = 1};
    struct vd_writer w;

    VD_AUDIT_SET(&r, PID, pid, notes->service);
    VD_AUDIT_SET(&r, UID, uid, thread);
    VD_AUDIT_SET(&r, DETAIL, detail, number);
    r.extra[0] = (struct vd_audit_extra){{name, 4}, {filler, (number * 13 + thread) % 300}};
    vd_writer_init(&w, bytes, room);
    if (vd_audit_record_encode(&r, &w) != VD_OK)
        _exit(90);
    return (uint32_t)w.len;
}

static struct vd_auditring *open_ring(void)
{
    struct vd_auditring_options options = {.socket = auditd.socket, .server_uid = geteuid()};
    struct vd_auditring *ring;
    struct vd_diag diag = {};

    if (vd_auditring_open(&options, &ring, &diag) != VD_OK) {
        fprintf(stderr, "# %s\n", diag.text);
        _exit(91);
    }
    return ring;
}

static struct vd_auditring *service_ring;

/* Puts numbered records until the service is killed or told to end. */
static void *serve(void *arg)
{
    uint32_t thread = (uint32_t)(uintptr_t)arg;
    uint8_t bytes[1024];

    while (!__atomic_load_n(&notes->stop, __ATOMIC_ACQUIRE) && notes->count[thread] < NUMBERS) {
        uint32_t number = notes->count[thread]++;
        uint32_t size = encode(thread, number, bytes, sizeof(bytes));
        vd_status status = vd_auditring_put(service_ring, bytes, size, vd_ipc_deadline(20'000));
        notes->state[thread][number] = status == VD_OK ? ACKNOWLEDGED : FAILED;
        if (status == VD_OK)
            __atomic_fetch_add(&notes->acknowledged, 1, __ATOMIC_RELEASE);
        else
            sched_yield();
    }
    return NULL;
}

static pid_t start_service(void)
{
    pid_t pid = fork();

    VD_EXPECT(pid >= 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    service_ring = open_ring();
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, serve, (void *)(uintptr_t)i) != 0)
            _exit(92);
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (vd_auditring_flush(service_ring, vd_ipc_deadline(20'000), NULL) != VD_OK)
        _exit(93);
    if (vd_auditring_close(service_ring, NULL) != VD_OK)
        _exit(94);
    _exit(0);
}

static int end_service(pid_t pid, int signal_number)
{
    int status;

    if (signal_number != 0)
        VD_EXPECT(kill(pid, signal_number) == 0);
    else
        __atomic_store_n(&notes->stop, 1, __ATOMIC_RELEASE);
    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Waits until `more` further records are acknowledged. */
static void let_run(pid_t pid, uint32_t more)
{
    uint32_t target = __atomic_load_n(&notes->acknowledged, __ATOMIC_ACQUIRE) + more;
    int status;

    while (__atomic_load_n(&notes->acknowledged, __ATOMIC_ACQUIRE) < target) {
        VD_EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
        sched_yield();
    }
}

struct tally {
    uint32_t records;
    uint32_t unfinished;
    uint32_t malformed;
    bool disorder;
    uint32_t last[KILLS][THREADS]; /* number and one of each service's threads */
};

static bool says(const struct vd_audit_record *r, const char *message)
{
    return r->message.size == strlen(message) &&
           memcmp(r->message.data, message, r->message.size) == 0;
}

static vd_status look(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                      const struct vd_audit_record *r)
{
    struct tally *tally = ctx;

    (void)segment;
    (void)frame;
    if (r == NULL)
        return VD_OK;
    if (r->type == VD_EVENT_TYPE_ANOMALY) {
        tally->unfinished += says(r, "a service ended within a record");
        tally->malformed += says(r, "a service's ring is malformed: it was given up");
    }
    if (r->type != VD_EVENT_TYPE_AUTHORISATION)
        return VD_OK;
    VD_EXPECT(r->uid < THREADS && r->detail < NUMBERS && r->pid < KILLS);
    tally->records++;
    notes->logged[r->uid][r->detail]++;
    tally->disorder = tally->disorder || r->detail < tally->last[r->pid][r->uid];
    tally->last[r->pid][r->uid] = r->detail + 1;
    return VD_OK;
}

/* Everything acknowledged is in the log, once and in its thread's order; nothing else is twice. */
static struct tally check_log(void)
{
    static struct tally tally;
    struct vd_audit_report report;
    uint32_t missing = 0, twice = 0, invented = 0;

    tally = (struct tally){};
    auditd_read(auditd.log, look, &tally, &report);
    for (uint32_t i = 0; i < THREADS; i++) {
        for (uint32_t n = 0; n < NUMBERS; n++) {
            missing += notes->state[i][n] == ACKNOWLEDGED && notes->logged[i][n] == 0;
            twice += notes->logged[i][n] > 1;
            invented += n >= notes->count[i] && notes->logged[i][n] != 0;
        }
    }
    VD_EXPECT_EQ(missing, 0);
    VD_EXPECT_EQ(twice, 0);
    VD_EXPECT_EQ(invented, 0);
    VD_EXPECT(!tally.disorder);
    return tally;
}

/* The command that anybody checks a log with. */
static int run_veridian(const char *verb, const char *more)
{
    const char *build = getenv("VD_BUILD_ROOT");
    char program[512];
    int status;
    pid_t pid;

    snprintf(program, sizeof(program), "%s/bin/veridian", build != NULL ? build : "build");
    pid = fork();
    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(95);
        execl(program, program, "audit", verb, "--log", auditd.log, more, (char *)NULL);
        _exit(96);
    }
    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* A service is killed at 300 random points: what it was told is recorded, is. */
VD_TEST(auditring_kill_service)
{
    uint64_t random = 1;
    struct tally tally;

    set_up();
    for (uint32_t i = 0; i < KILLS; i++) {
        notes->service = i;
        pid_t pid = start_service();
        uint64_t spin = vd_test_random(&random) % 2000;
        let_run(pid, 1 + (uint32_t)(vd_test_random(&random) % 400));
        for (uint64_t k = 0; k < spin; k++)
            __asm__ volatile("" ::: "memory");
        VD_EXPECT_EQ(end_service(pid, SIGKILL), 1000 + SIGKILL);
    }
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    tally = check_log();
    printf("# %u kills: %u records acknowledged, %u in the log, %u unfinished\n", KILLS,
           notes->acknowledged, tally.records, tally.unfinished);
    VD_EXPECT(tally.records >= notes->acknowledged && notes->acknowledged > KILLS);
    VD_EXPECT(tally.records + tally.unfinished <= notes->acknowledged + KILLS * THREADS);
    VD_EXPECT_EQ(tally.malformed, 0);
    VD_EXPECT_EQ(run_veridian("verify", NULL), 0);
    tear_down();
}

/* The daemon is killed and started again, many times, while the service goes on. */
VD_TEST(auditring_kill_daemon)
{
    uint64_t random = 2;
    struct tally tally;
    uint32_t failed = 0;
    pid_t pid;

    set_up();
    pid = start_service();
    for (uint32_t i = 0; i < 25; i++) {
        let_run(pid, 1 + (uint32_t)(vd_test_random(&random) % 3000));
        VD_EXPECT_EQ(auditd_end(i % 5 == 4 ? SIGTERM : SIGKILL), i % 5 == 4 ? 0 : 1000 + SIGKILL);
        auditd_start();
    }
    let_run(pid, 100);
    VD_EXPECT_EQ(end_service(pid, 0), 0);
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    tally = check_log();
    for (uint32_t i = 0; i < THREADS; i++)
        for (uint32_t n = 0; n < notes->count[i]; n++)
            failed += notes->state[i][n] == FAILED;
    printf("# %u records acknowledged, %u in the log, %u refused\n", notes->acknowledged,
           tally.records, failed);
    VD_EXPECT(tally.records >= notes->acknowledged && failed > 0);
    VD_EXPECT_EQ(tally.unfinished, 0);
    VD_EXPECT_EQ(tally.malformed, 0);
    VD_EXPECT_EQ(run_veridian("verify", NULL), 0);
    tear_down();
}

/* As soon as the daemon is dead, put refuses; as soon as there is one, it takes. */
VD_TEST(auditring_no_daemon)
{
    uint8_t bytes[1024];
    uint32_t size;
    struct vd_auditring_options other;
    struct vd_auditring *ring, *none;

    set_up();
    size = encode(0, 0, bytes, sizeof(bytes));
    ring = open_ring();
    notes->count[0] = 3;
    VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, VD_IPC_NO_WAIT), VD_OK);
    VD_EXPECT_EQ(auditd_end(SIGKILL), 1000 + SIGKILL);
    size = encode(0, 1, bytes, sizeof(bytes));
    VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, vd_ipc_deadline(1000)), VD_E_MISSING);
    VD_EXPECT_EQ(vd_auditring_tend(ring, NULL), VD_E_MISSING);
    auditd_start();
    while (vd_auditring_tend(ring, NULL) != VD_OK)
        sched_yield();
    size = encode(0, 2, bytes, sizeof(bytes));
    VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, VD_IPC_NO_WAIT), VD_OK);
    VD_EXPECT_EQ(vd_auditring_flush(ring, vd_ipc_deadline(20'000), NULL), VD_OK);
    VD_EXPECT_EQ(vd_auditring_close(ring, NULL), VD_OK);
    other = (struct vd_auditring_options){.socket = auditd.socket, .server_uid = geteuid() + 1};
    VD_EXPECT_EQ(vd_auditring_open(&other, &none, NULL), VD_E_UNTRUSTED);
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    notes->state[0][0] = notes->state[0][2] = ACKNOWLEDGED;
    VD_EXPECT_EQ(check_log().records, 2);
    tear_down();
}

/*
 * A daemon that was killed after the sync and before it gave the room back: the
 * service's memory says that its records were not taken, the log says that they were.
 */
VD_TEST(auditring_not_written_twice)
{
    struct vd_auditring *ring;
    uint8_t bytes[1024];

    set_up();
    ring = open_ring();
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t size = encode(0, i, bytes, sizeof(bytes));
        if (i == 10) {
            VD_EXPECT_EQ(vd_auditring_flush(ring, vd_ipc_deadline(20'000), NULL), VD_OK);
            VD_EXPECT_EQ(auditd_end(SIGKILL), 1000 + SIGKILL);
            ring->mem->tail = 0;
            auditd_start();
            VD_EXPECT_EQ(vd_auditring_tend(ring, NULL), VD_OK);
        }
        VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, VD_IPC_NO_WAIT), VD_OK);
        notes->state[0][i] = ACKNOWLEDGED;
        notes->count[0] = i + 1;
    }
    VD_EXPECT_EQ(vd_auditring_close(ring, NULL), VD_OK);
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    VD_EXPECT_EQ(check_log().records, 20);
    tear_down();
}

/* A stopped daemon: the ring fills, then put refuses at its deadline, and drops nothing. */
VD_TEST(auditring_stopped_daemon)
{
    struct vd_auditring *ring;
    uint32_t number = 0, size;
    uint8_t bytes[1024];
    uint64_t deadline;
    vd_status status;

    set_up();
    ring = open_ring();
    VD_EXPECT(kill(auditd.pid, SIGSTOP) == 0);
    do {
        deadline = vd_ipc_deadline(50);
        size = encode(0, number, bytes, sizeof(bytes));
        status = vd_auditring_put(ring, bytes, size, deadline);
        notes->state[0][number++] = status == VD_OK ? ACKNOWLEDGED : FAILED;
    } while (status == VD_OK);
    VD_EXPECT_EQ(status, VD_E_TIMEOUT);
    VD_EXPECT(vd_sys_monotonic_ns() >= deadline);
    VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, VD_IPC_NO_WAIT), VD_E_BUSY);
    VD_EXPECT_EQ(vd_auditring_flush(ring, vd_ipc_deadline(20), NULL), VD_E_TIMEOUT);
    VD_EXPECT(number > 1000);
    VD_EXPECT(kill(auditd.pid, SIGCONT) == 0);
    size = encode(0, number, bytes, sizeof(bytes));
    VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, vd_ipc_deadline(20'000)), VD_OK);
    notes->state[0][number++] = ACKNOWLEDGED;
    notes->count[0] = number;
    VD_EXPECT_EQ(vd_auditring_flush(ring, vd_ipc_deadline(20'000), NULL), VD_OK);
    VD_EXPECT_EQ(vd_auditring_close(ring, NULL), VD_OK);
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    VD_EXPECT_EQ(check_log().records, number - 1);
    tear_down();
}

/* Flush: the log has the record before it returns; without it, a daemon stopped at once need not. */
VD_TEST(auditring_flush_is_on_disk)
{
    struct vd_auditring *ring;
    uint8_t bytes[1024];
    uint32_t size;

    set_up();
    ring = open_ring();
    notes->count[0] = 100;
    for (uint32_t i = 0; i < 100; i++) {
        size = encode(0, i, bytes, sizeof(bytes));
        VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, VD_IPC_NO_WAIT), VD_OK);
        notes->state[0][i] = ACKNOWLEDGED;
    }
    VD_EXPECT_EQ(vd_auditring_flush(ring, vd_ipc_deadline(20'000), NULL), VD_OK);
    VD_EXPECT_EQ(auditd_end(SIGKILL), 1000 + SIGKILL);
    VD_EXPECT_EQ(check_log().records, 100);
    /* The records are there: nothing is lost with the ring. */
    VD_EXPECT_EQ(vd_auditring_close(ring, NULL), VD_OK);
    tear_down();
}

/* Puts a record behind a place that stays unfinished, makes a child, and is killed. */
static _Noreturn void leave_child(int hold)
{
    struct vd_auditring *ring = open_ring();
    uint8_t bytes[1024];
    uint32_t size = encode(0, 0, bytes, sizeof(bytes));
    pid_t child;

    __atomic_fetch_add(&ring->mem->head, 2, __ATOMIC_SEQ_CST);
    if (vd_auditring_put(ring, bytes, size, VD_IPC_NO_WAIT) != VD_OK)
        _exit(97);
    notes->state[0][0] = ACKNOWLEDGED;
    child = fork();
    if (child == 0) { /* holds the connection until the test lets it go */
        char word;
        _exit(read(hold, &word, 1) == 0 ? 0 : 98);
    }
    raise(SIGKILL);
    _exit(99);
}

/* The daemon sees the service's own death, whoever else holds its connection. */
VD_TEST(auditring_child_holds_connection)
{
    static struct tally tally;
    int ends[2], status;
    pid_t pid;

    set_up();
    notes->count[0] = 1;
    VD_EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    pid = fork();
    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        close(ends[1]);
        leave_child(ends[0]);
    }
    close(ends[0]);
    VD_EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    do { /* until the log has what the service left */
        struct vd_audit_report report;
        memset(notes->logged, 0, sizeof(notes->logged[0]));
        tally = (struct tally){};
        sched_yield();
        auditd_read_open(auditd.log, look, &tally, &report);
    } while (tally.records == 0);
    close(ends[1]);
    VD_EXPECT_EQ(tally.records, 1);
    VD_EXPECT_EQ(tally.unfinished, 1);
    tear_down();
}

/* A daemon that sleeps is woken by the first record, and then lets itself not be woken again. */
VD_TEST(auditring_wakes_daemon)
{
    struct vd_auditring *ring;
    uint8_t bytes[1024];
    uint32_t size;

    set_up();
    size = encode(0, 0, bytes, sizeof(bytes));
    ring = open_ring();
    for (uint32_t round = 0; round < 2; round++) {
        while (__atomic_load_n(&ring->mem->state, __ATOMIC_ACQUIRE) != VD_AUDITRING_ASLEEP)
            sched_yield();
        VD_EXPECT_EQ(vd_auditring_put(ring, bytes, size, VD_IPC_NO_WAIT), VD_OK);
        VD_EXPECT(__atomic_load_n(&ring->mem->state, __ATOMIC_ACQUIRE) != VD_AUDITRING_ASLEEP);
        while (__atomic_load_n(&ring->mem->tail, __ATOMIC_ACQUIRE) !=
               __atomic_load_n(&ring->mem->head, __ATOMIC_ACQUIRE))
            sched_yield();
        VD_EXPECT(__atomic_load_n(&ring->mem->state, __ATOMIC_ACQUIRE) != VD_AUDITRING_ASLEEP);
    }
    VD_EXPECT_EQ(vd_auditring_close(ring, NULL), VD_OK);
    tear_down();
}

/* Publishes what no record is, until the daemon gives the ring up. */
static void publish_nonsense(struct vd_auditring *ring, uint64_t what)
{
    struct vd_auditring_head *mem = ring->mem;
    uint64_t head = __atomic_load_n(&mem->head, __ATOMIC_RELAXED);

    __atomic_store_n(&vd_auditring_words(mem)[head & (ring->slots - 1)],
                     vd_auditring_word(head, (uint32_t)(what >> 40) & 0xffff), __ATOMIC_RELEASE);
    __atomic_store_n(&mem->head, head + (what >> 58), __ATOMIC_RELEASE);
    vd_auditring_wake(ring);
}

/* Writes anywhere. */
static void write_nonsense(struct vd_auditring *ring, uint64_t what)
{
    struct vd_auditring_head *mem = ring->mem;

    if (what % 8 == 0)
        ((uint8_t *)mem)[(what >> 8) % 256] = (uint8_t)(what >> 50);
    else
        ((uint8_t *)mem)[(what >> 8) % vd_auditring_bytes(ring->slots)] = (uint8_t)(what >> 50);
}

static _Noreturn void scribble(uint64_t seed)
{
    void (*act)(struct vd_auditring * ring, uint64_t what) =
        seed % 2 == 0 ? publish_nonsense : write_nonsense;
    struct vd_auditring *ring = open_ring();

    while (act == write_nonsense ||
           __atomic_load_n(&ring->mem->state, __ATOMIC_ACQUIRE) != VD_AUDITRING_CLOSED)
        act(ring, vd_test_random(&seed));
    _exit(0);
}

/* Services that scribble over their rings harm nobody else; they lose the ring, and it is recorded. */
VD_TEST(auditring_scribblers)
{
    struct tally tally;
    pid_t pid;

    set_up();
    pid = start_service();
    for (uint32_t i = 0; i < 20; i++) {
        pid_t hostile = fork();
        int status;
        VD_EXPECT(hostile >= 0);
        if (hostile == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            scribble(i);
        }
        let_run(pid, 500);
        if (i % 2 == 0)
            VD_EXPECT(waitpid(hostile, &status, 0) == hostile && status == 0);
        else
            VD_EXPECT_EQ(end_service(hostile, SIGKILL), 1000 + SIGKILL);
    }
    VD_EXPECT_EQ(end_service(pid, 0), 0);
    VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
    tally = check_log();
    printf("# 20 scribblers: %u rings given up, %u places unfinished\n", tally.malformed,
           tally.unfinished);
    VD_EXPECT(tally.malformed >= 10);
    VD_EXPECT_EQ(run_veridian("verify", NULL), 0);
    tear_down();
}
