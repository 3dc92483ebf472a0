/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"
#include "services/crypto/credentials.h"
#include "services/crypto/front.h"

#define KEEP_SECONDS 1u

vd_status vd_keyd_prepare(struct vd_keyd *s, struct vd_diag *diag)
{
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->gone, NULL);
    pthread_cond_init(&s->wake, NULL);
    s->keys.store = s->store;
    s->keys.alg = s->alg;
    s->keys.policy = s->policy;
    vd_keyd_keys_init(&s->keys);
    if (s->policy == NULL)
        return VD_OK;
    for (uint32_t verb = 1; verb < VD_KEY_VERB_COUNT; verb++)
        s->rights[verb] = vd_keyd_right(vd_keyd_verb(verb)->right);
    return vd_secclient_class(s->policy, &vd_keyd_rights, &s->class, diag);
}

/* Destroys the keys whose grace is over; a failure stands in the store's status. */
static void purge(struct vd_keyd *s)
{
    struct vd_diag diag = {};
    size_t count = 0;
    vd_status status = vd_kstore_purge(s->store, vd_keyd_now(), &count, &diag);

    if (status != VD_OK && status != s->purge_failed)
        fprintf(stderr, "veridian-cryptod: keys whose time has come are not destroyed: %s\n",
                diag.text[0] != '\0' ? diag.text : vd_status_text(status));
    s->purge_failed = status;
    (void)count;
}

static void *keep(void *arg)
{
    struct vd_keyd *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += KEEP_SECONDS;
        pthread_cond_timedwait(&s->wake, &s->lock, &until);
        if (atomic_load(&s->stopping))
            break;
        pthread_mutex_unlock(&s->lock);
        purge(s);
        vd_keyd_keys_sweep(&s->keys);
        vd_keyd_audit_tend(&s->audit);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Out of descriptors or memory: who connects waits, and is not to be asked for at once again. */
static void pause_after(vd_status status)
{
    const struct timespec pause = {.tv_nsec = 10'000'000};

    if (status == VD_E_SYSTEM || status == VD_E_NO_MEMORY)
        nanosleep(&pause, NULL);
}

static void take_connection(struct vd_keyd *s)
{
    struct vd_ipc_peer peer;
    struct vd_diag diag = {};
    int fd = -1;
    vd_status status = vd_ipc_accept(s->listener, &fd, &peer, &diag);

    if (status == VD_OK)
        status = vd_keyd_conn_start(s, fd, -1, &diag);
    pause_after(status);
}

static vd_status accept_all(struct vd_keyd *s, struct vd_diag *diag)
{
    struct pollfd wanted[] = {{.fd = s->signals, .events = POLLIN},
                              {.fd = s->listener, .events = POLLIN},
                              {.fd = s->web, .events = POLLIN},
                              {.fd = s->credentials, .events = POLLIN}};

    for (;;) {
        if (poll(wanted, VD_COUNT(wanted), -1) < 0 && errno != EINTR)
            return vd_sys_errno(diag, errno, "cannot wait for connections", NULL);
        if (wanted[0].revents != 0)
            return VD_OK;
        if (wanted[1].revents != 0)
            take_connection(s);
        if (wanted[2].revents != 0)
            pause_after(vd_keyd_front_take(s));
        if (wanted[3].revents != 0)
            pause_after(vd_keyd_credentials_take(s));
    }
}

/* Tells every thread to end and waits until each has. */
static void stop(struct vd_keyd *s)
{
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    pthread_cond_broadcast(&s->wake);
    for (struct vd_keyd_conn *c = s->conns; c != NULL; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    while (s->conn_count != 0)
        pthread_cond_wait(&s->gone, &s->lock);
    pthread_mutex_unlock(&s->lock);
    vd_keyd_credentials_wait(s);
    if (s->keeping)
        pthread_join(s->keeper, NULL);
    s->keeping = false;
}

vd_status vd_keyd_run(struct vd_keyd *s, struct vd_diag *diag)
{
    int error = pthread_create(&s->keeper, NULL, keep, s);
    vd_status status;

    if (error != 0)
        return vd_sys_errno(diag, error, "cannot make a thread", NULL);
    s->keeping = true;
    status = accept_all(s, diag);
    vd_fd_close(&s->listener);
    vd_fd_close(&s->web);
    vd_fd_close(&s->credentials);
    vd_fd_close(&s->front);
    stop(s);
    return status;
}

void vd_keyd_done(struct vd_keyd *s)
{
    if (s->keys.store != NULL) {
        vd_keyd_keys_done(&s->keys);
        pthread_cond_destroy(&s->gone);
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
    }
    vd_keyd_audit_close(&s->audit);
    vd_kstore_close(s->store);
    vd_root_free(s->root);
    vd_secret_done(&s->root_key);
    vd_alg_free(s->alg);
    vd_secclient_free(s->policy);
    vd_peers_done(&s->peers);
    vd_fd_close(&s->listener);
    vd_fd_close(&s->web);
    vd_fd_close(&s->credentials);
    vd_fd_close(&s->front);
    vd_fd_close(&s->signals);
}
