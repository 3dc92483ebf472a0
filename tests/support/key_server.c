/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/support/key_server.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/file.h"
#include "lib/ipc/lane.h"
#include "lib/keyclient/wire.h"
#include "tests/harness.h"

#define CONNECTIONS 64

struct key_server key_server = {.listener = -1};

struct conn {
    int fd;
    pthread_t thread;
    struct vd_ipc_lane lane;
    uint8_t *shared[8];
    size_t shared_size[8];
    uint32_t shared_count;
    uint32_t handles;
    struct vd_ipc_buffer request;
    uint8_t answer[VD_IPC_PAYLOAD_MAX];
};

static struct conn *conns[CONNECTIONS];
static pthread_t acceptor;
static _Atomic bool stopping;

static uint8_t key_id[VD_KEY_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void write_info(struct vd_writer *w, uint32_t number)
{
    struct vd_key_info info = {.state = VD_KEY_ACTIVE, .versions = 1, .created = 1'700'000'000};

    info.attributes.type = VD_ALG_AES_256_GCM;
    info.attributes.usages = VD_ALG_ENCRYPT | VD_ALG_DECRYPT;
    snprintf(info.attributes.name, sizeof(info.attributes.name), "key-%03u", number);
    vd_copy(info.id, key_id, sizeof(key_id));
    vd_key_write_info(w, &info);
}

static const uint8_t *bytes_of(struct conn *c, const struct vd_key_part *part)
{
    if (part->buffer == 0)
        return part->data;
    if (part->buffer > c->shared_count ||
        part->offset + part->size > c->shared_size[part->buffer - 1])
        return NULL;
    return c->shared[part->buffer - 1] + part->offset;
}

/* In place where the caller said, or in the frame. */
static vd_status transform(struct conn *c, struct vd_reader *r, struct vd_writer *w)
{
    static uint8_t scratch[VD_KEY_BUFFER_BYTES / 2];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct vd_key_result result = {.version = 1};
    struct vd_key_op op;
    const uint8_t *text;

    VD_TRY(vd_key_read_op(r, &op, NULL));
    text = bytes_of(c, &op.text);
    if (text == NULL || op.handle == 0 || op.handle > c->handles)
        return VD_E_NOT_FOUND;
    pthread_mutex_lock(&lock);
    scratch[0] = 0xee;
    for (size_t i = 0; i < op.text.size; i++)
        scratch[i + 1] = text[i] ^ 0x5a;
    result.out = (struct vd_key_part){.data = scratch, .size = op.text.size + 1};
    if (op.out.buffer != 0) {
        vd_copy((uint8_t *)(uintptr_t)bytes_of(c, &op.out), scratch, op.text.size + 1);
        result.out.buffer = op.out.buffer;
        result.out.offset = op.out.offset;
    }
    vd_key_write_result(w, &result);
    pthread_mutex_unlock(&lock);
    return VD_OK;
}

static vd_status batch(struct conn *c, struct vd_reader *r, struct vd_writer *w)
{
    uint16_t verb, count;

    VD_TRY(vd_read_le16(r, &verb));
    VD_TRY(vd_read_le16(r, &count));
    vd_write_le16(w, count);
    for (uint16_t i = 0; i < count; i++) {
        static uint8_t bytes[VD_IPC_PAYLOAD_MAX];
        const uint8_t *data;
        size_t size;
        struct vd_writer item;
        struct vd_reader from;
        vd_status status;
        VD_TRY(vd_key_read_data(r, &data, &size, NULL));
        vd_reader_init(&from, data, size);
        vd_writer_init(&item, bytes, sizeof(bytes));
        status = transform(c, &from, &item);
        vd_write_le32(w, status);
        vd_key_write_data(w, bytes, status == VD_OK ? item.len : 0);
    }
    return vd_read_done(r);
}

static vd_status share(struct conn *c, const struct vd_ipc_frame *f, struct vd_reader *r,
                       struct vd_writer *w)
{
    uint64_t size;

    VD_TRY(vd_read_le64(r, &size));
    if (size == 0)
        return VD_OK;
    if (f->fd < 0 || c->shared_count == 8)
        return VD_E_INVALID;
    c->shared[c->shared_count] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    c->shared_size[c->shared_count] = size;
    vd_write_le32(w, ++c->shared_count);
    key_server.buffers++;
    return VD_OK;
}

/* Two pages of three keys; attachments two and one. */
static vd_status list(struct vd_reader *r, struct vd_writer *w)
{
    char prefix[VD_KEY_NAME_MAX + 1];
    uint8_t more;

    VD_TRY(vd_key_read_text(r, VD_KEY_NAME_MAX, prefix, NULL));
    VD_TRY(vd_read_u8(r, &more));
    vd_write_le16(w, 3);
    vd_write_u8(w, more == 0);
    for (uint32_t i = 0; i < 3; i++)
        write_info(w, i + 3 * more);
    return VD_OK;
}

static vd_status attachments(struct vd_reader *r, struct vd_writer *w)
{
    uint32_t handle;
    uint16_t kind;
    uint8_t more;

    VD_TRY(vd_read_le32(r, &handle));
    VD_TRY(vd_read_le16(r, &kind));
    VD_TRY(vd_read_u8(r, &more));
    vd_write_le16(w, 2);
    vd_write_u8(w, more == 0);
    for (uint32_t i = 0; i < 2; i++) {
        vd_write_le16(w, VD_KEY_ATTACH_USER);
        vd_key_write_text(w, more != 0 ? (i == 0 ? "c" : "d") : (i == 0 ? "a" : "b"));
    }
    return VD_OK;
}

static vd_status answer_to(struct conn *c, const struct vd_ipc_frame *f, struct vd_writer *w,
                           int *ret_fd)
{
    struct vd_reader r;

    vd_reader_init(&r, f->payload, f->size);
    switch (f->verb) {
    case VD_KEY_HELLO:
        vd_write_le32(w, VD_KEY_PROTOCOL);
        vd_write_le32(w, 16);
        return VD_OK;
    case VD_KEY_LANE:
        return key_server.lane ? vd_ipc_lane_new(&c->lane, ret_fd, NULL) : VD_E_UNSUPPORTED;
    case VD_KEY_OPEN:
        if (c->handles == VD_KEY_HANDLES_MAX) /* none comes back here: closed ones count too */
            return VD_E_LIMIT;
        key_server.opens++;
        vd_write_le32(w, ++c->handles);
        write_info(w, 0);
        return VD_OK;
    case VD_KEY_CLOSE:
        key_server.closes++;
        return VD_OK;
    case VD_KEY_CREATE:
        key_server.creates++;
        vd_write_bytes(w, key_id, sizeof(key_id));
        return VD_OK;
    case VD_KEY_SHOW:
        write_info(w, 0);
        vd_write_le32(w, 1);
        vd_key_write_version(w, &(struct vd_key_version){.version = 1, .created = 5});
        return VD_OK;
    case VD_KEY_ENCRYPT:
        return transform(c, &r, w);
    case VD_KEY_BATCH:
        return batch(c, &r, w);
    case VD_KEY_BUFFER:
        return share(c, f, &r, w);
    case VD_KEY_LIST:
        return list(&r, w);
    case VD_KEY_ATTACHMENTS:
        return attachments(&r, w);
    default:
        return VD_E_UNSUPPORTED;
    }
}

static bool receive(struct conn *c, struct vd_ipc_frame *f, bool *ret_socket)
{
    struct pollfd socket = {.fd = c->fd, .events = POLLRDHUP};

    *ret_socket = true;
    while (c->lane.page != NULL) {
        vd_status status = vd_ipc_lane_wait(&c->lane, 50, ret_socket, NULL);
        if (status == VD_OK && !*ret_socket)
            return vd_ipc_lane_take(&c->lane, &c->request, f, NULL) == VD_OK;
        if (status == VD_OK)
            break;
        if (poll(&socket, 1, 0) > 0)
            return false;
    }
    return vd_ipc_receive(c->fd, &c->request, VD_IPC_FOREVER, f, NULL) == VD_OK;
}

static bool serve_one(struct conn *c)
{
    struct vd_ipc_frame f = {}, a = {.flags = VD_IPC_ANSWER, .fd = -1};
    struct vd_writer w;
    void (*tamper)(uint16_t verb, uint8_t * payload, size_t * size);
    bool by_socket, sent;
    int passed = -1;

    if (!receive(c, &f, &by_socket))
        return false;
    key_server.requests++;
    if (key_server.die_at == f.verb) {
        key_server.creates += f.verb == VD_KEY_CREATE;
        return false;
    }
    vd_writer_init(&w, c->answer, sizeof(c->answer));
    a.service = f.service;
    a.verb = f.verb;
    a.id = f.id;
    a.status = answer_to(c, &f, &w, &passed);
    if (a.status != VD_OK) {
        struct vd_diag diag = {.text = "as told"};
        vd_writer_init(&w, c->answer, sizeof(c->answer));
        vd_ipc_diag_encode(&diag, &w);
    }
    a.payload = c->answer;
    a.size = w.len;
    a.fd = passed;
    tamper = key_server.tamper;
    if (tamper != NULL)
        tamper(f.verb, c->answer, &a.size);
    sent = (by_socket ? vd_ipc_send(c->fd, &a, VD_IPC_FOREVER, NULL)
                      : vd_ipc_lane_answer(&c->lane, &a, NULL)) == VD_OK;
    vd_fd_close(&f.fd);
    vd_fd_close(&passed);
    return sent;
}

static void *serve(void *arg)
{
    struct conn *c = arg;

    while (serve_one(c))
        ;
    shutdown(c->fd, SHUT_RDWR);
    key_server.living--;
    return NULL;
}

static void refuse(int fd)
{
    static struct vd_ipc_buffer buffer;
    struct vd_diag diag = {.text = "too many"};
    uint8_t bytes[1024];
    struct vd_ipc_frame f;
    struct vd_writer w;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_ipc_diag_encode(&diag, &w);
    if (vd_ipc_receive(fd, &buffer, vd_ipc_deadline(5000), &f, NULL) == VD_OK) {
        f.flags = VD_IPC_ANSWER;
        f.status = VD_E_LIMIT;
        f.payload = bytes;
        f.size = w.len;
        VD_EXPECT_EQ(vd_ipc_send(fd, &f, vd_ipc_deadline(5000), NULL), VD_OK);
    }
    close(fd);
}

static void *accept_all(void *arg)
{
    (void)arg;
    for (uint32_t n = 0; !stopping && n < CONNECTIONS;) {
        struct pollfd listener = {.fd = key_server.listener, .events = POLLIN};
        struct vd_ipc_peer peer;
        struct conn *c;
        int fd;
        if (poll(&listener, 1, 20) <= 0 || vd_ipc_accept(key_server.listener, &fd, &peer, NULL))
            continue;
        if (key_server.limit != 0 && key_server.living >= key_server.limit) {
            refuse(fd);
            continue;
        }
        c = calloc(1, sizeof(*c));
        c->fd = fd;
        key_server.connections++;
        key_server.living++;
        pthread_create(&c->thread, NULL, serve, c);
        conns[n++] = c;
    }
    return NULL;
}

void key_server_stop(void)
{
    if (key_server.listener < 0)
        return;
    stopping = true;
    pthread_join(acceptor, NULL);
    vd_fd_close(&key_server.listener);
    unlink(key_server.socket);
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        struct conn *c = conns[i];
        if (c == NULL)
            continue;
        shutdown(c->fd, SHUT_RDWR);
        pthread_join(c->thread, NULL);
        close(c->fd);
        for (uint32_t b = 0; b < c->shared_count; b++)
            munmap(c->shared[b], c->shared_size[b]);
        vd_ipc_lane_done(&c->lane);
        free(c);
        conns[i] = NULL;
    }
}

void key_server_again(void)
{
    stopping = false;
    VD_EXPECT_EQ(vd_ipc_listen(key_server.socket, 0600, &key_server.listener, NULL), VD_OK);
    VD_EXPECT(pthread_create(&acceptor, NULL, accept_all, NULL) == 0);
}

void key_server_start(void)
{
    key_server_stop();
    key_server = (struct key_server){.listener = -1, .lane = true};
    snprintf(key_server.socket, sizeof(key_server.socket), "%s/key.sock", vd_test_tmpdir());
    key_server_again();
}
