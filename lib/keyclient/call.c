/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One connection: making it, and a request and its answer. */
#define _GNU_SOURCE
#include "lib/keyclient/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"
#include "lib/sys.h"

#define SLOW_MS      120'000u            /* the service may be making an RSA key */
#define LANE_PAYLOAD (12u << 10)         /* a larger request's answer may not fit the lane */
#define SHARED_MIN   ((2u << 20) + 4096) /* bytes: a text of 1 MiB and its ciphertext */

vd_status vd_keyclient_wrong(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_INVALID, "the key service's answer has another form");
}

struct vd_writer vd_keyclient_writer(struct vd_keyclient_conn *c)
{
    struct vd_writer w;

    vd_writer_init(&w, c->frames->request, sizeof(c->frames->request));
    return w;
}

/* Is `uid` one whose service we take? See the options. */
static bool acceptable(const struct vd_keyclient *client, uid_t uid)
{
    char path[4096];
    struct stat st;

    if (client->server_uid != 0)
        return client->server_uid == VD_KEYCLIENT_ANY_UID || uid == client->server_uid;
    if (uid == 0 || uid == geteuid())
        return true;
    if (strlen(client->socket) >= sizeof(path))
        return false;
    vd_copy(path, client->socket, strlen(client->socket) + 1);
    return stat(dirname(path), &st) == 0 && st.st_uid == uid && (st.st_mode & S_IWOTH) == 0;
}

static vd_status check_server(struct vd_keyclient_conn *c, struct vd_diag *diag)
{
    struct vd_ipc_peer peer;

    VD_TRY(vd_ipc_peer(c->fd, &peer, diag));
    if (acceptable(c->client, peer.uid))
        return VD_OK;
    vd_diag_file(diag, c->client->socket);
    return vd_diagf(diag, VD_E_UNTRUSTED,
                    "the key service there belongs to user %u, who is not trusted", peer.uid);
}

static vd_status hello(struct vd_keyclient_conn *c, struct vd_diag *diag)
{
    struct vd_writer w = vd_keyclient_writer(c);
    struct vd_keyclient_request request = {
        .verb = VD_KEY_HELLO, .way = VD_KEYCLIENT_SOCKET, .w = &w, .fd = -1};
    struct vd_reader r;
    uint32_t protocol, limit;

    vd_write_le32(&w, VD_KEY_PROTOCOL);
    VD_TRY(vd_keyclient_call(c, &request, &r, diag));
    if (vd_read_le32(&r, &protocol) != VD_OK || vd_read_le32(&r, &limit) != VD_OK ||
        vd_read_done(&r) != VD_OK || limit == 0)
        return vd_keyclient_wrong(diag);
    if (protocol != VD_KEY_PROTOCOL)
        return vd_diagf(diag, VD_E_VERSION, "the key service speaks version %u, this program %u",
                        protocol, VD_KEY_PROTOCOL);
    return VD_OK;
}

/* A service without lanes serves by the socket. */
static vd_status ask_lane(struct vd_keyclient_conn *c, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = -1;
    struct vd_writer w = vd_keyclient_writer(c);
    struct vd_keyclient_request request = {
        .verb = VD_KEY_LANE, .way = VD_KEYCLIENT_SOCKET, .w = &w, .fd = -1, .taken = &fd};
    struct vd_diag ignored = {};
    struct vd_reader r;
    vd_status status;

    if (c->client->no_lane)
        return VD_OK;
    status = vd_keyclient_call(c, &request, &r, &ignored);
    if (status != VD_OK && !c->lost)
        return VD_OK;
    if (status != VD_OK) {
        if (diag != NULL)
            *diag = ignored;
        return status;
    }
    return vd_ipc_lane_map(fd, &c->lane, diag);
}

static vd_status need_frames(struct vd_keyclient_conn *c, struct vd_diag *diag)
{
    if (c->frames != NULL)
        return VD_OK;
    c->frames = malloc(sizeof(*c->frames));
    return c->frames != NULL ? VD_OK
                             : vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a connection");
}

/* The caller's connection: it is never made anew. */
static vd_status take_given(struct vd_keyclient_conn *c, struct vd_diag *diag)
{
    c->fd = c->client->given;
    c->client->given = -1;
    return c->fd >= 0 ? VD_OK
                      : vd_diag_fail(diag, VD_E_MISSING, "the connection to the key service ended");
}

static vd_status connect_to(struct vd_keyclient_conn *c, struct vd_diag *diag)
{
    struct vd_keyclient *client = c->client;
    vd_status status =
        vd_ipc_connect(client->socket, vd_ipc_deadline(client->timeout_ms), &c->fd, diag);

    if (status == VD_E_MISSING)
        vd_diag_hint(diag, "start the key service (veridian-cryptod --store DIR --socket PATH), or "
                           "name its socket by --socket or VERIDIAN_CRYPTO_SOCKET");
    return status;
}

vd_status vd_keyclient_join(struct vd_keyclient_conn *c, struct vd_diag *diag)
{
    struct vd_keyclient *client = c->client;
    struct stat st;

    VD_TRY(need_frames(c, diag));
    VD_TRY(client->is_given ? take_given(c, diag) : connect_to(c, diag));
    if (fstat(c->fd, &st) != 0)
        return vd_sys_errno(diag, errno, "cannot look at a socket", NULL);
    c->socket = st.st_ino;
    if (!client->is_given)
        VD_TRY(check_server(c, diag));
    VD_TRY(hello(c, diag));
    VD_TRY(ask_lane(c, diag));
    pthread_mutex_lock(&client->lock);
    c->link = ++client->links;
    pthread_mutex_unlock(&client->lock);
    return VD_OK;
}

/* Through the lane, or by the socket with a knock at the lane. */
static vd_status exchange(struct vd_keyclient_conn *c, const struct vd_ipc_frame *frame,
                          const struct vd_keyclient_request *request, struct vd_ipc_frame *ret,
                          struct vd_diag *diag)
{
    uint32_t timeout_ms = c->client->timeout_ms;
    struct vd_ipc_line line = {.fd = c->fd, .buffer = &c->frames->answer};
    vd_status status;

    if (request->slow && timeout_ms < SLOW_MS)
        timeout_ms = SLOW_MS;
    line.deadline_ns = vd_ipc_deadline(timeout_ms);
    if (c->lane.page != NULL && request->way == VD_KEYCLIENT_ANY_WAY && frame->fd < 0 &&
        frame->size <= LANE_PAYLOAD)
        return vd_ipc_lane_exchange(&c->lane, &line, frame, ret, diag);
    status = vd_ipc_send(c->fd, frame, line.deadline_ns, NULL);
    /* Who refuses a connection says why before it closes. */
    if (status == VD_E_MISSING)
        return vd_ipc_receive(c->fd, line.buffer, VD_IPC_NO_WAIT, ret, diag);
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "the request cannot be sent");
    if (c->lane.page != NULL)
        vd_ipc_lane_knock(&c->lane);
    return vd_ipc_receive(c->fd, line.buffer, line.deadline_ns, ret, diag);
}

static bool answers(const struct vd_ipc_frame *answer, const struct vd_ipc_frame *request)
{
    return (answer->flags & VD_IPC_ANSWER) != 0 && answer->service == request->service &&
           answer->verb == request->verb && answer->id == request->id;
}

vd_status vd_keyclient_call(struct vd_keyclient_conn *c, const struct vd_keyclient_request *request,
                            struct vd_reader *ret, struct vd_diag *diag)
{
    struct vd_ipc_frame frame = {.service = VD_IPC_SERVICE_KEY,
                                 .verb = (uint16_t)request->verb,
                                 .id = ++c->id,
                                 .payload = request->w->buf,
                                 .size = request->w->len,
                                 .fd = request->fd};
    struct vd_ipc_frame answer = {.fd = -1};
    int passed VD_AUTO(vd_fd_close) = -1;
    vd_status status;

    if (request->w->full)
        return vd_diag_fail(diag, VD_E_LIMIT, "the request does not fit a frame");
    c->request_size = frame.size;
    c->answer_size = 0;
    status = exchange(c, &frame, request, &answer, diag);
    c->lost = status != VD_OK;
    VD_TRY(status);
    passed = answer.fd;
    c->answer_size = VD_IPC_HEADER_SIZE + answer.size;
    c->lost = !answers(&answer, &frame);
    VD_TRY(vd_ipc_frame_answers(&answer, &frame, diag));
    /* A descriptor comes exactly where one was asked for. */
    if ((passed >= 0) != (request->taken != NULL))
        return vd_keyclient_wrong(diag);
    if (request->taken != NULL) {
        *request->taken = passed;
        passed = -1;
    }
    vd_reader_init(ret, answer.payload, answer.size);
    return VD_OK;
}

void vd_keyclient_wipe(struct vd_keyclient_conn *c)
{
    vd_wipe(c->frames->request, c->request_size);
    vd_wipe(c->frames->answer.bytes, c->answer_size);
    if (c->lane.page != NULL)
        vd_ipc_lane_wipe(&c->lane);
}

vd_status vd_keyclient_handle(struct vd_keyclient_conn *c, struct vd_keyclient_key *key,
                              uint32_t *ret, struct vd_diag *diag)
{
    struct vd_writer w = vd_keyclient_writer(c);
    struct vd_keyclient_request request = {.verb = VD_KEY_OPEN, .w = &w, .fd = -1};
    struct vd_key_info info;
    struct vd_reader r;
    uint32_t handle;

    if (key->on[c->index].link == c->link) {
        *ret = key->on[c->index].handle;
        return VD_OK;
    }
    vd_key_write_text(&w, key->id);
    VD_TRY(vd_keyclient_call(c, &request, &r, diag));
    if (vd_read_le32(&r, &handle) != VD_OK || vd_key_read_info(&r, &info, NULL) != VD_OK ||
        vd_read_done(&r) != VD_OK || memcmp(info.id, key->info.id, sizeof(info.id)) != 0)
        return vd_keyclient_wrong(diag);
    c->handles++;
    key->on[c->index].link = c->link;
    key->on[c->index].handle = handle;
    *ret = handle;
    return VD_OK;
}

void vd_keyclient_close_handles(struct vd_keyclient_conn *c)
{
    struct vd_writer w = vd_keyclient_writer(c);
    struct vd_keyclient_request request = {.verb = VD_KEY_CLOSE, .w = &w, .fd = -1};
    struct vd_diag ignored = {};
    struct vd_reader r;
    uint32_t handle = 0;
    bool more;

    pthread_mutex_lock(&c->client->lock);
    more = c->closing_count != 0;
    if (more)
        handle = c->closing[--c->closing_count];
    pthread_mutex_unlock(&c->client->lock);
    if (!more)
        return;
    vd_write_le32(&w, handle);
    c->handles -= c->handles != 0;
    /* Nothing depends on it: a connection that fails here fails again where it matters. */
    if (vd_keyclient_call(c, &request, &r, &ignored) != VD_OK && c->lost)
        vd_keyclient_drop(c);
}

static vd_status let_go(struct vd_keyclient_conn *c, uint32_t number, struct vd_diag *diag)
{
    struct vd_writer w = vd_keyclient_writer(c);
    struct vd_keyclient_request request = {.verb = VD_KEY_BUFFER, .w = &w, .fd = -1};
    struct vd_reader r;

    vd_write_le64(&w, 0);
    vd_write_le32(&w, number);
    return vd_keyclient_call(c, &request, &r, diag);
}

static vd_status sealed_memory(size_t size, int *ret, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) =
        memfd_create("veridian-key-data", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)size) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return vd_sys_errno(diag, errno, "cannot make memory to share", NULL);
    *ret = fd;
    fd = -1;
    return VD_OK;
}

static vd_status announce(struct vd_keyclient_conn *c, int fd, size_t size, uint32_t *ret,
                          struct vd_diag *diag)
{
    struct vd_writer w = vd_keyclient_writer(c);
    struct vd_keyclient_request request = {
        .verb = VD_KEY_BUFFER, .way = VD_KEYCLIENT_SOCKET, .w = &w, .fd = fd};
    struct vd_reader r;
    uint32_t number;

    vd_write_le64(&w, size);
    VD_TRY(vd_keyclient_call(c, &request, &r, diag));
    if (vd_read_le32(&r, &number) != VD_OK || vd_read_done(&r) != VD_OK || number == 0)
        return vd_keyclient_wrong(diag);
    *ret = number;
    return VD_OK;
}

vd_status vd_keyclient_share(struct vd_keyclient_conn *c, size_t size, struct vd_diag *diag)
{
    int fd VD_AUTO(vd_fd_close) = -1;
    size_t wanted = SHARED_MIN;
    uint32_t number;
    void *data;
    vd_status status;

    if (c->shared.size >= size)
        return VD_OK;
    if (size > VD_KEY_BUFFER_BYTES)
        return vd_diag_fail(diag, VD_E_LIMIT, "the data are too large for one operation");
    while (wanted < size)
        wanted *= 2;
    if (wanted > VD_KEY_BUFFER_BYTES)
        wanted = VD_KEY_BUFFER_BYTES;
    VD_TRY(sealed_memory(wanted, &fd, diag));
    data = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return vd_sys_errno(diag, errno, "cannot map memory to share", NULL);
    /* Plaintext passes here; and a child would write into its parent's requests. */
    if (madvise(data, wanted, MADV_DONTDUMP) != 0 || madvise(data, wanted, MADV_DONTFORK) != 0)
        status = vd_sys_errno(diag, errno, "cannot protect memory to share", NULL);
    else
        status = announce(c, fd, wanted, &number, diag);
    if (status == VD_OK && c->shared.data != NULL)
        status = let_go(c, c->shared.number, diag);
    if (status != VD_OK) {
        munmap(data, wanted);
        return status;
    }
    if (c->shared.data != NULL)
        munmap(c->shared.data, c->shared.size);
    c->shared = (struct vd_keyclient_shared){data, wanted, number};
    return VD_OK;
}
