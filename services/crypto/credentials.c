/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/crypto/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/keyclient/credential.h"
#include "lib/sys.h"

#define SEND_MS 5000

struct request {
    struct vd_keyd *server;
    int fd;
    struct vd_keyclient *client; /* speaks for who is at `fd` */
    struct vd_credential_name name;
};

static void send_all(int fd, const uint8_t *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        ssize_t sent =
            sendmsg(fd,
                    &(struct msghdr){
                        .msg_iov = &(struct iovec){(void *)(uintptr_t)(data + done), size - done},
                        .msg_iovlen = 1},
                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            done += (size_t)sent;
        else if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return;
        else if (poll(&room, 1, SEND_MS) <= 0)
            return;
    }
}

static vd_status give(const struct request *r, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret secret = {};
    struct vd_keyclient_buffer out = {.room = VD_KEY_ATTACHMENT_MAX};
    struct vd_keyclient_key *key = NULL;
    vd_status status;

    VD_TRY(vd_secret_init(&secret, VD_KEY_ATTACHMENT_MAX, diag));
    out.data = secret.data;
    VD_TRY(vd_keyclient_open(r->client, r->server->credentials_key, &key, diag));
    status = vd_credential_get(r->client, key, &r->name, &out, diag);
    vd_keyclient_key_free(key);
    if (status == VD_OK)
        send_all(r->fd, out.data, out.size);
    return status;
}

/* Whoever gets nothing finds the reason here: the protocol has no room for it. */
static void report(const struct request *r, vd_status status, const struct vd_diag *diag)
{
    fprintf(stderr, "veridian-cryptod: credential %s of unit %s is not given: %s\n", r->name.id,
            r->name.unit, diag->text[0] != '\0' ? diag->text : vd_status_text(status));
}

static void drop(struct request *r)
{
    vd_keyclient_free(r->client);
    vd_fd_close(&r->fd);
    free(r);
}

static void *run(void *arg)
{
    struct request *r = arg;
    struct vd_keyd *s = r->server;
    struct vd_diag diag = {};
    vd_status status = give(r, &diag);

    if (status != VD_OK)
        report(r, status, &diag);
    drop(r);
    pthread_mutex_lock(&s->lock);
    s->credential_threads--;
    pthread_cond_broadcast(&s->gone);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Root's process at the address of a unit's credential, and a connection that speaks for it. */
static vd_status admit(struct request *r, struct vd_diag *diag)
{
    struct sockaddr_un from = {};
    socklen_t size = sizeof(from);
    struct vd_ipc_peer peer;
    int pair[2], mine;
    struct vd_keyclient_options o = {.no_lane = true};
    vd_status status;

    VD_TRY(vd_ipc_peer(r->fd, &peer, diag));
    if (peer.uid != 0)
        return vd_diagf(diag, VD_E_DENIED, "user %u asks for a credential", peer.uid);
    if (getpeername(r->fd, (struct sockaddr *)&from, &size) != 0 ||
        size <= offsetof(struct sockaddr_un, sun_path))
        return vd_diagf(diag, VD_E_DENIED, "process %d asks for a credential without an address",
                        (int)peer.pid);
    VD_TRY(vd_credential_address(from.sun_path, size - offsetof(struct sockaddr_un, sun_path),
                                 &r->name, diag));
    mine = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    if (mine < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        vd_fd_close(&mine);
        return vd_sys_errno(diag, errno, "cannot make a connection for a credential", NULL);
    }
    o.given = pair[1];
    status = vd_keyd_conn_start(r->server, pair[0], mine, diag);
    if (status == VD_OK)
        status = vd_keyclient_new(&o, &r->client, diag);
    if (status != VD_OK)
        vd_fd_close(&pair[1]);
    return status;
}

static vd_status start(struct request *r, struct vd_diag *diag)
{
    struct vd_keyd *s = r->server;
    pthread_attr_t attr;
    pthread_t thread;
    int error;

    VD_TRY(admit(r, diag));
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, VD_KEYD_STACK_BYTES);
    pthread_mutex_lock(&s->lock);
    s->credential_threads++;
    pthread_mutex_unlock(&s->lock);
    error = pthread_create(&thread, &attr, run, r);
    pthread_attr_destroy(&attr);
    if (error == 0)
        return VD_OK;
    pthread_mutex_lock(&s->lock);
    s->credential_threads--;
    pthread_mutex_unlock(&s->lock);
    return vd_sys_errno(diag, error, "cannot make a thread", NULL);
}

vd_status vd_keyd_credentials_take(struct vd_keyd *s)
{
    struct request *r;
    struct vd_ipc_peer peer;
    struct vd_diag diag = {};
    int fd = -1;

    VD_TRY(vd_ipc_accept(s->credentials, &fd, &peer, NULL));
    r = s->credential_threads < VD_KEYD_CREDENTIALS_MAX ? calloc(1, sizeof(*r)) : NULL;
    if (r == NULL) {
        vd_fd_close(&fd);
        return VD_OK;
    }
    r->server = s;
    r->fd = fd;
    if (start(r, &diag) == VD_OK)
        return VD_OK;
    fprintf(stderr, "veridian-cryptod: %s\n", diag.text);
    drop(r);
    return VD_OK;
}

void vd_keyd_credentials_wait(struct vd_keyd *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->credential_threads != 0)
        pthread_cond_wait(&s->gone, &s->lock);
    pthread_mutex_unlock(&s->lock);
}
