/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every wrong request of a client gets the error that names what is wrong. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/file.h"
#include "tests/support/cryptod_raw.h"

VD_TEST(frames)
{
    struct vd_ipc_buffer buffer;
    struct vd_ipc_frame got;
    struct vd_key_op op = {};
    uint8_t packet[64] = {};

    raw_set_up();
    raw_begin();
    EXPECT(raw_send(200), VD_E_INVALID);
    EXPECT(raw_send(VD_KEY_OPEN), VD_E_TRUNCATED);
    vd_write_le32(raw_begin(), 2);
    EXPECT(raw_send(VD_KEY_HELLO), VD_E_VERSION);
    vd_write_le32(raw_begin(), VD_KEY_PROTOCOL);
    EXPECT(raw_send(VD_KEY_HELLO), VD_OK);
    vd_write_u8(&raw.w, 0);
    EXPECT(raw_send(VD_KEY_HELLO), VD_E_TRAILING);
    vd_key_write_op(raw_begin(), &op);
    raw.w.len -= 1;
    EXPECT(raw_send(VD_KEY_ENCRYPT), VD_E_TRUNCATED);
    op.version = VD_KEY_VERSIONS_MAX + 1;
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_RANGE);
    vd_key_write_text(raw_begin(), "no such key");
    EXPECT(raw_send(VD_KEY_OPEN), VD_E_INVALID);
    vd_key_write_text(raw_begin(), "none");
    EXPECT(raw_send(VD_KEY_OPEN), VD_E_NOT_FOUND);
    vd_key_write_text(raw_begin(), "id:0011");
    EXPECT(raw_send(VD_KEY_OPEN), VD_E_INVALID);
    vd_key_write_text(raw_begin(), "id:00112233445566778899aabbccddeeff");
    EXPECT(raw_send(VD_KEY_OPEN), VD_E_NOT_FOUND);
    /* Packets that are no frames: told so, and the connection serves on. */
    VD_EXPECT(send(raw.line, packet, sizeof(packet), 0) == sizeof(packet));
    VD_EXPECT_EQ(vd_ipc_receive(raw.line, &buffer, vd_ipc_deadline(20000), &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.status, VD_E_MAGIC);
    VD_EXPECT(send(raw.line, packet, 3, 0) == 3);
    VD_EXPECT_EQ(vd_ipc_receive(raw.line, &buffer, vd_ipc_deadline(20000), &got, NULL), VD_OK);
    VD_EXPECT_EQ(got.status, VD_E_TRUNCATED);
    vd_write_le32(raw_begin(), 16);
    EXPECT(raw_send(VD_KEY_RANDOM), VD_OK);
    vd_write_le32(raw_begin(), VD_KEY_RANDOM_MAX + 1);
    EXPECT(raw_send(VD_KEY_RANDOM), VD_E_LIMIT);
    EXPECT(cryptod_ask_with(raw.line, VD_KEY_STATUS, raw_begin(), 0, &raw.diag), VD_E_INVALID);
    EXPECT(cryptod_ask_with(raw.line, VD_KEY_ADOPT, raw_begin(), 0, &raw.diag), VD_E_DENIED);
    raw_tear_down();
}

VD_TEST(handles)
{
    uint32_t handle, other;
    struct vd_key_op op;
    int second;

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    op = raw_op(handle, "x", 1);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    /* Another connection's number is none of this one's. */
    second = cryptod_connect();
    vd_key_write_op(raw_begin(), &op);
    EXPECT(cryptod_ask(second, VD_KEY_ENCRYPT, &raw.w, NULL, &raw.diag), VD_E_HANDLE);
    vd_fd_close(&second);
    op.handle = handle + 1;
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_HANDLE);
    op.handle = handle + (1u << 16);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_HANDLE);
    vd_write_le32(raw_begin(), handle);
    EXPECT(raw_send(VD_KEY_CLOSE), VD_OK);
    EXPECT(raw_send(VD_KEY_CLOSE), VD_E_HANDLE);
    op.handle = handle;
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_HANDLE);
    other = raw_open("a");
    VD_EXPECT(other != handle);
    for (uint32_t i = 1; i < VD_KEY_HANDLES_MAX; i++)
        (void)raw_open("a");
    vd_key_write_text(raw_begin(), "a");
    EXPECT(raw_send(VD_KEY_OPEN), VD_E_LIMIT);
    vd_write_le32(raw_begin(), other);
    EXPECT(raw_send(VD_KEY_CLOSE), VD_OK);
    VD_EXPECT(raw_open("a") != other);
    raw_tear_down();
}

VD_TEST(usages_and_types)
{
    static const uint8_t nonce[12] = {1};
    uint32_t encrypts, aes, ed, wraps;
    struct vd_key_attributes a = {.name = "bad", .type = VD_ALG_AES_256_GCM};
    struct vd_key_op op;
    uint8_t out[256];
    size_t size;

    raw_set_up();
    encrypts = raw_key("encrypts", VD_ALG_AES_256_GCM, VD_ALG_ENCRYPT);
    aes = raw_key("aes", VD_ALG_AES_256_GCM, 0);
    ed = raw_key("ed", VD_ALG_ED25519, 0);
    wraps = raw_key("wraps", VD_ALG_AES_256_GCM, VD_ALG_WRAP | VD_ALG_UNWRAP);
    op = raw_op(encrypts, "text", 4);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    size = raw_result(out, sizeof(out));
    op = raw_op(encrypts, out, size);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_KEY_USAGE);
    op.handle = aes;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    op.handle = wraps;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_KEY_USAGE);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    op.handle = ed;
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    EXPECT(raw_operate(VD_KEY_DERIVE, &op), VD_E_KEY_USAGE);
    op.mechanism = VD_ALG_HMAC;
    EXPECT(raw_operate(VD_KEY_SIGN, &op), VD_E_MECHANISM);
    op.mechanism = 999;
    EXPECT(raw_operate(VD_KEY_SIGN, &op), VD_E_MECHANISM);
    op = raw_op(aes, "text", 4);
    op.mechanism = VD_ALG_AEAD_RAW;
    op.extra = (struct vd_key_part){.data = nonce, .size = sizeof(nonce)};
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_KEY_USAGE);
    /* Attributes that no key has. */
    a.usages = VD_ALG_SIGN;
    vd_key_write_attributes(raw_begin(), &a);
    EXPECT(raw_send(VD_KEY_CREATE), VD_E_KEY_USAGE);
    a.usages = VD_ALG_DECRYPT | VD_ALG_WRAP;
    vd_key_write_attributes(raw_begin(), &a);
    EXPECT(raw_send(VD_KEY_CREATE), VD_E_KEY_USAGE);
    a.usages = 0;
    a.type = 99;
    vd_key_write_attributes(raw_begin(), &a);
    EXPECT(raw_send(VD_KEY_CREATE), VD_E_KEY_TYPE);
    a = (struct vd_key_attributes){.name = "aes", .type = VD_ALG_AES_256_GCM};
    vd_key_write_attributes(raw_begin(), &a);
    EXPECT(raw_send(VD_KEY_CREATE), VD_E_EXISTS);
    a.name[0] = '\0';
    vd_key_write_attributes(raw_begin(), &a);
    EXPECT(raw_send(VD_KEY_CREATE), VD_E_INVALID);
    raw_tear_down();
}

/* A handle never outlives a change. */
VD_TEST(times_and_limits)
{
    uint64_t now = (uint64_t)time(NULL);
    struct vd_key_attributes a = {};
    uint32_t handle;
    struct vd_key_op op;

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    op = raw_op(handle, "x", 1);
    a.not_before = now + 3600;
    EXPECT(raw_set(handle, VD_KEY_SET_NOT_BEFORE, &a), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_NOT_YET);
    a.not_before = 0;
    a.not_after = now - 10;
    EXPECT(raw_set(handle, VD_KEY_SET_NOT_BEFORE | VD_KEY_SET_NOT_AFTER, &a), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_EXPIRED);
    a.not_after = now + 3600;
    EXPECT(raw_set(handle, VD_KEY_SET_NOT_AFTER, &a), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    a.usage_limit = 5;
    EXPECT(raw_set(handle, VD_KEY_SET_USAGE_LIMIT, &a), VD_OK);
    for (int i = 0; i < 5; i++)
        EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_USED_UP);
    a.usage_limit = 7;
    EXPECT(raw_set(handle, VD_KEY_SET_USAGE_LIMIT, &a), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_USED_UP);
    raw_tear_down();
}

VD_TEST(what_is_never_taken_back)
{
    struct vd_key_attributes a = {};
    uint32_t handle, other;
    struct vd_key_op op;

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    other = raw_key("w", VD_ALG_AES_256_GCM, VD_ALG_WRAP | VD_ALG_UNWRAP);
    a.flags = VD_KEY_NON_EXPORTABLE;
    EXPECT(raw_set(handle, VD_KEY_SET_FLAGS, &a), VD_OK);
    a.flags = 0;
    EXPECT(raw_set(handle, VD_KEY_SET_FLAGS, &a), VD_E_DENIED);
    op = (struct vd_key_op){.handle = other, .other = handle};
    EXPECT(raw_operate(VD_KEY_WRAP, &op), VD_E_DENIED);
    a.usages = VD_ALG_ENCRYPT;
    EXPECT(raw_set(handle, VD_KEY_SET_USAGES, &a), VD_OK);
    a.usages = VD_ALG_ENCRYPT | VD_ALG_DECRYPT;
    EXPECT(raw_set(handle, VD_KEY_SET_USAGES, &a), VD_E_DENIED);
    a.usages = VD_ALG_DECRYPT;
    EXPECT(raw_set(other, VD_KEY_SET_USAGES, &a), VD_E_DENIED);
    a.flags = VD_KEY_NON_EXPORTABLE | VD_KEY_FIXED;
    EXPECT(raw_set(handle, VD_KEY_SET_FLAGS, &a), VD_OK);
    EXPECT(raw_set(handle, VD_KEY_SET_USAGE_LIMIT, &a), VD_E_DENIED);
    EXPECT(raw_set(handle, 1u << 20, &a), VD_E_RESERVED);
    a = (struct vd_key_attributes){.min_decrypt_version = 2};
    EXPECT(raw_set(other, VD_KEY_SET_MIN_DECRYPT, &a), VD_E_RANGE);
    raw_tear_down();
}

VD_TEST(versions_and_destruction)
{
    uint8_t first[256], second[256];
    size_t first_size, second_size;
    struct vd_key_attributes a = {};
    struct vd_key_op op, old;
    uint32_t handle;

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    op = raw_op(handle, "secret", 6);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    first_size = raw_result(first, sizeof(first));
    vd_write_le32(raw_begin(), handle);
    EXPECT(raw_send(VD_KEY_ROTATE), VD_OK);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    second_size = raw_result(second, sizeof(second));
    old = raw_op(handle, first, first_size);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_OK);
    EXPECT(raw_operate(VD_KEY_REWRAP, &old), VD_OK);
    first_size = raw_result(first, sizeof(first));
    old = raw_op(handle, first, first_size);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_OK);
    old.version = 1;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_E_DIFFERS);
    op.version = 1;
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    first_size = raw_result(first, sizeof(first));
    old = raw_op(handle, first, first_size);
    a.min_decrypt_version = 2;
    EXPECT(raw_set(handle, VD_KEY_SET_MIN_DECRYPT, &a), VD_OK);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_REVOKED);
    op.version = 3;
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_NOT_FOUND);
    op.version = 0;
    a.min_decrypt_version = 1;
    EXPECT(raw_set(handle, VD_KEY_SET_MIN_DECRYPT, &a), VD_OK);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_OK);
    EXPECT(raw_destroy(handle, 2, 0), VD_E_USAGE);
    EXPECT(raw_destroy(handle, 1, 0), VD_OK);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    EXPECT(raw_destroy(handle, 0, VD_KEY_GRACE_MAX + 1ull), VD_E_RANGE);
    EXPECT(raw_destroy(handle, 0, 3600), VD_OK);
    old = raw_op(handle, second, second_size);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_E_REVOKED);
    vd_write_le32(raw_begin(), handle);
    EXPECT(raw_send(VD_KEY_RESTORE), VD_OK);
    EXPECT(raw_send(VD_KEY_RESTORE), VD_E_INVALID);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_OK);
    EXPECT(raw_destroy(handle, 0, 0), VD_OK);
    EXPECT(raw_operate(VD_KEY_DECRYPT, &old), VD_E_REVOKED);
    vd_write_le32(raw_begin(), handle);
    EXPECT(raw_send(VD_KEY_RESTORE), VD_E_REVOKED);
    raw_tear_down();
}

VD_TEST(ciphertexts)
{
    uint8_t good[256], bad[256];
    uint32_t handle;
    struct vd_key_op op;
    size_t size;

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    op = raw_op(handle, "a secret text", 13);
    op.aux = (struct vd_key_part){.data = (const uint8_t *)"who", .size = 3};
    EXPECT(raw_operate(VD_KEY_ENCRYPT, &op), VD_OK);
    size = raw_result(good, sizeof(good));
    op.text = (struct vd_key_part){.data = good, .size = size};
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_OK);
    op.aux.size = 2;
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_TAG);
    op.aux.size = 3;
    for (size_t i = 0; i < size; i++) {
        vd_status status;
        memcpy(bad, good, size);
        bad[i] ^= 0x80;
        op.text.data = bad;
        status = raw_operate(VD_KEY_DECRYPT, &op);
        VD_EXPECT(status != VD_OK);
        VD_EXPECT(vd_status_class(status) == VD_CLASS_INPUT ||
                  vd_status_class(status) == VD_CLASS_POLICY);
    }
    op.text.data = good;
    for (size_t i = 0; i < size; i++) {
        op.text.size = i;
        VD_EXPECT(raw_operate(VD_KEY_DECRYPT, &op) != VD_OK);
    }
    op.text.size = 50; /* shorter than header and tag */
    EXPECT(raw_operate(VD_KEY_DECRYPT, &op), VD_E_TRUNCATED);
    raw_tear_down();
}

VD_TEST(public_keys_and_points)
{
    static const uint8_t off_curve[65] = {4, 1, 2, 3};
    struct vd_key_attributes a = {.name = "p", .type = VD_ALG_ECDSA_P256};
    uint32_t ecdh, kem;
    struct vd_key_op op;

    raw_set_up();
    ecdh = raw_key("ecdh", VD_ALG_ECDSA_P256, VD_ALG_DERIVE);
    kem = raw_key("kem", VD_ALG_ML_KEM_768, 0);
    op = raw_op(ecdh, off_curve, sizeof(off_curve));
    op.form = VD_ALG_FORM_RAW_PUBLIC;
    op.length = 32;
    EXPECT(raw_operate(VD_KEY_DERIVE, &op), VD_E_POINT);
    op.text.size--;
    VD_EXPECT(raw_operate(VD_KEY_DERIVE, &op) != VD_OK);
    op.form = 77;
    VD_EXPECT(raw_operate(VD_KEY_DERIVE, &op) != VD_OK);
    op = raw_op(kem, off_curve, sizeof(off_curve));
    EXPECT(raw_operate(VD_KEY_DECAPSULATE, &op), VD_E_SIZE);
    vd_key_write_attributes(raw_begin(), &a);
    vd_write_le16(&raw.w, VD_ALG_FORM_SPKI);
    vd_key_write_data(&raw.w, off_curve, sizeof(off_curve));
    EXPECT(raw_send(VD_KEY_IMPORT), VD_E_ENCODING);
    vd_write_le32(raw_begin(), ecdh);
    vd_write_le32(&raw.w, 0);
    vd_write_le16(&raw.w, VD_ALG_FORM_PKCS8);
    EXPECT(raw_send(VD_KEY_PUBLIC), VD_E_MECHANISM);
    raw_tear_down();
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

    raw_set_up();
    handle = raw_key("a", VD_ALG_AES_256_GCM, 0);
    good = raw_op(handle, "text", 4);
    bad = raw_op(handle + 1, "text", 4);
    vd_write_le16(raw_begin(), VD_KEY_ENCRYPT);
    vd_write_le16(&raw.w, 3);
    for (int i = 0; i < 3; i++) {
        struct vd_writer part;
        vd_writer_init(&part, item, sizeof(item));
        vd_key_write_op(&part, i == 1 ? &bad : &good);
        vd_key_write_data(&raw.w, item, part.len);
    }
    EXPECT(raw_send(VD_KEY_BATCH), VD_OK);
    r = raw_answer();
    VD_EXPECT_EQ(vd_read_le16(&r, &count), VD_OK);
    VD_EXPECT_EQ(count, 3);
    for (int i = 0; i < 3; i++) {
        VD_EXPECT_EQ(vd_read_le32(&r, &status), VD_OK);
        VD_EXPECT_EQ(status, i == 1 ? VD_E_HANDLE : VD_OK);
        VD_EXPECT_EQ(vd_key_read_data(&r, &data, &size, NULL), VD_OK);
        VD_EXPECT(i == 1 ? size == 0 : size > 0);
    }
    VD_EXPECT_EQ(vd_reader_left(&r), 0);
    vd_write_le16(raw_begin(), VD_KEY_DESTROY);
    vd_write_le16(&raw.w, 1);
    EXPECT(raw_send(VD_KEY_BATCH), VD_E_INVALID);
    vd_write_le16(raw_begin(), VD_KEY_ENCRYPT);
    vd_write_le16(&raw.w, VD_KEY_BATCH_MAX + 1);
    EXPECT(raw_send(VD_KEY_BATCH), VD_E_LIMIT);
    vd_write_le16(raw_begin(), VD_KEY_ENCRYPT);
    vd_write_le16(&raw.w, 2);
    EXPECT(raw_send(VD_KEY_BATCH), VD_E_TRUNCATED);
    raw_tear_down();
}
