/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key service's algorithms against OpenSSL's EVP called as fast as it goes: contexts kept, no
 * look-up, no format, no check. The difference is what the layer costs.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "services/crypto/alg/alg.h"

#define CHECK(call)                                                            \
    do {                                                                       \
        if (!(call)) {                                                         \
            fprintf(stderr, "bench_keys_alg: line %d: %s\n", __LINE__, #call); \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

#define TEXT_MAX (1u << 20)

static struct vd_alg *alg;
static uint8_t text[TEXT_MAX], sealed[TEXT_MAX + VD_ALG_OVERHEAD], plain[TEXT_MAX];

/* One piece of work of both sides. */
struct job {
    struct vd_alg_key *key;
    size_t size;
    EVP_CIPHER_CTX *cipher;
    EVP_PKEY_CTX *sign;
    EVP_MAC_CTX *mac;
    bool hash; /* the peer hashes the message before it signs */
    EVP_MD_CTX *digest;
};

static void ours_raw(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    struct vd_alg_message message = {.text = {text, job->size}, .nonce = {text, 12}};
    struct vd_alg_buffer out = {.data = sealed, .room = sizeof(sealed)};

    for (uint64_t i = 0; i < ops; i++)
        CHECK(vd_alg_encrypt_raw(job->key, &message, &out, NULL) == VD_OK);
}

static void ours_seal(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    struct vd_alg_message message = {.text = {text, job->size}};
    struct vd_alg_buffer out = {.data = sealed, .room = sizeof(sealed)};

    for (uint64_t i = 0; i < ops; i++)
        CHECK(vd_alg_encrypt(job->key, 1, &message, &out, NULL) == VD_OK);
}

static void ours_open(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    struct vd_alg_message message = {.text = {text, job->size}};
    struct vd_alg_buffer out = {.data = sealed, .room = sizeof(sealed)};

    CHECK(vd_alg_encrypt(job->key, 1, &message, &out, NULL) == VD_OK);
    message.text = (struct vd_alg_bytes){sealed, out.size};
    out = (struct vd_alg_buffer){.data = plain, .room = sizeof(plain)};
    for (uint64_t i = 0; i < ops; i++)
        CHECK(vd_alg_decrypt(job->key, &message, &out, NULL) == VD_OK);
}

static void peer_seal(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    uint8_t tag[16];
    int len = 0;

    for (uint64_t i = 0; i < ops; i++) {
        CHECK(EVP_CipherInit_ex2(job->cipher, NULL, NULL, text, 1, NULL) == 1);
        CHECK(EVP_CipherUpdate(job->cipher, sealed, &len, text, (int)job->size) == 1);
        CHECK(EVP_CipherFinal_ex(job->cipher, tag, &len) == 1);
        CHECK(EVP_CIPHER_CTX_ctrl(job->cipher, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
    }
}

static void ours_sign(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    const struct vd_alg_signing what = {.message = {text, job->size}};
    struct vd_alg_buffer out = {.data = sealed, .room = sizeof(sealed)};

    for (uint64_t i = 0; i < ops; i++)
        CHECK(vd_alg_sign(job->key, &what, &out, NULL) == VD_OK);
}

static void peer_sign(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    uint8_t hash[32];

    for (uint64_t i = 0; i < ops; i++) {
        size_t size = sizeof(sealed);
        const uint8_t *data = text;
        size_t length = job->size;
        if (job->hash) {
            CHECK(EVP_DigestInit_ex2(job->digest, NULL, NULL) == 1 &&
                  EVP_DigestUpdate(job->digest, text, job->size) == 1 &&
                  EVP_DigestFinal_ex(job->digest, hash, NULL) == 1);
            data = hash;
            length = sizeof(hash);
        }
        CHECK(EVP_PKEY_sign(job->sign, sealed, &size, data, length) == 1);
    }
}

static void peer_mac(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    size_t size = 0;

    for (uint64_t i = 0; i < ops; i++)
        CHECK(EVP_MAC_init(job->mac, NULL, 0, NULL) == 1 &&
              EVP_MAC_update(job->mac, text, job->size) == 1 &&
              EVP_MAC_final(job->mac, sealed, &size, 32) == 1);
}

static void ours_decapsulate(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    struct vd_alg_buffer out = {.data = sealed, .room = sizeof(sealed)};
    struct vd_secret shared = {};

    CHECK(vd_alg_encapsulate(job->key, &out, &shared, NULL) == VD_OK);
    vd_secret_done(&shared);
    const struct vd_alg_bytes in = {sealed, out.size};
    for (uint64_t i = 0; i < ops; i++) {
        CHECK(vd_alg_decapsulate(job->key, &in, &shared, NULL) == VD_OK);
        vd_secret_done(&shared);
    }
}

static void peer_decapsulate(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    uint8_t shared[32];

    for (uint64_t i = 0; i < ops; i++) {
        size_t size = sizeof(shared);
        CHECK(EVP_PKEY_decapsulate(job->sign, shared, &size, text, 1088) == 1);
    }
}

static void ours_hkdf(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    const struct vd_alg_kdf kdf = {.info = {text, 64}, .size = 32};
    struct vd_secret out = {};

    for (uint64_t i = 0; i < ops; i++) {
        CHECK(vd_alg_hkdf(job->key, &kdf, &out, NULL) == VD_OK);
        vd_secret_done(&out);
    }
}

static void ours_load(void *ctx, uint64_t ops)
{
    const struct job *job = ctx;
    struct vd_secret secret = {};

    CHECK(vd_alg_key_secret(job->key, &secret, NULL) == VD_OK);
    for (uint64_t i = 0; i < ops; i++) {
        struct vd_alg_key *key = NULL;
        CHECK(vd_alg_key_load(alg, vd_alg_key_info(job->key)->type, &secret, &key, NULL) == VD_OK);
        vd_alg_key_free(key);
    }
    vd_secret_done(&secret);
}

static struct vd_alg_key *key_of(enum vd_alg_type type)
{
    struct vd_alg_key *key = NULL;

    CHECK(vd_alg_key_generate(alg, type, &key, NULL) == VD_OK);
    return key;
}

static void bench_aead(enum vd_alg_type type, const EVP_CIPHER *cipher)
{
    static const struct {
        size_t size;
        const char *name;
    } sizes[] = {{16, "16B"}, {1024, "1KiB"}, {TEXT_MAX, "1MiB"}};
    struct job job = {.key = key_of(type), .cipher = EVP_CIPHER_CTX_new()};
    struct {
        const char *name;
        void (*run)(void *ctx, uint64_t ops);
    } const ways[] = {{"raw", ours_raw}, {"seal", ours_seal}, {"open", ours_open}};
    char name[64];

    CHECK(EVP_CipherInit_ex2(job.cipher, cipher, text, text, 1, NULL) == 1);
    for (size_t s = 0; s < VD_COUNT(sizes); s++) {
        for (size_t w = 0; w < VD_COUNT(ways); w++) {
            const struct vd_bench bench = {
                .name = name,
                .unit = sizes[s].size >= 1024 ? "MiB/s" : "ns/op",
                .run = ways[w].run,
                .ctx = &job,
                .peer_name = "EVP, kept context",
                .peer_run = peer_seal,
                .peer_ctx = &job,
                .bytes_per_op = sizes[s].size >= 1024 ? sizes[s].size : 0,
            };
            job.size = sizes[s].size;
            (void)snprintf(name, sizeof(name), "keys.alg.%s.%s.%s", vd_alg_info(type)->name,
                           ways[w].name, sizes[s].name);
            vd_bench_run(&bench);
        }
    }
    EVP_CIPHER_CTX_free(job.cipher);
    vd_alg_key_free(job.key);
}

/* The peer's context, prepared by the caller's key. */
static void bench_sign(enum vd_alg_type type, EVP_PKEY *pkey, const char *signature)
{
    struct job job = {.key = key_of(type), .size = 64, .digest = EVP_MD_CTX_new()};
    char name[64];
    const struct vd_bench bench = {.name = name,
                                   .unit = "ns/op",
                                   .run = ours_sign,
                                   .ctx = &job,
                                   .peer_name = "EVP, kept context",
                                   .peer_run = peer_sign,
                                   .peer_ctx = &job};

    CHECK(pkey != NULL && EVP_DigestInit_ex2(job.digest, EVP_sha256(), NULL) == 1);
    job.sign = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    job.hash = signature == NULL;
    if (signature != NULL) {
        EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(NULL, signature, NULL);
        CHECK(EVP_PKEY_sign_message_init(job.sign, algorithm, NULL) == 1);
        EVP_SIGNATURE_free(algorithm);
    } else {
        CHECK(EVP_PKEY_sign_init(job.sign) == 1);
        if (type == VD_ALG_RSA_4096)
            CHECK(EVP_PKEY_CTX_set_rsa_padding(job.sign, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_signature_md(job.sign, EVP_sha256()) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(job.sign, 32) == 1);
    }
    (void)snprintf(name, sizeof(name), "keys.alg.%s.sign", vd_alg_info(type)->name);
    vd_bench_run(&bench);
    EVP_MD_CTX_free(job.digest);
    EVP_PKEY_CTX_free(job.sign);
    EVP_PKEY_free(pkey);
    vd_alg_key_free(job.key);
}

static void bench_mac(void)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_END};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    struct job job = {.key = key_of(VD_ALG_HMAC_SHA256), .size = 64, .mac = EVP_MAC_CTX_new(mac)};

    CHECK(EVP_MAC_init(job.mac, text, 32, params) == 1);
    vd_bench_run(&(const struct vd_bench){.name = "keys.alg.hmac-sha256.sign",
                                          .unit = "ns/op",
                                          .run = ours_sign,
                                          .ctx = &job,
                                          .peer_name = "EVP, kept context",
                                          .peer_run = peer_mac,
                                          .peer_ctx = &job});
    EVP_MAC_CTX_free(job.mac);
    EVP_MAC_free(mac);
    vd_alg_key_free(job.key);
}

static void bench_kem(enum vd_alg_type type)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ML-KEM-768");
    struct job job = {.key = key_of(type), .sign = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL)};
    char name[64];

    CHECK(EVP_PKEY_decapsulate_init(job.sign, NULL) == 1);
    (void)snprintf(name, sizeof(name), "keys.alg.%s.decapsulate", vd_alg_info(type)->name);
    vd_bench_run(&(const struct vd_bench){.name = name,
                                          .unit = "ns/op",
                                          .run = ours_decapsulate,
                                          .ctx = &job,
                                          .peer_name = "EVP ML-KEM-768, kept context",
                                          .peer_run = peer_decapsulate,
                                          .peer_ctx = &job});
    EVP_PKEY_CTX_free(job.sign);
    EVP_PKEY_free(pkey);
    vd_alg_key_free(job.key);
}

/* What has no peer: a derivation, and loading a key of each type out of the store's form. */
static void bench_alone(void)
{
    struct job job = {.key = key_of(VD_ALG_HKDF_SHA256)};
    char name[64];

    vd_bench_run(&(const struct vd_bench){
        .name = "keys.alg.hkdf", .unit = "ns/op", .run = ours_hkdf, .ctx = &job});
    vd_alg_key_free(job.key);
    for (enum vd_alg_type type = 1; type < VD_ALG_TYPE_COUNT; type++) {
        job.key = key_of(type);
        (void)snprintf(name, sizeof(name), "keys.alg.%s.load", vd_alg_info(type)->name);
        vd_bench_run(
            &(const struct vd_bench){.name = name, .unit = "ns/op", .run = ours_load, .ctx = &job});
        vd_alg_key_free(job.key);
    }
}

int main(void)
{
    CHECK(vd_alg_new(&alg, NULL) == VD_OK);
    bench_aead(VD_ALG_AES_256_GCM, EVP_aes_256_gcm());
    bench_aead(VD_ALG_CHACHA20_POLY1305, EVP_chacha20_poly1305());
    bench_sign(VD_ALG_ECDSA_P256, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), NULL);
    bench_sign(VD_ALG_ED25519, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "ED25519");
    bench_sign(VD_ALG_ML_DSA_65, EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-65"), "ML-DSA-65");
    bench_sign(VD_ALG_RSA_4096, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096), NULL);
    bench_mac();
    bench_kem(VD_ALG_ML_KEM_768);
    bench_kem(VD_ALG_X_WING);
    bench_alone();
    vd_alg_free(alg);
    return 0;
}
