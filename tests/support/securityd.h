/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A running veridian-securityd for a test case: its directory, its socket, its policies. */
#ifndef VD_TESTS_SUPPORT_SECURITYD_H
#define VD_TESTS_SUPPORT_SECURITYD_H

#include "lib/secclient/admin.h"
#include "lib/secclient/secclient.h"

#include <sys/types.h>

struct securityd {
    char dir[128]; /* fresh, removed with the test's directory */
    char store[160];
    char socket[160];
    char peers[160];        /* file; empty: none */
    char policy[160];       /* the first policy; empty: none */
    const char *options[8]; /* more words for the command line, ends with NULL */
    pid_t pid;              /* 0: not running */
};

/* The one of the running case. */
extern struct securityd securityd;

/* A fresh directory, nothing running. `text` is the first policy's source; NULL: none. */
void securityd_prepare(const char *text);

/* Starts the daemon and waits until it is ready. */
void securityd_start(void);

/* The same; returns the exit code instead if it does not become ready, -1 if it does. */
int securityd_try_start(void);

/* Ends it: in order, or by SIGKILL. */
void securityd_stop(void);
void securityd_kill(void);

/* From now on the running daemon writes no file beyond so many bytes. */
void securityd_limit_files(uint64_t bytes);

/* Writes the file of clients' contexts. */
void securityd_peers(const char *text);

/* Compiles `text`; the blob is on the heap. */
struct vd_secadmin_load securityd_compile(const char *text);

/* Loads compiled text for good; the status of the server's answer. */
vd_status securityd_load(const char *text, struct vd_diag *diag);

/* A count of the server. */
uint64_t securityd_count(enum vd_sec_status which);

/* Runs `body` in a child as that user; its return value is the child's exit code. */
int securityd_as_user(uid_t uid, int (*body)(void));

/*
 * A policy whose parts a case may vary: `more` follows the declarations. Class
 * file { read write open ioctl }, types admin_t (in role system_r of system_u), user_t
 * (user_r of user_u), secret_t, public_t, security_t; booleans leak (false) and
 * other (true). Class security is there, with nobody allowed anything.
 */
const char *securityd_policy(const char *more);

#define ADMIN  "system_u:system_r:admin_t"
#define USER   "user_u:user_r:user_t"
#define SECRET "system_u:object_r:secret_t"
#define PUBLIC "system_u:object_r:public_t"

#endif
