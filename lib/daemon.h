/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What every daemon does at its start: catch signals, say that it is ready, stay
 * in the background.
 */
#ifndef VD_LIB_DAEMON_H
#define VD_LIB_DAEMON_H

#include "core/base/diag.h"

#define VD_DAEMON_NO_FD 0u /* standard input takes no word */

/* A signalfd for SIGTERM and SIGINT, which are blocked; SIGPIPE and SIGXFSZ become errors of write. */
vd_status vd_daemon_signals(int *ret_fd, struct vd_diag *diag);

/* The socket that systemd waits on ($NOTIFY_SOCKET), connected while that is possible; -1: none. */
int vd_daemon_notify_socket(void);

/* Tells both who wait: READY=1 to `notify` (-1: none), "ready" to `ready_fd`, which is closed. */
vd_status vd_daemon_ready(int notify, uint32_t ready_fd, struct vd_diag *diag);

/* Checks the option --ready-fd: VD_E_USAGE unless it is open and the daemon stays in the foreground. */
vd_status vd_daemon_check_ready_fd(uint32_t ready_fd, bool foreground, struct vd_diag *diag);

/*
 * Runs `daemon(args, ready_fd)` in a child of its own session; returns in the
 * parent once the child is ready, with the child's exit code if it ends before.
 */
int vd_daemon_background(int (*daemon)(void *args, uint32_t ready_fd), void *args);

#endif
