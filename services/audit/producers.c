/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/audit/producers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/abi/audit_ipc.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "services/audit/sys.h"

/* What only the daemon knows. */
#define OWN_FIELDS                                                                         \
    (UINT64_C(1) << VD_AUDIT_TAG_REALTIME | UINT64_C(1) << VD_AUDIT_TAG_BOOTTIME |         \
     UINT64_C(1) << VD_AUDIT_TAG_EVENT_SEQUENCE | UINT64_C(1) << VD_AUDIT_TAG_LOST_FIRST | \
     UINT64_C(1) << VD_AUDIT_TAG_LOST_COUNT)
#define OWN_EXTRAS 2u

vd_status vd_audit_producers_listen(struct vd_audit_producers *p, const char *path, mode_t mode,
                                    struct vd_diag *diag)
{
    return vd_ipc_listen(path, mode, &p->listener, diag);
}

void vd_audit_producers_done(struct vd_audit_producers *p)
{
    while (p->client_count != 0)
        vd_fd_close(&p->clients[--p->client_count].fd);
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
        p->clients[p->client_count++].peer = peer;
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
    p->clients[index] = p->clients[--p->client_count];
}

static void send_answer(const struct vd_audit_pending *to, vd_status status,
                        const struct vd_diag *why)
{
    uint8_t bytes[1024];
    struct vd_writer w;
    struct vd_ipc_frame answer = {.service = VD_IPC_SERVICE_AUDIT,
                                  .verb = VD_AUDIT_IPC_RECORD,
                                  .flags = VD_IPC_ANSWER,
                                  .id = to->id,
                                  .status = (uint32_t)status,
                                  .fd = -1};

    vd_writer_init(&w, bytes, sizeof(bytes));
    if (status != VD_OK)
        vd_ipc_diag_encode(why, &w);
    answer.payload = bytes;
    answer.size = w.len;
    /* Who does not take answers does not get them: the log waits for nobody. */
    (void)!vd_ipc_send(to->fd, &answer, VD_IPC_NO_WAIT, NULL);
}

static vd_status check_record(const struct vd_audit_record *r, struct vd_diag *why)
{
    if ((r->present & OWN_FIELDS) != 0 || r->type == VD_EVENT_TYPE_LOST ||
        r->type == VD_EVENT_TYPE_LOG)
        return vd_diag_fail(why, VD_E_INVALID, "a record of this kind is the daemon's own");
    if (r->extra_count + OWN_EXTRAS > VD_AUDIT_EXTRA_MAX)
        return vd_diag_fail(why, VD_E_LIMIT, "too many free fields");
    return VD_OK;
}

static void add_number(struct vd_audit_record *r, const char *name, long number, char buf[24])
{
    int size = snprintf(buf, 24, "%ld", number);

    r->extra[r->extra_count++] =
        (struct vd_audit_extra){{name, (uint32_t)strlen(name)}, {buf, (uint32_t)size}};
}

/* Adds what the daemon knows; a failure that is the record's goes to `why`. */
static vd_status append(const struct vd_ipc_frame *frame, const struct vd_ipc_peer *peer,
                        struct vd_audit_log *log, struct vd_diag *why, struct vd_diag *diag)
{
    struct vd_audit_record r;
    char pid[24], uid[24];

    VD_TRY(vd_audit_record_parse(frame->payload, frame->size, &r, why));
    VD_TRY(check_record(&r, why));
    VD_AUDIT_SET(&r, REALTIME, realtime_ns, vd_audit_realtime_ns());
    VD_AUDIT_SET(&r, BOOTTIME, boottime_ns, vd_audit_boottime_ns());
    add_number(&r, "source_pid", peer->pid, pid);
    add_number(&r, "source_uid", (long)peer->uid, uid);
    return vd_audit_log_append(log, &r, NULL, diag);
}

/* False: nothing waits there, or the connection is to be dropped (then *ret_dead). */
static bool take_one(struct vd_audit_producers *p, uint32_t index, struct vd_ipc_frame *ret,
                     bool *ret_dead)
{
    vd_status status = vd_ipc_receive(p->clients[index].fd, &p->buffer, VD_IPC_NO_WAIT, ret, NULL);

    *ret_dead = status != VD_OK && status != VD_E_BUSY;
    if (status != VD_OK)
        return false;
    if (ret->service == VD_IPC_SERVICE_AUDIT && ret->verb == VD_AUDIT_IPC_RECORD &&
        (ret->flags & VD_IPC_ANSWER) == 0 && ret->fd < 0)
        return true;
    vd_fd_close(&ret->fd);
    *ret_dead = true;
    return false;
}

/* All that one producer has to say, while there is room in the batch. */
static vd_status take_from(struct vd_audit_producers *p, uint32_t index, struct vd_audit_log *log,
                           struct vd_diag *diag, bool *ret_dead)
{
    struct vd_ipc_frame frame;

    *ret_dead = false;
    while (p->pending_count < VD_AUDIT_PRODUCER_BATCH && take_one(p, index, &frame, ret_dead)) {
        struct vd_audit_pending pending = {p->clients[index].fd, frame.id};
        struct vd_diag why = {};
        vd_status status = append(&frame, &p->clients[index].peer, log, &why, diag);
        if (status == VD_OK) {
            p->pending[p->pending_count++] = pending;
            p->received++;
            continue;
        }
        if (why.status == VD_OK) /* the log's failure */
            return status;
        send_answer(&pending, status, &why);
    }
    return VD_OK;
}

vd_status vd_audit_producers_take(struct vd_audit_producers *p, struct vd_audit_log *log,
                                  struct vd_diag *diag)
{
    for (uint32_t i = p->client_count; i > 0; i--) {
        bool dead;
        VD_TRY(take_from(p, i - 1, log, diag, &dead));
        if (dead)
            drop(p, i - 1);
    }
    return VD_OK;
}

void vd_audit_producers_answer(struct vd_audit_producers *p)
{
    for (uint32_t i = 0; i < p->pending_count; i++) {
        if (p->pending[i].fd >= 0)
            send_answer(&p->pending[i], VD_OK, NULL);
    }
    p->pending_count = 0;
}
