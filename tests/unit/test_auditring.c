/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records through shared memory: the writers of lib/auditring against the
 * reader of services/audit in one process and, so that ThreadSanitizer sees both,
 * in one mapping. Real processes that are killed: tests/integration/test_auditring_service.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/abi/audit_ipc.h"
#include "core/base/mem.h"
#include "lib/auditring/internal.h"
#include "lib/file.h"
#include "lib/sys.h"
#include "services/audit/handed.h"
#include "tests/support/auditd.h"
#include "tests/unit/audit_fixture.h"

#define THREADS   4u
#define PUTS      20000u
#define FILL_PART 4000u /* bytes of one free field */

static struct {
    struct vd_hasher hasher;
    struct vd_audit_hash hash;
    struct vd_audit_log *log;
    struct vd_diag diag;
    struct vd_audit_sink sink;
    struct vd_audit_rings rings;
    struct vd_audit_handed handed;
    struct vd_auditring ring; /* the writers' */
    int fd;
    char dir[192];
    uint32_t runs;
} t;

static void open_log(void)
{
    t.hash = vd_audit_sha256(&t.hasher);
    VD_EXPECT_EQ(vd_audit_log_open(&t.log, t.dir, 0, &t.hash, &t.diag), VD_OK);
    t.sink = (struct vd_audit_sink){t.log, &t.diag};
}

static void close_log(void)
{
    VD_EXPECT_EQ(vd_audit_log_close(t.log, NULL), VD_OK);
    vd_audit_log_free(t.log);
    vd_hasher_done(&t.hasher);
    t.hasher = (struct vd_hasher){};
}

/* The writers use the reader's mapping. */
static void use_mapping(void)
{
    t.ring = (struct vd_auditring){
        .mem = t.handed.shared.mem, .slots = t.handed.shared.slots, .memory = -1, .fd = -1};
    t.ring.socket = (char *)(uintptr_t) "/nonexistent/socket";
    pthread_mutex_init(&t.ring.lock, NULL);
}

static void set_up(void)
{
    static const struct vd_ipc_peer peer = {.pid = 42, .uid = 7};

    t.rings = (struct vd_audit_rings){};
    t.handed = (struct vd_audit_handed){};
    t.diag = (struct vd_diag){};
    t.fd = -1;
    snprintf(t.dir, sizeof(t.dir), "%s/ring%u", vd_test_tmpdir(), t.runs++);
    open_log();
    VD_EXPECT_EQ(vd_audit_arena_init(&t.rings.arena, &t.diag), VD_OK);
    vd_audit_source_init(&t.handed.source, &peer);
    VD_EXPECT_EQ(vd_audit_rings_open(&t.rings, &t.handed, &t.fd, &t.diag), VD_OK);
    use_mapping();
}

static void tear_down(void)
{
    vd_audit_shared_done(&t.rings.arena, &t.handed.shared);
    vd_audit_arena_done(&t.rings.arena);
    vd_fd_close(&t.fd);
    close_log();
}

static uint32_t encode(uint32_t thread, uint32_t number, uint32_t fill, uint8_t *bytes, size_t room)
{
    static const char filler[FILL_PART];
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_AUTHORISATION};
    struct vd_writer w;

    VD_AUDIT_SET(&r, UID, uid, thread);
    VD_AUDIT_SET(&r, DETAIL, detail, number);
    for (; r.extra_count == 0 || fill != 0; r.extra_count++) {
        uint32_t part = fill < FILL_PART ? fill : FILL_PART;
        r.extra[r.extra_count] = (struct vd_audit_extra){AUDIT_TEXT("fill"), {filler, part}};
        fill -= part;
    }
    vd_writer_init(&w, bytes, room);
    VD_EXPECT_EQ(vd_audit_record_encode(&r, &w), VD_OK);
    return (uint32_t)w.len;
}

static vd_status put(uint32_t thread, uint32_t number, uint32_t fill, uint64_t deadline_ns)
{
    uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES];
    uint32_t size = encode(thread, number, fill, bytes, sizeof(bytes));

    return vd_auditring_put(&t.ring, bytes, size, deadline_ns);
}

/* Takes, syncs and gives room back, as the daemon does. */
static void take(void)
{
    VD_EXPECT_EQ(vd_audit_rings_take(&t.rings, &t.handed, &t.sink), VD_OK);
    VD_EXPECT_EQ(vd_audit_log_sync(t.log, &t.diag), VD_OK);
    vd_audit_shared_release(&t.handed.shared);
}

/* What the log has. */
struct seen {
    uint32_t next[THREADS]; /* of each thread, in order without a gap */
    uint32_t records;
    uint32_t anomalies;
    uint32_t fill;     /* of the last record */
    uint64_t position; /* in the ring, of the last record */
    char message[80];  /* of the last anomaly */
    char extra[80];    /* its last free field */
    bool disorder;
};
static struct seen seen;

static void text_to(char *to, size_t room, const struct vd_audit_text *text)
{
    snprintf(to, room, "%.*s", (int)text->size, text->data);
}

static vd_status look(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                      const struct vd_audit_record *r)
{
    const struct vd_audit_extra *added;
    char number[24];

    (void)ctx;
    (void)segment;
    (void)frame;
    if (r == NULL)
        return VD_OK;
    if (r->type == VD_EVENT_TYPE_ANOMALY) {
        seen.anomalies++;
        text_to(seen.message, sizeof(seen.message), &r->message);
        text_to(seen.extra, sizeof(seen.extra), &r->extra[r->extra_count - 1].value);
        return VD_OK;
    }
    seen.records++;
    seen.fill = 0;
    VD_EXPECT(r->extra_count > VD_AUDIT_EXTRA_OWN);
    added = &r->extra[r->extra_count - VD_AUDIT_EXTRA_OWN];
    for (const struct vd_audit_extra *e = r->extra; e < added; e++)
        seen.fill += e->value.size;
    VD_EXPECT(added[0].value.size == 2 && memcmp(added[0].value.data, "42", 2) == 0);
    VD_EXPECT(added[1].value.size == 1 && added[1].value.data[0] == '7');
    text_to(number, sizeof(number), &added[3].value);
    seen.position = strtoull(number, NULL, 10);
    VD_EXPECT(r->uid < THREADS);
    seen.disorder = seen.disorder || r->detail != seen.next[r->uid];
    seen.next[r->uid] = r->detail + 1;
    return VD_OK;
}

static void read_log(void)
{
    struct vd_audit_report report;

    seen = (struct seen){};
    auditd_read(t.dir, look, NULL, &report);
}

static void *put_many(void *arg)
{
    uint32_t thread = (uint32_t)(uintptr_t)arg;

    for (uint32_t i = 0; i < PUTS; i++) {
        if (put(thread, i, (i * 7 + thread * 31) % 700, VD_IPC_FOREVER) != VD_OK)
            return (void *)(uintptr_t) "a record was refused";
    }
    return NULL;
}

/* Four threads fill the ring many times over: all is there once, in each thread's order. */
VD_TEST(auditring_threads)
{
    pthread_t threads[THREADS];

    set_up();
    for (uint32_t i = 0; i < THREADS; i++)
        VD_EXPECT(pthread_create(&threads[i], NULL, put_many, (void *)(uintptr_t)i) == 0);
    while (t.rings.received < THREADS * PUTS && t.rings.malformed == 0)
        take();
    for (uint32_t i = 0; i < THREADS; i++) {
        void *failure;
        VD_EXPECT(pthread_join(threads[i], &failure) == 0 && failure == NULL);
    }
    tear_down();
    read_log();
    VD_EXPECT_EQ(seen.records, THREADS * PUTS);
    VD_EXPECT(!seen.disorder);
    for (uint32_t i = 0; i < THREADS; i++)
        VD_EXPECT_EQ(seen.next[i], PUTS);
}

static uint8_t *barred; /* a page that cannot be read */
static void (*meanwhile)(void);

/* Comes in the midst of a put, when it copies the record: what happens then, happens here. */
static void at_copy(int signal_number)
{
    (void)signal_number;
    meanwhile();
    if (mprotect(barred, 4096, PROT_READ | PROT_WRITE) != 0)
        abort();
}

static void end_ring(void)
{
    VD_EXPECT_EQ(vd_audit_rings_end(&t.rings, &t.handed, &t.sink), VD_OK);
}

static void leave_ring(void)
{
    vd_audit_shared_leave(&t.handed.shared);
    take();
}

/* The reader goes between a put's first look and its publishing: then it must not say that all is well. */
VD_TEST(auditring_reader_goes_midway)
{
    static const struct {
        void (*meanwhile)(void);
        vd_status status;
        uint32_t unfinished;
    } cases[] = {{end_ring, VD_E_DENIED, 1}, {leave_ring, VD_E_MISSING, 0}};
    struct sigaction action = {.sa_handler = at_copy}, before;

    barred = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VD_EXPECT(barred != MAP_FAILED);
    VD_EXPECT(sigaction(SIGSEGV, &action, &before) == 0);
    for (uint32_t i = 0; i < VD_COUNT(cases); i++) {
        set_up();
        VD_EXPECT_EQ(vd_auditring_map(&t.ring, dup(t.fd), NULL), VD_OK);
        uint32_t size = encode(0, 0, 10, barred, 4096);
        meanwhile = cases[i].meanwhile;
        VD_EXPECT(mprotect(barred, 4096, PROT_NONE) == 0);
        VD_EXPECT_EQ(vd_auditring_put(&t.ring, barred, size, VD_IPC_NO_WAIT), cases[i].status);
        VD_EXPECT_EQ(t.rings.unfinished, cases[i].unfinished);
        VD_EXPECT_EQ(t.rings.received, 0);
        munmap(t.ring.mem, vd_auditring_bytes(t.ring.slots));
        close(t.ring.memory);
        tear_down();
    }
    VD_EXPECT(sigaction(SIGSEGV, &before, NULL) == 0);
    munmap(barred, 4096);
}

/* No room: refused at the deadline, nothing is dropped, and room comes back. */
VD_TEST(auditring_full)
{
    uint32_t number = 0;
    uint64_t deadline, before;

    set_up();
    while (put(0, number, 4000, VD_IPC_NO_WAIT) == VD_OK)
        number++;
    VD_EXPECT(number > 100 && number <= VD_AUDITRING_SLOTS / 63);
    VD_EXPECT_EQ(put(0, number, 4000, VD_IPC_NO_WAIT), VD_E_BUSY);
    before = vd_sys_monotonic_ns();
    deadline = vd_ipc_deadline(30);
    VD_EXPECT_EQ(put(0, number, 4000, deadline), VD_E_TIMEOUT);
    VD_EXPECT(vd_sys_monotonic_ns() >= deadline && before < deadline);
    VD_EXPECT_EQ(vd_auditring_flush(&t.ring, vd_ipc_deadline(5), NULL), VD_E_TIMEOUT);
    take();
    VD_EXPECT_EQ(put(0, number, 4000, VD_IPC_NO_WAIT), VD_OK);
    VD_EXPECT_EQ(vd_auditring_flush(&t.ring, VD_IPC_NO_WAIT, NULL), VD_E_BUSY);
    take();
    VD_EXPECT_EQ(vd_auditring_flush(&t.ring, VD_IPC_NO_WAIT, NULL), VD_OK);
    tear_down();
    read_log();
    VD_EXPECT_EQ(seen.next[0], number + 1);
    VD_EXPECT(!seen.disorder);
}

/* Every size that a record may have, across the ring's end too. */
VD_TEST(auditring_sizes)
{
    uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES] = {};
    uint32_t count = 0, edge = 0;

    set_up();
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t fill = round; fill < 15900; fill += fill < 300 ? 1 : 331) {
            VD_EXPECT_EQ(put(0, count++, fill, VD_IPC_NO_WAIT), VD_OK);
            take();
        }
    }
    while (encode(0, count, edge, bytes, sizeof(bytes)) < VD_AUDIT_IPC_RECORD_MAX)
        edge++;
    VD_EXPECT_EQ(put(0, count++, edge, VD_IPC_NO_WAIT), VD_OK);
    VD_EXPECT_EQ(put(0, count, edge + 1, VD_IPC_NO_WAIT), VD_E_RANGE);
    VD_EXPECT_EQ(vd_auditring_put(&t.ring, bytes, 3, VD_IPC_NO_WAIT), VD_E_RANGE);
    take();
    tear_down();
    read_log();
    VD_EXPECT_EQ(seen.records, count);
    VD_EXPECT_EQ(seen.fill, edge);
    VD_EXPECT(seen.position > VD_AUDITRING_SLOTS);
}

/* A writer that took room and died: what others published behind it is written, its place recorded. */
VD_TEST(auditring_unfinished)
{
    uint32_t count = 0;

    set_up();
    while (t.ring.mem->head < VD_AUDITRING_SLOTS + 5) { /* words of a lap before stand everywhere */
        VD_EXPECT_EQ(put(0, count++, 10, VD_IPC_NO_WAIT), VD_OK);
        take();
    }
    __atomic_fetch_add(&t.ring.mem->head, 3, __ATOMIC_SEQ_CST);
    VD_EXPECT_EQ(put(0, count++, 10, VD_IPC_NO_WAIT), VD_OK);
    __atomic_fetch_add(&t.ring.mem->head, 1, __ATOMIC_SEQ_CST);
    take();
    VD_EXPECT_EQ(t.rings.received, count - 1); /* while it lives, it may still finish */
    VD_EXPECT_EQ(vd_audit_rings_end(&t.rings, &t.handed, &t.sink), VD_OK);
    VD_EXPECT_EQ(t.rings.received, count);
    VD_EXPECT_EQ(t.rings.unfinished, 2);
    tear_down();
    read_log();
    VD_EXPECT_EQ(seen.next[0], count);
    VD_EXPECT_EQ(seen.anomalies, 2);
    VD_EXPECT_STR(seen.message, "a service ended within a record");
    VD_EXPECT_STR(seen.extra, "1");
}

/* Once the reader has gone, no put is acknowledged, whether it goes for ever or for a while. */
VD_TEST(auditring_reader_gone)
{
    set_up();
    VD_EXPECT_EQ(put(0, 0, 10, VD_IPC_NO_WAIT), VD_OK);
    vd_audit_shared_leave(&t.handed.shared);
    VD_EXPECT_EQ(put(0, 1, 10, VD_IPC_NO_WAIT), VD_E_MISSING);
    VD_EXPECT_EQ(vd_auditring_flush(&t.ring, VD_IPC_NO_WAIT, NULL), VD_E_MISSING);
    VD_EXPECT_EQ(vd_auditring_tend(&t.ring, NULL), VD_E_MISSING);
    __atomic_store_n(&t.ring.mem->alive, VD_AUDITRING_DEAD | 5, __ATOMIC_SEQ_CST);
    VD_EXPECT_EQ(put(0, 1, 10, VD_IPC_NO_WAIT), VD_E_MISSING);
    vd_audit_shared_close(&t.handed.shared);
    VD_EXPECT_EQ(put(0, 1, 10, VD_IPC_NO_WAIT), VD_E_DENIED);
    take();
    tear_down();
    read_log();
    VD_EXPECT_EQ(seen.next[0], 1);
}

static void spoil_size_small(void)
{
    vd_auditring_words(t.ring.mem)[0] = vd_auditring_word(0, 3);
    t.ring.mem->head = 1;
}

static void spoil_size_large(void)
{
    vd_auditring_words(t.ring.mem)[0] = vd_auditring_word(0, VD_AUDIT_RECORD_MAX_BYTES + 1);
    t.ring.mem->head = 1024;
}

static void spoil_size_beyond(void)
{
    vd_auditring_words(t.ring.mem)[0] = vd_auditring_word(0, 65);
    t.ring.mem->head = 1;
}

static void spoil_head_far(void)
{
    t.ring.mem->head = VD_AUDITRING_SLOTS + 1;
}

static void spoil_head_back(void)
{
    VD_EXPECT_EQ(put(0, 0, 200, VD_IPC_NO_WAIT), VD_OK);
    take();
    t.ring.mem->head = 1;
}

static void spoil_bytes(void)
{
    vd_auditring_words(t.ring.mem)[0] = vd_auditring_word(0, 64);
    t.ring.mem->head = 1;
}

static void spoil_own_field(void)
{
    uint8_t bytes[64];
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_FILE};
    struct vd_writer w;

    VD_AUDIT_SET(&r, REALTIME, realtime_ns, 5);
    vd_writer_init(&w, bytes, sizeof(bytes));
    VD_EXPECT_EQ(vd_audit_record_encode(&r, &w), VD_OK);
    VD_EXPECT_EQ(vd_auditring_put(&t.ring, bytes, w.len, VD_IPC_NO_WAIT), VD_OK);
}

static void spoil_own_name(void)
{
    uint8_t bytes[64];
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_FILE, .extra_count = 1};
    struct vd_writer w;

    r.extra[0] = (struct vd_audit_extra){AUDIT_TEXT("source_pid"), AUDIT_TEXT("1")};
    vd_writer_init(&w, bytes, sizeof(bytes));
    VD_EXPECT_EQ(vd_audit_record_encode(&r, &w), VD_OK);
    VD_EXPECT_EQ(vd_auditring_put(&t.ring, bytes, w.len, VD_IPC_NO_WAIT), VD_OK);
}

static void spoil_extras(void)
{
    uint8_t bytes[256];
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_FILE,
                                .extra_count = VD_AUDIT_IPC_EXTRA_MAX + 1};
    struct vd_writer w;

    for (uint32_t i = 0; i < r.extra_count; i++)
        r.extra[i] = (struct vd_audit_extra){AUDIT_TEXT("n"), AUDIT_TEXT("v")};
    vd_writer_init(&w, bytes, sizeof(bytes));
    VD_EXPECT_EQ(vd_audit_record_encode(&r, &w), VD_OK);
    VD_EXPECT_EQ(vd_auditring_put(&t.ring, bytes, w.len, VD_IPC_NO_WAIT), VD_OK);
}

/* More than what leaves room for the daemon's own fields: it must not fail the log. */
static void spoil_large_record(void)
{
    uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES] = {};
    uint32_t fill = 15900, size;

    while ((size = encode(0, 0, fill, bytes, sizeof(bytes))) < VD_AUDIT_RECORD_MAX_BYTES)
        fill++;
    vd_copy(vd_auditring_data(t.ring.mem, t.ring.slots), bytes, size);
    vd_auditring_words(t.ring.mem)[0] = vd_auditring_word(0, size);
    t.ring.mem->head = vd_auditring_need(size);
}

/* Each impossible content costs the service its ring, is recorded, and does no other harm. */
VD_TEST(auditring_malformed)
{
    static const struct {
        void (*spoil)(void);
        const char *reason;
    } cases[] = {
        {spoil_size_small, "a record in the ring has an impossible size"},
        {spoil_size_large, "a record in the ring has an impossible size"},
        {spoil_size_beyond, "a record in the ring has an impossible size"},
        {spoil_head_far, "the ring's writers are where they cannot be"},
        {spoil_head_back, "the ring's writers are where they cannot be"},
        {spoil_bytes, NULL},
        {spoil_own_field, "a record of this kind is the daemon's own"},
        {spoil_own_name, "a free field of this name is the daemon's own"},
        {spoil_extras, "too many free fields"},
        {spoil_large_record, "a record of more than 16128 bytes"},
    };

    for (uint32_t i = 0; i < VD_COUNT(cases); i++) {
        set_up();
        void *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, t.fd, 0);
        VD_EXPECT(copy != MAP_FAILED);
        cases[i].spoil();
        take();
        VD_EXPECT_EQ(t.rings.malformed, 1);
        VD_EXPECT(t.handed.shared.mem == NULL);
        t.ring.mem = copy; /* the reader's mapping is gone */
        VD_EXPECT_EQ(put(0, 0, 1, VD_IPC_NO_WAIT), VD_E_DENIED);
        munmap(copy, 4096);
        tear_down();
        read_log();
        VD_EXPECT_EQ(seen.anomalies, 1);
        VD_EXPECT_STR(seen.message, "a service's ring is malformed: it was given up");
        if (cases[i].reason != NULL)
            VD_EXPECT_STR(seen.extra, cases[i].reason);
    }
}

static vd_status remember(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                          const struct vd_audit_record *record)
{
    (void)ctx;
    (void)segment;
    (void)frame;
    if (record != NULL)
        vd_audit_rings_restore(&t.rings, record);
    return VD_OK;
}

/* What a daemon does that starts after another was killed; `look_back`: it reads the log. */
static void next_daemon(bool look_back)
{
    struct vd_audit_walk walk = {.hash = &t.hash, .visit = remember};
    struct vd_audit_report report;
    struct vd_audit_store store;
    static const struct vd_ipc_peer peer = {.pid = 42, .uid = 7};

    vd_audit_shared_done(&t.rings.arena, &t.handed.shared);
    vd_audit_arena_done(&t.rings.arena);
    vd_audit_log_free(t.log);
    t.rings = (struct vd_audit_rings){};
    t.handed = (struct vd_audit_handed){};
    VD_EXPECT_EQ(vd_audit_store_open(&store, t.dir, NULL), VD_OK);
    walk.store = &store;
    if (look_back)
        VD_EXPECT_EQ(vd_audit_read(&walk, &report, NULL), VD_OK);
    vd_audit_store_done(&store);
    open_log();
    VD_EXPECT_EQ(vd_audit_arena_init(&t.rings.arena, NULL), VD_OK);
    vd_audit_source_init(&t.handed.source, &peer);
    VD_EXPECT_EQ(vd_audit_rings_open(&t.rings, &t.handed, &t.fd, NULL), VD_OK);
    use_mapping();
}

/*
 * A daemon that was killed between the sync and the release: the next one takes
 * the ring over and writes nothing twice, since it looks into the log. Without
 * that look, it does.
 */
VD_TEST(auditring_handed_over_once)
{
    for (uint32_t look_back = 0; look_back < 2; look_back++) {
        set_up();
        for (uint32_t i = 0; i < 10; i++)
            VD_EXPECT_EQ(put(1, i, 100, VD_IPC_NO_WAIT), VD_OK);
        VD_EXPECT_EQ(vd_audit_rings_take(&t.rings, &t.handed, &t.sink), VD_OK);
        VD_EXPECT_EQ(vd_audit_log_sync(t.log, NULL), VD_OK);
        for (uint32_t i = 10; i < 15; i++)
            VD_EXPECT_EQ(put(1, i, 100, VD_IPC_NO_WAIT), VD_OK);
        next_daemon(look_back != 0);
        VD_EXPECT_EQ(put(1, 15, 100, VD_IPC_NO_WAIT), VD_OK);
        take();
        VD_EXPECT_EQ(t.rings.repeated, look_back != 0 ? 10 : 0);
        tear_down();
        read_log();
        VD_EXPECT_EQ(seen.next[1], 16);
        VD_EXPECT_EQ(seen.records, look_back != 0 ? 16 : 26);
        VD_EXPECT_EQ(seen.disorder, look_back == 0);
    }
}

/* One frame of the verb for waking has come, or none. */
static void expect_wake(int fd, bool wanted)
{
    static struct vd_ipc_buffer buffer;
    struct vd_ipc_frame frame = {};

    VD_EXPECT_EQ(vd_ipc_receive(fd, &buffer, VD_IPC_NO_WAIT, &frame, NULL),
                 wanted ? VD_OK : VD_E_BUSY);
    VD_EXPECT(!wanted || frame.verb == VD_AUDIT_IPC_WAKE);
}

/* The reader says that it sleeps and looks once more: a record is never left behind. */
VD_TEST(auditring_sleep)
{
    struct vd_auditring_head *mem;
    int pair[2];

    set_up();
    mem = t.ring.mem;
    VD_EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    t.ring.fd = pair[0];
    VD_EXPECT(!vd_audit_shared_state(&t.handed.shared, VD_AUDITRING_ASLEEP));
    VD_EXPECT_EQ(put(0, 0, 10, VD_IPC_NO_WAIT), VD_OK);
    VD_EXPECT_EQ(mem->state, VD_AUDITRING_AWAKE);
    expect_wake(pair[1], true);
    VD_EXPECT(vd_audit_shared_state(&t.handed.shared, VD_AUDITRING_ASLEEP));
    VD_EXPECT(!vd_audit_shared_state(&t.handed.shared, VD_AUDITRING_DOZING));
    VD_EXPECT_EQ(put(0, 1, 10, VD_IPC_NO_WAIT), VD_OK);
    VD_EXPECT_EQ(mem->state, VD_AUDITRING_DOZING);
    expect_wake(pair[1], false);
    for (uint32_t i = 2; mem->head < VD_AUDITRING_SLOTS / 2; i++)
        VD_EXPECT_EQ(put(0, i, 4000, VD_IPC_NO_WAIT), VD_OK);
    VD_EXPECT_EQ(mem->state, VD_AUDITRING_AWAKE); /* half full */
    expect_wake(pair[1], true);
    VD_EXPECT(vd_audit_shared_state(&t.handed.shared, VD_AUDITRING_DOZING));
    close(pair[0]);
    close(pair[1]);
    tear_down();
}
