/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A connection's thread: frames in, answers out, through the socket or through a lane. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"
#include "services/crypto/server.h"

#define LANE_LOOK_MS 1000u
#define SEND_MS      10000u /* a client that takes no answer is dropped */

static vd_keyd_function *const functions[VD_KEY_VERB_COUNT] = {
    [VD_KEY_HELLO] = vd_keyd_hello,
    [VD_KEY_CREATE] = vd_keyd_create,
    [VD_KEY_IMPORT] = vd_keyd_import,
    [VD_KEY_OPEN] = vd_keyd_open,
    [VD_KEY_CLOSE] = vd_keyd_close,
    [VD_KEY_LIST] = vd_keyd_list,
    [VD_KEY_SHOW] = vd_keyd_show,
    [VD_KEY_PUBLIC] = vd_keyd_public,
    [VD_KEY_ENCRYPT] = vd_keyd_operate,
    [VD_KEY_DECRYPT] = vd_keyd_operate,
    [VD_KEY_SIGN] = vd_keyd_operate,
    [VD_KEY_VERIFY] = vd_keyd_operate,
    [VD_KEY_ENCAPSULATE] = vd_keyd_operate,
    [VD_KEY_DECAPSULATE] = vd_keyd_operate,
    [VD_KEY_DERIVE] = vd_keyd_operate,
    [VD_KEY_REWRAP] = vd_keyd_operate,
    [VD_KEY_WRAP] = vd_keyd_wrap,
    [VD_KEY_UNWRAP] = vd_keyd_unwrap,
    [VD_KEY_ROTATE] = vd_keyd_rotate,
    [VD_KEY_SET] = vd_keyd_set,
    [VD_KEY_DESTROY] = vd_keyd_destroy,
    [VD_KEY_RESTORE] = vd_keyd_restore,
    [VD_KEY_ATTACH] = vd_keyd_attach,
    [VD_KEY_ATTACHED] = vd_keyd_attached,
    [VD_KEY_ATTACHMENTS] = vd_keyd_attachments,
    [VD_KEY_STREAM_SEAL] = vd_keyd_stream_start,
    [VD_KEY_STREAM_OPEN] = vd_keyd_stream_start,
    [VD_KEY_STREAM_NEXT] = vd_keyd_stream_next,
    [VD_KEY_STREAM_END] = vd_keyd_stream_end,
    [VD_KEY_BUFFER] = vd_keyd_buffer,
    [VD_KEY_BATCH] = vd_keyd_batch,
    [VD_KEY_RANDOM] = vd_keyd_random,
    [VD_KEY_STATUS] = vd_keyd_status,
    [VD_KEY_ADOPT] = vd_keyd_adopt,
    [VD_KEY_LANE] = vd_keyd_lane,
};

/* A front process speaks for a client only as long as that is connected. */
static bool is_present(const struct vd_keyd_conn *c)
{
    struct pollfd look = {.fd = c->client};

    return c->client < 0 || poll(&look, 1, 0) == 0;
}

/* Does what the request asks; the answer stands in call->out, or the reason in `diag`. */
static vd_status serve(struct vd_keyd_conn *c, const struct vd_ipc_frame *request,
                       struct vd_keyd_call *call, struct vd_diag *diag)
{
    if (request->service != VD_IPC_SERVICE_KEY)
        return vd_diag_fail(diag, VD_E_INVALID, "this is the key service's socket");
    if (vd_keyd_verb(request->verb) == NULL)
        return vd_diagf(diag, VD_E_INVALID, "no verb of the key service has the number %u",
                        request->verb);
    if (request->fd >= 0 && request->verb != VD_KEY_BUFFER && request->verb != VD_KEY_ADOPT)
        return vd_diagf(diag, VD_E_INVALID, "a descriptor does not belong to %s",
                        vd_keyd_verb(request->verb)->name);
    if (!is_present(c))
        return vd_diag_fail(diag, VD_E_DENIED, "the client for whom this is asked has gone");
    return functions[request->verb](c, call, diag);
}

/* What the client gave and got is of no more use here. */
static void forget(struct vd_keyd_conn *c, size_t asked, size_t answered)
{
    vd_wipe(c->request.bytes, asked);
    vd_wipe(c->answer, answered);
    vd_keyd_arena_reset(c, c->secret);
    c->secret = false;
}

vd_status vd_keyd_answer(struct vd_keyd_conn *c, struct vd_ipc_frame *request, size_t *ret_size,
                         struct vd_diag *diag)
{
    struct vd_keyd_call call = {.verb = request->verb, .fd = request->fd, .ret_fd = -1};
    vd_status status;

    vd_reader_init(&call.in, request->payload, request->size);
    vd_writer_init(&call.out, c->answer, sizeof(c->answer));
    status = serve(c, request, &call, diag);
    vd_fd_close(&call.ret_fd);
    *ret_size = call.out.len;
    forget(c, 0, call.out.len < sizeof(c->answer) ? call.out.len : sizeof(c->answer));
    return status == VD_OK && vd_write_done(&call.out) != VD_OK
               ? vd_diag_fail(diag, VD_E_LIMIT, "the answer is larger than a frame")
               : status;
}

/* Answers a frame that came the one way or the other. */
static vd_status answer(struct vd_keyd_conn *c, struct vd_ipc_frame *request, bool by_lane)
{
    struct vd_diag diag = {};
    struct vd_keyd_call call = {.verb = request->verb, .fd = request->fd, .ret_fd = -1};
    struct vd_ipc_frame reply = {.service = VD_IPC_SERVICE_KEY,
                                 .verb = request->verb,
                                 .flags = VD_IPC_ANSWER,
                                 .id = request->id,
                                 .payload = c->answer};
    struct vd_keyd *s = c->server;
    vd_status status;

    vd_reader_init(&call.in, request->payload, request->size);
    /* An answer goes the way that its request came. */
    vd_writer_init(&call.out, c->answer,
                   by_lane ? VD_IPC_LANE_FRAME_MAX - VD_IPC_HEADER_SIZE : sizeof(c->answer));
    atomic_fetch_add_explicit(&s->counts[VD_KEY_STAT_REQUESTS], 1, memory_order_relaxed);
    if ((request->flags & VD_IPC_ANSWER) != 0 || request->status != 0)
        status = vd_diag_fail(&diag, VD_E_INVALID, "a request is expected, this is an answer");
    else
        status = serve(c, request, &call, &diag);
    if (status == VD_OK && vd_write_done(&call.out) != VD_OK)
        status = vd_diag_fail(&diag, VD_E_LIMIT, "the answer is larger than a frame");
    if (status != VD_OK) {
        atomic_fetch_add_explicit(&s->counts[VD_KEY_STAT_FAILURES], 1, memory_order_relaxed);
        vd_fd_close(&call.ret_fd);
        vd_wipe(c->answer, call.out.len < call.out.size ? call.out.len : call.out.size);
        call.out.len = 0;
        vd_ipc_diag_encode(&diag, &call.out);
    }
    vd_fd_close(&call.fd);
    reply.status = (uint32_t)status;
    reply.size = call.out.len;
    reply.fd = call.ret_fd;
    status = by_lane ? vd_ipc_lane_answer(&c->lane, &reply, NULL)
                     : vd_ipc_send(c->fd, &reply, vd_ipc_deadline(SEND_MS), NULL);
    vd_fd_close(&call.ret_fd);
    forget(c, request->size + VD_IPC_HEADER_SIZE, reply.size);
    return status;
}

/* A packet that is no frame: told so, and the connection goes on, since packets have borders. */
static vd_status refuse(struct vd_keyd_conn *c, vd_status status, const struct vd_diag *diag,
                        bool by_lane)
{
    struct vd_ipc_frame reply = {.service = VD_IPC_SERVICE_KEY,
                                 .flags = VD_IPC_ANSWER,
                                 .status = (uint32_t)status,
                                 .payload = c->answer,
                                 .fd = -1};
    struct vd_writer w;

    vd_writer_init(&w, c->answer, sizeof(c->answer));
    vd_ipc_diag_encode(diag, &w);
    reply.size = w.len;
    atomic_fetch_add_explicit(&c->server->counts[VD_KEY_STAT_FAILURES], 1, memory_order_relaxed);
    return by_lane ? vd_ipc_lane_answer(&c->lane, &reply, NULL)
                   : vd_ipc_send(c->fd, &reply, vd_ipc_deadline(SEND_MS), NULL);
}

static bool is_malformed(vd_status status)
{
    return status != VD_OK && vd_status_class(status) == VD_CLASS_INPUT;
}

static vd_status by_socket(struct vd_keyd_conn *c)
{
    struct vd_ipc_frame request;
    struct vd_diag diag = {};
    vd_status status = vd_ipc_receive(c->fd, &c->request, VD_IPC_FOREVER, &request, &diag);

    if (is_malformed(status))
        return refuse(c, status, &diag, false);
    return status == VD_OK ? answer(c, &request, false) : status;
}

/* False: the client has closed its socket. */
static bool is_there(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN | POLLRDHUP};

    return poll(&look, 1, 0) <= 0 || (look.revents & (POLLHUP | POLLRDHUP | POLLERR)) == 0;
}

static vd_status by_lane(struct vd_keyd_conn *c)
{
    struct vd_ipc_frame request;
    struct vd_diag diag = {};
    bool socket;
    vd_status status = vd_ipc_lane_wait(&c->lane, LANE_LOOK_MS, &socket, NULL);

    if (status == VD_E_TIMEOUT)
        return is_there(c->fd) ? VD_OK : VD_E_MISSING;
    if (status != VD_OK)
        return status;
    if (socket)
        return by_socket(c);
    status = vd_ipc_lane_take(&c->lane, &c->request, &request, &diag);
    if (is_malformed(status))
        return refuse(c, status, &diag, true);
    return status == VD_OK ? answer(c, &request, true) : status;
}

void vd_keyd_conn_free(struct vd_keyd_conn *c)
{
    vd_keyd_conn_clear(c);
    vd_ipc_lane_done(&c->lane);
    vd_fd_close(&c->fd);
    vd_fd_close(&c->client);
    pthread_mutex_destroy(&c->stream_lock);
    vd_wipe(&c->request, sizeof(c->request));
    vd_wipe(c->answer, sizeof(c->answer));
    free(c);
}

struct vd_keyd_conn *vd_keyd_conn_new(struct vd_keyd *s, int fd)
{
    struct vd_keyd_conn *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->server = s;
    c->fd = fd;
    c->client = -1;
    pthread_mutex_init(&c->stream_lock, NULL);
    return c;
}

static bool is_own(const struct vd_ipc_peer *peer)
{
    return peer->uid == 0 || peer->uid == getuid();
}

/* The user, perhaps a new one; NULL: no memory. With the lock, as the two that follow. */
static struct vd_keyd_user *take_user(struct vd_keyd *s, const struct vd_ipc_peer *peer)
{
    struct vd_keyd_user *user = s->users;

    while (user != NULL && user->uid != peer->uid)
        user = user->next;
    if (user == NULL) {
        user = calloc(1, sizeof(*user));
        if (user == NULL)
            return NULL;
        user->uid = peer->uid;
        user->own = is_own(peer);
        user->next = s->users;
        s->users = user;
    }
    user->conns++;
    return user;
}

static void drop_user(struct vd_keyd *s, struct vd_keyd_user *user)
{
    struct vd_keyd_user **at = &s->users;

    if (--user->conns != 0)
        return;
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    free(user);
}

static void *run_conn(void *arg)
{
    struct vd_keyd_conn *c = arg, **at;
    struct vd_keyd *s = c->server;
    struct vd_keyd_user *user = c->user;
    vd_status status = VD_OK;

    while (status == VD_OK && !atomic_load_explicit(&s->stopping, memory_order_relaxed))
        status = c->lane.page != NULL ? by_lane(c) : by_socket(c);
    pthread_mutex_lock(&s->lock);
    for (at = &s->conns; *at != c;)
        at = &(*at)->next;
    *at = c->next;
    pthread_mutex_unlock(&s->lock);
    vd_keyd_conn_free(c);
    /* The last word: who waits for this thread's end may then free the server. */
    pthread_mutex_lock(&s->lock);
    drop_user(s, user);
    s->conn_count--;
    pthread_cond_signal(&s->gone);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Room for this one more of that user? */
static bool has_room(const struct vd_keyd *s, const struct vd_keyd_user *user)
{
    uint32_t share = s->max_clients / VD_KEYD_USER_SHARE;

    if (user->own)
        return s->conn_count < s->max_clients + VD_KEYD_RESERVE;
    return s->conn_count < s->max_clients && user->conns <= (share == 0 ? 1 : share);
}

static vd_status start_thread(struct vd_keyd_conn *c, struct vd_diag *diag)
{
    pthread_attr_t attr;
    pthread_t thread;
    int error;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, VD_KEYD_STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attr, run_conn, c);
    pthread_attr_destroy(&attr);
    return error == 0 ? VD_OK : vd_sys_errno(diag, error, "cannot make a thread", NULL);
}

static vd_status enlist(struct vd_keyd_conn *c, struct vd_diag *diag)
{
    struct vd_keyd *s = c->server;
    vd_status status = VD_OK;

    pthread_mutex_lock(&s->lock);
    c->user = take_user(s, &c->peer);
    if (c->user == NULL) {
        status = vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a connection");
    } else if (!has_room(s, c->user)) {
        status = vd_diag_fail(diag, VD_E_BUSY, "too many connections");
    } else {
        c->next = s->conns;
        s->conns = c;
        s->conn_count++;
        status = start_thread(c, diag);
        if (status != VD_OK) {
            s->conns = c->next;
            s->conn_count--;
        }
    }
    if (status != VD_OK && c->user != NULL) {
        drop_user(s, c->user);
        c->user = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

vd_status vd_keyd_conn_start(struct vd_keyd *s, int fd, int client, struct vd_diag *diag)
{
    struct vd_keyd_conn *c = vd_keyd_conn_new(s, fd);
    int caller = client >= 0 ? client : fd;
    vd_status status;

    if (c == NULL) {
        close(fd);
        vd_fd_close(&client);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a connection");
    }
    c->client = client;
    status = vd_ipc_peer(caller, &c->peer, diag);
    if (status == VD_OK)
        status = vd_keyd_identify(c, caller, diag);
    if (status == VD_OK)
        status = enlist(c, diag);
    if (status == VD_OK)
        return VD_OK;
    atomic_fetch_add(&s->counts[VD_KEY_STAT_REFUSED_CLIENTS], 1);
    (void)!refuse(c, status, diag, false);
    vd_keyd_conn_free(c);
    return status;
}
