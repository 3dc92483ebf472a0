/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* veridian-securityd against hostile, slow and greedy clients. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/ipc/socket.h"
#include "services/security/client.h"
#include "tests/integration/securityd_client.h"

static int connect_raw(void)
{
    int fd;

    VD_EXPECT_EQ(vd_ipc_connect(securityd.socket, vd_ipc_deadline(5000), &fd, NULL), VD_OK);
    return fd;
}

/* Sends a frame with random verb and payload; takes an answer if there is one. */
static void send_noise(int *fd, uint64_t *random, bool whole_frame)
{
    static struct vd_ipc_buffer buffer;
    uint8_t bytes[512];
    size_t size = vd_test_random(random) % sizeof(bytes);
    struct vd_ipc_frame frame = {.service = VD_IPC_SERVICE_SECURITY,
                                 .verb = (uint16_t)(vd_test_random(random) % 20),
                                 .payload = bytes,
                                 .size = size,
                                 .fd = -1};
    struct vd_ipc_frame answer;
    vd_status status;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)vd_test_random(random);
    if (size > 0 && vd_test_random(random) % 2 == 0)
        bytes[0] = (uint8_t)(1 + vd_test_random(random) % 3);
    if (whole_frame) {
        status = vd_ipc_send(*fd, &frame, vd_ipc_deadline(5000), NULL);
    } else {
        status = send(*fd, bytes, size, MSG_NOSIGNAL) >= 0 ? VD_OK : VD_E_MISSING;
    }
    if (status == VD_OK)
        status = vd_ipc_receive(*fd, &buffer, vd_ipc_deadline(5000), &answer, NULL);
    if (status == VD_OK) {
        vd_fd_close(&answer.fd);
        return;
    }
    /* Garbage ends the connection; it must not be the server's silence. */
    VD_EXPECT(status == VD_E_MISSING);
    close(*fd);
    *fd = connect_raw();
}

VD_TEST(garbage_harms_nobody)
{
    uint64_t random = 11;
    int fd;

    start("allow admin_t secret_t:file read;");
    fd = connect_raw();
    for (uint32_t i = 0; i < 6000; i++)
        send_noise(&fd, &random, i % 3 != 0);
    close(fd);
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
    VD_EXPECT(!vd_secclient_check(client, user, secret, class, READ));
    VD_EXPECT(securityd_count(VD_SEC_STAT_DROPPED_CLIENTS) > 0);
    VD_EXPECT(securityd_count(VD_SEC_STAT_CLIENTS) <= 2);
    securityd_stop();
}

/* A check's and a registration's payload, cut at every length and made longer. */
VD_TEST(payloads_of_a_wrong_length_are_refused)
{
    static struct vd_ipc_buffer buffer;
    uint8_t bytes[64] = {VD_SEC_SUBJECT, sizeof(ADMIN) - 1, 0};
    static const uint32_t verbs[] = {VD_SEC_REGISTER, VD_SEC_CHECK, VD_SEC_HELLO, VD_SEC_LOAD};
    static const size_t sizes[] = {3 + sizeof(ADMIN) - 1, 16, 4, 8};
    int fd;

    start("");
    memcpy(bytes + 3, ADMIN, sizeof(ADMIN) - 1);
    fd = connect_raw();
    for (size_t i = 0; i < VD_COUNT(verbs); i++) {
        for (size_t size = 0; size <= sizes[i] + 1; size++) {
            struct vd_ipc_frame frame = {.service = VD_IPC_SERVICE_SECURITY,
                                         .verb = (uint16_t)verbs[i],
                                         .payload = bytes,
                                         .size = size,
                                         .fd = -1};
            struct vd_ipc_line line = {fd, &buffer, vd_ipc_deadline(5000)};
            struct vd_ipc_frame answer;
            if (size != sizes[i])
                VD_EXPECT_EQ(vd_ipc_call(&line, &frame, &answer, NULL), VD_E_INVALID);
        }
    }
    close(fd);
}

/* Asks without ever taking an answer, until its socket is full; others are served meanwhile. */
VD_TEST(a_client_that_takes_no_answer_blocks_nobody)
{
    struct vd_ipc_frame frame = {
        .service = VD_IPC_SERVICE_SECURITY, .verb = VD_SEC_STATUS, .fd = -1};
    uint32_t sent = 0;
    int fd;

    start("allow admin_t secret_t:file read;");
    fd = connect_raw();
    while (sent < 100'000 && vd_ipc_send(fd, &frame, vd_ipc_deadline(50), NULL) == VD_OK)
        sent++;
    VD_EXPECT(sent < 100'000); /* the server does not read on for it */
    for (uint32_t i = 0; i < 100; i++)
        VD_EXPECT(!vd_secclient_check(client, user, secret, class, READ));
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_SEQUENCE), 1);
    close(fd);
}

VD_TEST(subjects_and_objects_are_bounded_and_given_back)
{
    struct vd_diag diag = {};
    vd_status status = VD_OK;
    uint32_t count = 0, id;

    start("");
    while (count < 2 * VD_SECD_ENTITIES_MAX && status == VD_OK) {
        status = vd_secclient_object(client, PUBLIC, &id, &diag);
        count += status == VD_OK;
    }
    VD_EXPECT_EQ(status, VD_E_LIMIT);
    VD_EXPECT_EQ(count + 3, VD_SECD_ENTITIES_MAX);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_OBJECTS), VD_SECD_ENTITIES_MAX - 2);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_CONTEXTS), 4);
    vd_secclient_forget(client, id);
    VD_EXPECT_EQ(vd_secclient_object(client, PUBLIC, &id, NULL), VD_OK);
    vd_secclient_free(client);
    client = NULL;
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_OBJECTS), 0);
    VD_EXPECT_EQ(securityd_count(VD_SEC_STAT_CONTEXTS), 0);
}

/* Classes with long names: the bytes are bounded before their number is. */
VD_TEST(names_are_bounded_in_bytes)
{
    static char names[32][VD_SEC_NAME_MAX + 1];
    const char *list[32];
    vd_status status = VD_OK;
    uint32_t count = 0, id;

    start("");
    for (uint32_t i = 0; i < 32; i++) {
        memset(names[i], 'a' + (int)(i % 26), VD_SEC_NAME_MAX);
        list[i] = names[i];
    }
    while (count < VD_SECD_CLASSES_MAX && status == VD_OK) {
        snprintf(names[0], sizeof(names[0]), "%0200u", count);
        status =
            vd_secclient_class(client, &(struct vd_secclient_names){"file", list, 32}, &id, NULL);
        count += status == VD_OK;
    }
    VD_EXPECT_EQ(status, VD_E_LIMIT);
    VD_EXPECT(count > 100 && count < 140);
    VD_EXPECT(!vd_secclient_check(client, admin, secret, class, READ));
}

VD_TEST(classes_are_bounded)
{
    const char *one[1];
    char name[32];
    vd_status status = VD_OK;
    uint32_t count = 0, id;

    start("");
    while (count < 2 * VD_SECD_CLASSES_MAX && status == VD_OK) {
        snprintf(name, sizeof(name), "p%u", count);
        one[0] = name;
        status =
            vd_secclient_class(client, &(struct vd_secclient_names){"file", one, 1}, &id, NULL);
        count += status == VD_OK;
    }
    VD_EXPECT_EQ(status, VD_E_LIMIT);
    VD_EXPECT_EQ(count + 1, VD_SECD_CLASSES_MAX);
}

/* One user's connections are bounded, and an administrator still gets in. */
static int connect_until_refused(void)
{
    int fd;
    static struct vd_ipc_buffer buffer;
    uint32_t served = 0;

    for (uint32_t i = 0; i < VD_SECD_CLIENTS_USER + 8; i++) {
        struct vd_ipc_frame frame = {
            .service = VD_IPC_SERVICE_SECURITY, .verb = VD_SEC_STATUS, .fd = -1};
        struct vd_ipc_line line = {-1, &buffer, vd_ipc_deadline(5000)};
        struct vd_ipc_frame answer;
        if (vd_ipc_connect(securityd.socket, line.deadline_ns, &fd, NULL) != VD_OK)
            return 200;
        line.fd = fd; /* held open until this process ends */
        served += vd_ipc_call(&line, &frame, &answer, NULL) == VD_OK;
    }
    return served == VD_SECD_CLIENTS_USER ? 0 : 1;
}

VD_TEST(connections_of_a_user_are_bounded)
{
    start("allow admin_t secret_t:file read;");
    if (geteuid() != 0)
        vd_test_skip("needs root, to become another user");
    VD_EXPECT_EQ(securityd_as_user(NOBODY, connect_until_refused), 0);
    VD_EXPECT(securityd_count(VD_SEC_STAT_REFUSED_CLIENTS) >= 8);
    VD_EXPECT(vd_secclient_check(client, admin, secret, class, READ));
}

VD_TEST(a_second_server_gets_neither_store_nor_socket)
{
    pid_t first;

    start("");
    first = securityd.pid;
    VD_EXPECT_EQ(securityd_try_start(), 4);
    snprintf(securityd.socket, sizeof(securityd.socket), "%s/another", securityd.dir);
    VD_EXPECT_EQ(securityd_try_start(), 4);
    securityd.pid = first;
    securityd_stop();
}
