/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Clients that mean harm: what they send breaks nothing, and the others are served. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/file.h"
#include "lib/ipc/lane.h"
#include "tests/support/cryptod_raw.h"

static void is_served(uint32_t handle)
{
    struct vd_key_op op = raw_op(handle, "text", 4);

    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
}

/* Frames with right heads and random payloads, halves of frames, and bytes. */
VD_TEST(random_frames)
{
    uint64_t random = 7;
    uint32_t handle;
    int fd;

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    fd = cryptod_connect();
    for (uint32_t i = 0; i < 20'000; i++) {
        uint8_t packet[512];
        struct vd_ipc_frame frame = {.service = VD_IPC_SERVICE_KEY,
                                     .verb = (uint16_t)(vd_test_random(&random) % 40),
                                     .id = i + 1,
                                     .size = (size_t)(vd_test_random(&random) % 200),
                                     .fd = -1};
        size_t size = VD_IPC_HEADER_SIZE + frame.size;
        struct vd_ipc_buffer buffer;
        struct vd_ipc_frame answer;
        for (size_t n = 0; n < sizeof(packet); n += 8) {
            uint64_t word = vd_test_random(&random) & vd_test_random(&random);
            vd_copy(packet + n, &word, 8);
        }
        VD_EXPECT_EQ(vd_ipc_frame_head(&frame, packet), VD_OK);
        if (i % 7 == 0)
            size = 1 + (size_t)(vd_test_random(&random) % size);
        if (i % 11 == 0)
            packet[vd_test_random(&random) % VD_IPC_HEADER_SIZE] ^= 0x10;
        VD_EXPECT(send(fd, packet, size, MSG_NOSIGNAL) == (ssize_t)size);
        VD_EXPECT_EQ(vd_ipc_receive(fd, &buffer, vd_ipc_deadline(20'000), &answer, NULL), VD_OK);
        vd_fd_close(&answer.fd);
        /* After the verb lane its frames come on a knock alone: another connection. */
        if (answer.verb == VD_KEY_LANE && answer.status == VD_OK) {
            vd_fd_close(&fd);
            fd = cryptod_connect();
        }
    }
    is_served(handle);
    vd_fd_close(&fd);
    raw_tear_down();
}

/* A client that writes into its lane while the service reads it. */
static struct vd_ipc_lane lane;
static volatile bool stop;

static void *scribble(void *arg)
{
    uint64_t random = 3;
    uint8_t *page = (uint8_t *)lane.page;

    while (!stop)
        page[256 + vd_test_random(&random) % 400] = (uint8_t)vd_test_random(&random);
    return NULL;
}

VD_TEST(a_lane_that_changes)
{
    struct vd_ipc_buffer buffer;
    struct vd_ipc_frame frame = {.service = VD_IPC_SERVICE_KEY, .verb = VD_KEY_LANE, .fd = -1};
    struct vd_ipc_frame answer;
    pthread_t thread;
    uint32_t handle;
    int fd;

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    fd = cryptod_connect();
    {
        struct vd_ipc_line line = {fd, &buffer, vd_ipc_deadline(20'000)};
        VD_EXPECT_EQ(vd_ipc_call(&line, &frame, &answer, NULL), VD_OK);
        VD_EXPECT_EQ(vd_ipc_lane_map(answer.fd, &lane, NULL), VD_OK);
        vd_fd_close(&answer.fd);
    }
    stop = false;
    VD_EXPECT(pthread_create(&thread, NULL, scribble, NULL) == 0);
    for (uint32_t i = 0; i < 5000; i++) {
        struct vd_ipc_line line = {fd, &buffer, vd_ipc_deadline(20'000)};
        struct vd_key_op op = raw_op(handle, "text", 4);
        struct vd_diag diag = {};
        vd_key_write_op(raw_begin(), &op);
        frame = (struct vd_ipc_frame){.service = VD_IPC_SERVICE_KEY,
                                      .verb = VD_KEY_ENCRYPT,
                                      .id = i + 2,
                                      .payload = raw.w.buf,
                                      .size = raw.w.len,
                                      .fd = -1};
        VD_EXPECT(vd_ipc_lane_call(&lane, &line, &frame, &answer, &diag) != VD_E_TIMEOUT);
    }
    stop = true;
    pthread_join(thread, NULL);
    vd_ipc_lane_done(&lane);
    vd_fd_close(&fd);
    is_served(handle);
    raw_tear_down();
}

/* More connections than there may be: refused with a reason, and room again when they end. */
VD_TEST(a_flood_of_connections)
{
    int fds[64];
    uint32_t handle, refused = 0;
    struct vd_ipc_buffer buffer;
    struct vd_ipc_frame answer;

    raw.diag = (struct vd_diag){};
    cryptod_prepare();
    cryptod.options[0] = "--max-clients";
    cryptod.options[1] = "8";
    cryptod_start();
    raw.client = cryptod_client();
    raw.line = cryptod_connect();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    for (size_t i = 0; i < VD_COUNT(fds); i++) {
        fds[i] = cryptod_connect();
        /* Whoever is refused is told so without asking. */
        if (vd_ipc_receive(fds[i], &buffer, vd_ipc_deadline(i < 4 ? 1 : 50), &answer, NULL) ==
            VD_OK)
            refused += answer.status == VD_E_BUSY;
    }
    VD_EXPECT(refused >= 20);
    is_served(handle);
    for (size_t i = 0; i < VD_COUNT(fds); i++)
        vd_fd_close(&fds[i]);
    for (uint32_t i = 0; i < 200; i++) {
        int fd = cryptod_connect();
        vd_write_le32(raw_begin(), VD_KEY_PROTOCOL);
        if (cryptod_ask(fd, VD_KEY_HELLO, &raw.w, NULL, NULL) == VD_OK)
            i = 1000;
        vd_fd_close(&fd);
        VD_EXPECT(i != 199);
    }
    raw_tear_down();
}

/* A client changes the memory that it shares while the service works on it. */
static uint8_t *shared;

static void *change(void *arg)
{
    uint64_t random = 5;

    while (!stop)
        shared[vd_test_random(&random) % 65'536] ^= 1;
    return NULL;
}

VD_TEST(shared_memory_that_changes)
{
    struct vd_keyclient_room *room;
    struct vd_keyclient_key *key;
    uint32_t held = 0, broken = 0;
    struct vd_diag diag = {};
    pthread_t thread;

    raw_set_up();
    key = cryptod_key(raw.client, "a", VD_ALG_AES_256_GCM, 0);
    VD_EXPECT_EQ(vd_keyclient_room_take(raw.client, 1 << 20, &room, &diag), VD_OK);
    shared = vd_keyclient_room_data(room);
    stop = false;
    VD_EXPECT(pthread_create(&thread, NULL, change, NULL) == 0);
    for (int i = 0; i < 500; i++) {
        /* What was sealed is one state of the text, with its own tag: it always opens. */
        struct vd_keyclient_op op = {.key = key,
                                     .room = room,
                                     .text = {shared, 65'536},
                                     .out = {shared + 100'000, 70'000, 0}};
        struct vd_keyclient_op back = op;
        vd_status status;
        VD_EXPECT_EQ(vd_keyclient_operate(raw.client, VD_KEY_ENCRYPT, &op, &diag), VD_OK);
        back.text = (struct vd_keyclient_bytes){shared + 100'000, op.out.size};
        back.out = (struct vd_keyclient_buffer){shared + 300'000, 70'000, 0};
        VD_EXPECT_EQ(vd_keyclient_operate(raw.client, VD_KEY_DECRYPT, &back, &diag), VD_OK);
        held++;
        /* What changes while it is opened opens whole, or not at all. */
        vd_copy(shared, shared + 100'000, op.out.size);
        back.text = (struct vd_keyclient_bytes){shared, op.out.size};
        back.out = (struct vd_keyclient_buffer){shared + 500'000, 70'000, 0};
        memset(shared + 500'000, 0xee, 70'000);
        diag = (struct vd_diag){};
        status = vd_keyclient_operate(raw.client, VD_KEY_DECRYPT, &back, &diag);
        VD_EXPECT(status == VD_OK || vd_status_class(status) == VD_CLASS_POLICY ||
                  vd_status_class(status) == VD_CLASS_INPUT);
        if (status != VD_OK) {
            broken++;
            for (size_t n = 0; n < 70'000; n += 1000)
                VD_EXPECT(shared[500'000 + n] == 0xee || shared[500'000 + n] == 0);
        }
        diag = (struct vd_diag){};
    }
    stop = true;
    pthread_join(thread, NULL);
    printf("# %u opened, %u refused\n", held, broken);
    vd_keyclient_room_free(room);
    vd_keyclient_key_free(key);
    raw_tear_down();
}
