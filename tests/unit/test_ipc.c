/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/ipc/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/sys.h"
#include "tests/harness.h"

static struct vd_ipc_buffer buffer;

static void pair(int ends[2])
{
    VD_EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
}

static void close_pair(int ends[2])
{
    vd_fd_close(&ends[0]);
    vd_fd_close(&ends[1]);
}

static struct vd_ipc_frame request(const char *payload)
{
    return (struct vd_ipc_frame){.service = VD_IPC_SERVICE_SECURITY,
                                 .verb = 3,
                                 .id = 77,
                                 .payload = (const uint8_t *)payload,
                                 .size = strlen(payload),
                                 .fd = -1};
}

static size_t encode(const struct vd_ipc_frame *frame, uint8_t *ret)
{
    VD_EXPECT_EQ(vd_ipc_frame_head(frame, ret), VD_OK);
    memcpy(ret + VD_IPC_HEADER_SIZE, frame->payload, frame->size);
    return VD_IPC_HEADER_SIZE + frame->size;
}

VD_TEST(frame_round_trip)
{
    struct vd_ipc_frame frame = request("hello"), got;
    uint8_t bytes[64];
    size_t size = encode(&frame, bytes);

    VD_EXPECT_EQ(vd_ipc_frame_parse(bytes, size, &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.verb, 3);
    VD_EXPECT_EQ(got.id, 77);
    VD_EXPECT_EQ(got.size, 5);
    VD_EXPECT_EQ(got.fd, -1);
    VD_EXPECT_MEM(got.payload, "hello", 5);
}

VD_TEST(frame_cut_at_every_length)
{
    struct vd_ipc_frame frame = request("hello"), got;
    uint8_t bytes[64];
    size_t size = encode(&frame, bytes);

    for (size_t i = 0; i < size; i++) {
        struct vd_diag diag = {};
        VD_EXPECT_EQ(vd_ipc_frame_parse(bytes, i, &got, &diag), VD_E_TRUNCATED);
        VD_EXPECT_EQ(diag.offset, i);
    }
    bytes[size] = 0;
    VD_EXPECT_EQ(vd_ipc_frame_parse(bytes, size + 1, &got, NULL), VD_E_TRAILING);
}

VD_TEST(frame_refuses)
{
    static const struct {
        size_t at;
        uint8_t value;
        vd_status status;
    } rows[] = {
        {0, 'X', VD_E_MAGIC},   {4, 2, VD_E_VERSION},    {10, 4, VD_E_RESERVED},
        {11, 1, VD_E_RESERVED}, {16, 1, VD_E_RESERVED},  {17, 1, VD_E_RESERVED},
        {22, 1, VD_E_LIMIT},    {20, 6, VD_E_TRUNCATED}, {20, 4, VD_E_TRAILING},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_ipc_frame frame = request("hello"), got;
        uint8_t bytes[64];
        size_t size = encode(&frame, bytes);
        struct vd_diag diag = {};
        bytes[rows[i].at] = rows[i].value;
        VD_EXPECT_EQ(vd_ipc_frame_parse(bytes, size, &got, &diag), rows[i].status);
        VD_EXPECT(diag.text[0] != '\0');
    }
}

VD_TEST(frame_too_large_is_not_written)
{
    struct vd_ipc_frame frame = request("");
    uint8_t head[VD_IPC_HEADER_SIZE];

    frame.size = VD_IPC_PAYLOAD_MAX;
    VD_EXPECT_EQ(vd_ipc_frame_head(&frame, head), VD_OK);
    frame.size++;
    VD_EXPECT_EQ(vd_ipc_frame_head(&frame, head), VD_E_LIMIT);
}

VD_TEST(diagnostic_round_trip)
{
    struct vd_diag diag = {.status = VD_E_CHECKSUM, .has_offset = true, .offset = 99}, got = {};
    uint8_t bytes[1024];
    struct vd_writer w;
    struct vd_ipc_frame frame = {.flags = VD_IPC_ANSWER, .status = VD_E_CHECKSUM, .fd = -1};

    strcpy(diag.file, "policy.vpol");
    strcpy(diag.text, "wrong");
    strcpy(diag.hint, "mend it");
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_ipc_diag_encode(&diag, &w);
    frame.payload = bytes;
    frame.size = w.len;
    VD_EXPECT_EQ(vd_ipc_diag_parse(&frame, &got), VD_E_CHECKSUM);
    VD_EXPECT_EQ(got.offset, 99);
    VD_EXPECT_STR(got.file, "policy.vpol");
    VD_EXPECT_STR(got.text, "wrong");
    VD_EXPECT_STR(got.hint, "mend it");
    for (frame.size = 0; frame.size < w.len; frame.size++) {
        got = (struct vd_diag){};
        VD_EXPECT_EQ(vd_ipc_diag_parse(&frame, &got), VD_E_INVALID);
    }
    frame.status = VD_STATUS_COUNT;
    VD_EXPECT_EQ(vd_ipc_diag_parse(&frame, NULL), VD_E_INVALID);
}

VD_TEST(packet_round_trip)
{
    struct vd_ipc_frame frame = request("hello"), got;
    int ends[2];

    pair(ends);
    VD_EXPECT_EQ(vd_ipc_send(ends[0], &frame, VD_IPC_NO_WAIT, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_OK);
    VD_EXPECT_MEM(got.payload, "hello", 5);
    VD_EXPECT_EQ(got.fd, -1);
    close_pair(ends);
}

VD_TEST(largest_packet)
{
    static uint8_t large[VD_IPC_PAYLOAD_MAX];
    struct vd_ipc_frame frame = request(""), got;
    int ends[2];

    frame.payload = large;
    frame.size = sizeof(large);
    pair(ends);
    VD_EXPECT_EQ(vd_ipc_send(ends[0], &frame, VD_IPC_NO_WAIT, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.size, sizeof(large));
    frame.size++;
    VD_EXPECT_EQ(vd_ipc_send(ends[0], &frame, VD_IPC_NO_WAIT, NULL), VD_E_LIMIT);
    close_pair(ends);
}

VD_TEST(oversized_packet_is_not_cut)
{
    static uint8_t large[VD_IPC_FRAME_MAX + 1];
    struct vd_ipc_frame got;
    int ends[2];

    pair(ends);
    VD_EXPECT_EQ(send(ends[0], large, sizeof(large), 0), sizeof(large));
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_E_LIMIT);
    close_pair(ends);
}

static int open_count(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Sends `size` bytes with `count` descriptors. */
static void send_raw(int fd, const void *data, size_t size, uint32_t count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {};
    struct iovec part = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (count != 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
        for (uint32_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &(int){0}, sizeof(int));
    }
    VD_EXPECT_EQ(sendmsg(fd, &message, MSG_NOSIGNAL), size);
}

VD_TEST(descriptor_passes)
{
    struct vd_ipc_frame frame = request("take it"), got;
    struct stat a, b;
    int ends[2];

    pair(ends);
    frame.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    VD_EXPECT(frame.fd >= 0);
    VD_EXPECT_EQ(vd_ipc_send(ends[0], &frame, VD_IPC_NO_WAIT, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_OK);
    VD_EXPECT(got.fd >= 0 && got.fd != frame.fd);
    VD_EXPECT_EQ(fcntl(got.fd, F_GETFD), FD_CLOEXEC);
    VD_EXPECT(fstat(frame.fd, &a) == 0 && fstat(got.fd, &b) == 0);
    VD_EXPECT_EQ(a.st_rdev, b.st_rdev);
    vd_fd_close(&frame.fd);
    vd_fd_close(&got.fd);
    close_pair(ends);
}

/* A descriptor that is not announced, an announced one that is missing, and several: all closed. */
VD_TEST(wrong_descriptors_are_closed)
{
    static const struct {
        uint16_t flags;
        uint32_t count;
    } rows[] = {{0, 1}, {VD_IPC_DESCRIPTOR, 0}, {VD_IPC_DESCRIPTOR, 2}, {VD_IPC_DESCRIPTOR, 7}};

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_ipc_frame frame = request("x"), got = {.fd = -5};
        uint8_t bytes[64];
        size_t size = encode(&frame, bytes);
        int ends[2];
        int before;
        bytes[10] = (uint8_t)rows[i].flags;
        pair(ends);
        before = open_count();
        send_raw(ends[0], bytes, size, rows[i].count);
        VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_E_INVALID);
        VD_EXPECT_EQ(got.fd, -5);
        VD_EXPECT_EQ(open_count(), before);
        close_pair(ends);
    }
}

/* No descriptor stays open where the frame itself is refused. */
VD_TEST(descriptor_of_a_bad_frame_is_closed)
{
    struct vd_ipc_frame got;
    int ends[2];
    int before;

    pair(ends);
    before = open_count();
    send_raw(ends[0], "garbage", 7, 1);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_E_TRUNCATED);
    VD_EXPECT_EQ(open_count(), before);
    close_pair(ends);
}

VD_TEST(deadline_of_a_silent_peer)
{
    struct vd_ipc_frame got;
    struct vd_diag diag = {};
    int ends[2];
    uint64_t start = vd_sys_monotonic_ns();

    pair(ends);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_E_BUSY);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, vd_ipc_deadline(20), &got, &diag), VD_E_TIMEOUT);
    VD_EXPECT(vd_sys_monotonic_ns() - start >= 20'000'000);
    close_pair(ends);
}

VD_TEST(deadline_of_a_peer_that_does_not_read)
{
    struct vd_ipc_frame frame = request("hello");
    int ends[2];
    vd_status status = VD_OK;

    pair(ends);
    for (uint32_t i = 0; i < 1'000'000 && status == VD_OK; i++)
        status = vd_ipc_send(ends[0], &frame, VD_IPC_NO_WAIT, NULL);
    VD_EXPECT_EQ(status, VD_E_BUSY);
    VD_EXPECT_EQ(vd_ipc_send(ends[0], &frame, vd_ipc_deadline(5), NULL), VD_E_TIMEOUT);
    close_pair(ends);
}

VD_TEST(peer_that_is_gone)
{
    struct vd_ipc_frame frame = request("hello"), got;
    int ends[2];

    pair(ends);
    vd_fd_close(&ends[0]);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_FOREVER, &got, NULL), VD_E_MISSING);
    VD_EXPECT_EQ(vd_ipc_send(ends[1], &frame, VD_IPC_FOREVER, NULL), VD_E_MISSING);
    close_pair(ends);
}

VD_TEST(empty_packet_is_the_end)
{
    struct vd_ipc_frame got;
    int ends[2];

    pair(ends);
    VD_EXPECT_EQ(send(ends[0], "", 0, 0), 0);
    VD_EXPECT_EQ(vd_ipc_receive(ends[1], &buffer, VD_IPC_NO_WAIT, &got, NULL), VD_E_MISSING);
    close_pair(ends);
}

static const char *socket_path(void)
{
    static char path[108];

    snprintf(path, sizeof(path), "%s/socket", vd_test_tmpdir());
    return path;
}

VD_TEST(listen_accept_and_peer)
{
    const char *path = socket_path();
    struct vd_ipc_peer peer = {};
    int listener, client, server;
    struct stat st;

    VD_EXPECT_EQ(vd_ipc_listen(path, 0666, &listener, NULL), VD_OK);
    VD_EXPECT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0666);
    VD_EXPECT_EQ(vd_ipc_accept(listener, &server, &peer, NULL), VD_E_BUSY);
    VD_EXPECT_EQ(vd_ipc_connect(path, VD_IPC_NO_WAIT, &client, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_accept(listener, &server, &peer, NULL), VD_OK);
    VD_EXPECT_EQ(peer.pid, getpid());
    VD_EXPECT_EQ(peer.uid, getuid());
    VD_EXPECT_EQ(peer.gid, getgid());
    vd_fd_close(&client);
    vd_fd_close(&server);
    vd_fd_close(&listener);
}

VD_TEST(listen_replaces_a_dead_socket_only)
{
    const char *path = socket_path();
    int first, second;
    struct vd_diag diag = {};

    VD_EXPECT_EQ(vd_ipc_listen(path, 0600, &first, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_listen(path, 0600, &second, &diag), VD_E_BUSY);
    VD_EXPECT(diag.text[0] != '\0');
    vd_fd_close(&first);
    VD_EXPECT_EQ(vd_ipc_connect(path, VD_IPC_NO_WAIT, &first, NULL), VD_E_MISSING);
    VD_EXPECT_EQ(vd_ipc_listen(path, 0600, &second, NULL), VD_OK);
    vd_fd_close(&second);
    VD_EXPECT(unlink(path) == 0);
    VD_EXPECT_EQ(vd_file_store(path, "x", 1, 0600, NULL), VD_OK);
    VD_EXPECT_EQ(vd_ipc_listen(path, 0600, &second, NULL), VD_E_EXISTS);
    VD_EXPECT(unlink(path) == 0);
}

VD_TEST(connect_to_nobody)
{
    char longer[200];
    struct vd_diag diag = {};
    int fd;

    VD_EXPECT_EQ(vd_ipc_connect("/nonexistent/socket", VD_IPC_FOREVER, &fd, &diag), VD_E_MISSING);
    VD_EXPECT_STR(diag.file, "/nonexistent/socket");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    VD_EXPECT_EQ(vd_ipc_connect(longer, VD_IPC_FOREVER, &fd, NULL), VD_E_LIMIT);
    VD_EXPECT_EQ(vd_ipc_listen("", 0600, &fd, NULL), VD_E_LIMIT);
}

VD_TEST(connect_to_a_full_backlog_ends_at_the_deadline)
{
    const char *path = socket_path();
    int clients[VD_IPC_BACKLOG + 8];
    uint32_t count = 0;
    vd_status status = VD_OK;
    int listener, fd;

    VD_EXPECT_EQ(vd_ipc_listen(path, 0600, &listener, NULL), VD_OK);
    while (count < VD_COUNT(clients) && status == VD_OK) {
        status = vd_ipc_connect(path, VD_IPC_NO_WAIT, &clients[count], NULL);
        count += status == VD_OK;
    }
    VD_EXPECT_EQ(status, VD_E_BUSY);
    VD_EXPECT_EQ(vd_ipc_connect(path, vd_ipc_deadline(5), &fd, NULL), VD_E_TIMEOUT);
    while (count != 0)
        vd_fd_close(&clients[--count]);
    vd_fd_close(&listener);
}

/* Answers one request as `arg` says: 0 rightly, 1 wrong id, 2 a failure. */
struct answering {
    int fd;
    int how;
};

static void *answer(void *arg)
{
    struct answering *a = arg;
    static struct vd_ipc_buffer mine;
    struct vd_diag why = {};
    struct vd_ipc_frame frame;
    uint8_t bytes[1024];
    struct vd_writer w;

    if (vd_ipc_receive(a->fd, &mine, vd_ipc_deadline(5000), &frame, NULL) != VD_OK)
        return NULL;
    frame.flags = VD_IPC_ANSWER;
    frame.id += a->how == 1;
    if (a->how == 2) {
        frame.status = (uint32_t)vd_diag_fail_at(&why, VD_E_DENIED, 3, "not you");
        vd_writer_init(&w, bytes, sizeof(bytes));
        vd_ipc_diag_encode(&why, &w);
        frame.payload = bytes;
        frame.size = w.len;
    }
    (void)!vd_ipc_send(a->fd, &frame, vd_ipc_deadline(5000), NULL);
    return a;
}

VD_TEST(call)
{
    static const vd_status expected[] = {VD_OK, VD_E_INVALID, VD_E_DENIED};

    for (int how = 0; how < 3; how++) {
        struct vd_ipc_frame frame = request("hello"), got;
        struct vd_diag diag = {};
        struct vd_ipc_line line;
        struct answering a;
        pthread_t thread;
        int ends[2];
        pair(ends);
        a = (struct answering){.fd = ends[1], .how = how};
        VD_EXPECT(pthread_create(&thread, NULL, answer, &a) == 0);
        line = (struct vd_ipc_line){ends[0], &buffer, vd_ipc_deadline(5000)};
        VD_EXPECT_EQ(vd_ipc_call(&line, &frame, &got, &diag), expected[how]);
        pthread_join(thread, NULL);
        if (how == 2) {
            VD_EXPECT_STR(diag.text, "not you");
            VD_EXPECT_EQ(diag.offset, 3);
        }
        close_pair(ends);
    }
}

VD_TEST(garbage_never_parses_as_a_frame)
{
    uint64_t random = 42;
    struct vd_ipc_frame got;
    uint8_t bytes[128];

    for (uint32_t i = 0; i < 20'000; i++) {
        size_t size = vd_test_random(&random) % sizeof(bytes);
        for (size_t j = 0; j < size; j++)
            bytes[j] = (uint8_t)vd_test_random(&random);
        VD_EXPECT(vd_ipc_frame_parse(bytes, size, &got, NULL) != VD_OK);
    }
}
