/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * veridian-auditd over a real BPF ring buffer. Events come from a socket filter
 * program that copies its packet into the ring (BPF_PROG_RUN), so no hook of
 * the host is touched. The ring is pinned in a bpffs of a private mount namespace.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/abi/event.h"
#include "services/audit/verify.h"
#include "tests/integration/event_source.h"
#include "tests/support/small_policy.h"
#include "tests/unit/audit_fixture.h"

#define ETH_BYTES 14

static struct {
    char pins[128];
    char ring_path[160];
    char log[160];
    int ring;
    int counters;
    int program;
    uint64_t next; /* sequence of the next event */
    pid_t daemon;
} t;
static uint32_t runs;

/* Sends one event; a full ring is counted as the kernel's programs do. */
static bool send_raw(const struct vd_event *event)
{
    uint8_t packet[ETH_BYTES + sizeof(*event)] = {};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));

    memcpy(packet + ETH_BYTES, event, sizeof(*event));
    VD_EXPECT_EQ(bpf_prog_test_run_opts(t.program, &opts), 0);
    return opts.retval == 0;
}

static void store_counters(uint64_t lost)
{
    struct vd_event_counters counters = {.next = t.next, .lost = lost};
    uint32_t zero = 0;

    VD_EXPECT(bpf_map_update_elem(t.counters, &zero, &counters, BPF_ANY) == 0);
}

static struct vd_event event_of(uint64_t sequence)
{
    struct vd_event event = {.size = sizeof(event),
                             .version = VD_EVENT_VERSION,
                             .type = VD_EVENT_TYPE_FILE,
                             .hook = VD_EVENT_FILE_OPEN,
                             .sequence = sequence,
                             .pid = 77,
                             .class = 6,
                             .requested = 3,
                             .denied = 2,
                             .error = -EACCES,
                             .comm = "cat",
                             .path_len = 11,
                             .path = "/etc/shadow"};

    return event;
}

/* Sends `count` events; returns how many had no room. */
static uint64_t send_events(uint64_t count)
{
    uint64_t lost = 0;

    for (uint64_t i = 0; i < count; i++) {
        struct vd_event event = event_of(t.next++);
        lost += !send_raw(&event);
    }
    return lost;
}

static void set_up(uint32_t ring_bytes)
{
    static bool mounted;

    memset(&t, 0, sizeof(t));
    snprintf(t.pins, sizeof(t.pins), "%s/bpf", vd_test_tmpdir());
    if (!mounted) {
        if (geteuid() != 0)
            vd_test_skip("needs root: a mount namespace and BPF programs");
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            vd_test_skip("this system gives no mount namespace");
        mkdir(t.pins, 0700);
        if (mount("bpf", t.pins, "bpf", 0, NULL) != 0)
            vd_test_skip("this system mounts no bpffs");
        mounted = true;
    }
    snprintf(t.ring_path, sizeof(t.ring_path), "%s/run%u", t.pins, runs);
    VD_EXPECT(mkdir(t.ring_path, 0700) == 0);
    snprintf(t.log, sizeof(t.log), "%s/auditd-log%u", vd_test_tmpdir(), runs++);
    t.ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "events", 0, 0, ring_bytes, NULL);
    t.counters = bpf_map_create(BPF_MAP_TYPE_ARRAY, "counters", 4, sizeof(struct vd_event_counters),
                                1, NULL);
    if (t.ring < 0 || t.counters < 0)
        vd_test_skip("this system lets nobody make BPF maps");
    t.program = load_program(t.ring);
    if (t.program < 0)
        vd_test_skip("this system lets nobody load a socket filter program");
    char path[256];
    snprintf(path, sizeof(path), "%s/event_counters", t.ring_path);
    VD_EXPECT(bpf_obj_pin(t.counters, path) == 0);
    snprintf(path, sizeof(path), "%s/events", t.ring_path);
    VD_EXPECT(bpf_obj_pin(t.ring, path) == 0);
    memcpy(t.ring_path, path, strlen(path) + 1);
}

static void tear_down(void)
{
    close(t.ring);
    close(t.counters);
    close(t.program);
}

/* Starts the daemon; false with its exit code if it ends before it is ready. */
static bool start(const char *extra, const char *value, int *ret_code)
{
    char program[512], fd_text[16], word[8];
    int ends[2];
    int status;

    snprintf(program, sizeof(program), "%s/bin/veridian-auditd", getenv("VD_BUILD_ROOT"));
    VD_EXPECT(pipe(ends) == 0);
    snprintf(fd_text, sizeof(fd_text), "%d", ends[1]);
    t.daemon = fork();
    VD_EXPECT(t.daemon >= 0);
    if (t.daemon == 0) {
        close(ends[0]);
        execl(program, program, "--foreground", "--ring", t.ring_path, "--log", t.log, "--ready-fd",
              fd_text, extra, value, NULL);
        _exit(99);
    }
    close(ends[1]);
    bool ready = read(ends[0], word, sizeof(word)) == 6 && memcmp(word, "ready\n", 6) == 0;
    close(ends[0]);
    if (!ready) {
        VD_EXPECT(waitpid(t.daemon, &status, 0) == t.daemon);
        *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }
    return ready;
}

static int stop(int signal_number)
{
    int status;

    VD_EXPECT(kill(t.daemon, signal_number) == 0);
    VD_EXPECT(waitpid(t.daemon, &status, 0) == t.daemon);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

struct tally {
    uint64_t events;
    uint64_t lost;
    uint64_t lost_records;
    uint64_t anomalies;
    uint64_t starts;
    uint64_t stops;
    uint64_t twice;
    uint8_t seen[1 << 16];
};
static struct tally tally;

static bool says(const struct vd_audit_record *record, const char *message)
{
    return record->message.size == strlen(message) &&
           memcmp(record->message.data, message, record->message.size) == 0;
}

static vd_status count(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                       const struct vd_audit_record *record)
{
    (void)ctx;
    (void)segment;
    (void)frame;
    if (record == NULL)
        return VD_OK;
    tally.anomalies += record->type == VD_EVENT_TYPE_ANOMALY;
    tally.starts += record->type == VD_EVENT_TYPE_LOG && says(record, "started");
    tally.stops += record->type == VD_EVENT_TYPE_LOG && says(record, "stopped");
    if (record->type == VD_EVENT_TYPE_LOST) {
        tally.lost += record->lost_count;
        tally.lost_records++;
    }
    if (record->type == VD_EVENT_TYPE_FILE) {
        tally.events++;
        tally.twice += tally.seen[record->event_sequence % sizeof(tally.seen)]++ != 0;
    }
    return VD_OK;
}

static struct vd_audit_report read_log(vd_status expected)
{
    struct vd_hasher hasher = {};
    struct vd_audit_hash hash = vd_audit_sha256(&hasher);
    struct vd_audit_store store;
    struct vd_audit_report report;
    struct vd_audit_walk walk;
    struct vd_diag diag = {};
    vd_status status;

    memset(&tally, 0, sizeof(tally));
    VD_EXPECT_EQ(vd_audit_store_open(&store, t.log, NULL), VD_OK);
    walk = (struct vd_audit_walk){.store = &store, .hash = &hash, .visit = count};
    status = vd_audit_verify(&walk, &report, &diag);
    vd_audit_store_done(&store);
    vd_hasher_done(&hasher);
    if (status != expected)
        vd_test_fail(__FILE__, __LINE__, "log: %s", diag.text);
    return report;
}

VD_TEST(auditd_writes_every_event)
{
    struct vd_audit_report report;
    int code = 0;

    set_up(1 << 22); /* room for all of them, however slow the disk is */
    send_events(100);
    VD_EXPECT(start(NULL, NULL, &code));
    for (uint32_t i = 0; i < 50; i++)
        VD_EXPECT_EQ(send_events(200), 0);
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    report = read_log(VD_OK);
    VD_EXPECT_EQ(report.state, VD_AUDIT_STATE_CLOSED);
    VD_EXPECT_EQ(tally.events, 10100);
    VD_EXPECT_EQ(tally.lost, 0);
    VD_EXPECT_EQ(tally.twice, 0);
    VD_EXPECT_EQ(tally.starts, 1);
    VD_EXPECT_EQ(tally.stops, 1);
    tear_down();
}

VD_TEST(auditd_counts_loss_exactly)
{
    uint64_t lost;
    int code = 0;

    set_up(4096);
    lost = send_events(1000);
    VD_EXPECT(lost > 900);
    store_counters(lost);
    VD_EXPECT(start(NULL, NULL, &code));
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    (void)read_log(VD_OK);
    VD_EXPECT_EQ(tally.lost, lost);
    VD_EXPECT_EQ(tally.events, 1000 - lost);
    VD_EXPECT_EQ(tally.lost_records, 1);
    tear_down();
}

VD_TEST(auditd_counts_gaps_without_counters)
{
    char path[256];
    int code = 0;

    set_up(1 << 16);
    snprintf(path, sizeof(path), "%.*s/event_counters",
             (int)(strrchr(t.ring_path, '/') - t.ring_path), t.ring_path);
    VD_EXPECT(unlink(path) == 0);
    send_events(3);
    t.next += 5;
    send_events(2);
    t.next += 1;
    send_events(1);
    VD_EXPECT(start(NULL, NULL, &code));
    VD_EXPECT_EQ(stop(SIGINT), 0);
    (void)read_log(VD_OK);
    VD_EXPECT_EQ(tally.events, 6);
    VD_EXPECT_EQ(tally.lost, 6);
    VD_EXPECT_EQ(tally.lost_records, 2);
    tear_down();
}

/* Killed at any moment: nothing is lost, nothing written twice. */
VD_TEST(auditd_survives_kill)
{
    uint64_t seed = 3;
    int code = 0;

    set_up(1 << 20);
    for (uint32_t round = 0; round < 12; round++) {
        VD_EXPECT(start(NULL, NULL, &code));
        VD_EXPECT_EQ(send_events(50 + vd_test_random(&seed) % 400), 0);
        VD_EXPECT_EQ(stop(SIGKILL), 1000 + SIGKILL);
        store_counters(0);
    }
    VD_EXPECT(start(NULL, NULL, &code));
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    (void)read_log(VD_OK);
    VD_EXPECT_EQ(tally.events, t.next);
    VD_EXPECT_EQ(tally.twice, 0);
    VD_EXPECT_EQ(tally.lost, 0);
    VD_EXPECT_EQ(tally.starts, 13);
    tear_down();
}

VD_TEST(auditd_records_malformed_events)
{
    struct vd_event event;
    int code = 0;

    set_up(1 << 16);
    event = event_of(t.next++);
    event.path_len = 300;
    VD_EXPECT(send_raw(&event));
    send_events(1);
    VD_EXPECT(start(NULL, NULL, &code));
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    (void)read_log(VD_OK);
    VD_EXPECT_EQ(tally.anomalies, 1);
    VD_EXPECT_EQ(tally.events, 1);
    /* Its number is not believed, so it counts as one that never came. */
    VD_EXPECT_EQ(tally.lost, 1);
    tear_down();
}

/* A small tmpfs fills up: exit code 4, everything acknowledged is there, the rest still in the ring. */
VD_TEST(auditd_full_disk_is_loud)
{
    int status, code = 0;

    set_up(1 << 20);
    VD_EXPECT(mkdir(t.log, 0700) == 0);
    VD_EXPECT(mount("tmpfs", t.log, "tmpfs", 0, "size=64k") == 0);
    VD_EXPECT(start(NULL, NULL, &code));
    VD_EXPECT_EQ(send_events(1500), 0);
    VD_EXPECT(waitpid(t.daemon, &status, 0) == t.daemon);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 4)
        vd_test_fail(__FILE__, __LINE__, "the daemon's status is 0x%x", status);
    VD_EXPECT(!start(NULL, NULL, &code));
    VD_EXPECT_EQ(code, 4);
    /* Room again: the daemon goes on where it stood. */
    VD_EXPECT(mount(NULL, t.log, NULL, MS_REMOUNT, "size=4m") == 0);
    VD_EXPECT(start(NULL, NULL, &code));
    store_counters(0);
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    (void)read_log(VD_OK);
    VD_EXPECT_EQ(tally.events, 1500);
    VD_EXPECT_EQ(tally.twice, 0);
    VD_EXPECT_EQ(tally.lost, 0);
    umount2(t.log, MNT_DETACH);
    tear_down();
}

VD_TEST(auditd_refuses_bad_calls)
{
    int code = 0;

    set_up(1 << 16);
    VD_EXPECT(!start("--user", "nobody", &code));
    VD_EXPECT_EQ(code, 2);
    VD_EXPECT(!start("--names", "/nonexistent/policy.vpol", &code));
    VD_EXPECT_EQ(code, 3);
    VD_EXPECT(!start("--segment-size", "999999999999", &code));
    VD_EXPECT_EQ(code, 2);
    memcpy(strrchr(t.ring_path, '/'), "/other", 7);
    VD_EXPECT(!start(NULL, NULL, &code));
    VD_EXPECT_EQ(code, 3);
    memcpy(strrchr(t.ring_path, '/'), "/event_counters", 16);
    VD_EXPECT(!start(NULL, NULL, &code));
    VD_EXPECT_EQ(code, 2);
    tear_down();
}

VD_TEST(auditd_becomes_another_user)
{
    char path[64], line[4096];
    struct stat st;
    int code = 0, fd;
    ssize_t n;

    set_up(1 << 16);
    VD_EXPECT(chmod(vd_test_tmpdir(), 0711) == 0);
    VD_EXPECT(start("--user", "65534:65534", &code));
    snprintf(path, sizeof(path), "/proc/%d/status", t.daemon);
    fd = open(path, O_RDONLY);
    VD_EXPECT(fd >= 0);
    n = read(fd, line, sizeof(line) - 1);
    close(fd);
    VD_EXPECT(n > 0);
    line[n] = '\0';
    VD_EXPECT(strstr(line, "Uid:\t65534\t65534\t65534\t65534") != NULL);
    VD_EXPECT(strstr(line, "CapEff:\t0000000000000000") != NULL);
    VD_EXPECT(strstr(line, "CapPrm:\t0000000000000000") != NULL);
    VD_EXPECT(strstr(line, "NoNewPrivs:\t1") != NULL);
    VD_EXPECT(strstr(line, "Seccomp:\t2") != NULL);
    VD_EXPECT_EQ(send_events(5), 0);
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    VD_EXPECT(stat(t.log, &st) == 0 && st.st_uid == 65534);
    (void)read_log(VD_OK);
    VD_EXPECT_EQ(tally.events, 5);
    tear_down();
}

static void store_policy(const char *path)
{
    size_t size;
    uint8_t *blob = small_policy(&size);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    VD_EXPECT(fd >= 0 && write(fd, blob, size) == (ssize_t)size);
    close(fd);
    free(blob);
}

/* Row 3 of the map of contexts beside the ring. */
static void pin_context(void)
{
    struct vd_context context = sp_plain(SP_APP_U, SP_APP_R, SP_APP_T);
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "contexts", 4, sizeof(context), 8, NULL);
    char path[256];
    uint32_t sid = 3;

    VD_EXPECT(map >= 0 && bpf_map_update_elem(map, &sid, &context, BPF_ANY) == 0);
    snprintf(path, sizeof(path), "%.*s/contexts", (int)(strrchr(t.ring_path, '/') - t.ring_path),
             t.ring_path);
    VD_EXPECT(bpf_obj_pin(map, path) == 0);
    close(map);
}

static struct vd_event named_event(uint32_t policy_seqno)
{
    struct vd_event event = event_of(t.next++);

    event.subject_sid = 3;
    event.object_sid = 5; /* a row without a context */
    event.class = SP_FILE;
    event.requested = SP_READ | SP_OPEN;
    event.denied = SP_READ;
    event.policy_seqno = policy_seqno;
    return event;
}

static struct {
    uint32_t number;
    char class[4][16];
    char perms[4][32];
    char subject[4][64];
    bool object[4];
} named;

static void copy_text(char *to, size_t room, const struct vd_audit_text *text)
{
    snprintf(to, room, "%.*s", (int)text->size, text->data != NULL ? text->data : "");
}

static vd_status note_names(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                            const struct vd_audit_record *record)
{
    (void)ctx;
    (void)segment;
    (void)frame;
    if (record == NULL || record->type != VD_EVENT_TYPE_FILE || named.number == 4)
        return VD_OK;
    VD_EXPECT_EQ(record->class_number, SP_FILE);
    VD_EXPECT_EQ(record->requested, SP_READ | SP_OPEN);
    copy_text(named.class[named.number], 16, &record -> class_name);
    copy_text(named.perms[named.number], 32, &record->requested_names);
    copy_text(named.subject[named.number], 64, &record->subject_context);
    named.object[named.number++] = vd_audit_has(record, VD_AUDIT_TAG_OBJECT_CONTEXT);
    return VD_OK;
}

/* Names by the policy; none by a policy that is gone; by the new one once it is there. */
VD_TEST(auditd_names_what_it_can)
{
    struct vd_hasher hasher = {};
    struct vd_audit_hash hash = vd_audit_sha256(&hasher);
    struct vd_audit_walk walk = {.hash = &hash, .visit = note_names};
    struct vd_audit_report report;
    struct vd_audit_store store;
    char policy[192];
    struct vd_event event;
    int code = 0;

    set_up(1 << 16);
    pin_context();
    snprintf(policy, sizeof(policy), "%s/names.vpol", vd_test_tmpdir());
    store_policy(policy);
    event = named_event(1);
    VD_EXPECT(send_raw(&event));
    VD_EXPECT(start("--names", policy, &code));
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    VD_EXPECT(start("--names", policy, &code));
    VD_EXPECT(unlink(policy) == 0);
    event = named_event(1); /* the policy that was loaded, as far as anyone knows */
    VD_EXPECT(send_raw(&event));
    event = named_event(2); /* another one, whose file is not there */
    VD_EXPECT(send_raw(&event));
    VD_EXPECT_EQ(stop(SIGTERM), 0);
    VD_EXPECT_EQ(vd_audit_store_open(&store, t.log, NULL), VD_OK);
    walk.store = &store;
    VD_EXPECT_EQ(vd_audit_verify(&walk, &report, NULL), VD_OK);
    vd_audit_store_done(&store);
    vd_hasher_done(&hasher);
    VD_EXPECT_EQ(named.number, 3);
    for (uint32_t i = 0; i < 2; i++) {
        VD_EXPECT_STR(named.class[i], "file");
        VD_EXPECT_STR(named.perms[i], "read open");
        VD_EXPECT_STR(named.subject[i], "app_u:app_r:app_t:s0");
        VD_EXPECT(!named.object[i]);
    }
    VD_EXPECT_STR(named.class[2], "");
    VD_EXPECT_STR(named.perms[2], "");
    VD_EXPECT_STR(named.subject[2], "");
    tear_down();
}

/* The only child that is left; 0 if there is none. */
static pid_t only_child(void)
{
    char path[64], text[64] = {};
    int fd;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    fd = open(path, O_RDONLY);
    if (fd < 0)
        vd_test_skip("this kernel lists no children in /proc");
    if (read(fd, text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    close(fd);
    return (pid_t)strtol(text, NULL, 10);
}

/* Without --foreground the call returns once the daemon is ready, or with its failure. */
VD_TEST(auditd_goes_to_the_background)
{
    char program[512];
    int status;

    set_up(1 << 16);
    snprintf(program, sizeof(program), "%s/bin/veridian-auditd", getenv("VD_BUILD_ROOT"));
    VD_EXPECT(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    for (uint32_t round = 0; round < 2; round++) {
        pid_t pid = fork();
        VD_EXPECT(pid >= 0);
        if (pid == 0) {
            execl(program, program, "--ring", round == 0 ? t.ring_path : "/nonexistent", "--log",
                  t.log, NULL);
            _exit(99);
        }
        VD_EXPECT(waitpid(pid, &status, 0) == pid);
        VD_EXPECT(WIFEXITED(status));
        VD_EXPECT_EQ(WEXITSTATUS(status), round == 0 ? 0 : 3);
        if (round == 0) {
            t.daemon = only_child();
            VD_EXPECT(t.daemon > 0);
            send_events(7);
            VD_EXPECT_EQ(stop(SIGTERM), 0);
        }
    }
    (void)read_log(VD_OK);
    VD_EXPECT_EQ(tally.events, 7);
    VD_EXPECT_EQ(tally.stops, 1);
    tear_down();
}
