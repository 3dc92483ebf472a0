/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cli/cli.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

vd_status vd_daemon_signals(int *ret_fd, struct vd_diag *diag)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return vd_sys_errno(diag, errno, "cannot block signals", NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        return vd_sys_errno(diag, errno, "cannot watch for signals", NULL);
    /* A full disk under a file size limit is an error of write, not a signal. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    *ret_fd = fd;
    return VD_OK;
}

int vd_daemon_notify_socket(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    int fd;

    if (len < 2 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return -1;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0)
        vd_fd_close(&fd);
    return fd;
}

vd_status vd_daemon_ready(int notify, uint32_t ready_fd, struct vd_diag *diag)
{
    int ready = (int)ready_fd;

    if (notify >= 0 && vd_fd_write(notify, "READY=1", 7) != VD_OK)
        return vd_sys_errno(diag, errno, "cannot notify the service manager", NULL);
    if (ready_fd == VD_DAEMON_NO_FD)
        return VD_OK;
    if (vd_fd_write(ready, "ready\n", 6) != VD_OK)
        return vd_sys_errno(diag, errno, "cannot write to the descriptor of --ready-fd", NULL);
    vd_fd_close(&ready);
    return VD_OK;
}

vd_status vd_daemon_check_ready_fd(uint32_t ready_fd, bool foreground, struct vd_diag *diag)
{
    if (ready_fd == VD_DAEMON_NO_FD)
        return VD_OK;
    if (!foreground)
        return vd_diagf(diag, VD_E_USAGE, "--ready-fd needs --foreground");
    if (ready_fd > INT_MAX || fcntl((int)ready_fd, F_GETFD) < 0)
        return vd_diagf(diag, VD_E_USAGE, "--ready-fd: descriptor %u is not open", ready_fd);
    return VD_OK;
}

int vd_daemon_background(int (*daemon)(void *args, uint32_t ready_fd), void *args)
{
    int ends[2];
    char word[8];
    int status;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0)
        return vd_cli_report(VD_E_SYSTEM, NULL);
    if (pid == 0) {
        close(ends[0]);
        setsid();
        return daemon(args, (uint32_t)ends[1]);
    }
    close(ends[1]);
    if (read(ends[0], word, sizeof(word)) > 0)
        return VD_EXIT_YES;
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
        return WEXITSTATUS(status);
    return VD_EXIT_FAULT;
}
