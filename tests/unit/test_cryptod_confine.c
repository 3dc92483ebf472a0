/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The key process' sandbox: what an intruder in it would do next ends the process. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/crypto/confine.h"
#include "tests/harness.h"

static void *page;

static int makes_code(void)
{
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int maps_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED;
}

static int runs_a_program(void)
{
    char *const none[] = {NULL};

    execve("/bin/true", none, none);
    return 1;
}

static int makes_a_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0;
}

static int speaks_to_the_network(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

/* What it does need: so that the cases above do not end for another reason. */
static int works(void)
{
    void *more = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return more == MAP_FAILED || mprotect(more, 4096, PROT_READ | PROT_WRITE) != 0;
}

/* The signal that ended it, or 0: it did it. */
static int run(int (*what)(void), bool confined)
{
    const struct rlimit none = {};
    int status;
    pid_t pid = fork();

    VD_EXPECT(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &none);
        if (confined && vd_keyd_confine(vd_test_tmpdir(), NULL, NULL) != VD_OK)
            _exit(2);
        _exit(what());
    }
    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    VD_EXPECT_EQ(WEXITSTATUS(status), 0);
    return 0;
}

VD_TEST(what_is_not_needed_ends_the_process)
{
    int (*const steps[])(void) = {makes_code, maps_code, runs_a_program, makes_a_process,
                                  speaks_to_the_network};

    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VD_EXPECT(page != MAP_FAILED);
    (void)vd_test_tmpdir();
    VD_EXPECT_EQ(run(works, true), 0);
    for (size_t i = 0; i < VD_COUNT(steps); i++) {
        VD_EXPECT_EQ(run(steps[i], true), SIGSYS);
        VD_EXPECT_EQ(run(steps[i], false), 0);
    }
}
