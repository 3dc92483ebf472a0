/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/ipc/lane.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/file.h"
#include "tests/harness.h"

#define REQUEST_AT 64
#define BYTES_AT   192

/* Both sides, and the socket beside them. */
struct fixture {
    struct vd_ipc_lane server, client;
    int fd, ends[2];
    pthread_t thread;
    uint32_t served;
    vd_status status; /* of the server's end */
};

static struct vd_ipc_buffer buffer, served;

static void set_up(struct fixture *f)
{
    *f = (struct fixture){};
    VD_EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->ends) == 0);
    VD_EXPECT_EQ(vd_ipc_lane_new(&f->server, &f->fd, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_lane_map(f->fd, &f->client, NULL), VD_OK);
}

static void tear_down(struct fixture *f)
{
    vd_ipc_lane_done(&f->server);
    vd_ipc_lane_done(&f->client);
    vd_fd_close(&f->fd);
    vd_fd_close(&f->ends[0]);
    vd_fd_close(&f->ends[1]);
}

/* Answers with the request's own payload, until a verb 9 comes. */
static void *serve(void *arg)
{
    struct fixture *f = arg;

    for (;;) {
        struct vd_ipc_frame frame;
        bool by_socket = false;
        f->status = vd_ipc_lane_wait(&f->server, 5000, &by_socket, NULL);
        if (f->status != VD_OK)
            return NULL;
        f->status = by_socket
                        ? vd_ipc_receive(f->ends[1], &served, vd_ipc_deadline(5000), &frame, NULL)
                        : vd_ipc_lane_take(&f->server, &served, &frame, NULL);
        if (f->status != VD_OK || frame.verb == 9)
            return NULL;
        f->served++;
        frame.flags = VD_IPC_ANSWER;
        f->status = by_socket ? vd_ipc_send(f->ends[1], &frame, vd_ipc_deadline(5000), NULL)
                              : vd_ipc_lane_answer(&f->server, &frame, NULL);
        if (f->status != VD_OK)
            return NULL;
    }
}

static struct vd_ipc_frame ask(uint16_t verb, uint32_t id, const void *payload, size_t size)
{
    return (struct vd_ipc_frame){.service = VD_IPC_SERVICE_KEY,
                                 .verb = verb,
                                 .id = id,
                                 .payload = payload,
                                 .size = size,
                                 .fd = -1};
}

static struct vd_ipc_line line_of(const struct fixture *f, uint32_t ms)
{
    return (struct vd_ipc_line){f->ends[0], &buffer, vd_ipc_deadline(ms)};
}

static uint8_t *bytes_of(const struct fixture *f)
{
    return (uint8_t *)f->client.page;
}

VD_TEST(requests_and_answers)
{
    static uint8_t payload[VD_IPC_LANE_FRAME_MAX - VD_IPC_HEADER_SIZE];
    struct fixture f;

    set_up(&f);
    VD_EXPECT(pthread_create(&f.thread, NULL, serve, &f) == 0);
    for (uint32_t i = 0; i < 5000; i++) {
        struct vd_ipc_line line = line_of(&f, 5000);
        size_t size = i % 50 == 49 ? sizeof(payload) : i % 200;
        struct vd_ipc_frame request = ask(2, i, payload, size), answer;
        memset(payload, (int)i, size);
        VD_EXPECT_EQ(vd_ipc_lane_call(&f.client, &line, &request, &answer, NULL), VD_OK);
        VD_EXPECT_EQ(answer.size, size);
        VD_EXPECT_EQ(answer.id, i);
        VD_EXPECT_MEM(answer.payload, payload, size);
        if (i % 100 != 0)
            continue;
        /* In between, a frame on the socket. */
        request.id = 100000 + i;
        VD_EXPECT_EQ(vd_ipc_send(f.ends[0], &request, line.deadline_ns, NULL), VD_OK);
        vd_ipc_lane_knock(&f.client);
        VD_EXPECT_EQ(vd_ipc_receive(f.ends[0], &buffer, line.deadline_ns, &answer, NULL), VD_OK);
        VD_EXPECT_EQ(answer.id, 100000 + i);
    }
    struct vd_ipc_line line = line_of(&f, 5000);
    struct vd_ipc_frame end = ask(9, 1, NULL, 0);
    VD_EXPECT_EQ(vd_ipc_send(f.ends[0], &end, line.deadline_ns, NULL), VD_OK);
    vd_ipc_lane_knock(&f.client);
    pthread_join(f.thread, NULL);
    VD_EXPECT_EQ(f.status, VD_OK);
    VD_EXPECT_EQ(f.served, 5050);
    tear_down(&f);
}

VD_TEST(too_large_goes_by_the_socket)
{
    static uint8_t payload[VD_IPC_LANE_FRAME_MAX];
    struct fixture f;
    struct vd_ipc_frame request =
        ask(2, 1, payload, VD_IPC_LANE_FRAME_MAX - VD_IPC_HEADER_SIZE + 1);
    struct vd_ipc_frame answer;

    set_up(&f);
    struct vd_ipc_line line = line_of(&f, 100);
    VD_EXPECT(!vd_ipc_lane_fits(&request));
    VD_EXPECT_EQ(vd_ipc_lane_call(&f.client, &line, &request, &answer, NULL), VD_E_LIMIT);
    VD_EXPECT_EQ(vd_ipc_lane_answer(&f.server, &request, NULL), VD_E_LIMIT);
    request.size = 10;
    request.fd = f.fd;
    VD_EXPECT(!vd_ipc_lane_fits(&request));
    tear_down(&f);
}

VD_TEST(nobody_answers)
{
    struct fixture f;
    struct vd_ipc_frame request = ask(2, 1, NULL, 0), answer;
    struct vd_diag diag = {};
    bool by_socket;

    set_up(&f);
    struct vd_ipc_line line = line_of(&f, 20);
    VD_EXPECT_EQ(vd_ipc_lane_call(&f.client, &line, &request, &answer, &diag), VD_E_TIMEOUT);
    /* The server is gone: noticed long before the deadline. */
    vd_fd_close(&f.ends[1]);
    line = line_of(&f, 600000);
    diag = (struct vd_diag){};
    VD_EXPECT_EQ(vd_ipc_lane_call(&f.client, &line, &request, &answer, &diag), VD_E_MISSING);
    VD_EXPECT_EQ(vd_ipc_lane_wait(&f.server, 1, &by_socket, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_lane_wait(&f.server, 1, &by_socket, NULL), VD_E_TIMEOUT);
    tear_down(&f);
}

/* A client that writes what it likes: an error, and nothing read outside. */
VD_TEST(hostile_memory)
{
    struct fixture f;
    struct vd_ipc_frame request = ask(2, 1, "x", 1), got;
    uint64_t seed = 7;
    uint32_t good = 0;

    set_up(&f);
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t *bytes = bytes_of(&f);
        uint32_t size = (uint32_t)vd_test_random(&seed);
        struct vd_diag diag = {};
        VD_EXPECT_EQ(vd_ipc_frame_head(&request, bytes + BYTES_AT), VD_OK);
        if (i % 4 != 0)
            size %= 64;
        if (i % 2 == 0)
            bytes[BYTES_AT + vd_test_random(&seed) % 24] = (uint8_t)vd_test_random(&seed);
        memcpy(bytes + REQUEST_AT + 4, &size, sizeof(size));
        if (vd_ipc_lane_take(&f.server, &served, &got, &diag) == VD_OK)
            good++;
        else
            VD_EXPECT(diag.text[0] != '\0');
    }
    VD_EXPECT(good > 0 && good < 20000);
    tear_down(&f);
}

VD_TEST(only_a_sealed_lane_is_mapped)
{
    struct vd_ipc_lane lane = {};
    int plain VD_AUTO(vd_fd_close) = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int fd VD_AUTO(vd_fd_close) = -1;
    struct fixture f;

    VD_EXPECT(ftruncate(plain, 32960) == 0);
    VD_EXPECT_EQ(vd_ipc_lane_map(plain, &lane, NULL), VD_E_INVALID);
    VD_EXPECT(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    VD_EXPECT_EQ(vd_ipc_lane_map(plain, &lane, NULL), VD_E_INVALID); /* no magic */
    VD_EXPECT_EQ(vd_ipc_lane_map(-1, &lane, NULL), VD_E_INVALID);
    VD_EXPECT(lane.page == NULL);
    /* Nobody can cut it off under the server. */
    set_up(&f);
    VD_EXPECT(ftruncate(f.fd, 0) != 0);
    tear_down(&f);
}
