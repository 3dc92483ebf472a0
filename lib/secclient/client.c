/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/secclient/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define TIMEOUT_MS 5000u
#define CACHE      4096u
#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW)

vd_status vd_secclient_new(const struct vd_secclient_options *options, struct vd_secclient **ret,
                           struct vd_diag *diag)
{
    static const struct vd_secclient_options none;
    const struct vd_secclient_options *o = options != NULL ? options : &none;
    uint32_t slots = o->cache != 0 ? o->cache : CACHE;
    struct vd_secclient *c = calloc(1, sizeof(*c));
    void *page = mmap(NULL, VD_SEC_PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (c == NULL || page == MAP_FAILED)
        goto failed;
    c->page = page;
    c->fd = c->pass = -1;
    pthread_mutex_init(&c->lock, NULL);
    c->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : TIMEOUT_MS;
    c->server_uid = o->server_uid;
    c->socket = strdup(o->socket != NULL ? o->socket : VD_SEC_SOCKET);
    if (slots <= VD_AVC_MAX_SLOTS)
        c->slots = aligned_alloc(sizeof(*c->slots), slots * sizeof(*c->slots));
    if (c->socket == NULL || (c->slots == NULL && slots <= VD_AVC_MAX_SLOTS))
        goto failed;
    if (c->slots == NULL || vd_avc_init(&c->avc, c->slots, slots, 1) != VD_OK) {
        vd_secclient_free(c);
        return vd_diag_fail(diag, VD_E_RANGE,
                            "the cache has a power of two of decisions, 4 to 2^24");
    }
    *ret = c;
    return VD_OK;
failed:
    if (c != NULL && c->page != NULL)
        vd_secclient_free(c);
    else
        free(c);
    return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a client of the security server");
}

static void table_done(struct vd_secclient_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(table->rows[i].payload);
    free(table->rows);
}

void vd_secclient_free(struct vd_secclient *client)
{
    if (client == NULL)
        return;
    vd_fd_close(&client->fd);
    munmap((void *)(uintptr_t)client->page, VD_SEC_PAGE_BYTES);
    table_done(&client->entities);
    table_done(&client->classes);
    pthread_mutex_destroy(&client->lock);
    free(client->socket);
    free(client->slots);
    free(client);
}

/* A page that nobody can cut off under us, mapped over the one before. */
static vd_status map_page(struct vd_secclient *c, int fd, struct vd_diag *diag)
{
    int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *mapped;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 ||
        st.st_size != VD_SEC_PAGE_BYTES)
        return vd_diag_fail(diag, VD_E_INVALID, "the server gave no sealed page");
    /* Looked at elsewhere first: readers see a page that was checked, or the one before. */
    mapped = mmap(NULL, VD_SEC_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map the server's page", NULL);
    const struct vd_sec_page *page = mapped;
    bool good = page->magic == VD_SEC_PAGE_MAGIC && page->version == VD_SEC_PROTOCOL;
    munmap(mapped, VD_SEC_PAGE_BYTES);
    if (!good)
        return vd_diag_fail(diag, VD_E_INVALID, "the server's page is of another kind");
    if (mmap((void *)(uintptr_t)c->page, VD_SEC_PAGE_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
             0) == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map the server's page", NULL);
    return VD_OK;
}

static vd_status check_server(struct vd_secclient *c, int fd, struct vd_diag *diag)
{
    struct vd_ipc_peer peer;

    if (c->server_uid == VD_SECCLIENT_ANY_UID)
        return VD_OK;
    VD_TRY(vd_ipc_peer(fd, &peer, diag));
    if (peer.uid == c->server_uid)
        return VD_OK;
    vd_diag_file(diag, c->socket);
    return vd_diagf(diag, VD_E_UNTRUSTED, "the server belongs to user %u, not to user %u", peer.uid,
                    c->server_uid);
}

static vd_status hello(struct vd_secclient *c, int fd, uint64_t deadline_ns, struct vd_diag *diag)
{
    uint8_t bytes[4];
    struct vd_writer w;
    struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_SECURITY,
                                   .verb = VD_SEC_HELLO,
                                   .id = ++c->id,
                                   .payload = bytes,
                                   .size = sizeof(bytes),
                                   .fd = -1};
    struct vd_ipc_line line = {fd, &c->buffer, deadline_ns};
    struct vd_ipc_frame answer;
    vd_status status;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_le32(&w, VD_SEC_PROTOCOL);
    VD_TRY(vd_ipc_call(&line, &request, &answer, diag));
    status = map_page(c, answer.fd, diag);
    vd_fd_close(&answer.fd);
    return status;
}

static vd_status connect_now(struct vd_secclient *c, struct vd_diag *diag)
{
    uint64_t deadline_ns = vd_ipc_deadline(c->timeout_ms);
    int fd VD_AUTO(vd_fd_close) = -1;

    vd_fd_close(&c->fd);
    VD_TRY(vd_ipc_connect(c->socket, deadline_ns, &fd, diag));
    VD_TRY(check_server(c, fd, diag));
    VD_TRY(hello(c, fd, deadline_ns, diag));
    c->fd = fd;
    c->pid = getpid();
    c->link++;
    fd = -1;
    return VD_OK;
}

/* The connection must be this process' own, and its server must run. */
static vd_status need_connection(struct vd_secclient *c, struct vd_diag *diag)
{
    if (c->fd >= 0 && c->pid == getpid() && vd_sec_page_alive(c->page))
        return VD_OK;
    if (c->pinned)
        return vd_diag_fail(diag, VD_E_MISSING, "the connection to the security server has ended");
    return connect_now(c, diag);
}

vd_status vd_secclient_begin(struct vd_secclient *client, struct vd_diag *diag)
{
    vd_status status;

    pthread_mutex_lock(&client->lock);
    status = need_connection(client, diag);
    client->pinned = true;
    return status;
}

void vd_secclient_end(struct vd_secclient *client)
{
    client->pinned = false;
    pthread_mutex_unlock(&client->lock);
}

vd_status vd_secclient_connect(struct vd_secclient *client, struct vd_diag *diag)
{
    vd_status status;

    status = vd_secclient_begin(client, diag);
    vd_secclient_end(client);
    return status;
}

/* True if the connection is of no use after this. */
static bool broken(vd_status status, const struct vd_diag *diag)
{
    return status == VD_E_MISSING || status == VD_E_TIMEOUT || status == VD_E_BUSY ||
           vd_status_class(diag->status) == VD_CLASS_BUG;
}

vd_status vd_secclient_call(struct vd_secclient *client, uint32_t verb, const struct vd_writer *w,
                            struct vd_reader *ret, struct vd_diag *diag)
{
    struct vd_ipc_frame request = {.service = VD_IPC_SERVICE_SECURITY,
                                   .verb = (uint16_t)verb,
                                   .payload = w->buf,
                                   .size = w->len,
                                   .fd = client->pass};
    struct vd_ipc_line line = {.buffer = &client->buffer};
    struct vd_diag mine = {};
    struct vd_ipc_frame answer;
    vd_status status;

    client->pass = -1;
    if (w->full)
        return vd_diag_fail(diag, VD_E_LIMIT, "the request does not fit a frame");
    VD_TRY(need_connection(client, diag));
    request.id = ++client->id;
    line.fd = client->fd;
    line.deadline_ns = vd_ipc_deadline(client->timeout_ms);
    client->requests++;
    status = vd_ipc_call(&line, &request, &answer, &mine);
    if (status != VD_OK) {
        if (broken(status, &mine))
            vd_fd_close(&client->fd);
        if (diag != NULL && diag->status == VD_OK)
            *diag = mine;
        return status;
    }
    vd_fd_close(&answer.fd);
    vd_reader_init(ret, answer.payload, answer.size);
    return VD_OK;
}

vd_status vd_secclient_put(struct vd_writer *w, const char *text, size_t max, struct vd_diag *diag)
{
    size_t len = strlen(text);

    if (len > max)
        return vd_diagf(diag, VD_E_LIMIT, "more than %zu bytes", max);
    vd_write_le16(w, (uint16_t)len);
    vd_write_bytes(w, text, len);
    return VD_OK;
}

void vd_secclient_flush(struct vd_secclient *client)
{
    vd_avc_reset(&client->avc, vd_avc_sequence(&client->avc) + 1);
}

uint64_t vd_secclient_requests(struct vd_secclient *client)
{
    uint64_t count;

    pthread_mutex_lock(&client->lock);
    count = client->requests;
    pthread_mutex_unlock(&client->lock);
    return count;
}
