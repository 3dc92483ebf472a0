/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Data that does not come in a frame: shared memory, streams, wrapped keys; and what is wrong with it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/file.h"
#include "services/crypto/alg/alg.h"
#include "tests/support/cryptod_raw.h"

static int memory(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    VD_EXPECT(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    VD_EXPECT(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static vd_status share(int fd, uint64_t size)
{
    vd_write_le64(raw_begin(), size);
    return cryptod_ask_with(raw.line, VD_KEY_BUFFER, &raw.w, fd, &raw.diag);
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

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
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
    r = raw_answer();
    VD_EXPECT_EQ(vd_read_le32(&r, &number), VD_OK);
    shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, good, 0);
    VD_EXPECT(shared != MAP_FAILED);
    memset(shared, 7, 30000);
    op = (struct vd_key_op){.handle = handle,
                            .text = {.size = 30000, .buffer = number},
                            .out = {.size = 35536, .buffer = number, .offset = 30000}};
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    size = 30000 + 56;
    op.text = (struct vd_key_part){.size = size, .buffer = number, .offset = 30000};
    op.out = (struct vd_key_part){.size = 29999, .buffer = number};
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_NO_SPACE);
    memset(shared, 0, 30000);
    op.out.size = 30000;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_OK);
    VD_EXPECT(shared[0] == 7 && shared[29999] == 7);
    /* Nothing of the plaintext appears if the tag is wrong. */
    memset(shared, 0, 30000);
    shared[30000 + 100] ^= 1;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    for (size_t i = 0; i < 30000; i++)
        VD_EXPECT_EQ(shared[i], 0);
    op.text.offset = 65536 - 10;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_RANGE);
    op.text.offset = UINT64_MAX - 5;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_LIMIT);
    op.text.buffer = number + 1;
    op.text.offset = 0;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_HANDLE);
    for (uint32_t i = 1; i < VD_KEY_BUFFERS_MAX; i++)
        EXPECT(share(good, 65536), VD_OK);
    EXPECT(share(good, 65536), VD_E_LIMIT);
    vd_write_le64(raw_begin(), 0);
    vd_write_le32(&raw.w, number);
    EXPECT(raw_send(VD_KEY_BUFFER), VD_OK);
    EXPECT(raw_send(VD_KEY_BUFFER), VD_E_HANDLE);
    munmap(shared, 65536);
    vd_fd_close(&unsealed);
    vd_fd_close(&half);
    vd_fd_close(&good);
    vd_fd_close(&frozen);
    vd_fd_close(&file);
    raw_tear_down();
}

/* Wraps one key, and takes it in again under another name. */
static vd_status unwrap(uint32_t handle, const uint8_t *blob, size_t size,
                        const struct vd_key_attributes *a)
{
    struct vd_key_op op = raw_op(handle, blob, size);

    vd_key_write_op(raw_begin(), &op);
    vd_key_write_attributes(&raw.w, a);
    return raw_send(VD_KEY_UNWRAP);
}

VD_TEST(wrapped_keys)
{
    struct vd_key_attributes a = {.name = "copy"};
    uint8_t blob[2048], text[64], bad[2048];
    uint32_t wraps, key, data, copy;
    struct vd_key_op op;
    size_t size, text_size;

    raw_set_up();
    wraps = raw_key("wraps", VD_ALG_AES_256_GCM, VD_ALG_WRAP | VD_ALG_UNWRAP);
    data = raw_key("data", VD_ALG_AES_256_GCM, 0);
    key = raw_key("key", VD_ALG_AES_256_GCM, VD_ALG_DECRYPT | VD_ALG_ENCRYPT);
    op = raw_op(key, "hello", 5);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    text_size = raw_result(text, sizeof(text));
    op = (struct vd_key_op){.handle = wraps, .other = key};
    EXPECT(raw_operate(VD_KEY_WRAP, &op), VD_OK);
    size = raw_result(blob, sizeof(blob));
    /* Wrap, then decrypt: neither the key that wraps nor another opens it. */
    op = raw_op(wraps, blob + 44, size - 44);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_KEY_USAGE);
    op.handle = data;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    EXPECT(unwrap(data, blob, size, &a), VD_E_KEY_USAGE);
    op = (struct vd_key_op){.handle = data, .other = key};
    EXPECT(raw_operate(VD_KEY_WRAP, &op), VD_E_KEY_USAGE);
    op = (struct vd_key_op){.handle = wraps, .other = 12345};
    EXPECT(raw_operate(VD_KEY_WRAP, &op), VD_E_HANDLE);
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
    copy = raw_open("copy");
    op = raw_op(copy, text, text_size);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    raw_tear_down();
}

static vd_status stream_next(uint32_t number, const void *text, size_t size, uint8_t last)
{
    struct vd_key_op op = raw_op(0, text, size);

    vd_write_le32(raw_begin(), number);
    vd_write_u8(&raw.w, last);
    vd_key_write_op(&raw.w, &op);
    return raw_send(VD_KEY_STREAM_NEXT);
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

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    op.handle = handle;
    EXPECT(raw_operate(VD_KEY_STREAM_SEAL, &op), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    number = result.number;
    head_size = raw_result(head, sizeof(head));
    EXPECT(stream_next(number, piece, sizeof(piece), 0), VD_E_SIZE);
    EXPECT(stream_next(number, piece, sizeof(piece), 1), VD_OK);
    size = raw_result(sealed, sizeof(sealed));
    EXPECT(stream_next(number, piece, sizeof(piece), 1), VD_E_HANDLE);
    op = raw_op(handle, head, head_size);
    EXPECT(raw_operate(VD_KEY_STREAM_OPEN, &op), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    VD_EXPECT_EQ(result.version, 65536);
    sealed[0] ^= 1;
    EXPECT(stream_next(result.number, sealed, size, 1), VD_E_TAG);
    op.text.size--;
    EXPECT(raw_operate(VD_KEY_STREAM_OPEN, &op), VD_E_TRUNCATED);
    op.text.size++;
    EXPECT(raw_operate(VD_KEY_STREAM_OPEN, &op), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    sealed[0] ^= 1;
    /* Who destroys the key ends its streams. */
    EXPECT(raw_destroy(handle, 0, 3600), VD_OK);
    EXPECT(stream_next(result.number, sealed, size, 1), VD_E_REVOKED);
    vd_write_le32(raw_begin(), handle);
    EXPECT(raw_send(VD_KEY_RESTORE), VD_OK);
    EXPECT(stream_next(result.number, sealed, size, 1), VD_E_REVOKED);
    vd_write_le32(raw_begin(), result.number);
    EXPECT(raw_send(VD_KEY_STREAM_END), VD_OK);
    EXPECT(raw_send(VD_KEY_STREAM_END), VD_E_HANDLE);
    raw_tear_down();
}

static uint32_t stream_start(uint16_t verb, const struct vd_key_op *op)
{
    struct vd_key_result result;
    struct vd_reader r;

    EXPECT(raw_operate(verb, op), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_key_read_result(&r, &result, NULL), VD_OK);
    return result.number;
}

/* A stream holds a key derived from a version, and must not outlive it. */
VD_TEST(a_stream_ends_with_its_version)
{
    static const uint8_t piece[65536];
    struct vd_key_op op = {.length = 65536};
    uint32_t handle, old, opened, fresh;
    uint8_t head[64];
    size_t size;

    raw_set_up();
    op.handle = handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    old = stream_start(VD_KEY_STREAM_SEAL, &op);
    size = raw_result(head, sizeof(head));
    op = raw_op(handle, head, size);
    opened = stream_start(VD_KEY_STREAM_OPEN, &op);
    vd_write_le32(raw_begin(), handle);
    EXPECT(raw_send(VD_KEY_ROTATE), VD_OK);
    op = (struct vd_key_op){.handle = handle, .length = 65536};
    fresh = stream_start(VD_KEY_STREAM_SEAL, &op);
    /* The newest is not destroyed alone: nothing ends by trying. */
    EXPECT(raw_destroy(handle, 2, 0), VD_E_USAGE);
    EXPECT(stream_next(fresh, piece, 100, 0), VD_E_SIZE);
    EXPECT(stream_next(old, piece, 100, 0), VD_E_SIZE);
    EXPECT(raw_destroy(handle, 1, 0), VD_OK);
    EXPECT(stream_next(old, piece, 100, 1), VD_E_REVOKED);
    EXPECT(stream_next(opened, piece, 100, 1), VD_E_REVOKED);
    EXPECT(stream_next(fresh, piece, 100, 1), VD_OK);
    raw_tear_down();
}

/* What one who knows the wrapping key can make: a wrapped key of any material. */
static size_t forge(struct vd_alg *alg, const struct vd_secret *known, uint32_t handle,
                    const struct vd_secret *material, uint8_t blob[2048])
{
    VD_AUTO(vd_secret_done) struct vd_secret derived = {};
    struct vd_key_attributes a = {
        .name = "forged", .type = VD_ALG_ECDSA_P256, .usages = VD_ALG_SIGN | VD_ALG_VERIFY};
    struct vd_key_op op = {.handle = handle, .other = raw_open("any")};
    struct vd_alg_kdf kdf = {.size = VD_ALG_KEY_SIZE};
    struct vd_alg_key *key = NULL;
    struct vd_alg_buffer out = {.data = blob + 44, .room = 2048 - 44};
    struct vd_alg_message message = {};
    uint8_t info[64], text[1024], aad[48] = {};
    struct vd_writer w;

    EXPECT(raw_operate(VD_KEY_WRAP, &op), VD_OK); /* for its head: the ids */
    VD_EXPECT(raw_result(blob, 2048) > 44);
    vd_writer_init(&w, info, sizeof(info));
    vd_key_write_text(&w, "veridian/1 wrap");
    vd_write_bytes(&w, blob + 8, VD_KEY_ID_SIZE);
    vd_write_le32(&w, 1);
    kdf.info = (struct vd_alg_bytes){info, w.len};
    VD_EXPECT_EQ(vd_alg_hkdf_secret(alg, known, &kdf, &derived, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_key_load(alg, VD_ALG_AES_256_GCM, &derived, &key, NULL), VD_OK);
    vd_writer_init(&w, text, sizeof(text));
    vd_key_write_attributes(&w, &a);
    vd_write_le64(&w, 0);
    vd_key_write_data(&w, material->data, material->size);
    memcpy(aad, blob, 44);
    message.text = (struct vd_alg_bytes){text, w.len};
    message.aad = (struct vd_alg_bytes){aad, sizeof(aad)};
    VD_EXPECT_EQ(vd_alg_encrypt(key, 1, &message, &out, NULL), VD_OK);
    vd_alg_key_free(key);
    return 44 + out.size;
}

static void secret_of_new(struct vd_alg *alg, struct vd_secret *ret)
{
    struct vd_alg_key *key = NULL;

    VD_EXPECT_EQ(vd_alg_key_generate(alg, VD_ALG_ECDSA_P256, &key, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_key_secret(key, ret, NULL), VD_OK);
    vd_alg_key_free(key);
}

VD_TEST(a_forged_wrapped_key_is_checked_like_an_import)
{
    VD_AUTO(vd_secret_done) struct vd_secret known = {};
    VD_AUTO(vd_secret_done) struct vd_secret one = {};
    VD_AUTO(vd_secret_done) struct vd_secret other = {};
    struct vd_key_attributes a = {
        .name = "wraps", .type = VD_ALG_AES_256_GCM, .usages = VD_ALG_WRAP | VD_ALG_UNWRAP};
    struct vd_key_attributes wanted = {};
    static const uint8_t bytes[32] = {1, 2, 3};
    uint8_t blob[2048], id[VD_KEY_ID_SIZE];
    struct vd_keyclient_import import = {
        .attributes = &a, .form = VD_ALG_FORM_RAW, .material = {bytes, sizeof(bytes)}};
    struct vd_alg *alg = NULL;
    uint32_t handle;
    size_t size;

    raw_set_up();
    VD_EXPECT_EQ(vd_alg_new(&alg, NULL), VD_OK);
    EXPECT(vd_keyclient_import(raw.client, &import, id, &raw.diag), VD_OK);
    handle = raw_open("wraps");
    raw_key("any", VD_ALG_AES_256_GCM, 0);
    VD_EXPECT_EQ(vd_secret_set(&known, bytes, sizeof(bytes), NULL), VD_OK);
    secret_of_new(alg, &one);
    secret_of_new(alg, &other);
    /* The private part of one key, the point of another. */
    memcpy(other.data, one.data, 32);
    size = forge(alg, &known, handle, &other, blob);
    EXPECT(unwrap(handle, blob, size, &wanted), VD_E_INVALID);
    /* The control: the forgery as such is taken. */
    size = forge(alg, &known, handle, &one, blob);
    EXPECT(unwrap(handle, blob, size, &wanted), VD_OK);
    vd_alg_free(alg);
    raw_tear_down();
}
