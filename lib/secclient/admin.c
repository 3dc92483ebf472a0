/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/secclient/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/ipc/socket.h"
#include "lib/sys.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct call {
    const char *socket;
    uint32_t verb;
    uint32_t timeout_ms;
    int fd; /* to pass; -1: none */
    const struct vd_writer *payload;
    struct vd_ipc_buffer *buffer;
};

static vd_status perform(const struct call *c, struct vd_reader *ret, struct vd_diag *diag)
{
    struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_SECURITY,
                                   .verb = (uint16_t)c->verb,
                                   .id = 1,
                                   .payload = c->payload->buf,
                                   .size = c->payload->len,
                                   .fd = c->fd};
    int fd VD_AUTO(vd_fd_close) = -1;
    struct vd_ipc_line line = {.buffer = c->buffer, .deadline_ns = vd_ipc_deadline(c->timeout_ms)};
    struct vd_ipc_frame answer;
    vd_status status = vd_ipc_connect(c->socket, line.deadline_ns, &fd, diag);

    if (status == VD_E_MISSING)
        vd_diag_hint(diag, "start the security server: veridian-securityd --store DIR");
    VD_TRY(status);
    line.fd = fd;
    VD_TRY(vd_ipc_call(&line, &request, &answer, diag));
    vd_fd_close(&answer.fd);
    vd_reader_init(ret, answer.payload, answer.size);
    return VD_OK;
}

static vd_status unexpected(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_INVALID, "the server's answer has another form");
}

/* A change: its answer is the policy in force afterwards. */
static vd_status change(struct call *c, struct vd_secadmin_result *ret, struct vd_diag *diag)
{
    struct vd_secadmin_result result;
    struct vd_reader r;
    vd_status status;

    c->timeout_ms = VD_SECADMIN_TIMEOUT_MS;
    c->buffer = malloc(sizeof(*c->buffer));
    if (c->buffer == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for an answer");
    status = perform(c, &r, diag);
    if (status == VD_OK &&
        (vd_read_le32(&r, &result.sequence) != VD_OK ||
         vd_read_le64(&r, &result.checksum) != VD_OK || vd_read_done(&r) != VD_OK))
        status = unexpected(diag);
    if (status == VD_OK)
        *ret = result;
    free(c->buffer);
    return status;
}

/* The policy's bytes in memory that nobody can change any more. */
static vd_status seal(const struct vd_secadmin_load *load, int *ret, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || vd_fd_write(fd, load->data, load->size) != VD_OK ||
        fcntl(fd, F_ADD_SEALS, SEALS) != 0)
        return vd_sys_errno(diag, errno, "cannot put the policy into memory", NULL);
    *ret = fd;
    fd = -1;
    return VD_OK;
}

vd_status vd_secadmin_load(const char *socket, const struct vd_secadmin_load *load,
                           struct vd_secadmin_result *ret, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = -1;
    uint8_t bytes[8];
    struct vd_writer w;
    struct call c = {.socket = socket, .verb = VD_SEC_LOAD, .payload = &w};

    VD_TRY(seal(load, &fd, diag));
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_le32(&w, load->stage ? VD_SEC_LOAD_STAGE : 0);
    vd_write_le32(&w, load->confirm_s);
    c.fd = fd;
    return change(&c, ret, diag);
}

vd_status vd_secadmin_commit(const char *socket, uint32_t confirm_s, struct vd_secadmin_result *ret,
                             struct vd_diag *diag)
{
    uint8_t bytes[4];
    struct vd_writer w;
    struct call c = {.socket = socket, .verb = VD_SEC_COMMIT, .payload = &w, .fd = -1};

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_le32(&w, confirm_s);
    return change(&c, ret, diag);
}

vd_status vd_secadmin_simple(const char *socket, enum vd_sec_verb verb,
                             struct vd_secadmin_result *ret, struct vd_diag *diag)
{
    struct vd_writer w = {};
    struct call c = {.socket = socket, .verb = verb, .payload = &w, .fd = -1};

    return change(&c, ret, diag);
}

vd_status vd_secadmin_set_bools(const char *socket, const struct vd_secadmin_set *set,
                                struct vd_secadmin_result *ret, struct vd_diag *diag)
{
    uint8_t *bytes = malloc(VD_IPC_PAYLOAD_MAX);
    struct vd_writer w;
    struct call c = {.socket = socket, .verb = VD_SEC_SET_BOOLS, .payload = &w, .fd = -1};
    vd_status status;

    if (bytes == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a request");
    vd_writer_init(&w, bytes, VD_IPC_PAYLOAD_MAX);
    vd_write_u8(&w, set->persistent);
    vd_write_le16(&w, (uint16_t)set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        size_t len = strlen(set->bools[i].name);
        vd_write_u8(&w, set->bools[i].value);
        vd_write_le16(&w, (uint16_t)len);
        vd_write_bytes(&w, set->bools[i].name, len);
    }
    if (set->count > VD_SEC_BOOLS_MAX || vd_write_done(&w) != VD_OK)
        status = vd_diagf(diag, VD_E_LIMIT, "at most %u booleans at once", VD_SEC_BOOLS_MAX);
    else
        status = change(&c, ret, diag);
    free(bytes);
    return status;
}

static vd_status read_bool(struct vd_reader *r, struct vd_secadmin_bool *ret)
{
    const uint8_t *bytes;
    uint8_t value, persistent;
    uint16_t len;

    VD_TRY(vd_read_u8(r, &value));
    VD_TRY(vd_read_u8(r, &persistent));
    VD_TRY(vd_read_le16(r, &len));
    VD_TRY(vd_read_bytes(r, len, &bytes));
    if (len > VD_SEC_NAME_MAX || memchr(bytes, '\0', len) != NULL || value > 1 || persistent > 1)
        return VD_E_INVALID;
    *ret = (struct vd_secadmin_bool){.value = value == 1, .persistent = persistent == 1};
    vd_copy(ret->name, bytes, len);
    return VD_OK;
}

struct bool_list {
    uint64_t stamp;
    uint32_t total;
    uint32_t asked; /* numbers seen so far, unused ones too */
    uint32_t count;
    struct vd_secadmin_bool *rows; /* owned */
};

/* The next part of the list. */
static vd_status take_bools(struct call *c, struct bool_list *list, struct vd_diag *diag)
{
    uint8_t bytes[4];
    struct vd_writer w;
    struct vd_reader r;
    uint64_t stamp;
    uint32_t total;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_le32(&w, list->asked);
    c->payload = &w;
    VD_TRY(perform(c, &r, diag));
    if (vd_read_le64(&r, &stamp) != VD_OK || vd_read_le32(&r, &total) != VD_OK || total > 65536)
        return unexpected(diag);
    if (list->rows == NULL) {
        list->rows = calloc(total + 1, sizeof(*list->rows));
        list->stamp = stamp;
        list->total = total;
        if (list->rows == NULL)
            return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the booleans");
    }
    if (stamp != list->stamp || total != list->total)
        return vd_diag_fail(diag, VD_E_BUSY, "the policy changed while its booleans were read");
    while (vd_reader_left(&r) != 0 && list->asked < total) {
        if (read_bool(&r, &list->rows[list->count]) != VD_OK)
            return unexpected(diag);
        list->count += list->rows[list->count].name[0] != '\0';
        list->asked++;
    }
    return vd_reader_left(&r) == 0 ? VD_OK : unexpected(diag);
}

vd_status vd_secadmin_bools(const char *socket, struct vd_secadmin_bool **ret, uint32_t *ret_count,
                            struct vd_diag *diag)
{
    struct call c = {
        .socket = socket, .verb = VD_SEC_BOOLS, .timeout_ms = VD_SECADMIN_TIMEOUT_MS, .fd = -1};
    struct bool_list list = {};
    uint32_t before;
    vd_status status;

    c.buffer = malloc(sizeof(*c.buffer));
    if (c.buffer == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for an answer");
    do {
        before = list.asked;
        status = take_bools(&c, &list, diag);
    } while (status == VD_OK && list.asked < list.total && list.asked != before);
    free(c.buffer);
    if (status == VD_OK && list.asked != list.total)
        status = unexpected(diag);
    if (status != VD_OK) {
        free(list.rows);
        return status;
    }
    *ret = list.rows;
    *ret_count = list.count;
    return VD_OK;
}

vd_status vd_secadmin_status(const char *socket, uint32_t timeout_ms,
                             uint64_t ret[VD_SEC_STATUS_COUNT], struct vd_diag *diag)
{
    struct vd_writer w = {};
    struct call c = {
        .socket = socket, .verb = VD_SEC_STATUS, .timeout_ms = timeout_ms, .fd = -1, .payload = &w};
    uint64_t counts[VD_SEC_STATUS_COUNT];
    struct vd_reader r;
    uint32_t count = 0;
    vd_status status;

    c.buffer = malloc(sizeof(*c.buffer));
    if (c.buffer == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for an answer");
    status = perform(&c, &r, diag);
    if (status == VD_OK && (vd_read_le32(&r, &count) != VD_OK || count != VD_SEC_STATUS_COUNT))
        status = unexpected(diag);
    for (uint32_t i = 0; status == VD_OK && i < count; i++)
        status = vd_read_le64(&r, &counts[i]) == VD_OK ? VD_OK : unexpected(diag);
    if (status == VD_OK)
        vd_copy(ret, counts, sizeof(counts));
    free(c.buffer);
    return status;
}
