/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The key service as its clients see it: the real daemon, the client library. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/support/cryptod.h"

static struct vd_keyclient *client;
static struct vd_diag diag;

static void set_up(void)
{
    diag = (struct vd_diag){};
    cryptod_prepare();
    cryptod_start();
    client = cryptod_client();
}

static void tear_down(void)
{
    vd_keyclient_free(client);
    cryptod_stop();
}

#define EXPECT_OK(call)                                                                    \
    do {                                                                                   \
        vd_status status_ = (call);                                                        \
        if (status_ != VD_OK)                                                              \
            vd_test_fail(__FILE__, __LINE__, "%s: %s: %s", #call, vd_status_name(status_), \
                         diag.text);                                                       \
    } while (0)

/* The status of a call that must fail, with a reason that names it. */
#define EXPECT_FAIL(call, expected)                                                        \
    do {                                                                                   \
        diag = (struct vd_diag){};                                                         \
        vd_status status_ = (call);                                                        \
        if (status_ != (expected) || diag.text[0] == '\0')                                 \
            vd_test_fail(__FILE__, __LINE__, "%s: %s: %s", #call, vd_status_name(status_), \
                         diag.text);                                                       \
        diag = (struct vd_diag){};                                                         \
    } while (0)

static uint8_t text[1 << 20], out[(1 << 20) + 1024], back[(1 << 20) + 1024];

static struct vd_keyclient_op operation(struct vd_keyclient_key *key, size_t size)
{
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)(i * 31 + size);
    return (struct vd_keyclient_op){
        .key = key, .text = {text, size}, .aux = {"header", 6}, .out = {out, sizeof(out), 0}};
}

static struct vd_keyclient_op reversed(const struct vd_keyclient_op *op)
{
    struct vd_keyclient_op other = *op;

    other.text = (struct vd_keyclient_bytes){out, op->out.size};
    other.out = (struct vd_keyclient_buffer){back, sizeof(back), 0};
    other.version = 0;
    return other;
}

static void round_trip(struct vd_keyclient_key *key, size_t size)
{
    struct vd_keyclient_op op = operation(key, size), other;

    EXPECT_OK(vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, &diag));
    VD_EXPECT_EQ(op.served, 1);
    other = reversed(&op);
    EXPECT_OK(vd_keyclient_operate(client, VD_KEY_DECRYPT, &other, &diag));
    VD_EXPECT_EQ(other.out.size, size);
    VD_EXPECT_MEM(back, text, size);
    out[op.out.size - 1] ^= 1;
    EXPECT_FAIL(vd_keyclient_operate(client, VD_KEY_DECRYPT, &other, &diag), VD_E_TAG);
}

VD_TEST(encrypts_and_decrypts)
{
    static const uint16_t types[] = {VD_ALG_AES_256_GCM, VD_ALG_CHACHA20_POLY1305};
    static const size_t sizes[] = {0, 1, 16, 4096, 60000, 70000, 1 << 20};

    set_up();
    for (size_t t = 0; t < VD_COUNT(types); t++) {
        char name[] = {'k', (char)('0' + t), '\0'};
        struct vd_keyclient_key *key = cryptod_key(client, name, types[t], 0);
        for (size_t i = 0; i < VD_COUNT(sizes); i++)
            round_trip(key, sizes[i]);
        vd_keyclient_key_free(key);
    }
    tear_down();
}

VD_TEST(signs_and_verifies)
{
    static const uint16_t types[] = {VD_ALG_RSA_4096, VD_ALG_ECDSA_P256, VD_ALG_ED25519,
                                     VD_ALG_HMAC_SHA256, VD_ALG_ML_DSA_65};

    set_up();
    for (size_t t = 0; t < VD_COUNT(types); t++) {
        char name[] = {'k', (char)('0' + t), '\0'};
        struct vd_keyclient_key *key = cryptod_key(client, name, types[t], 0);
        struct vd_keyclient_op op = operation(key, 1000), other;
        op.aux = (struct vd_keyclient_bytes){};
        EXPECT_OK(vd_keyclient_operate(client, VD_KEY_SIGN, &op, &diag));
        other = op;
        other.extra = (struct vd_keyclient_bytes){out, op.out.size};
        other.out = (struct vd_keyclient_buffer){};
        EXPECT_OK(vd_keyclient_operate(client, VD_KEY_VERIFY, &other, &diag));
        text[5] ^= 1;
        EXPECT_FAIL(vd_keyclient_operate(client, VD_KEY_VERIFY, &other, &diag), VD_E_SIGNATURE);
        vd_keyclient_key_free(key);
    }
    tear_down();
}

VD_TEST(keys_are_there_after_a_restart)
{
    struct vd_keyclient_key *key;
    struct vd_keyclient_op op, other;

    set_up();
    key = cryptod_key(client, "disk/home", VD_ALG_AES_256_GCM, 0);
    op = operation(key, 100);
    EXPECT_OK(vd_keyclient_operate(client, VD_KEY_ENCRYPT, &op, &diag));
    cryptod_stop();
    cryptod_start();
    other = reversed(&op);
    EXPECT_OK(vd_keyclient_operate(client, VD_KEY_DECRYPT, &other, &diag));
    cryptod_kill();
    cryptod_start();
    EXPECT_OK(vd_keyclient_operate(client, VD_KEY_DECRYPT, &other, &diag));
    VD_EXPECT_MEM(back, text, 100);
    vd_keyclient_key_free(key);
    tear_down();
}
