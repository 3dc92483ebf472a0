/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/audit.h"

#include <string.h>
#include <sys/epoll.h>

#include "lib/auditring/write.h"
#include "lib/file.h"
#include "lib/sys.h"

#define RETRY_NS 1'000'000'000u

void vd_secd_audit_init(struct vd_secd_audit *audit, const char *path, int epoll)
{
    audit->path = path;
    audit->fd = -1;
    audit->epoll = epoll;
}

void vd_secd_audit_done(struct vd_secd_audit *audit)
{
    vd_fd_close(&audit->fd);
}

/* Connects at most once a second, never waits. */
static bool connected(struct vd_secd_audit *audit)
{
    struct epoll_event event = {.events = EPOLLIN};
    uint64_t now;

    if (audit->fd >= 0)
        return true;
    now = vd_sys_monotonic_ns();
    if (audit->path == NULL || now < audit->retry_ns)
        return false;
    audit->retry_ns = now + RETRY_NS;
    if (vd_ipc_connect(audit->path, VD_IPC_NO_WAIT, &audit->fd, NULL) != VD_OK)
        return false;
    event.data.fd = audit->fd;
    if (epoll_ctl(audit->epoll, EPOLL_CTL_ADD, audit->fd, &event) != 0)
        vd_fd_close(&audit->fd);
    return audit->fd >= 0;
}

static bool send_one(struct vd_secd_audit *audit, const struct vd_audit_record *record)
{
    uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES];
    struct vd_ipc_frame frame;
    vd_status status;

    if (vd_audit_request(record, bytes, &frame) != VD_OK || !connected(audit))
        return false;
    frame.id = ++audit->id;
    status = vd_ipc_send(audit->fd, &frame, VD_IPC_NO_WAIT, NULL);
    if (status != VD_OK && status != VD_E_BUSY)
        vd_fd_close(&audit->fd);
    audit->sent += status == VD_OK;
    return status == VD_OK;
}

/* What was lost before comes first, so that the log says where records are missing. */
static bool say_lost(struct vd_secd_audit *audit)
{
    static const char message[] = "decisions of the security server were not recorded";
    static const char name[] = "count";
    char count[24];
    struct vd_text text;
    struct vd_audit_record record = {.type = VD_EVENT_TYPE_ANOMALY};

    if (audit->unsaid == 0)
        return true;
    vd_text_init(&text, count, sizeof(count));
    vd_text_u64(&text, audit->unsaid);
    VD_AUDIT_SET(&record, MESSAGE, message, ((struct vd_audit_text){message, sizeof(message) - 1}));
    record.extra[0] =
        (struct vd_audit_extra){{name, sizeof(name) - 1}, {count, (uint32_t)text.len}};
    record.extra_count = 1;
    if (!send_one(audit, &record))
        return false;
    audit->unsaid = 0;
    return true;
}

void vd_secd_audit_send(struct vd_secd_audit *audit, const struct vd_audit_record *record)
{
    if (audit->path == NULL || (say_lost(audit) && send_one(audit, record)))
        return;
    audit->lost++;
    audit->unsaid++;
}

void vd_secd_audit_receive(struct vd_secd_audit *audit)
{
    struct vd_ipc_frame frame;
    vd_status status = VD_OK;

    while (audit->fd >= 0 && status == VD_OK) {
        status = vd_ipc_receive(audit->fd, &audit->buffer, VD_IPC_NO_WAIT, &frame, NULL);
        if (status != VD_OK)
            break;
        vd_fd_close(&frame.fd);
        if (frame.status != VD_OK) { /* the daemon has no use for it */
            audit->lost++;
            audit->unsaid++;
        }
    }
    if (status != VD_E_BUSY)
        vd_fd_close(&audit->fd);
}

vd_status vd_secd_audit_write(const char *path, const struct vd_audit_record *record,
                              struct vd_diag *diag)
{
    return vd_audit_write(path, record, vd_ipc_deadline(VD_SECD_AUDIT_WAIT_MS), diag);
}
