/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every wrong request of a client gets the error that names what is wrong. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/file.h"
#include "tests/harness.h"
#include "tests/support/cryptod.h"

static struct vd_keyclient *client;
static struct vd_diag diag;
static int line;
static uint8_t bytes[65536];
static struct vd_writer w;

static void set_up(void)
{
    diag = (struct vd_diag){};
    cryptod_prepare();
    cryptod_start();
    client = cryptod_client();
    line = cryptod_connect();
}

static void tear_down(void)
{
    vd_fd_close(&line);
    vd_keyclient_free(client);
    cryptod_stop();
}

/* A status with a reason. */
#define EXPECT(call, expected)                                                          \
    do {                                                                                \
        diag = (struct vd_diag){};                                                      \
        vd_status status_ = (call);                                                     \
        if (status_ != (expected) || (status_ != VD_OK && diag.text[0] == '\0'))        \
            vd_test_fail(__FILE__, __LINE__, "%s: %s, expected %s: %s", #call,          \
                         vd_status_name(status_), vd_status_name(expected), diag.text); \
    } while (0)

static struct vd_writer *begin(void)
{
    vd_writer_init(&w, bytes, sizeof(bytes));
    return &w;
}

static vd_status send_request(uint16_t verb)
{
    return cryptod_ask(line, verb, &w, NULL, &diag);
}

static struct vd_reader answer(void)
{
    struct vd_reader r;

    vd_reader_init(&r, cryptod_answer.payload, cryptod_answer.size);
    return r;
}

static uint32_t open_key(const char *name)
{
    struct vd_reader r;
    uint32_t handle = 0;

    vd_key_write_text(begin(), name);
    EXPECT(send_request(VD_KEY_OPEN), VD_OK);
    r = answer();
    VD_EXPECT_EQ(vd_read_le32(&r, &handle), VD_OK);
    return handle;
}

static uint32_t make_key(const char *name, uint16_t type, uint32_t usages)
{
    vd_keyclient_key_free(cryptod_key(client, name, type, usages));
    return open_key(name);
}

static vd_status operate(uint16_t verb, const struct vd_key_op *op)
{
    vd_key_write_op(begin(), op);
    return send_request(verb);
}

static struct vd_key_op text_op(uint32_t handle, const void *text, size_t size)
{
    return (struct vd_key_op){.handle = handle, .text = {.data = text, .size = size}};
}

/* The result's output, copied; its size. */
static size_t result_out(uint8_t *to, size_t room)
{
    struct vd_reader r = answer();
    struct vd_key_result result;

    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    VD_EXPECT(result.out.size <= room);
    if (result.out.data != NULL)
        memcpy(to, result.out.data, result.out.size);
    return result.out.size;
}

VD_TEST(frames)
{
    struct vd_ipc_buffer buffer;
    struct vd_ipc_frame got;
    struct vd_key_op op = {};
    uint8_t packet[64] = {};

    set_up();
    begin();
    EXPECT(send_request(200), VD_E_INVALID);
    EXPECT(send_request(VD_KEY_OPEN), VD_E_TRUNCATED);
    vd_write_le32(begin(), 2);
    EXPECT(send_request(VD_KEY_HELLO), VD_E_VERSION);
    vd_write_le32(begin(), VD_KEY_PROTOCOL);
    EXPECT(send_request(VD_KEY_HELLO), VD_OK);
    vd_write_u8(&w, 0);
    EXPECT(send_request(VD_KEY_HELLO), VD_E_TRAILING);
    vd_key_write_op(begin(), &op);
    w.len -= 1;
    EXPECT(send_request(VD_KEY_ENCRYPT), VD_E_TRUNCATED);
    op.version = VD_KEY_VERSIONS_MAX + 1;
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_RANGE);
    vd_key_write_text(begin(), "no such key");
    EXPECT(send_request(VD_KEY_OPEN), VD_E_INVALID);
    vd_key_write_text(begin(), "none");
    EXPECT(send_request(VD_KEY_OPEN), VD_E_NOT_FOUND);
    vd_key_write_text(begin(), "id:0011");
    EXPECT(send_request(VD_KEY_OPEN), VD_E_INVALID);
    vd_key_write_text(begin(), "id:00112233445566778899aabbccddeeff");
    EXPECT(send_request(VD_KEY_OPEN), VD_E_NOT_FOUND);
    /* Packets that are no frames: told so, and the connection serves on. */
    VD_EXPECT(send(line, packet, sizeof(packet), 0) == sizeof(packet));
    VD_EXPECT_EQ(vd_ipc_receive(line, &buffer, vd_ipc_deadline(20000), &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.status, VD_E_MAGIC);
    VD_EXPECT(send(line, packet, 3, 0) == 3);
    VD_EXPECT_EQ(vd_ipc_receive(line, &buffer, vd_ipc_deadline(20000), &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.status, VD_E_TRUNCATED);
    vd_write_le32(begin(), 16);
    EXPECT(send_request(VD_KEY_RANDOM), VD_OK);
    vd_write_le32(begin(), VD_KEY_RANDOM_MAX + 1);
    EXPECT(send_request(VD_KEY_RANDOM), VD_E_LIMIT);
    EXPECT(cryptod_ask_with(line, VD_KEY_STATUS, begin(), 0, &diag), VD_E_INVALID);
    EXPECT(cryptod_ask_with(line, VD_KEY_ADOPT, begin(), 0, &diag), VD_E_DENIED);
    tear_down();
}

VD_TEST(handles)
{
    uint32_t handle, other;
    struct vd_key_op op;
    int second;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    op = text_op(handle, "x", 1);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    /* Another connection's number is none of this one's. */
    second = cryptod_connect();
    vd_key_write_op(begin(), &op);
    EXPECT(cryptod_ask(second, VD_KEY_ENCRYPT, &w, NULL, &diag), VD_E_HANDLE);
    vd_fd_close(&second);
    op.handle = handle + 1;
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_HANDLE);
    op.handle = handle + (1u << 16);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_HANDLE);
    vd_write_le32(begin(), handle);
    EXPECT(send_request(VD_KEY_CLOSE), VD_OK);
    EXPECT(send_request(VD_KEY_CLOSE), VD_E_HANDLE);
    op.handle = handle;
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_HANDLE);
    other = open_key("a");
    VD_EXPECT(other != handle);
    for (uint32_t i = 1; i < VD_KEY_HANDLES_MAX; i++)
        (void)open_key("a");
    vd_key_write_text(begin(), "a");
    EXPECT(send_request(VD_KEY_OPEN), VD_E_LIMIT);
    vd_write_le32(begin(), other);
    EXPECT(send_request(VD_KEY_CLOSE), VD_OK);
    VD_EXPECT(open_key("a") != other);
    tear_down();
}

VD_TEST(usages_and_types)
{
    static const uint8_t nonce[12] = {1};
    uint32_t encrypts, aes, ed, wraps;
    struct vd_key_attributes a = {.name = "bad", .type = VD_ALG_AES_256_GCM};
    struct vd_key_op op;
    uint8_t out[256];
    size_t size;

    set_up();
    encrypts = make_key("encrypts", VD_ALG_AES_256_GCM, VD_ALG_ENCRYPT);
    aes = make_key("aes", VD_ALG_AES_256_GCM, 0);
    ed = make_key("ed", VD_ALG_ED25519, 0);
    wraps = make_key("wraps", VD_ALG_AES_256_GCM, VD_ALG_WRAP | VD_ALG_UNWRAP);
    op = text_op(encrypts, "text", 4);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    size = result_out(out, sizeof(out));
    op = text_op(encrypts, out, size);
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_KEY_USAGE);
    op.handle = aes;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    op.handle = wraps;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_KEY_USAGE);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    op.handle = ed;
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    EXPECT(operate(VD_KEY_DERIVE, &op), VD_E_KEY_USAGE);
    op.mechanism = VD_ALG_HMAC;
    EXPECT(operate(VD_KEY_SIGN, &op), VD_E_MECHANISM);
    op.mechanism = 999;
    EXPECT(operate(VD_KEY_SIGN, &op), VD_E_MECHANISM);
    op = text_op(aes, "text", 4);
    op.mechanism = VD_ALG_AEAD_RAW;
    op.extra = (struct vd_key_part){.data = nonce, .size = sizeof(nonce)};
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    /* Attributes that no key has. */
    a.usages = VD_ALG_SIGN;
    vd_key_write_attributes(begin(), &a);
    EXPECT(send_request(VD_KEY_CREATE), VD_E_KEY_USAGE);
    a.usages = VD_ALG_DECRYPT | VD_ALG_WRAP;
    vd_key_write_attributes(begin(), &a);
    EXPECT(send_request(VD_KEY_CREATE), VD_E_KEY_USAGE);
    a.usages = 0;
    a.type = 99;
    vd_key_write_attributes(begin(), &a);
    EXPECT(send_request(VD_KEY_CREATE), VD_E_KEY_TYPE);
    a = (struct vd_key_attributes){.name = "aes", .type = VD_ALG_AES_256_GCM};
    vd_key_write_attributes(begin(), &a);
    EXPECT(send_request(VD_KEY_CREATE), VD_E_EXISTS);
    a.name[0] = '\0';
    vd_key_write_attributes(begin(), &a);
    EXPECT(send_request(VD_KEY_CREATE), VD_E_INVALID);
    tear_down();
}

static vd_status set(uint32_t handle, uint32_t which, const struct vd_key_attributes *a)
{
    vd_write_le32(begin(), handle);
    vd_write_le32(&w, which);
    vd_key_write_attributes(&w, a);
    return send_request(VD_KEY_SET);
}

/* A handle never outlives a change. */
VD_TEST(times_and_limits)
{
    uint64_t now = (uint64_t)time(NULL);
    struct vd_key_attributes a = {};
    uint32_t handle;
    struct vd_key_op op;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    op = text_op(handle, "x", 1);
    a.not_before = now + 3600;
    EXPECT(set(handle, VD_KEY_SET_NOT_BEFORE, &a), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_NOT_YET);
    a.not_before = 0;
    a.not_after = now - 10;
    EXPECT(set(handle, VD_KEY_SET_NOT_BEFORE | VD_KEY_SET_NOT_AFTER, &a), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_EXPIRED);
    a.not_after = now + 3600;
    EXPECT(set(handle, VD_KEY_SET_NOT_AFTER, &a), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    a.usage_limit = 5;
    EXPECT(set(handle, VD_KEY_SET_USAGE_LIMIT, &a), VD_OK);
    for (int i = 0; i < 5; i++)
        EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_USED_UP);
    a.usage_limit = 7;
    EXPECT(set(handle, VD_KEY_SET_USAGE_LIMIT, &a), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_USED_UP);
    /* After a kill at most a step is lost, and never one won. */
    tear_down();
}

VD_TEST(what_is_never_taken_back)
{
    struct vd_key_attributes a = {};
    uint32_t handle, other;
    struct vd_key_op op;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    other = make_key("w", VD_ALG_AES_256_GCM, VD_ALG_WRAP | VD_ALG_UNWRAP);
    a.flags = VD_KEY_NON_EXPORTABLE;
    EXPECT(set(handle, VD_KEY_SET_FLAGS, &a), VD_OK);
    a.flags = 0;
    EXPECT(set(handle, VD_KEY_SET_FLAGS, &a), VD_E_DENIED);
    op = (struct vd_key_op){.handle = other, .other = handle};
    EXPECT(operate(VD_KEY_WRAP, &op), VD_E_DENIED);
    a.usages = VD_ALG_ENCRYPT;
    EXPECT(set(handle, VD_KEY_SET_USAGES, &a), VD_OK);
    a.usages = VD_ALG_ENCRYPT | VD_ALG_DECRYPT;
    EXPECT(set(handle, VD_KEY_SET_USAGES, &a), VD_E_DENIED);
    a.usages = VD_ALG_DECRYPT;
    EXPECT(set(other, VD_KEY_SET_USAGES, &a), VD_E_DENIED);
    a.flags = VD_KEY_NON_EXPORTABLE | VD_KEY_FIXED;
    EXPECT(set(handle, VD_KEY_SET_FLAGS, &a), VD_OK);
    EXPECT(set(handle, VD_KEY_SET_USAGE_LIMIT, &a), VD_E_DENIED);
    EXPECT(set(handle, 1u << 20, &a), VD_E_RESERVED);
    a = (struct vd_key_attributes){.min_decrypt_version = 2};
    EXPECT(set(other, VD_KEY_SET_MIN_DECRYPT, &a), VD_E_RANGE);
    tear_down();
}

static vd_status destroy(uint32_t handle, uint32_t version, uint64_t grace)
{
    vd_write_le32(begin(), handle);
    vd_write_le32(&w, version);
    vd_write_le64(&w, grace);
    return send_request(VD_KEY_DESTROY);
}

VD_TEST(versions_and_destruction)
{
    uint8_t first[256], second[256];
    size_t first_size, second_size;
    struct vd_key_attributes a = {};
    struct vd_key_op op, old;
    uint32_t handle;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    op = text_op(handle, "secret", 6);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    first_size = result_out(first, sizeof(first));
    vd_write_le32(begin(), handle);
    EXPECT(send_request(VD_KEY_ROTATE), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    second_size = result_out(second, sizeof(second));
    old = text_op(handle, first, first_size);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_OK);
    EXPECT(operate(VD_KEY_REWRAP, &old), VD_OK);
    first_size = result_out(first, sizeof(first));
    old = text_op(handle, first, first_size);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_OK);
    old.version = 1;
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_E_DIFFERS);
    op.version = 1;
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    first_size = result_out(first, sizeof(first));
    old = text_op(handle, first, first_size);
    a.min_decrypt_version = 2;
    EXPECT(set(handle, VD_KEY_SET_MIN_DECRYPT, &a), VD_OK);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_REVOKED);
    op.version = 3;
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_NOT_FOUND);
    op.version = 0;
    a.min_decrypt_version = 1;
    EXPECT(set(handle, VD_KEY_SET_MIN_DECRYPT, &a), VD_OK);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_OK);
    EXPECT(destroy(handle, 2, 0), VD_E_USAGE);
    EXPECT(destroy(handle, 1, 0), VD_OK);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    EXPECT(destroy(handle, 0, VD_KEY_GRACE_MAX + 1ull), VD_E_RANGE);
    EXPECT(destroy(handle, 0, 3600), VD_OK);
    old = text_op(handle, second, second_size);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_REVOKED);
    vd_write_le32(begin(), handle);
    EXPECT(send_request(VD_KEY_RESTORE), VD_OK);
    EXPECT(send_request(VD_KEY_RESTORE), VD_E_INVALID);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_OK);
    EXPECT(destroy(handle, 0, 0), VD_OK);
    EXPECT(operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    vd_write_le32(begin(), handle);
    EXPECT(send_request(VD_KEY_RESTORE), VD_E_REVOKED);
    tear_down();
}

VD_TEST(ciphertexts)
{
    uint8_t good[256], bad[256];
    uint32_t handle;
    struct vd_key_op op;
    size_t size;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    op = text_op(handle, "a secret text", 13);
    op.aux = (struct vd_key_part){.data = (const uint8_t *)"who", .size = 3};
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    size = result_out(good, sizeof(good));
    op.text = (struct vd_key_part){.data = good, .size = size};
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_OK);
    op.aux.size = 2;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    op.aux.size = 3;
    for (size_t i = 0; i < size; i++) {
        vd_status status;
        memcpy(bad, good, size);
        bad[i] ^= 0x80;
        op.text.data = bad;
        status = operate(VD_KEY_DECRYPT, &op);
        VD_EXPECT(status != VD_OK);
        VD_EXPECT(vd_status_class(status) == VD_CLASS_INPUT ||
                  vd_status_class(status) == VD_CLASS_POLICY);
    }
    op.text.data = good;
    for (size_t i = 0; i < size; i++) {
        op.text.size = i;
        VD_EXPECT(operate(VD_KEY_DECRYPT, &op) != VD_OK);
    }
    op.text.size = 50; /* shorter than header and tag */
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_TRUNCATED);
    tear_down();
}

static int memory(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    VD_EXPECT(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    VD_EXPECT(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static vd_status share(int fd, uint64_t size)
{
    vd_write_le64(begin(), size);
    return cryptod_ask_with(line, VD_KEY_BUFFER, &w, fd, &diag);
}

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

VD_TEST(shared_memory)
{
    int unsealed, half, good, frozen, file;
    uint32_t handle, number;
    struct vd_key_op op;
    struct vd_reader r;
    uint8_t *shared;
    size_t size;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    unsealed = memory(65536, 0);
    half = memory(65536, F_SEAL_SHRINK);
    good = memory(65536, SEALS);
    frozen = memory(65536, SEALS | F_SEAL_WRITE);
    file = open(cryptod.passphrase, O_RDONLY | O_CLOEXEC);
    EXPECT(share(unsealed, 65536), VD_E_INVALID);
    EXPECT(share(half, 65536), VD_E_INVALID);
    EXPECT(share(frozen, 65536), VD_E_INVALID);
    EXPECT(share(file, 65536), VD_E_INVALID);
    EXPECT(share(good, 65537), VD_E_SIZE);
    EXPECT(share(good, 4096), VD_E_SIZE);
    vd_fd_close(&half);
    half = memory(VD_KEY_BUFFER_BYTES + 4096, SEALS);
    EXPECT(share(half, VD_KEY_BUFFER_BYTES + 4096), VD_E_LIMIT);
    EXPECT(share(good, 65536), VD_OK);
    r = answer();
    VD_EXPECT_EQ(vd_read_le32(&r, &number), VD_OK);
    shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, good, 0);
    VD_EXPECT(shared != MAP_FAILED);
    memset(shared, 7, 30000);
    op = (struct vd_key_op){.handle = handle,
                            .text = {.size = 30000, .buffer = number},
                            .out = {.size = 35536, .buffer = number, .offset = 30000}};
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    size = 30000 + 56;
    op.text = (struct vd_key_part){.size = size, .buffer = number, .offset = 30000};
    op.out = (struct vd_key_part){.size = 29999, .buffer = number};
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_NO_SPACE);
    memset(shared, 0, 30000);
    op.out.size = 30000;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_OK);
    VD_EXPECT(shared[0] == 7 && shared[29999] == 7);
    /* Nothing of the plaintext appears if the tag is wrong. */
    memset(shared, 0, 30000);
    shared[30000 + 100] ^= 1;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    for (size_t i = 0; i < 30000; i++)
        VD_EXPECT_EQ(shared[i], 0);
    op.text.offset = 65536 - 10;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_RANGE);
    op.text.offset = UINT64_MAX - 5;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_LIMIT);
    op.text.buffer = number + 1;
    op.text.offset = 0;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_HANDLE);
    for (uint32_t i = 1; i < VD_KEY_BUFFERS_MAX; i++)
        EXPECT(share(good, 65536), VD_OK);
    EXPECT(share(good, 65536), VD_E_LIMIT);
    vd_write_le64(begin(), 0);
    vd_write_le32(&w, number);
    EXPECT(send_request(VD_KEY_BUFFER), VD_OK);
    EXPECT(send_request(VD_KEY_BUFFER), VD_E_HANDLE);
    munmap(shared, 65536);
    vd_fd_close(&unsealed);
    vd_fd_close(&half);
    vd_fd_close(&good);
    vd_fd_close(&frozen);
    vd_fd_close(&file);
    tear_down();
}

/* Wraps one key, and takes it in again under another name. */
static vd_status unwrap(uint32_t handle, const uint8_t *blob, size_t size,
                        const struct vd_key_attributes *a)
{
    struct vd_key_op op = text_op(handle, blob, size);

    vd_key_write_op(begin(), &op);
    vd_key_write_attributes(&w, a);
    return send_request(VD_KEY_UNWRAP);
}

VD_TEST(wrapped_keys)
{
    struct vd_key_attributes a = {.name = "copy"};
    uint8_t blob[2048], text[64], bad[2048];
    uint32_t wraps, key, data, copy;
    struct vd_key_op op;
    size_t size, text_size;

    set_up();
    wraps = make_key("wraps", VD_ALG_AES_256_GCM, VD_ALG_WRAP | VD_ALG_UNWRAP);
    data = make_key("data", VD_ALG_AES_256_GCM, 0);
    key = make_key("key", VD_ALG_AES_256_GCM, VD_ALG_DECRYPT | VD_ALG_ENCRYPT);
    op = text_op(key, "hello", 5);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_OK);
    text_size = result_out(text, sizeof(text));
    op = (struct vd_key_op){.handle = wraps, .other = key};
    EXPECT(operate(VD_KEY_WRAP, &op), VD_OK);
    size = result_out(blob, sizeof(blob));
    /* Wrap, then decrypt: neither the key that wraps nor another opens it. */
    op = text_op(wraps, blob + 44, size - 44);
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_KEY_USAGE);
    op.handle = data;
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    EXPECT(unwrap(data, blob, size, &a), VD_E_KEY_USAGE);
    op = (struct vd_key_op){.handle = data, .other = key};
    EXPECT(operate(VD_KEY_WRAP, &op), VD_E_KEY_USAGE);
    op = (struct vd_key_op){.handle = wraps, .other = 12345};
    EXPECT(operate(VD_KEY_WRAP, &op), VD_E_HANDLE);
    for (size_t i = 0; i < size; i++) {
        memcpy(bad, blob, size);
        bad[i] ^= 1;
        VD_EXPECT(unwrap(wraps, bad, size, &a) != VD_OK);
        VD_EXPECT(unwrap(wraps, blob, i, &a) != VD_OK);
    }
    a.usages = VD_ALG_ENCRYPT | VD_ALG_DECRYPT | VD_ALG_ENCRYPT_OWN_NONCE;
    EXPECT(unwrap(wraps, blob, size, &a), VD_E_KEY_USAGE);
    a.usages = VD_ALG_DECRYPT;
    a.type = VD_ALG_CHACHA20_POLY1305;
    EXPECT(unwrap(wraps, blob, size, &a), VD_E_KEY_TYPE);
    a.type = 0;
    EXPECT(unwrap(wraps, blob, size, &a), VD_OK);
    EXPECT(unwrap(wraps, blob, size, &a), VD_E_EXISTS);
    copy = open_key("copy");
    op = text_op(copy, text, text_size);
    EXPECT(operate(VD_KEY_DECRYPT, &op), VD_OK);
    EXPECT(operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    tear_down();
}

static vd_status stream_next(uint32_t number, const void *text, size_t size, uint8_t last)
{
    struct vd_key_op op = text_op(0, text, size);

    vd_write_le32(begin(), number);
    vd_write_u8(&w, last);
    vd_key_write_op(&w, &op);
    return send_request(VD_KEY_STREAM_NEXT);
}

VD_TEST(streams)
{
    static const uint8_t piece[100];
    struct vd_key_op op = {.length = 65536};
    struct vd_key_result result;
    uint8_t head[64], sealed[256];
    uint32_t handle, number;
    size_t head_size, size;
    struct vd_reader r;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    op.handle = handle;
    EXPECT(operate(VD_KEY_STREAM_SEAL, &op), VD_OK);
    r = answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    number = result.number;
    head_size = result_out(head, sizeof(head));
    EXPECT(stream_next(number, piece, sizeof(piece), 0), VD_E_SIZE);
    EXPECT(stream_next(number, piece, sizeof(piece), 1), VD_OK);
    size = result_out(sealed, sizeof(sealed));
    EXPECT(stream_next(number, piece, sizeof(piece), 1), VD_E_HANDLE);
    op = text_op(handle, head, head_size);
    EXPECT(operate(VD_KEY_STREAM_OPEN, &op), VD_OK);
    r = answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    VD_EXPECT_EQ(result.version, 65536);
    sealed[0] ^= 1;
    EXPECT(stream_next(result.number, sealed, size, 1), VD_E_TAG);
    op.text.size--;
    EXPECT(operate(VD_KEY_STREAM_OPEN, &op), VD_E_TRUNCATED);
    op.text.size++;
    EXPECT(operate(VD_KEY_STREAM_OPEN, &op), VD_OK);
    r = answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    sealed[0] ^= 1;
    /* Who destroys the key ends its streams. */
    EXPECT(destroy(handle, 0, 3600), VD_OK);
    EXPECT(stream_next(result.number, sealed, size, 1), VD_E_REVOKED);
    vd_write_le32(begin(), handle);
    EXPECT(send_request(VD_KEY_RESTORE), VD_OK);
    EXPECT(stream_next(result.number, sealed, size, 1), VD_E_REVOKED);
    vd_write_le32(begin(), result.number);
    EXPECT(send_request(VD_KEY_STREAM_END), VD_OK);
    EXPECT(send_request(VD_KEY_STREAM_END), VD_E_HANDLE);
    tear_down();
}

VD_TEST(public_keys_and_points)
{
    static const uint8_t off_curve[65] = {4, 1, 2, 3};
    struct vd_key_attributes a = {.name = "p", .type = VD_ALG_ECDSA_P256};
    uint32_t ecdh, kem;
    struct vd_key_op op;

    set_up();
    ecdh = make_key("ecdh", VD_ALG_ECDSA_P256, VD_ALG_DERIVE);
    kem = make_key("kem", VD_ALG_ML_KEM_768, 0);
    op = text_op(ecdh, off_curve, sizeof(off_curve));
    op.form = VD_ALG_FORM_RAW_PUBLIC;
    op.length = 32;
    EXPECT(operate(VD_KEY_DERIVE, &op), VD_E_POINT);
    op.text.size--;
    VD_EXPECT(operate(VD_KEY_DERIVE, &op) != VD_OK);
    op.form = 77;
    VD_EXPECT(operate(VD_KEY_DERIVE, &op) != VD_OK);
    op = text_op(kem, off_curve, sizeof(off_curve));
    EXPECT(operate(VD_KEY_DECAPSULATE, &op), VD_E_SIZE);
    vd_key_write_attributes(begin(), &a);
    vd_write_le16(&w, VD_ALG_FORM_SPKI);
    vd_key_write_data(&w, off_curve, sizeof(off_curve));
    EXPECT(send_request(VD_KEY_IMPORT), VD_E_ENCODING);
    vd_write_le32(begin(), ecdh);
    vd_write_le32(&w, 0);
    vd_write_le16(&w, VD_ALG_FORM_PKCS8);
    EXPECT(send_request(VD_KEY_PUBLIC), VD_E_MECHANISM);
    tear_down();
}

VD_TEST(batches)
{
    struct vd_key_op good, bad;
    struct vd_reader r;
    uint16_t count;
    uint8_t item[256];
    uint32_t handle, status;
    const uint8_t *data;
    size_t size;

    set_up();
    handle = make_key("a", VD_ALG_AES_256_GCM, 0);
    good = text_op(handle, "text", 4);
    bad = text_op(handle + 1, "text", 4);
    vd_write_le16(begin(), VD_KEY_ENCRYPT);
    vd_write_le16(&w, 3);
    for (int i = 0; i < 3; i++) {
        struct vd_writer part;
        vd_writer_init(&part, item, sizeof(item));
        vd_key_write_op(&part, i == 1 ? &bad : &good);
        vd_key_write_data(&w, item, part.len);
    }
    EXPECT(send_request(VD_KEY_BATCH), VD_OK);
    r = answer();
    VD_EXPECT_EQ(vd_read_le16(&r, &count), VD_OK);
    VD_EXPECT_EQ(count, 3);
    for (int i = 0; i < 3; i++) {
        VD_EXPECT_EQ(vd_read_le32(&r, &status), VD_OK);
        VD_EXPECT_EQ(status, i == 1 ? VD_E_HANDLE : VD_OK);
        VD_EXPECT_EQ(vd_key_read_data(&r, &data, &size, NULL), VD_OK);
        VD_EXPECT(i == 1 ? size == 0 : size > 0);
    }
    VD_EXPECT_EQ(vd_reader_left(&r), 0);
    vd_write_le16(begin(), VD_KEY_DESTROY);
    vd_write_le16(&w, 1);
    EXPECT(send_request(VD_KEY_BATCH), VD_E_INVALID);
    vd_write_le16(begin(), VD_KEY_ENCRYPT);
    vd_write_le16(&w, VD_KEY_BATCH_MAX + 1);
    EXPECT(send_request(VD_KEY_BATCH), VD_E_LIMIT);
    vd_write_le16(begin(), VD_KEY_ENCRYPT);
    vd_write_le16(&w, 2);
    EXPECT(send_request(VD_KEY_BATCH), VD_E_TRUNCATED);
    tear_down();
}
