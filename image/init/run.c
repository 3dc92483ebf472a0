/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs that PID 1 starts. PID 1 also reaps whoever was left an orphan.
 */
#define _GNU_SOURCE
#include "image/init/init.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const environment[] = {"PATH=/usr/bin:/bin", "LANG=C", NULL};

/* What a program gets beside the console: -1 for none. */
struct ends {
    int output; /* becomes standard output and standard error */
    int ready;  /* becomes VD_INIT_READY_FD */
};

/* In the child: never returns. The error pipe closes at exec; else it takes errno. */
static _Noreturn void child(const char *const *argv, struct ends ends, int error)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int number;

    /* Not the console: what a confined program writes there would look like ours. */
    if (nothing >= 0)
        (void)dup2(nothing, 0);
    else
        (void)close(0);
    if (ends.output >= 0) {
        (void)dup2(ends.output, 1);
        (void)dup2(ends.output, 2);
    }
    if (error == VD_INIT_READY_FD)
        error = fcntl(error, F_DUPFD_CLOEXEC, VD_INIT_READY_FD + 1);
    if (ends.ready == VD_INIT_READY_FD)
        (void)fcntl(ends.ready, F_SETFD, 0);
    else if (ends.ready >= 0)
        (void)dup2(ends.ready, VD_INIT_READY_FD);
    (void)execve(argv[0], (char *const *)argv, (char *const *)environment);
    number = errno;
    (void)!write(error, &number, sizeof(number));
    _exit(127);
}

/* Starts `argv`; returns the pid, or -errno where fork or execve failed. */
static pid_t start(const char *const *argv, struct ends ends)
{
    VD_AUTO(vd_fd_close) int read_end = -1;
    VD_AUTO(vd_fd_close) int write_end = -1;
    int pipes[2];
    int number = 0;
    ssize_t got;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -errno;
    read_end = pipes[0];
    write_end = pipes[1];
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        child(argv, ends, write_end);
    if (pid < 0)
        return -errno;
    vd_fd_close(&write_end);
    do
        got = read(read_end, &number, sizeof(number));
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(number))
        return pid;
    (void)waitpid(pid, NULL, 0);
    return -number;
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads until the output ends; false if the time is over first. */
static bool collect(int fd, int timeout_ms, struct vd_run *run)
{
    int64_t end = now_ms() + timeout_ms;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = end - now_ms();
        char rest[4096];
        bool full = run->output_size == sizeof(run->output) - 1;
        ssize_t got;

        if (left <= 0 || (poll(&p, 1, (int)left) == 0))
            return false;
        got = full ? read(fd, rest, sizeof(rest))
                   : read(fd, run->output + run->output_size,
                          sizeof(run->output) - 1 - run->output_size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return true;
        if (!full)
            run->output_size += (size_t)got;
    }
}

void vd_init_run(const char *const *argv, int timeout_ms, struct vd_run *ret)
{
    VD_AUTO(vd_fd_close) int read_end = -1;
    int pipes[2];
    int state = 0;
    pid_t pid;

    memset(ret, 0, sizeof(*ret));
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        ret->code = -errno;
        return;
    }
    read_end = pipes[0];
    pid = start(argv, (struct ends){.output = pipes[1], .ready = -1});
    (void)close(pipes[1]);
    if (pid < 0) {
        ret->code = (int)pid;
        return;
    }
    if (!collect(read_end, timeout_ms, ret))
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR) {
    }
    ret->code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
        /* orphans */
    }
}

pid_t vd_init_service(const char *const *argv, int timeout_ms)
{
    VD_AUTO(vd_fd_close) int read_end = -1;
    struct vd_run ready = {};
    int pipes[2];
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -errno;
    read_end = pipes[0];
    pid = start(argv, (struct ends){.output = -1, .ready = pipes[1]});
    (void)close(pipes[1]);
    if (pid < 0)
        return pid;
    if (collect(read_end, timeout_ms, &ready) && strcmp(ready.output, "ready\n") == 0)
        return pid;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return -ESRCH;
}

void vd_init_stop(pid_t pid, int timeout_ms)
{
    int64_t end = now_ms() + timeout_ms;
    VD_AUTO(vd_fd_close) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    (void)kill(pid, SIGTERM);
    while (fd >= 0 && now_ms() < end && poll(&p, 1, (int)(end - now_ms())) < 0 && errno == EINTR) {
    }
    if (waitpid(pid, NULL, WNOHANG) == pid)
        return;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}
