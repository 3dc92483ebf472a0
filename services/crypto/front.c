/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/confine.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define CONTROL      3 /* the front's descriptor of the connection to the key process */
#define PAUSE_MS     50u
#define PAUSE_MS_MAX 5000u

static void say(const char *text)
{
    fprintf(stderr, "veridian-cryptod: %s\n", text);
}

/* Ends with `parent`, whose end may have come before this was called. */
static void end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(0);
}

static void free_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Of descriptors, only the messages' and the control connection go on. */
static bool keep_control(int control)
{
    if (control == CONTROL)
        fcntl(CONTROL, F_SETFD, 0);
    else if (dup2(control, CONTROL) != CONTROL)
        return false;
    return close_range(CONTROL + 1, ~0u, 0) == 0;
}

static void run_front(const char *program, const char *timeout, pid_t keeper)
{
    char *const argv[] = {(char *)(uintptr_t)program, (char *)"--control",        (char *)"3",
                          (char *)"--timeout",        (char *)(uintptr_t)timeout, NULL};
    char *const env[] = {NULL};

    end_with(keeper);
    execve(program, argv, env);
    say("the front process' program cannot be started");
    _exit(VD_CLASS_SYSTEM);
}

/* Starts the front anew whenever it ends by itself; it ends in order when the key process has. */
static void keep(const char *program, const char *timeout)
{
    uint32_t pause_ms = PAUSE_MS;

    for (;;) {
        uint64_t begun = vd_sys_monotonic_ns();
        pid_t self = getpid(), pid = fork();
        int status = 0;

        if (pid == 0)
            run_front(program, timeout, self);
        if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
            WEXITSTATUS(status) == 0)
            _exit(0);
        say("the web interface's process ended; it is started again");
        if (vd_sys_monotonic_ns() - begun > (uint64_t)PAUSE_MS_MAX * 1'000'000u)
            pause_ms = PAUSE_MS;
        const struct timespec pause = {.tv_sec = pause_ms / 1000,
                                       .tv_nsec = (long)(pause_ms % 1000) * 1'000'000};
        nanosleep(&pause, NULL);
        pause_ms = 2 * pause_ms < PAUSE_MS_MAX ? 2 * pause_ms : PAUSE_MS_MAX;
    }
}

static void run_keeper(const struct vd_keyd_front_options *o, const char *program, int control,
                       pid_t parent)
{
    const struct rlimit none = {};
    struct vd_diag diag = {};
    char timeout[16];

    snprintf(timeout, sizeof(timeout), "%u", o->timeout_s);
    if (!keep_control(control) || setrlimit(RLIMIT_CORE, &none) != 0 ||
        vd_confine_user(o->user, &diag) != VD_OK || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        say("the web interface's keeper cannot confine itself");
        _exit(VD_CLASS_SYSTEM);
    }
    end_with(parent); /* a change of the user forgets it */
    free_signals();
    keep(program, timeout);
}

static vd_status find_program(char *ret, size_t size, struct vd_diag *diag)
{
    ssize_t got = readlink("/proc/self/exe", ret, size - sizeof(VD_KEYD_FRONT_SUFFIX));

    if (got <= 0 || (size_t)got >= size - sizeof(VD_KEYD_FRONT_SUFFIX))
        return vd_sys_errno(diag, errno, "cannot tell where the program is", NULL);
    memcpy(ret + got, VD_KEYD_FRONT_SUFFIX, sizeof(VD_KEYD_FRONT_SUFFIX));
    if (access(ret, X_OK) == 0)
        return VD_OK;
    vd_diag_file(diag, ret);
    return vd_diag_fail(diag, VD_E_MISSING, "the program of the web interface is not there");
}

vd_status vd_keyd_front_start(const struct vd_keyd_front_options *options, int *ret,
                              struct vd_diag *diag)
{
    char program[4096];
    int pair[2];
    pid_t self = getpid(), pid;

    VD_TRY(find_program(program, sizeof(program), diag));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return vd_sys_errno(diag, errno, "cannot make a pair of sockets", NULL);
    pid = fork();
    if (pid == 0)
        run_keeper(options, program, pair[1], self);
    vd_fd_close(&pair[1]);
    if (pid < 0) {
        vd_fd_close(&pair[0]);
        return vd_sys_errno(diag, errno, "cannot make a process", NULL);
    }
    *ret = pair[0];
    return VD_OK;
}

/* Two frames with one number: the client; then the connection that speaks for it, or why not. */
static vd_status hand_over(struct vd_keyd *s, int client, int conn, const struct vd_diag *why)
{
    uint8_t bytes[2048];
    struct vd_writer w;
    struct vd_ipc_frame frame = {.service = VD_IPC_SERVICE_KEY,
                                 .verb = VD_KEY_ADOPT,
                                 .flags = VD_IPC_ANSWER,
                                 .id = ++s->adopted,
                                 .fd = client};

    VD_TRY(vd_ipc_send(s->front, &frame, VD_IPC_NO_WAIT, NULL));
    vd_writer_init(&w, bytes, sizeof(bytes));
    if (why->status != VD_OK)
        vd_ipc_diag_encode(why, &w);
    frame.fd = conn;
    frame.status = (uint32_t)why->status;
    frame.payload = bytes;
    frame.size = vd_write_done(&w) == VD_OK ? w.len : 0;
    return vd_ipc_send(s->front, &frame, VD_IPC_NO_WAIT, NULL);
}

vd_status vd_keyd_front_take(struct vd_keyd *s)
{
    int client VD_AUTO(vd_fd_close) = -1, mine = -1;
    int pair[2] = {-1, -1};
    struct vd_ipc_peer peer;
    struct vd_diag diag = {};
    vd_status status = vd_ipc_accept(s->web, &client, &peer, &diag);

    if (status != VD_OK)
        return status;
    mine = fcntl(client, F_DUPFD_CLOEXEC, 0);
    if (mine < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        vd_fd_close(&mine);
        return VD_E_SYSTEM;
    }
    status = vd_keyd_conn_start(s, pair[0], mine, &diag);
    if (status != VD_OK && diag.status == VD_OK)
        (void)!vd_diag_fail(&diag, status, vd_status_text(status));
    if (status != VD_OK)
        vd_fd_close(&pair[1]);
    /* A front that takes nothing now loses the client, which is told so by its connection's end. */
    if (hand_over(s, client, pair[1], &diag) == VD_E_MISSING)
        say("the web interface's process is gone");
    vd_fd_close(&pair[1]);
    return VD_OK;
}
