/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/keyclient/keyclient.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/support/key_server.h"

static struct vd_keyclient *client;
static struct vd_keyclient_key *key;
static struct vd_diag diag;

static struct vd_keyclient_options options(void)
{
    return (struct vd_keyclient_options){.socket = key_server.socket, .timeout_ms = 20'000};
}

static void set_up(void)
{
    struct vd_keyclient_options o = options();

    diag = (struct vd_diag){};
    VD_EXPECT_EQ(vd_keyclient_new(&o, &client, &diag), VD_OK);
    VD_EXPECT_EQ(vd_keyclient_open(client, "key-000", &key, &diag), VD_OK);
}

static void tear_down(void)
{
    vd_keyclient_key_free(key);
    vd_keyclient_free(client);
    key_server_stop();
}

/* Encrypts and looks whether the right thing came. */
static vd_status encrypt(size_t size, struct vd_diag *d)
{
    uint8_t *text = malloc(size + 1), *out = malloc(size + VD_KEYCLIENT_OVERHEAD);
    struct vd_keyclient_op op = {
        .key = key, .text = {text, size}, .out = {out, size + VD_KEYCLIENT_OVERHEAD, 0}};
    bool right = true;
    vd_status status;

    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)(i * 7 + size);
    status = vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, d);
    if (status == VD_OK) {
        right = op.out.size == size + 1 && out[0] == 0xee && op.served == 1;
        for (size_t i = 0; i < size && right; i++)
            right = out[i + 1] == (text[i] ^ 0x5a);
    }
    free(text);
    free(out);
    return right ? status : VD_E_DIFFERS;
}

VD_TEST(keyclient_sizes)
{
    static const size_t sizes[] = {0, 1, 16, 8192, 8193, 49152, 49153, 65536, 1 << 20, 9 << 20};

    key_server_start();
    for (int lane = 0; lane < 2; lane++) {
        key_server_stop();
        key_server_again();
        key_server.lane = lane != 0;
        set_up();
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            VD_EXPECT_EQ(encrypt(sizes[i], &diag), VD_OK);
        tear_down();
    }
    /* A buffer for small ones, and larger ones where needed; one connection did all. */
    VD_EXPECT(key_server.buffers >= 4 && key_server.buffers <= 6);
    VD_EXPECT_EQ(key_server.connections, 2);
    VD_EXPECT_EQ(key_server.opens, 2);
}

VD_TEST(keyclient_too_large)
{
    key_server_start();
    set_up();
    VD_EXPECT_EQ(encrypt(VD_KEYCLIENT_TEXT_MAX + 1, &diag), VD_E_LIMIT);
    VD_EXPECT_EQ(encrypt(VD_KEYCLIENT_TEXT_MAX, NULL), VD_OK);
    tear_down();
}

VD_TEST(keyclient_no_room)
{
    uint8_t out[4] = {9, 9, 9, 9};
    struct vd_keyclient_op op = {.text = {"abcd", 4}, .out = {out, 4, 0}};

    key_server_start();
    set_up();
    op.key = key;
    VD_EXPECT_EQ(vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, &diag), VD_E_NO_SPACE);
    VD_EXPECT_EQ(op.out.size, 5);
    VD_EXPECT_MEM(out, "\x09\x09\x09\x09", 4);
    tear_down();
}

VD_TEST(keyclient_batch)
{
    struct vd_keyclient_op ops[64];
    uint8_t out[64][32];

    key_server_start();
    set_up();
    for (int large = 0; large < 2; large++) {
        for (uint32_t i = 0; i < 64; i++)
            ops[i] = (struct vd_keyclient_op){
                .key = key, .text = {"0123456789abcdef", 16}, .out = {out[i], large ? 8 : 32, 0}};
        VD_EXPECT_EQ(vd_keyclient_batch(client, VD_KEY_ENCRYPT, ops, 64, &diag), VD_OK);
        for (uint32_t i = 0; i < 64; i++) {
            VD_EXPECT_EQ(ops[i].status, large ? VD_E_NO_SPACE : VD_OK);
            VD_EXPECT_EQ(ops[i].out.size, 17);
            VD_EXPECT_EQ(out[i][1], '0' ^ 0x5a);
        }
    }
    VD_EXPECT_EQ(vd_keyclient_batch(client, VD_KEY_ENCRYPT, ops, 2000, &diag), VD_E_LIMIT);
    tear_down();
}

VD_TEST(keyclient_room)
{
    struct vd_keyclient_room *room;
    struct vd_keyclient_op op = {.text = {NULL, 1 << 20}};
    uint8_t *data;

    key_server_start();
    set_up();
    VD_EXPECT_EQ(vd_keyclient_room_take(client, 4 << 20, &room, &diag), VD_OK);
    data = vd_keyclient_room_data(room);
    memset(data, 1, 1 << 20);
    op.key = key;
    op.room = room;
    op.text.data = data;
    op.out.data = data + (2 << 20);
    op.out.room = (1 << 20) + VD_KEYCLIENT_OVERHEAD;
    VD_EXPECT_EQ(vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, &diag), VD_OK);
    VD_EXPECT_EQ(op.out.size, (1 << 20) + 1);
    VD_EXPECT_EQ(data[(2 << 20) + 77], 1 ^ 0x5a);
    /* Others do not wait for who has a room. */
    VD_EXPECT_EQ(encrypt(100, &diag), VD_OK);
    VD_EXPECT_EQ(key_server.connections, 2);
    vd_keyclient_room_free(room);
    tear_down();
}

static void *many(void *arg)
{
    for (int i = 0; i < 200; i++) {
        struct vd_diag mine = {};
        vd_status status = encrypt((size_t)(i % 50) * 400, &mine);
        if (status != VD_OK) {
            *(vd_status *)arg = status;
            return NULL;
        }
    }
    *(vd_status *)arg = VD_OK;
    return NULL;
}

static void run_threads(uint32_t count)
{
    pthread_t threads[32];
    vd_status status[32];

    for (uint32_t i = 0; i < count; i++)
        VD_EXPECT(pthread_create(&threads[i], NULL, many, &status[i]) == 0);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < count; i++)
        VD_EXPECT_EQ(status[i], VD_OK);
}

VD_TEST(keyclient_threads)
{
    key_server_start();
    set_up();
    run_threads(24);
    VD_EXPECT(key_server.connections >= 2 && key_server.connections <= 16);
    VD_EXPECT_EQ(key_server.opens, key_server.connections);
    vd_keyclient_key_free(key);
    VD_EXPECT_EQ(key_server.closes, key_server.opens);
    key = NULL;
    tear_down();
}

VD_TEST(keyclient_few_connections)
{
    key_server_start();
    key_server.limit = 3;
    set_up();
    run_threads(12);
    VD_EXPECT_EQ(key_server.connections, 3);
    tear_down();
}

VD_TEST(keyclient_restart)
{
    key_server_start();
    set_up();
    run_threads(4);
    for (int i = 0; i < 3; i++) {
        key_server_stop();
        VD_EXPECT_EQ(encrypt(16, &diag), VD_E_MISSING);
        VD_EXPECT(strstr(diag.hint, "veridian-cryptod") != NULL);
        diag = (struct vd_diag){};
        key_server_again();
        VD_EXPECT_EQ(encrypt(16, &diag), VD_OK);
        /* Also where the restart was not noticed. */
        key_server_stop();
        key_server_again();
        VD_EXPECT_EQ(encrypt(1 << 18, &diag), VD_OK);
    }
    tear_down();
}

VD_TEST(keyclient_change_not_twice)
{
    struct vd_key_attributes a = {.name = "x", .type = VD_ALG_ED25519};
    uint8_t id[VD_KEY_ID_SIZE];

    key_server_start();
    set_up();
    key_server.die_at = VD_KEY_CREATE;
    VD_EXPECT_EQ(vd_keyclient_create(client, &a, id, &diag), VD_E_MISSING);
    VD_EXPECT(strstr(diag.hint, "may have done it") != NULL);
    VD_EXPECT_EQ(key_server.creates, 1);
    key_server.die_at = 0;
    VD_EXPECT_EQ(vd_keyclient_create(client, &a, id, NULL), VD_OK);
    VD_EXPECT_EQ(key_server.creates, 2);
    /* A connection that was dead before is none that may have done it. */
    key_server_stop();
    key_server_again();
    VD_EXPECT_EQ(vd_keyclient_create(client, &a, id, NULL), VD_OK);
    VD_EXPECT_EQ(key_server.creates, 3);
    tear_down();
}

VD_TEST(keyclient_fork)
{
    uint32_t before;
    int status;
    pid_t pid;

    key_server_start();
    set_up();
    VD_EXPECT_EQ(encrypt(1 << 20, &diag), VD_OK);
    before = key_server.connections;
    pid = fork();
    if (pid == 0) {
        bool good = true;
        for (int i = 0; i < 20 && good; i++)
            good = encrypt(16, NULL) == VD_OK && encrypt(1 << 20, NULL) == VD_OK;
        _exit(good ? 0 : 1);
    }
    for (int i = 0; i < 20; i++)
        VD_EXPECT_EQ(encrypt(1 << 17, &diag), VD_OK);
    VD_EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    VD_EXPECT_EQ(key_server.connections, before + 1);
    tear_down();
}

/* The child closes the descriptor and something else gets its number: that stays open. */
VD_TEST(keyclient_fork_closed)
{
    int status;
    pid_t pid;

    key_server_start();
    set_up();
    pid = fork();
    if (pid == 0) {
        int fd, ends[2];
        for (fd = 3; fd < 256; fd++)
            close(fd);
        while (pipe(ends) == 0 && ends[1] < 60)
            ;
        if (encrypt(16, NULL) != VD_OK)
            _exit(1);
        for (fd = 3; fd < 60; fd++)
            if (fcntl(fd, F_GETFD) < 0)
                _exit(2);
        _exit(0);
    }
    VD_EXPECT(waitpid(pid, &status, 0) == pid);
    VD_EXPECT_EQ(status, 0);
    tear_down();
}

VD_TEST(keyclient_lists)
{
    struct vd_key_info *infos = calloc(VD_KEY_LIST_MAX, sizeof(*infos));
    struct vd_keyclient_page page = {.infos = infos};
    struct vd_keyclient_attachment *rows;
    struct vd_keyclient_shown shown;
    uint32_t count;

    key_server_start();
    set_up();
    VD_EXPECT_EQ(vd_keyclient_list(client, &page, &diag), VD_OK);
    VD_EXPECT(page.count == 3 && page.more);
    page.after = &infos[2];
    page.infos = infos + 3;
    VD_EXPECT_EQ(vd_keyclient_list(client, &page, &diag), VD_OK);
    VD_EXPECT(page.count == 3 && !page.more);
    VD_EXPECT_STR(infos[5].attributes.name, "key-005");
    VD_EXPECT_EQ(vd_keyclient_attachments(key, 0, &rows, &count, &diag), VD_OK);
    VD_EXPECT_EQ(count, 4);
    VD_EXPECT_STR(rows[3].name, "d");
    VD_EXPECT_EQ(vd_keyclient_show(client, "key-000", &shown, &diag), VD_OK);
    VD_EXPECT(shown.version_count == 1 && shown.versions[0].created == 5);
    free(shown.versions);
    free(rows);
    free(infos);
    tear_down();
}

VD_TEST(keyclient_wrong_server)
{
    struct vd_keyclient_options o;
    struct vd_keyclient *other;

    key_server_start();
    o = options();
    o.server_uid = 12345;
    VD_EXPECT_EQ(vd_keyclient_new(&o, &other, NULL), VD_OK);
    VD_EXPECT_EQ(vd_keyclient_connect(other, NULL), VD_E_UNTRUSTED);
    vd_keyclient_free(other);
    o.server_uid = VD_KEYCLIENT_ANY_UID;
    VD_EXPECT_EQ(vd_keyclient_new(&o, &other, NULL), VD_OK);
    VD_EXPECT_EQ(vd_keyclient_connect(other, NULL), VD_OK);
    vd_keyclient_free(other);
    o.socket = "/nonexistent/key.sock";
    VD_EXPECT_EQ(vd_keyclient_new(&o, &other, NULL), VD_OK);
    VD_EXPECT_EQ(vd_keyclient_connect(other, NULL), VD_E_MISSING);
    vd_keyclient_free(other);
    key_server_stop();
}

/* A service that lies: nothing of it may hurt the client. */

static uint64_t seed;
static _Atomic uint16_t lie_about;
static _Atomic size_t cut_at;

static void flip(uint16_t verb, uint8_t *payload, size_t *size)
{
    if (verb < VD_KEY_OPEN || *size == 0)
        return;
    for (uint64_t n = vd_test_random(&seed) % 4; n != 0; n--)
        payload[vd_test_random(&seed) % *size] = (uint8_t)vd_test_random(&seed);
    if (vd_test_random(&seed) % 3 == 0)
        *size = vd_test_random(&seed) % (*size + 1);
}

static void cut(uint16_t verb, uint8_t *payload, size_t *size)
{
    (void)payload;
    if (verb == lie_about && cut_at < *size)
        *size = cut_at;
}

static void ask_all(void)
{
    static struct vd_key_info infos[VD_KEY_LIST_MAX];
    struct vd_keyclient_page page = {.infos = infos};
    struct vd_keyclient_attachment *rows;
    struct vd_keyclient_shown shown;
    struct vd_key_attributes a = {.name = "x", .type = VD_ALG_ED25519};
    struct vd_keyclient_key *other;
    uint8_t id[VD_KEY_ID_SIZE], out[64];
    struct vd_keyclient_op op = {.key = key, .text = {"abc", 3}, .out = {out, 64, 0}};
    uint32_t count;

    (void)!vd_keyclient_list(client, &page, NULL);
    if (vd_keyclient_attachments(key, 0, &rows, &count, NULL) == VD_OK)
        free(rows);
    if (vd_keyclient_show(client, "k", &shown, NULL) == VD_OK)
        free(shown.versions);
    (void)!vd_keyclient_create(client, &a, id, NULL);
    if (vd_keyclient_open(client, "k", &other, NULL) == VD_OK)
        vd_keyclient_key_free(other);
    (void)!vd_keyclient_batch(client, VD_KEY_ENCRYPT, &op, 1, NULL);
    (void)!encrypt(64, NULL);
    (void)!encrypt(1 << 16, NULL);
}

VD_TEST(keyclient_lies)
{
    key_server_start();
    set_up();
    seed = 1;
    key_server.tamper = flip;
    for (int i = 0; i < 300; i++)
        ask_all();
    key_server.tamper = NULL;
    VD_EXPECT_EQ(encrypt(64, &diag), VD_OK);
    tear_down();
}

VD_TEST(keyclient_cut_answers)
{
    static const uint16_t verbs[] = {VD_KEY_ENCRYPT, VD_KEY_LIST, VD_KEY_SHOW, VD_KEY_ATTACHMENTS};

    key_server_start();
    set_up();
    key_server.tamper = cut;
    for (size_t v = 0; v < 4; v++) {
        lie_about = verbs[v];
        for (cut_at = 0; cut_at < 13; cut_at++) {
            static struct vd_key_info infos[VD_KEY_LIST_MAX];
            struct vd_keyclient_page page = {.infos = infos};
            struct vd_keyclient_attachment *rows;
            struct vd_keyclient_shown shown;
            uint32_t count;
            vd_status status = v == 0   ? encrypt(3, NULL)
                               : v == 1 ? vd_keyclient_list(client, &page, NULL)
                               : v == 2 ? vd_keyclient_show(client, "k", &shown, NULL)
                                        : vd_keyclient_attachments(key, 0, &rows, &count, NULL);
            VD_EXPECT_EQ(status, VD_E_INVALID);
        }
    }
    tear_down();
}

static void elsewhere(uint16_t verb, uint8_t *payload, size_t *size)
{
    (void)size;
    if (verb == VD_KEY_ENCRYPT)
        payload[16] = 0xff; /* the output's place: beyond what was asked for */
}

VD_TEST(keyclient_output_elsewhere)
{
    key_server_start();
    set_up();
    VD_EXPECT_EQ(encrypt(1 << 17, NULL), VD_OK);
    key_server.tamper = elsewhere;
    VD_EXPECT_EQ(encrypt(1 << 17, NULL), VD_E_INVALID);
    tear_down();
}

/* A service keeps a bounded number of handles for a connection; keys that a program has open have no bound. */
VD_TEST(keyclient_more_keys_than_handles)
{
    enum { COUNT = 70'000 };
    struct vd_keyclient_key **keys = calloc(COUNT, sizeof(*keys));

    VD_EXPECT(keys != NULL);
    key_server_start();
    key_server_stop();
    key_server_again();
    key_server.lane = true;
    set_up();
    for (uint32_t i = 0; i < COUNT; i++)
        VD_EXPECT_EQ(vd_keyclient_open(client, "key-001", &keys[i], &diag), VD_OK);
    VD_EXPECT_EQ(encrypt(10, &diag), VD_OK); /* the first one, opened before all others */
    for (uint32_t i = 0; i < COUNT; i++)
        vd_keyclient_key_free(keys[i]);
    free(keys);
    tear_down();
}
