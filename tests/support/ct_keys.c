/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys whose bytes were never written, under valgrind, which then reports every branch and every
 * address that depends on them. The test counts what our own functions do, not OpenSSL's insides.
 * `ct_keys leak` branches on a secret itself, so that a valgrind that sees nothing is noticed.
 */
#include "services/crypto/alg/alg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(call)                                          \
    do {                                                     \
        if (!(call)) {                                       \
            fprintf(stderr, "ct_keys: line %d\n", __LINE__); \
            exit(2);                                         \
        }                                                    \
    } while (0)

static struct vd_alg *alg;

static struct vd_alg_key *load(enum vd_alg_type type, size_t size)
{
    uint8_t *volatile unknown = malloc(size); /* what it holds is not looked at by the compiler */
    struct vd_secret secret = {};
    struct vd_alg_key *key = NULL;

    CHECK(unknown != NULL && vd_secret_set(&secret, unknown, size, NULL) == VD_OK);
    CHECK(vd_alg_key_load(alg, type, &secret, &key, NULL) == VD_OK);
    vd_secret_done(&secret);
    free(unknown);
    return key;
}

/* Export and comparison of what is secret; the comparison's answer is for everybody. */
static volatile bool kept;

static void compare(struct vd_alg_key *key)
{
    struct vd_secret one = {}, other = {};

    CHECK(vd_alg_key_secret(key, &one, NULL) == VD_OK);
    CHECK(vd_alg_key_secret(key, &other, NULL) == VD_OK);
    kept = vd_secret_equal(&one, &other);
    vd_secret_done(&one);
    vd_secret_done(&other);
}

static void symmetric(void)
{
    static const enum vd_alg_type types[] = {VD_ALG_AES_256_GCM, VD_ALG_CHACHA20_POLY1305};
    const struct vd_alg_message message = {.text = {"a text", 6}, .aad = {"label", 5}};
    const struct vd_alg_signing signing = {.message = {"a text", 6}};
    const struct vd_alg_kdf kdf = {.info = {"info", 4}, .size = 80};
    struct vd_secret out = {};
    uint8_t room[128];
    struct vd_alg_buffer buffer = {.data = room, .room = sizeof(room)};
    struct vd_alg_key *key;

    for (size_t i = 0; i < VD_COUNT(types); i++) {
        key = load(types[i], 32);
        CHECK(vd_alg_encrypt(key, 1, &message, &buffer, NULL) == VD_OK);
        compare(key);
        vd_alg_key_free(key);
    }
    key = load(VD_ALG_HMAC_SHA256, 32);
    CHECK(vd_alg_sign(key, &signing, &buffer, NULL) == VD_OK);
    vd_alg_key_free(key);
    key = load(VD_ALG_HKDF_SHA256, 32);
    CHECK(vd_alg_hkdf(key, &kdf, &out, NULL) == VD_OK);
    vd_secret_done(&out);
    vd_alg_key_free(key);
}

/* X-Wing with an unknown seed, over an encapsulation that is known. */
static void kem(void)
{
    struct vd_alg_key *known = NULL, *key = load(VD_ALG_X_WING, 32);
    struct vd_secret shared = {}, opened = {};
    uint8_t cipher[1120];
    struct vd_alg_buffer out = {.data = cipher, .room = sizeof(cipher)};
    const struct vd_alg_bytes in = {cipher, sizeof(cipher)};

    CHECK(vd_alg_key_generate(alg, VD_ALG_X_WING, &known, NULL) == VD_OK);
    CHECK(vd_alg_encapsulate(known, &out, &shared, NULL) == VD_OK);
    CHECK(vd_alg_decapsulate(key, &in, &opened, NULL) == VD_OK);
    kept = vd_secret_equal(&shared, &opened);
    vd_secret_done(&shared);
    vd_secret_done(&opened);
    vd_alg_key_free(known);
    vd_alg_key_free(key);
}

static void curves(void)
{
    static const enum vd_alg_type types[] = {VD_ALG_ED25519, VD_ALG_X25519};

    for (size_t i = 0; i < VD_COUNT(types); i++) {
        struct vd_alg_key *key = load(types[i], 32);
        compare(key);
        vd_alg_key_free(key);
    }
}

static void leak(void)
{
    struct vd_alg_key *key = load(VD_ALG_X25519, 32);
    struct vd_secret secret = {};

    CHECK(vd_alg_key_secret(key, &secret, NULL) == VD_OK);
    for (size_t i = 0; i < secret.size; i++)
        if (secret.data[i] == 7)
            kept = true;
    vd_secret_done(&secret);
    vd_alg_key_free(key);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2 && vd_alg_new(&alg, NULL) == VD_OK);
    if (strcmp(argv[1], "leak") == 0) {
        leak();
    } else {
        symmetric();
        curves();
        kem();
    }
    vd_alg_free(alg);
    return 0;
}
