/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/producers.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/abi/audit_ipc.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "services/audit/sys.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

vd_status vd_audit_producers_listen(struct vd_audit_producers *p, const char *path, mode_t mode,
                                    struct vd_diag *diag)
{
    VD_TRY(vd_audit_arena_init(&p->rings.arena, diag));
    return vd_ipc_listen(path, mode, &p->listener, diag);
}

void vd_audit_producers_done(struct vd_audit_producers *p)
{
    while (p->client_count != 0) {
        vd_audit_shared_done(&p->rings.arena, &p->clients[--p->client_count].handed.shared);
        vd_fd_close(&p->clients[p->client_count].process);
        vd_fd_close(&p->clients[p->client_count].fd);
    }
    vd_audit_arena_done(&p->rings.arena);
    vd_fd_close(&p->listener);
}

static vd_status watch(const struct vd_audit_producers *p, int fd, struct vd_diag *diag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return vd_audit_errno(diag, errno, "cannot watch for records", NULL);
    return VD_OK;
}

vd_status vd_audit_producers_start(struct vd_audit_producers *p, int epoll, struct vd_diag *diag)
{
    p->epoll = epoll;
    return p->listener < 0 ? VD_OK : watch(p, p->listener, diag);
}

static bool may_produce(const struct vd_audit_producers *p, uint32_t uid)
{
    bool may = uid == 0;

    for (uint32_t i = 0; i < p->uid_count; i++)
        may = may || p->uids[i] == uid;
    return may;
}

static void welcome(struct vd_audit_producers *p)
{
    struct vd_ipc_peer peer;
    int fd;

    while (vd_ipc_accept(p->listener, &fd, &peer, NULL) == VD_OK) {
        if (!may_produce(p, peer.uid) || p->client_count >= VD_AUDIT_PRODUCERS_MAX ||
            watch(p, fd, NULL) != VD_OK) {
            close(fd);
            continue;
        }
        p->clients[p->client_count].fd = fd;
        p->clients[p->client_count].process = -1;
        p->clients[p->client_count].ended = false;
        p->clients[p->client_count].handed = (struct vd_audit_handed){};
        vd_audit_source_init(&p->clients[p->client_count++].handed.source, &peer);
    }
}

bool vd_audit_producers_event(struct vd_audit_producers *p, int fd)
{
    if (p->listener >= 0 && fd == p->listener) {
        welcome(p);
        return true;
    }
    for (uint32_t i = 0; i < p->client_count; i++) {
        if (p->clients[i].fd == fd)
            return true; /* read by the next _take */
        if (p->clients[i].process == fd)
            return p->clients[i].ended = true;
    }
    return false;
}

static void drop(struct vd_audit_producers *p, uint32_t index)
{
    int fd = p->clients[index].fd;

    for (uint32_t i = 0; i < p->pending_count; i++) {
        if (p->pending[i].fd == fd)
            p->pending[i].fd = -1;
    }
    close(fd);
    vd_fd_close(&p->clients[index].process);
    p->clients[index] = p->clients[--p->client_count];
}

/* Answers a request; `answer` has its verb, its id and what goes with it. */
static void send_answer(int fd, struct vd_ipc_frame answer, const struct vd_diag *why)
{
    uint8_t bytes[1024];
    struct vd_writer w;

    answer.service = VD_IPC_SERVICE_AUDIT;
    answer.flags = VD_IPC_ANSWER;
    answer.status = why != NULL ? (uint32_t)why->status : VD_OK;
    vd_writer_init(&w, bytes, sizeof(bytes));
    if (answer.status != VD_OK)
        vd_ipc_diag_encode(why, &w);
    answer.payload = bytes;
    answer.size = w.len;
    /* Who does not take answers does not get them: the log waits for nobody. */
    (void)!vd_ipc_send(fd, &answer, VD_IPC_NO_WAIT, NULL);
}

/* A record, which is answered after the sync. */
static vd_status take_record(struct vd_audit_producers *p, uint32_t index,
                             const struct vd_ipc_frame *frame, const struct vd_audit_sink *sink)
{
    struct vd_audit_given given = {.bytes = frame->payload, .size = frame->size};
    int fd = p->clients[index].fd;
    struct vd_diag why = {};
    vd_status status;

    status = vd_audit_source_append(&p->clients[index].handed.source, &given, sink, &why);
    if (status == VD_OK) {
        p->pending[p->pending_count++] = (struct vd_audit_pending){fd, frame->id};
        p->received++;
        return VD_OK;
    }
    if (why.status == VD_OK) /* the log's failure */
        return status;
    send_answer(fd, (struct vd_ipc_frame){.verb = frame->verb, .id = frame->id, .fd = -1}, &why);
    return VD_OK;
}

/*
 * A service's death must be seen although a child of it holds the connection, or
 * a place that it left unfinished would hold up the records behind it. A kernel
 * without SO_PEERPIDFD shows the connection's end alone.
 */
static void watch_process(struct vd_audit_producers *p, uint32_t index)
{
    int fd VD_AUTO(vd_fd_close) = -1;
    socklen_t size = sizeof(fd);

    if (getsockopt(p->clients[index].fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) != 0 ||
        watch(p, fd, NULL) != VD_OK)
        return;
    p->clients[index].process = fd;
    fd = -1;
}

static void give_ring(struct vd_audit_producers *p, uint32_t index, struct vd_ipc_frame *frame)
{
    struct vd_ipc_frame answer = {.verb = frame->verb, .id = frame->id, .fd = -1};
    bool handed_over = frame->fd >= 0;
    struct vd_diag why = {};
    vd_status status;

    status = vd_audit_rings_open(&p->rings, &p->clients[index].handed, &frame->fd, &why);
    if (status == VD_OK && !handed_over)
        answer.fd = frame->fd;
    if (status == VD_OK && p->clients[index].process < 0)
        watch_process(p, index);
    send_answer(p->clients[index].fd, answer, status != VD_OK ? &why : NULL);
}

/* What a request must look like: the verb, whether it has a payload, and a descriptor. */
static bool acceptable(const struct vd_ipc_frame *frame)
{
    if (frame->service != VD_IPC_SERVICE_AUDIT || (frame->flags & VD_IPC_ANSWER) != 0)
        return false;
    return (frame->verb == VD_AUDIT_IPC_RECORD && frame->fd < 0) ||
           (frame->verb == VD_AUDIT_IPC_RING && frame->size == 0) ||
           (frame->verb == VD_AUDIT_IPC_WAKE && frame->size == 0 && frame->fd < 0);
}

/* All that one producer has to say, while there is room in the batch. */
static vd_status take_from(struct vd_audit_producers *p, uint32_t index,
                           const struct vd_audit_sink *sink, bool *ret_dead)
{
    *ret_dead = false;
    for (uint32_t i = 0; i < VD_AUDIT_PRODUCER_BATCH && p->pending_count < VD_AUDIT_PRODUCER_BATCH;
         i++) {
        struct vd_ipc_frame frame;
        vd_status status =
            vd_ipc_receive(p->clients[index].fd, &p->buffer, VD_IPC_NO_WAIT, &frame, NULL);
        if (status == VD_E_BUSY)
            return VD_OK;
        *ret_dead = status != VD_OK || !acceptable(&frame);
        if (status != VD_OK)
            return VD_OK;
        if (!*ret_dead && frame.verb == VD_AUDIT_IPC_RECORD)
            VD_TRY(take_record(p, index, &frame, sink));
        if (!*ret_dead && frame.verb == VD_AUDIT_IPC_RING)
            give_ring(p, index, &frame);
        vd_fd_close(&frame.fd);
        if (*ret_dead)
            return VD_OK;
    }
    return VD_OK;
}

vd_status vd_audit_producers_take(struct vd_audit_producers *p, struct vd_audit_log *log,
                                  struct vd_diag *diag)
{
    struct vd_audit_sink sink = {log, diag};

    for (uint32_t i = p->client_count; i > 0; i--) {
        struct vd_audit_handed *handed = &p->clients[i - 1].handed;
        bool dead;
        VD_TRY(take_from(p, i - 1, &sink, &dead));
        if (!dead && !p->clients[i - 1].ended) {
            VD_TRY(vd_audit_rings_take(&p->rings, handed, &sink));
            continue;
        }
        VD_TRY(vd_audit_rings_end(&p->rings, handed, &sink));
        drop(p, i - 1);
    }
    return VD_OK;
}

void vd_audit_producers_answer(struct vd_audit_producers *p)
{
    for (uint32_t i = 0; i < p->pending_count; i++) {
        struct vd_ipc_frame answer = {
            .verb = VD_AUDIT_IPC_RECORD, .id = p->pending[i].id, .fd = -1};
        if (p->pending[i].fd >= 0)
            send_answer(p->pending[i].fd, answer, NULL);
    }
    p->pending_count = 0;
    for (uint32_t i = 0; i < p->client_count; i++)
        vd_audit_shared_release(&p->clients[i].handed.shared);
}

int vd_audit_producers_rest(struct vd_audit_producers *p, int wait_ms)
{
    uint64_t idle_ns = vd_audit_boottime_ns() - p->rings.taken_ns;
    bool doze = idle_ns < VD_AUDIT_PRODUCER_AWAKE_MS * UINT64_C(1'000'000);
    bool rings = false, waits = false;

    for (uint32_t i = 0; i < p->client_count; i++) {
        struct vd_audit_shared *s = &p->clients[i].handed.shared;
        if (s->mem == NULL)
            continue;
        rings = true;
        if (vd_audit_shared_state(s, doze ? VD_AUDITRING_DOZING : VD_AUDITRING_ASLEEP))
            waits = true;
    }
    if (waits)
        return 0;
    return rings && doze ? (int)VD_AUDITRING_DOZE_MS : wait_ms;
}

void vd_audit_producers_wake(struct vd_audit_producers *p)
{
    for (uint32_t i = 0; i < p->client_count; i++) {
        if (p->clients[i].handed.shared.mem != NULL)
            (void)vd_audit_shared_state(&p->clients[i].handed.shared, VD_AUDITRING_AWAKE);
    }
}

vd_status vd_audit_producers_stop(struct vd_audit_producers *p, struct vd_audit_log *log,
                                  struct vd_diag *diag)
{
    struct vd_audit_sink sink = {log, diag};

    for (uint32_t i = 0; i < p->client_count; i++) {
        struct vd_audit_handed *handed = &p->clients[i].handed;
        if (handed->shared.mem == NULL)
            continue;
        vd_audit_shared_leave(&handed->shared);
        VD_TRY(vd_audit_rings_take(&p->rings, handed, &sink));
    }
    VD_TRY(vd_audit_log_sync(log, diag));
    vd_audit_producers_answer(p);
    return VD_OK;
}
