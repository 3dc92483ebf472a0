/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A running veridian-cryptod for a test case: its directory, its socket, a client of it. */
#ifndef VD_TESTS_SUPPORT_CRYPTOD_H
#define VD_TESTS_SUPPORT_CRYPTOD_H

#include "lib/ipc/socket.h"
#include "lib/keyclient/keyclient.h"

#include <sys/types.h>

struct cryptod {
    char dir[128]; /* fresh, removed with the test's directory */
    char store[160];
    char socket[160];
    char passphrase[160];    /* file */
    const char *options[16]; /* more words for the command line, ends with NULL */
    pid_t pid;               /* 0: not running */
};

/* The one of the running case. */
extern struct cryptod cryptod;

/* A fresh directory, nothing running; root key by passphrase, no policy, no records. */
void cryptod_prepare(void);

/* Starts the daemon and waits until it is ready. */
void cryptod_start(void);

/* The same; returns the exit code instead if it does not become ready, -1 if it does. */
int cryptod_try_start(void);

/* Ends it: in order, or by SIGKILL. */
void cryptod_stop(void);
void cryptod_kill(void);

/* From now on the running daemon writes no file beyond so many bytes. */
void cryptod_limit_files(uint64_t bytes);

/* A client of it. */
struct vd_keyclient *cryptod_client(void);

/* Makes a key and opens it; `usages` 0: the type's own. */
struct vd_keyclient_key *cryptod_key(struct vd_keyclient *client, const char *name, uint16_t type,
                                     uint32_t usages);

/* A connection without the client library. */
int cryptod_connect(void);

/* Sends a request of that verb there and returns its answer's status; `diag` may be NULL. */
vd_status cryptod_ask(int fd, uint16_t verb, const struct vd_writer *payload,
                      struct vd_ipc_buffer *answer, struct vd_diag *diag);

/* Its payload, of the last cryptod_ask that gave VD_OK. */
extern struct vd_ipc_frame cryptod_answer;

/* Like cryptod_ask with a descriptor. */
vd_status cryptod_ask_with(int fd, uint16_t verb, const struct vd_writer *payload, int passed,
                           struct vd_diag *diag);

#endif
