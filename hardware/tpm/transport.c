/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "hardware/tpm/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/reader.h"
#include "lib/diagf.h"
#include "lib/file.h"

#define TIMEOUT_MS   120000
#define HEADER_BYTES 10u

static vd_status open_device(const char *path, struct vd_tpm *ret, struct vd_diag *diag)
{
    ret->fd = open(path, O_RDWR | O_CLOEXEC);
    ret->shared = strstr(path, "/tpmrm") != NULL;
    if (ret->fd >= 0)
        return VD_OK;
    if (errno == EBUSY)
        return vd_diagf_errno(diag, VD_E_BUSY, errno, "cannot open %s", path);
    return vd_diagf_errno(diag, VD_E_MISSING, errno, "cannot open the TPM %s", path);
}

static vd_status open_unix(const char *path, struct vd_tpm *ret, struct vd_diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return vd_diagf(diag, VD_E_USAGE, "the socket's path is too long: %s", path);
    memcpy(address.sun_path, path, strlen(path));
    ret->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ret->fd < 0 || connect(ret->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        vd_status status =
            vd_diagf_errno(diag, VD_E_MISSING, errno, "cannot connect to the TPM at %s", path);
        vd_tpm_close(ret);
        return status;
    }
    return VD_OK;
}

/* "host=ADDRESS,port=NUMBER" */
static vd_status open_tcp(const char *text, struct vd_tpm *ret, struct vd_diag *diag)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *comma = strchr(text, ',');
    char host[INET_ADDRSTRLEN] = {};
    unsigned long port = 0;
    char *end = NULL;

    if (comma != NULL && strncmp(text, "host=", 5) == 0 && strncmp(comma, ",port=", 6) == 0 &&
        (size_t)(comma - text - 5) < sizeof(host)) {
        memcpy(host, text + 5, (size_t)(comma - text - 5));
        port = strtoul(comma + 6, &end, 10);
    }
    if (end == NULL || *end != '\0' || port == 0 || port > UINT16_MAX ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\": expected host=ADDRESS,port=NUMBER", text);
    address.sin_port = htons((uint16_t)port);
    ret->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ret->fd < 0 || connect(ret->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        vd_status status =
            vd_diagf_errno(diag, VD_E_MISSING, errno, "cannot connect to the TPM at %s", text);
        vd_tpm_close(ret);
        return status;
    }
    return VD_OK;
}

static vd_status open_default(struct vd_tpm *ret, struct vd_diag *diag)
{
    static const char *const nodes[] = {"/dev/tpmrm0", "/dev/tpm0"};

    for (size_t i = 0; i < VD_COUNT(nodes); i++) {
        if (access(nodes[i], F_OK) == 0)
            return open_device(nodes[i], ret, diag);
    }
    vd_diag_hint(diag,
                 "name one with --tpm or VERIDIAN_TPM, for example swtpm:path=/run/swtpm.sock");
    return vd_diag_fail(diag, VD_E_MISSING,
                        "this machine has no TPM: no /dev/tpmrm0, no /dev/tpm0");
}

vd_status vd_tpm_open(struct vd_tpm *ret, const char *name, struct vd_diag *diag)
{
    struct vd_tpm tpm = {.fd = -1};
    vd_status status;

    if (name == NULL)
        name = getenv("VERIDIAN_TPM");
    if (name == NULL || name[0] == '\0')
        status = open_default(&tpm, diag);
    else if (strncmp(name, "device:", 7) == 0)
        status = open_device(name + 7, &tpm, diag);
    else if (name[0] == '/')
        status = open_device(name, &tpm, diag);
    else if (strncmp(name, "swtpm:path=", 11) == 0)
        status = open_unix(name + 11, &tpm, diag);
    else if (strncmp(name, "swtpm:", 6) == 0)
        status = open_tcp(name + 6, &tpm, diag);
    else
        status = vd_diagf(diag, VD_E_USAGE,
                          "\"%s\" names no TPM: expected device:PATH, swtpm:path=PATH or "
                          "swtpm:host=ADDRESS,port=NUMBER",
                          name);
    VD_TRY(status);
    *ret = tpm;
    return VD_OK;
}

void vd_tpm_close(struct vd_tpm *tpm)
{
    vd_fd_close(&tpm->fd);
}

static vd_status read_some(struct vd_tpm *tpm, uint8_t *ret, size_t room, size_t *ret_size,
                           struct vd_diag *diag)
{
    struct pollfd wait = {.fd = tpm->fd, .events = POLLIN};
    ssize_t n;
    int ready;

    do
        ready = poll(&wait, 1, TIMEOUT_MS);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return vd_diag_fail(diag, VD_E_TIMEOUT, "the TPM does not answer");
    n = read(tpm->fd, ret, room);
    if (n < 0)
        return vd_diagf_errno(diag, VD_E_IO, errno, "cannot read from the TPM");
    if (n == 0)
        return vd_diag_fail(diag, VD_E_IO, "the TPM closed the connection");
    *ret_size = (size_t)n;
    return VD_OK;
}

/* A TPM that went away must be an error, not a signal; a device knows no flags. */
static vd_status send_command(struct vd_tpm *tpm, const uint8_t *command, size_t size)
{
    while (size > 0) {
        ssize_t n = send(tpm->fd, command, size, MSG_NOSIGNAL);

        if (n < 0 && errno == ENOTSOCK)
            return vd_fd_write(tpm->fd, command, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return VD_E_IO;
        command += n;
        size -= (size_t)n;
    }
    return VD_OK;
}

static vd_status transmit(struct vd_tpm *tpm, const void *command, size_t size,
                          struct vd_tpm_message *ret, struct vd_diag *diag)
{
    size_t have = 0, wanted = HEADER_BYTES;

    if (send_command(tpm, command, size) != VD_OK)
        return vd_diagf_errno(diag, VD_E_IO, errno, "cannot write to the TPM");
    if (tpm->meanwhile != NULL) {
        tpm->meanwhile(tpm->meanwhile_ctx);
        tpm->meanwhile = NULL;
    }
    /* A socket may hand the response over in pieces; its header tells the size. */
    while (have < wanted) {
        struct vd_reader r;
        uint32_t total = 0;
        size_t n = 0;
        VD_TRY(read_some(tpm, ret->bytes + have, VD_TPM_MAX_BYTES - have, &n, diag));
        have += n;
        vd_reader_init(&r, ret->bytes, have);
        if (vd_read_skip(&r, 2) != VD_OK || vd_read_be32(&r, &total) != VD_OK)
            continue;
        if (total < HEADER_BYTES || total > VD_TPM_MAX_BYTES)
            return vd_diag_fail(diag, VD_E_LIMIT, "the TPM's response has an impossible size");
        wanted = total;
    }
    ret->size = have;
    return VD_OK;
}

vd_status vd_tpm_transmit(struct vd_tpm *tpm, const void *command, size_t size,
                          struct vd_tpm_message *ret, struct vd_diag *diag)
{
    vd_status status;

    if (tpm->fd < 0)
        return vd_diag_fail(diag, VD_E_IO, "the connection to the TPM is lost");
    status = transmit(tpm, command, size, ret, diag);
    /* What is left of a response would be taken for the next one's. */
    if (status != VD_OK)
        vd_tpm_close(tpm);
    return status;
}
