/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct vd_test_case *first_case;
static struct vd_test_case **last_link = &first_case;
static jmp_buf case_end;
static enum { CASE_PASSED, CASE_FAILED, CASE_SKIPPED } outcome;
static const char *skip_reason;
static char tmpdir[64];
static pid_t tmpdir_owner;

void vd_test_register(struct vd_test_case *test)
{
    *last_link = test;
    last_link = &test->next;
}

void vd_test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    printf("# %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    outcome = CASE_FAILED;
    longjmp(case_end, 1);
}

void vd_test_skip(const char *reason)
{
    skip_reason = reason;
    outcome = CASE_SKIPPED;
    longjmp(case_end, 1);
}

const char *vd_test_shared_data(void)
{
    const char *dir = getenv("VD_SHARED_DATA");

    return dir != NULL && access(dir, R_OK) == 0 ? dir : NULL;
}

const char *vd_test_source_root(void)
{
    const char *root = getenv("VD_SOURCE_ROOT");

    return root != NULL ? root : ".";
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* A forked child that ends by exit() leaves the directory to the process that made it. */
static void remove_tmpdir(void)
{
    if (getpid() == tmpdir_owner)
        nftw(tmpdir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/*
 * A process of its own removes the directory once the last process that came
 * from this one is gone, however it ended: they all hold the pipe's other end.
 */
static void remove_tmpdir_after_us(void)
{
    int ends[2];
    char byte;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    pid = fork();
    if (pid != 0) {
        close(ends[0]);
        if (pid > 0)
            waitpid(pid, NULL, 0);
        return;
    }
    setsid();
    if (fork() != 0)
        _exit(0);
    /* All else is closed: whoever reads the test's output must not wait for this process. */
    dup2(ends[0], STDIN_FILENO);
    close_range(STDIN_FILENO + 1, ~0u, 0);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    nftw(tmpdir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    _exit(0);
}

const char *vd_test_tmpdir(void)
{
    if (tmpdir[0] == '\0') {
        strcpy(tmpdir, "/tmp/veridian-test-XXXXXX");
        if (mkdtemp(tmpdir) == NULL) {
            tmpdir[0] = '\0';
            vd_test_fail(__FILE__, __LINE__, "cannot make a temporary directory");
        }
        tmpdir_owner = getpid();
        remove_tmpdir_after_us();
        atexit(remove_tmpdir);
    }
    return tmpdir;
}

uint64_t vd_test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool selected(const char *name, int argc, char **argv)
{
    if (argc < 2)
        return true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return false;
}

static void run_case(const struct vd_test_case *test)
{
    outcome = CASE_PASSED;
    if (setjmp(case_end) == 0)
        test->run();
}

int main(int argc, char **argv)
{
    int number = 0;
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const struct vd_test_case *test = first_case; test != NULL; test = test->next) {
        if (!selected(test->name, argc, argv))
            continue;
        number++;
        run_case(test);
        if (outcome == CASE_FAILED)
            failed++;
        printf("%sok %d - %s", outcome == CASE_FAILED ? "not " : "", number, test->name);
        if (outcome == CASE_SKIPPED)
            printf(" # SKIP %s", skip_reason);
        printf("\n");
    }
    printf("1..%d\n", number);
    return failed == 0 && number > 0 ? 0 : 1;
}
