/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/file.h"
#include "lib/sys.h"

#define NS_PER_MS 1'000'000u

static struct vd_secd_client *client_of_fd(struct vd_secd *s, int fd)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        if (s->clients[i]->fd == fd && !s->clients[i]->dead)
            return s->clients[i];
    }
    return NULL;
}

static void drop(struct vd_secd *s, struct vd_secd_client *client)
{
    s->counts[VD_SEC_STAT_DROPPED_CLIENTS]++;
    client->dead = true;
}

/* Forgets those that are dead; not while events may still name their descriptors. */
static void bury(struct vd_secd *s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->client_count; i++) {
        struct vd_secd_client *client = s->clients[i];
        if (!client->dead) {
            s->clients[kept++] = client;
            continue;
        }
        for (uint32_t j = 0; j < client->entity_count; j++) {
            uint32_t kind = client->entities[j].kind;
            s->counts[VD_SEC_STAT_SUBJECTS] -= kind == VD_SEC_SUBJECT;
            s->counts[VD_SEC_STAT_OBJECTS] -= kind == VD_SEC_OBJECT;
        }
        vd_secd_client_free(client, &s->contexts);
    }
    s->client_count = kept;
}

static void want(struct vd_secd *s, struct vd_secd_client *client)
{
    struct epoll_event event = {.data.fd = client->fd};

    /* Waiting for a change: only the end of the connection is of interest, and always told. */
    if (client->answer != NULL)
        event.events = EPOLLOUT;
    else if (!client->waiting)
        event.events = EPOLLIN;
    if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, client->fd, &event) != 0)
        drop(s, client);
}

/* Keeps an answer until the socket takes it. */
static void keep_answer(struct vd_secd *s, struct vd_secd_client *client,
                        const struct vd_ipc_frame *frame)
{
    client->answer = malloc(frame->size + 1);
    if (client->answer == NULL) {
        drop(s, client);
        return;
    }
    vd_copy(client->answer, frame->payload, frame->size);
    client->answer_frame = *frame;
    client->answer_frame.payload = client->answer;
    client->answer_deadline_ns = vd_ipc_deadline(VD_SECD_ANSWER_WAIT_MS);
    want(s, client);
}

static void send_answer(struct vd_secd *s, struct vd_secd_client *client,
                        const struct vd_ipc_frame *frame)
{
    vd_status status = vd_ipc_send(client->fd, frame, VD_IPC_NO_WAIT, NULL);

    if (status == VD_E_BUSY)
        keep_answer(s, client, frame);
    else if (status != VD_OK)
        drop(s, client);
}

static void send_kept(struct vd_secd *s, struct vd_secd_client *client)
{
    vd_status status = vd_ipc_send(client->fd, &client->answer_frame, VD_IPC_NO_WAIT, NULL);

    if (status == VD_E_BUSY)
        return;
    if (status != VD_OK) {
        drop(s, client);
        return;
    }
    free(client->answer);
    client->answer = NULL;
    client->answer_frame = (struct vd_ipc_frame){.fd = -1};
    want(s, client);
}

/* The frame of an answer: `size` bytes of s->answer, or what went wrong. */
static void answer_frame(struct vd_secd *s, vd_status status, const struct vd_diag *diag,
                         size_t size, struct vd_ipc_frame *frame)
{
    frame->service = VD_IPC_SERVICE_SECURITY;
    frame->flags = VD_IPC_ANSWER;
    frame->status = (uint32_t)status;
    frame->payload = s->answer;
    frame->size = size;
    frame->fd = -1;
    if (status == VD_OK)
        return;
    struct vd_writer w;
    vd_writer_init(&w, s->answer, sizeof(s->answer));
    vd_ipc_diag_encode(diag, &w);
    frame->size = w.len;
    s->counts[VD_SEC_STAT_FAILURES]++;
}

/* One request; false if there is none now, or the client must not ask further yet. */
static bool serve_one(struct vd_secd *s, struct vd_secd_client *client)
{
    struct vd_ipc_frame request, answer = {};
    struct vd_diag diag = {};
    size_t size = 0;
    vd_status status = vd_ipc_receive(client->fd, &s->buffer, VD_IPC_NO_WAIT, &request, NULL);

    if (status == VD_E_BUSY)
        return false;
    if (status == VD_E_MISSING) { /* it is done */
        client->dead = true;
        return false;
    }
    if (status == VD_OK &&
        (request.service != VD_IPC_SERVICE_SECURITY || (request.flags & VD_IPC_ANSWER) != 0)) {
        vd_fd_close(&request.fd);
        status = VD_E_INVALID;
    }
    if (status != VD_OK) {
        drop(s, client);
        return false;
    }
    status = vd_secd_answer(s, client, &request, &size, &diag);
    vd_fd_close(&request.fd);
    if (client->waiting) {
        want(s, client);
        return false;
    }
    answer.id = request.id;
    answer.verb = request.verb;
    answer_frame(s, status, &diag, size, &answer);
    if (status == VD_OK && request.verb == VD_SEC_HELLO)
        answer.fd = s->page.fd;
    send_answer(s, client, &answer);
    return client->answer == NULL && !client->dead;
}

static void serve(struct vd_secd *s, struct vd_secd_client *client, uint32_t events)
{
    if (client->waiting) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0)
            client->dead = true;
        return;
    }
    if (client->answer != NULL) {
        if ((events & EPOLLOUT) != 0)
            send_kept(s, client);
        else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
            client->dead = true;
        return;
    }
    for (uint32_t i = 0; i < VD_SECD_TURN && serve_one(s, client); i++) {
    }
}

static bool is_admin(const struct vd_secd *s, uint32_t uid)
{
    for (uint32_t i = 0; i < s->admin_count; i++) {
        if (s->admins[i] == uid)
            return true;
    }
    return false;
}

/* Whether there is room for one more of that user. */
static bool may_come(const struct vd_secd *s, uint32_t uid, bool admin)
{
    uint32_t same = 0;

    for (uint32_t i = 0; i < s->client_count; i++)
        same += s->clients[i]->peer.uid == uid;
    if (admin)
        return s->client_count < VD_SECD_CLIENTS_MAX;
    return s->client_count < VD_SECD_CLIENTS_MAX - VD_SECD_CLIENTS_RESERVED &&
           same < VD_SECD_CLIENTS_USER;
}

static void admit(struct vd_secd *s, int fd, const struct vd_ipc_peer *peer)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    bool admin = is_admin(s, peer->uid);
    struct vd_secd_client *client;

    if (!may_come(s, peer->uid, admin) || vd_secd_client_new(fd, peer, &client) != VD_OK) {
        s->counts[VD_SEC_STAT_REFUSED_CLIENTS]++;
        close(fd);
        return;
    }
    client->admin = admin;
    if (s->kernel.there)
        client->context = vd_secd_kernel_context(&s->kernel, fd);
    client->number = ++s->client_numbers;
    s->clients[s->client_count++] = client;
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        drop(s, client);
}

static void welcome(struct vd_secd *s)
{
    struct vd_ipc_peer peer;
    int fd;

    for (uint32_t i = 0; i < VD_SECD_TURN; i++) {
        if (vd_ipc_accept(s->listener, &fd, &peer, NULL) != VD_OK)
            return;
        admit(s, fd, &peer);
    }
}

/* A change has ended: its result goes into force, and whoever asked learns of it. */
static void finish_change(struct vd_secd *s)
{
    struct vd_secd_change *c = &s->change;
    struct vd_ipc_frame answer = {.id = c->id, .verb = (uint16_t)c->verb};
    struct vd_writer w;

    vd_secd_change_finish(c);
    if (c->status == VD_OK) {
        vd_secd_state_done(&s->state);
        s->state = c->next;
        c->next = (struct vd_secd_state){};
        s->counts[VD_SEC_STAT_LOADS] += c->verb == VD_SEC_LOAD;
        if (c->made.db.base != NULL)
            vd_secd_install(s, &c->made);
    } else {
        s->counts[VD_SEC_STAT_BAD_LOADS] += c->verb == VD_SEC_LOAD;
        /* In between an administrator may confirm or load: the policy before may be lost. */
        if (c->automatic)
            s->retry_ns = vd_sys_boottime_ns() + (uint64_t)VD_SECD_RETRY_MS * NS_PER_MS;
    }
    vd_writer_init(&w, s->answer, sizeof(s->answer));
    vd_write_le32(&w, s->state.sequence);
    vd_write_le64(&w, s->policy.db.base == NULL ? 0 : vd_policydb_header(&s->policy.db)->checksum);
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct vd_secd_client *client = s->clients[i];
        if (client->number != c->client || client->dead)
            continue;
        client->waiting = false;
        answer_frame(s, c->status, &c->diag, w.len, &answer);
        send_answer(s, client, &answer);
        want(s, client);
    }
}

/* When a load that is not confirmed is taken back. */
static uint64_t rollback_ns(const struct vd_secd *s)
{
    return s->state.deadline_ns > s->retry_ns ? s->state.deadline_ns : s->retry_ns;
}

/* Goes back to the policy before, where a load was not confirmed in time. */
static void watch_confirmation(struct vd_secd *s)
{
    struct vd_secd_change *c = &s->change;

    if (!s->state.unconfirmed || c->running || vd_sys_boottime_ns() < rollback_ns(s))
        return;
    c->verb = VD_SEC_ROLLBACK;
    c->automatic = true;
    c->client = 0;
    c->id = c->flags = c->confirm_s = c->bool_count = 0;
    c->peer = (struct vd_ipc_peer){.pid = getpid(), .uid = getuid(), .gid = getgid()};
    if (vd_secd_change_start(c, NULL) != VD_OK)
        s->retry_ns = vd_sys_boottime_ns() + (uint64_t)VD_SECD_RETRY_MS * NS_PER_MS;
}

static void drop_slow(struct vd_secd *s)
{
    uint64_t now = vd_sys_monotonic_ns();

    for (uint32_t i = 0; i < s->client_count; i++) {
        if (s->clients[i]->answer != NULL && now >= s->clients[i]->answer_deadline_ns)
            drop(s, s->clients[i]);
    }
}

/* Milliseconds until something must be looked at without being told; -1: never. */
static int timeout_ms(const struct vd_secd *s)
{
    int ms = -1;

    for (uint32_t i = 0; i < s->client_count && ms < 0; i++)
        ms = s->clients[i]->answer != NULL ? 1000 : -1;
    if (s->state.unconfirmed && !s->change.running) {
        uint64_t now = vd_sys_boottime_ns();
        uint64_t left = rollback_ns(s) > now ? rollback_ns(s) - now : 0;
        uint64_t left_ms = left / NS_PER_MS + 1;
        if (ms < 0 || left_ms < (uint64_t)ms)
            ms = left_ms > 1000 ? 1000 : (int)left_ms;
    }
    return ms;
}

/* False: a signal asks the server to end. */
static bool dispatch(struct vd_secd *s, const struct epoll_event *event)
{
    int fd = event->data.fd;
    struct vd_secd_client *client;

    if (fd == s->signals)
        return false;
    if (fd == s->listener) {
        welcome(s);
    } else if (fd == s->change.done) {
        finish_change(s);
    } else if (fd == s->audit.fd) {
        vd_secd_audit_receive(&s->audit);
    } else {
        client = client_of_fd(s, fd);
        if (client != NULL)
            serve(s, client, event->events);
    }
    return true;
}

vd_status vd_secd_run(struct vd_secd *s, struct vd_diag *diag)
{
    struct epoll_event events[VD_SECD_EVENTS];

    for (;;) {
        int count = epoll_wait(s->epoll, events, VD_SECD_EVENTS, timeout_ms(s));
        if (count < 0 && errno != EINTR)
            return vd_sys_errno(diag, errno, "cannot wait for requests", NULL);
        for (int i = 0; i < count; i++) {
            if (!dispatch(s, &events[i]))
                return VD_OK;
        }
        drop_slow(s);
        bury(s);
        watch_confirmation(s);
    }
}
