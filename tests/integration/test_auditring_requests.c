/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What services ask of a real veridian-auditd over its socket: rings and single
 * records, in the right form and in wrong ones.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/abi/audit_ipc.h"
#include "lib/auditring/write.h"
#include "lib/file.h"
#include "lib/ipc/socket.h"
#include "tests/harness.h"
#include "tests/support/auditd.h"

static vd_status ask(int fd, uint16_t verb, int pass, uint32_t payload, struct vd_diag *diag)
{
    static struct vd_ipc_buffer buffer;
    static const uint8_t bytes[64];
    struct vd_ipc_line line = {fd, &buffer, vd_ipc_deadline(20'000)};
    struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_AUDIT,
                                   .verb = verb,
                                   .id = 7,
                                   .payload = bytes,
                                   .size = payload,
                                   .fd = pass};
    struct vd_ipc_frame answer;
    vd_status status = vd_ipc_call(&line, &request, &answer, diag);

    if (status == VD_OK)
        vd_fd_close(&answer.fd);
    return status;
}

/* The protocol's own edges: a second ring, what is no ring, requests of a wrong form. */
VD_TEST(auditring_requests)
{
    int fd = -1, null VD_AUTO(vd_fd_close) = -1;

    auditd_prepare();
    auditd_start();
    VD_EXPECT_EQ(vd_ipc_connect(auditd.socket, vd_ipc_deadline(20'000), &fd, NULL), VD_OK);
    null = memfd_create("test", MFD_CLOEXEC);
    VD_EXPECT(null >= 0);
    VD_EXPECT_EQ(ask(fd, VD_AUDIT_IPC_RING, null, 0, NULL), VD_E_INVALID);
    VD_EXPECT_EQ(ask(fd, VD_AUDIT_IPC_RING, -1, 0, NULL), VD_OK);
    VD_EXPECT_EQ(ask(fd, VD_AUDIT_IPC_RING, -1, 0, NULL), VD_E_EXISTS);
    VD_EXPECT_EQ(ask(fd, VD_AUDIT_IPC_RING, -1, 1, NULL), VD_E_MISSING);
    close(fd);
    VD_EXPECT_EQ(vd_ipc_connect(auditd.socket, vd_ipc_deadline(20'000), &fd, NULL), VD_OK);
    VD_EXPECT_EQ(ask(fd, VD_AUDIT_IPC_WAKE, null, 0, NULL), VD_E_MISSING);
    close(fd);
    VD_EXPECT_EQ(vd_ipc_connect(auditd.socket, vd_ipc_deadline(20'000), &fd, NULL), VD_OK);
    VD_EXPECT_EQ(ask(fd, VD_AUDIT_IPC_RECORD, null, 16, NULL), VD_E_MISSING);
    close(fd);
    VD_EXPECT_EQ(vd_ipc_connect(auditd.socket, vd_ipc_deadline(20'000), &fd, NULL), VD_OK);
    VD_EXPECT_EQ(ask(fd, VD_AUDIT_IPC_RECORD, -1, 16, NULL), VD_E_VERSION);
    close(fd);
    if (auditd.pid != 0)
        VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
}

static vd_status count(void *ctx, uint64_t segment, const struct vd_audit_frame *frame,
                       const struct vd_audit_record *r)
{
    (void)segment;
    (void)frame;
    *(uint32_t *)ctx += r != NULL && r->type == VD_EVENT_TYPE_AUTHORISATION;
    return VD_OK;
}

/* A record on the disk before the call returns, with the sender's names refused. */
VD_TEST(auditring_durable_record)
{
    static const char text[] = "a key was destroyed", name[] = "source_uid", filler[4000];
    struct vd_audit_record r = {.type = VD_EVENT_TYPE_AUTHORISATION};
    uint32_t records = 0;
    struct vd_audit_report report;

    auditd_prepare();
    auditd_start();
    VD_AUDIT_SET(&r, UID, uid, 1);
    VD_AUDIT_SET(&r, DETAIL, detail, 5);
    VD_AUDIT_SET(&r, MESSAGE, message, ((struct vd_audit_text){text, sizeof(text) - 1}));
    VD_EXPECT_EQ(vd_audit_write(auditd.socket, &r, vd_ipc_deadline(20'000), NULL), VD_OK);
    r.extra[r.extra_count++] = (struct vd_audit_extra){{name, sizeof(name) - 1}, {name, 1}};
    VD_EXPECT_EQ(vd_audit_write(auditd.socket, &r, vd_ipc_deadline(20'000), NULL), VD_E_INVALID);
    for (r.extra_count = 0; r.extra_count < 4; r.extra_count++)
        r.extra[r.extra_count] = (struct vd_audit_extra){{name, 1}, {filler, 4000}};
    r.extra[r.extra_count++] = (struct vd_audit_extra){{name, 1}, {filler, 250}};
    /* It would not fit with what the daemon adds: refused, and the daemon lives on. */
    VD_EXPECT_EQ(vd_audit_write(auditd.socket, &r, vd_ipc_deadline(20'000), NULL), VD_E_LIMIT);
    r.extra_count = 0;
    VD_AUDIT_SET(&r, DETAIL, detail, 6);
    VD_EXPECT_EQ(vd_audit_write(auditd.socket, &r, vd_ipc_deadline(20'000), NULL), VD_OK);
    VD_EXPECT_EQ(auditd_end(SIGKILL), 1000 + SIGKILL);
    VD_EXPECT_EQ(vd_audit_write(auditd.socket, &r, vd_ipc_deadline(20'000), NULL), VD_E_MISSING);
    auditd_read(auditd.log, count, &records, &report);
    VD_EXPECT_EQ(records, 2);
    if (auditd.pid != 0)
        VD_EXPECT_EQ(auditd_end(SIGTERM), 0);
}
