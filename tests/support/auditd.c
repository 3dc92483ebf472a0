/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/support/auditd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/audit/store.h"
#include "services/audit/sys.h"
#include "tests/harness.h"

struct auditd auditd;
static uint32_t runs;

void auditd_prepare(void)
{
    if (auditd.pid != 0)
        (void)auditd_end(SIGKILL);
    auditd = (struct auditd){};
    snprintf(auditd.dir, sizeof(auditd.dir), "%s/auditd%u", vd_test_tmpdir(), runs++);
    VD_EXPECT(mkdir(auditd.dir, 0755) == 0);
    snprintf(auditd.log, sizeof(auditd.log), "%s/log", auditd.dir);
    snprintf(auditd.socket, sizeof(auditd.socket), "%s/socket", auditd.dir);
}

void auditd_start(void)
{
    const char *build = getenv("VD_BUILD_ROOT");
    char program[512], fd[16], word[8];
    int ends[2];

    snprintf(program, sizeof(program), "%s/bin/veridian-auditd", build != NULL ? build : "build");
    VD_EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    auditd.pid = fork();
    VD_EXPECT(auditd.pid >= 0);
    if (auditd.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(ends[1], F_SETFD, 0);
        snprintf(fd, sizeof(fd), "%d", ends[1]);
        execl(program, program, "--foreground", "--ring", "none", "--log", auditd.log, "--socket",
              auditd.socket, "--ready-fd", fd, (char *)NULL);
        _exit(126);
    }
    close(ends[1]);
    VD_EXPECT(read(ends[0], word, sizeof(word)) == 6);
    close(ends[0]);
}

int auditd_end(int signal_number)
{
    int status;

    VD_EXPECT(kill(auditd.pid, signal_number) == 0);
    VD_EXPECT(waitpid(auditd.pid, &status, 0) == auditd.pid);
    auditd.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void walk_log(const char *dir, struct vd_audit_walk *walk, bool whole,
                     struct vd_audit_report *ret)
{
    struct vd_hasher hasher = {};
    struct vd_audit_hash hash = vd_audit_sha256(&hasher);
    struct vd_audit_store store;

    VD_EXPECT_EQ(vd_audit_store_open(&store, dir, NULL), VD_OK);
    walk->hash = &hash;
    walk->store = &store;
    VD_EXPECT_EQ(whole ? vd_audit_verify(walk, ret, NULL) : vd_audit_read(walk, ret, NULL), VD_OK);
    vd_audit_store_done(&store);
    vd_hasher_done(&hasher);
}

void auditd_read(const char *dir, vd_audit_visit visit, void *ctx, struct vd_audit_report *ret)
{
    struct vd_audit_walk walk = {.visit = visit, .ctx = ctx};

    walk_log(dir, &walk, true, ret);
}

void auditd_read_open(const char *dir, vd_audit_visit visit, void *ctx, struct vd_audit_report *ret)
{
    struct vd_audit_walk walk = {.visit = visit, .ctx = ctx};

    walk_log(dir, &walk, false, ret);
}
