/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A change of policy that is killed before each of its system calls: what is
 * then on the disk is the old state or the new one, whole.
 */
#define _GNU_SOURCE
#include "services/security/change.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/policydb/conditional.h"
#include "tests/harness.h"
#include "tests/support/small_policy.h"

#define SEALS       (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define MOST_POINTS 2000u

/* The first policy, and another one: the same with its boolean changed. */
static struct vd_secd_policy first, second;

static void make_policies(void)
{
    struct vd_secd_state state = {};
    struct vd_bytes blob;

    if (first.db.base != NULL)
        return;
    blob.data = small_policy(&blob.size);
    VD_EXPECT_EQ(vd_secd_policy_open(&blob, &first, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_state_set(&state, "debug", true, false), VD_OK);
    VD_EXPECT_EQ(vd_secd_policy_apply(&first, &state, &second, NULL), VD_OK);
    vd_secd_state_done(&state);
}

static uint64_t checksum(const struct vd_secd_policy *policy)
{
    return vd_policydb_header(&policy->db)->checksum;
}

static int sealed(const struct vd_secd_policy *policy)
{
    int fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    VD_EXPECT(fd >= 0);
    VD_EXPECT_EQ(vd_fd_write(fd, policy->blob.data, policy->blob.size), VD_OK);
    VD_EXPECT(fcntl(fd, F_ADD_SEALS, SEALS) == 0);
    return fd;
}

/* What a change does to a store whose active policy is the first one, file 2 after file 1. */
struct scenario {
    uint32_t verb;
    bool persistent;
};

static char dir[160];

static void make_store(struct vd_secd_store *store, struct vd_secd_state *state)
{
    static uint32_t runs;

    snprintf(dir, sizeof(dir), "%s/change%u", vd_test_tmpdir(), runs++);
    VD_EXPECT_EQ(vd_secd_store_open(store, dir, state, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_store_add(store, 1, &second.blob, NULL), VD_OK);
    VD_EXPECT_EQ(vd_secd_store_add(store, 2, &first.blob, NULL), VD_OK);
    *state = (struct vd_secd_state){.sequence = 5, .next = 3, .active = 2, .history_count = 1};
    state->history[0] = 1;
    VD_EXPECT_EQ(vd_secd_store_commit(store, state, NULL), VD_OK);
}

/* In the child: stops for its parent, then performs the change. Exit code 0: it went well. */
static _Noreturn void perform(struct vd_secd_store *store, const struct vd_secd_state *state,
                              const struct scenario *scenario)
{
    static struct vd_secd_change change;

    change.verb = scenario->verb;
    change.fd = scenario->verb == VD_SEC_LOAD ? sealed(&second) : -1;
    change.persistent = scenario->persistent;
    change.bool_count = scenario->verb == VD_SEC_SET_BOOLS;
    strcpy(change.bools[0].name, "debug");
    change.bools[0].value = true;
    change.store = store;
    change.state = state;
    change.policy = &first;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(9);
    raise(SIGSTOP);
    vd_secd_change_perform(&change);
    _exit(change.status == VD_OK ? 0 : 1);
}

/* Lets the child make `calls` steps, from one side of a system call to the other, then kills it. */
static bool killed_after(pid_t pid, uint32_t calls)
{
    int status;

    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
        vd_test_skip("this system lets nobody trace a child");
    VD_EXPECT(WIFSTOPPED(status));
    for (uint32_t i = 0; i < calls; i++) {
        VD_EXPECT(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
        VD_EXPECT(waitpid(pid, &status, 0) == pid);
        if (WIFEXITED(status)) {
            VD_EXPECT_EQ(WEXITSTATUS(status), 0);
            return false;
        }
    }
    VD_EXPECT(kill(pid, SIGKILL) == 0);
    VD_EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    return true;
}

/* The checksum of the policy in force as a server that starts now would have it. */
static uint64_t in_force(uint32_t *ret_sequence)
{
    struct vd_secd_store store;
    struct vd_secd_state state;
    struct vd_secd_policy raw, policy;
    struct vd_diag diag = {};
    uint64_t sum;

    if (vd_secd_store_open(&store, dir, &state, &diag) != VD_OK ||
        vd_secd_store_load(&store, state.active, &raw, &diag) != VD_OK ||
        vd_secd_policy_apply(&raw, &state, &policy, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s: %s", diag.file, diag.text);
    /* What is kept for a rollback is there too. */
    for (uint32_t i = 0; i < state.history_count; i++) {
        struct vd_secd_policy kept;
        VD_EXPECT_EQ(vd_secd_store_load(&store, state.history[i], &kept, NULL), VD_OK);
        vd_secd_policy_done(&kept);
    }
    *ret_sequence = state.sequence;
    sum = checksum(&policy);
    vd_secd_policy_done(&raw);
    vd_secd_policy_done(&policy);
    vd_secd_state_done(&state);
    vd_secd_store_close(&store);
    return sum;
}

static void kill_everywhere(const struct scenario *scenario)
{
    uint32_t old = 0, new = 0;
    bool killed = true;

    make_policies();
    for (uint32_t calls = 0; killed && calls < MOST_POINTS; calls++) {
        struct vd_secd_store store;
        struct vd_secd_state state;
        uint32_t sequence;
        uint64_t sum;
        pid_t pid;
        make_store(&store, &state);
        pid = fork();
        VD_EXPECT(pid >= 0);
        if (pid == 0)
            perform(&store, &state, scenario);
        killed = killed_after(pid, calls);
        vd_secd_store_close(&store);
        sum = in_force(&sequence);
        VD_EXPECT(sequence == 5 || sequence == 6);
        VD_EXPECT_EQ(sum, checksum(sequence == 5 ? &first : &second));
        VD_EXPECT(killed || sequence == 6);
        old += sequence == 5;
        new += sequence == 6;
    }
    VD_EXPECT(!killed);
    VD_EXPECT(old > 10 && new > 3);
}

VD_TEST(load_killed_at_every_system_call)
{
    kill_everywhere(&(struct scenario){.verb = VD_SEC_LOAD});
}

VD_TEST(rollback_killed_at_every_system_call)
{
    kill_everywhere(&(struct scenario){.verb = VD_SEC_ROLLBACK});
}

VD_TEST(booleans_killed_at_every_system_call)
{
    kill_everywhere(&(struct scenario){.verb = VD_SEC_SET_BOOLS, .persistent = true});
}
