/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A veridian-auditd without a kernel side, for tests of what services hand to it. */
#ifndef VD_TESTS_SUPPORT_AUDITD_H
#define VD_TESTS_SUPPORT_AUDITD_H

#include <sys/types.h>

#include "services/audit/verify.h"

struct auditd {
    char dir[160], log[192], socket[192];
    pid_t pid; /* 0: not running */
};
extern struct auditd auditd;

/* A fresh log and socket; a daemon that still runs is killed. */
void auditd_prepare(void);

/* Starts the daemon and waits until it is ready. */
void auditd_start(void);

/* Ends it by that signal; its exit code, or 1000 and the signal's number. */
int auditd_end(int signal_number);

/* Verifies the log in `dir` and shows each record to `visit`. */
void auditd_read(const char *dir, vd_audit_visit visit, void *ctx, struct vd_audit_report *ret);

/* The same while a daemon may be writing there. */
void auditd_read_open(const char *dir, vd_audit_visit visit, void *ctx,
                      struct vd_audit_report *ret);

#endif
