/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/audit/verify.h"
#include "tests/unit/audit_fixture.h"

#define KILLS 40u

static struct vd_hasher hasher;
static struct vd_audit_hash hash;
static char dir[128];
static uint32_t dirs;

static void fresh(void)
{
    hash = vd_audit_sha256(&hasher);
    snprintf(dir, sizeof(dir), "%s/log%u", vd_test_tmpdir(), dirs++);
}

static struct vd_audit_log *open_log(uint64_t segment_bytes, struct vd_audit_found *found)
{
    struct vd_audit_log *log = NULL;
    struct vd_diag diag = {};

    if (vd_audit_log_open(&log, dir, segment_bytes, &hash, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "open: %s", diag.text);
    if (found != NULL)
        *found = *vd_audit_log_found(log);
    return log;
}

static void append(struct vd_audit_log *log, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        struct vd_audit_record record = audit_small_record(i);
        VD_EXPECT_EQ(vd_audit_log_append(log, &record, NULL, NULL), VD_OK);
    }
}

struct seen {
    uint64_t next; /* event_sequence expected next */
    bool in_order;
};

static vd_status see(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                     const struct vd_audit_record *record)
{
    struct seen *seen = ctx;

    (void)segment;
    (void)frame;
    if (record == NULL)
        return VD_OK;
    seen->in_order &= record->event_sequence == seen->next;
    seen->next = record->event_sequence + 1;
    return VD_OK;
}

static vd_status verify(struct vd_audit_report *report, struct seen *seen, struct vd_diag *diag)
{
    struct vd_audit_walk walk;
    struct vd_audit_store store;
    vd_status status;

    *seen = (struct seen){.in_order = true};
    VD_EXPECT_EQ(vd_audit_store_open(&store, dir, NULL), VD_OK);
    walk = (struct vd_audit_walk){.store = &store, .hash = &hash, .visit = see, .ctx = seen};
    status = vd_audit_verify(&walk, report, diag);
    vd_audit_store_done(&store);
    return status;
}

static void expect_verifies(uint64_t records, uint32_t segments)
{
    struct vd_audit_report report;
    struct vd_diag diag = {};
    struct seen seen;

    if (verify(&report, &seen, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "verify: %s: %s", diag.file, diag.text);
    VD_EXPECT_EQ(report.records, records);
    VD_EXPECT_EQ(report.segments, segments);
    VD_EXPECT(seen.in_order);
}

VD_TEST(log_close_and_go_on)
{
    struct vd_audit_found found;
    struct vd_audit_log *log;

    fresh();
    log = open_log(0, &found);
    VD_EXPECT_EQ(found.previous, VD_AUDIT_PREVIOUS_NONE);
    append(log, 0, 10);
    VD_EXPECT_EQ(vd_audit_log_kept(log), 0);
    VD_EXPECT_EQ(vd_audit_log_sync(log, NULL), VD_OK);
    VD_EXPECT_EQ(vd_audit_log_kept(log), 10);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    VD_EXPECT_EQ(vd_audit_log_sync(log, NULL), VD_E_BUG);
    vd_audit_log_free(log);
    expect_verifies(10, 1);
    log = open_log(0, &found);
    VD_EXPECT_EQ(found.previous, VD_AUDIT_PREVIOUS_CLOSED);
    VD_EXPECT_EQ(found.next_sequence, 11); /* the end frame has a number too */
    append(log, 10, 20);
    VD_EXPECT_EQ(vd_audit_log_sync(log, NULL), VD_OK);
    expect_verifies(20, 2); /* while it is open */
    vd_audit_log_free(log);
    log = open_log(0, &found);
    VD_EXPECT_EQ(found.previous, VD_AUDIT_PREVIOUS_OPEN);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    expect_verifies(20, 3);
}

VD_TEST(log_one_writer)
{
    struct vd_audit_log *log, *second = NULL;

    fresh();
    log = open_log(0, NULL);
    VD_EXPECT_EQ(vd_audit_log_open(&second, dir, 0, &hash, NULL), VD_E_BUSY);
    VD_EXPECT(second == NULL);
    vd_audit_log_free(log);
    log = open_log(0, NULL);
    vd_audit_log_free(log);
}

VD_TEST(log_rotates)
{
    struct vd_audit_log *log;

    fresh();
    log = open_log(1000, NULL);
    append(log, 0, 100);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    expect_verifies(100, 10);
}

static void segment_path(uint64_t number, char *ret, size_t size)
{
    char name[VD_AUDIT_NAME_SIZE];

    vd_audit_store_name(number, name);
    snprintf(ret, size, "%s/%s", dir, name);
}

static void flip(uint64_t number, off_t at)
{
    char path[256];
    uint8_t byte;
    int fd;

    segment_path(number, path, sizeof(path));
    fd = open(path, O_RDWR);
    VD_EXPECT(fd >= 0);
    VD_EXPECT(pread(fd, &byte, 1, at) == 1);
    byte ^= 0x41;
    VD_EXPECT(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

static off_t segment_size(uint64_t number)
{
    char path[256];
    struct stat st;

    segment_path(number, path, sizeof(path));
    VD_EXPECT(stat(path, &st) == 0);
    return st.st_size;
}

/* Every byte of every segment, closed ones, one left open and one torn and acknowledged. */
VD_TEST(log_every_changed_byte_is_found)
{
    struct vd_audit_report report;
    struct vd_audit_log *log;
    struct seen seen;
    char path[256];
    uint64_t at_record;

    fresh();
    log = open_log(500, NULL);
    append(log, 0, 8);
    VD_EXPECT_EQ(vd_audit_log_sync(log, NULL), VD_OK);
    vd_audit_log_free(log);
    segment_path(2, path, sizeof(path));
    VD_EXPECT(truncate(path, segment_size(2) - 3) == 0);
    log = open_log(0, NULL);
    append(log, 7, 9);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    expect_verifies(9, 3);
    for (uint64_t number = 1; number <= 3; number++) {
        off_t size = segment_size(number);
        off_t torn = 0;
        if (number == 2) { /* the torn rest says nothing and binds nothing */
            VD_EXPECT_EQ(verify(&report, &seen, NULL), VD_OK);
            torn = (off_t)report.torn_bytes;
            VD_EXPECT(torn > 0);
        }
        for (off_t at = 0; at < size - torn; at++) {
            struct vd_diag diag = {};
            vd_status status;
            flip(number, at);
            status = verify(&report, &seen, &diag);
            VD_EXPECT(status == VD_E_DIFFERS || (status == VD_E_MAGIC && number == 1 && at < 8));
            VD_EXPECT(diag.text[0] != '\0');
            at_record = report.sequence;
            VD_EXPECT(at_record <= 13);
            flip(number, at);
        }
    }
    expect_verifies(9, 3);
}

VD_TEST(log_missing_and_cut_segments_are_found)
{
    struct vd_audit_report report;
    struct vd_audit_log *log;
    struct seen seen;
    char path[256], other[256];

    fresh();
    log = open_log(500, NULL);
    append(log, 0, 12);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    segment_path(2, path, sizeof(path));
    snprintf(other, sizeof(other), "%s/elsewhere", dir);
    VD_EXPECT(rename(path, other) == 0);
    VD_EXPECT_EQ(verify(&report, &seen, NULL), VD_E_DIFFERS);
    VD_EXPECT_EQ(report.segment, 3);
    VD_EXPECT(rename(other, path) == 0);
    segment_path(1, path, sizeof(path));
    VD_EXPECT(rename(path, other) == 0);
    VD_EXPECT_EQ(verify(&report, &seen, NULL), VD_E_DIFFERS);
    /* A copy of the second one in its place. */
    segment_path(2, path, sizeof(path));
    segment_path(1, other, sizeof(other));
    VD_EXPECT(link(path, other) == 0);
    VD_EXPECT_EQ(verify(&report, &seen, NULL), VD_E_DIFFERS);
}

VD_TEST(log_cut_to_a_border_is_found_by_the_next_segment)
{
    struct vd_audit_report report;
    struct vd_audit_log *log;
    struct seen seen;
    char path[256];

    fresh();
    log = open_log(0, NULL);
    append(log, 0, 3);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    log = open_log(0, NULL);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    segment_path(1, path, sizeof(path));
    VD_EXPECT(truncate(path, segment_size(1) - 64) == 0); /* the end frame */
    VD_EXPECT_EQ(verify(&report, &seen, NULL), VD_E_DIFFERS);
    VD_EXPECT_EQ(report.segment, 2);
}

VD_TEST(log_damage_is_never_covered)
{
    struct vd_audit_report report;
    struct vd_audit_found found;
    struct vd_audit_log *log;
    struct vd_diag diag = {};
    struct seen seen;

    fresh();
    log = open_log(0, NULL);
    append(log, 0, 5);
    VD_EXPECT_EQ(vd_audit_log_sync(log, NULL), VD_OK);
    vd_audit_log_free(log);
    flip(1, VD_AUDIT_HEADER_SIZE + VD_AUDIT_FRAME_HEAD_SIZE + 2);
    log = open_log(0, &found);
    VD_EXPECT_EQ(found.previous, VD_AUDIT_PREVIOUS_DAMAGED);
    VD_EXPECT_EQ(found.valid_bytes, VD_AUDIT_HEADER_SIZE);
    append(log, 5, 6);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    VD_EXPECT_EQ(verify(&report, &seen, &diag), VD_E_DIFFERS);
    VD_EXPECT_EQ(report.segment, 1);
    VD_EXPECT_EQ(report.offset, VD_AUDIT_HEADER_SIZE);
    /* Even if the damage is mended afterwards, the next header tells of it. */
    flip(1, VD_AUDIT_HEADER_SIZE + VD_AUDIT_FRAME_HEAD_SIZE + 2);
    VD_EXPECT_EQ(verify(&report, &seen, NULL), VD_E_DIFFERS);
    VD_EXPECT_EQ(report.segment, 2);
}

/* RLIMIT_FSIZE stands for a full disk: write fails in the middle of a batch. */
VD_TEST(log_failed_write_is_final)
{
    struct rlimit before, small = {};
    struct vd_audit_found found;
    struct vd_audit_log *log;
    struct vd_diag diag = {};
    vd_status status;

    fresh();
    log = open_log(0, NULL);
    append(log, 0, 10);
    VD_EXPECT_EQ(vd_audit_log_sync(log, NULL), VD_OK);
    append(log, 10, 20);
    VD_EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = (rlim_t)segment_size(1) + 100;
    signal(SIGXFSZ, SIG_IGN);
    VD_EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0);
    status = vd_audit_log_sync(log, &diag);
    VD_EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
    VD_EXPECT_EQ(status, VD_E_NO_SPACE);
    VD_EXPECT(strstr(diag.text, "cannot write") != NULL);
    VD_EXPECT_EQ(vd_audit_log_kept(log), 10);
    VD_EXPECT_EQ(vd_audit_log_sync(log, NULL), VD_E_NO_SPACE);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_E_NO_SPACE);
    vd_audit_log_free(log);
    log = open_log(0, &found);
    VD_EXPECT_EQ(found.previous, VD_AUDIT_PREVIOUS_TORN);
    VD_EXPECT(found.next_sequence >= 10);
    VD_EXPECT_EQ(vd_audit_log_close(log, NULL), VD_OK);
    vd_audit_log_free(log);
    expect_verifies(found.next_sequence, 2);
}

/* Appends for ever; tells the number of kept records after each sync. */
_Noreturn static void writer(int out, uint64_t from)
{
    struct vd_audit_log *log;
    uint64_t next = from, seed = from;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it writes for ever: not longer than the test */
    if (vd_audit_log_open(&log, dir, 20000, &hash, NULL) != VD_OK)
        _exit(1);
    for (;;) {
        uint64_t batch = 1 + vd_test_random(&seed) % 40;
        for (uint64_t i = 0; i < batch; i++) {
            struct vd_audit_record record = audit_small_record(next++);
            if (vd_audit_log_append(log, &record, NULL, NULL) != VD_OK)
                _exit(1);
        }
        if (vd_audit_log_sync(log, NULL) != VD_OK ||
            write(out, &next, sizeof(next)) != sizeof(next))
            _exit(1);
    }
}

static uint64_t records_in_log(void)
{
    struct vd_audit_walk walk;
    struct vd_audit_store store;
    struct vd_audit_report report;
    struct seen seen = {.in_order = true};

    VD_EXPECT_EQ(vd_audit_store_open(&store, dir, NULL), VD_OK);
    /* The newest segment may be torn: that is no error here. */
    walk = (struct vd_audit_walk){.store = &store, .hash = &hash, .visit = see, .ctx = &seen};
    if (vd_audit_verify(&walk, &report, NULL) != VD_OK)
        VD_EXPECT_EQ(report.state, VD_AUDIT_STATE_TORN);
    vd_audit_store_done(&store);
    VD_EXPECT(seen.in_order);
    return seen.next;
}

VD_TEST(log_survives_kill)
{
    uint64_t there = 0, seed = 99;

    fresh();
    for (uint32_t round = 0; round < KILLS; round++) {
        uint64_t kept = there, stop_after = 1 + vd_test_random(&seed) % 60, heard;
        int pipe_fd[2];
        pid_t pid;

        VD_EXPECT(pipe(pipe_fd) == 0);
        pid = fork();
        VD_EXPECT(pid >= 0);
        if (pid == 0)
            writer(pipe_fd[1], there);
        close(pipe_fd[1]);
        for (uint64_t i = 0; i < stop_after; i++) {
            VD_EXPECT(read(pipe_fd[0], &heard, sizeof(heard)) == sizeof(heard));
            kept = heard;
        }
        /* The moment of the kill lies anywhere between two acknowledgements. */
        for (uint64_t spin = vd_test_random(&seed) % 400000; spin != 0; spin--)
            __asm__ volatile("");
        VD_EXPECT(kill(pid, SIGKILL) == 0);
        VD_EXPECT(waitpid(pid, NULL, 0) == pid);
        while (read(pipe_fd[0], &heard, sizeof(heard)) == sizeof(heard))
            kept = heard;
        close(pipe_fd[0]);
        there = records_in_log();
        VD_EXPECT(there >= kept);
    }
    VD_EXPECT(there > KILLS);
}
