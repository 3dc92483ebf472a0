/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/auditring/write.h"

#include <stdlib.h>

#include "core/abi/audit_ipc.h"
#include "lib/file.h"
#include "lib/ipc/socket.h"

vd_status vd_audit_request(const struct vd_audit_record *record,
                           uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES], struct vd_ipc_frame *ret)
{
    struct vd_writer w;

    vd_writer_init(&w, bytes, VD_AUDIT_RECORD_MAX_BYTES);
    VD_TRY(vd_audit_record_encode(record, &w));
    *ret = (struct vd_ipc_frame){.service = VD_IPC_SERVICE_AUDIT,
                                 .verb = VD_AUDIT_IPC_RECORD,
                                 .payload = bytes,
                                 .size = w.len,
                                 .fd = -1};
    return VD_OK;
}

vd_status vd_audit_write(const char *path, const struct vd_audit_record *record,
                         uint64_t deadline_ns, struct vd_diag *diag)
{
    struct vd_ipc_line line = {.fd = -1, .deadline_ns = deadline_ns};
    uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES];
    struct vd_ipc_frame frame, answer;
    vd_status status;

    if (vd_audit_request(record, bytes, &frame) != VD_OK)
        return vd_diag_fail(diag, VD_E_BUG, "what is to be recorded does not fit a record");
    line.buffer = malloc(sizeof(*line.buffer));
    if (line.buffer == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a record");
    status = vd_ipc_connect(path, line.deadline_ns, &line.fd, diag);
    if (status == VD_OK)
        status = vd_ipc_call(&line, &frame, &answer, diag);
    if (status == VD_OK)
        vd_fd_close(&answer.fd);
    vd_fd_close(&line.fd);
    free(line.buffer);
    return status;
}
