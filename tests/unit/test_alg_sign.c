/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signatures and MACs: published answers, strict encodings, each refusal with its own error. */
#include <openssl/evp.h>

#include "services/crypto/alg/alg.h"
#include "tests/support/alg.h"

static struct vd_alg_key *rsa(void)
{
    static struct vd_alg_key *key;

    if (key == NULL)
        key = vd_test_key(VD_ALG_RSA_4096);
    return key;
}

struct known {
    const char *key, *message, *signature;
};

/* RFC 8032, 7.1, tests 1 to 3. */
static const struct known ed25519[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

/* RFC 4231, 4.2 to 4.4 and 4.7; its keys of fewer than 16 bytes are not served. */
static const struct known hmac[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
     "dddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
     "cdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};

static void check_known(enum vd_alg_type type, const struct known *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct vd_alg_key *key = vd_test_import(type, VD_ALG_FORM_RAW, rows[i].key);
        struct vd_hex message = vd_hex(rows[i].message), right = vd_hex(rows[i].signature);
        const struct vd_alg_signing what = {.message = VD_BYTES(message)};
        uint8_t room[64];
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        /* Twice: the second call takes the context that the first one left. */
        for (int turn = 0; turn < 2; turn++) {
            VD_EXPECT_EQ(vd_alg_sign(key, &what, &out, NULL), VD_OK);
            VD_EXPECT_EQ(out.size, right.size);
            VD_EXPECT_MEM(room, right.data, right.size);
            VD_EXPECT_EQ(vd_alg_verify(key, &what, &VD_BYTES(right), NULL), VD_OK);
        }
        vd_alg_key_free(key);
    }
}

VD_TEST(ed25519_and_hmac_published_vectors)
{
    check_known(VD_ALG_ED25519, ed25519, VD_COUNT(ed25519));
    check_known(VD_ALG_HMAC_SHA256, hmac, VD_COUNT(hmac));
}

/* RFC 6979, A.2.5: the key and one of its signatures over "sample" with SHA-256. */
VD_TEST(ecdsa_published_signature_in_each_form)
{
    static const char r[] = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    static const char s[] = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    struct vd_alg_key *key =
        vd_test_import(VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW,
                       "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    struct vd_hex point =
        vd_hex("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
               "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    struct vd_alg_signing what = {VD_ALG_ECDSA_SHA256_RAW, VD_TEXT("sample"), {}};
    uint8_t raw[64], der[72] = {0x30, 70, 2, 33, 0}, room[VD_ALG_P256_POINT], digest[32];
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};

    VD_EXPECT_EQ(vd_alg_key_public(key, VD_ALG_FORM_RAW_PUBLIC, &out, NULL), VD_OK);
    VD_EXPECT_MEM(room, point.data, point.size);
    memcpy(raw, vd_hex(r).data, 32);
    memcpy(raw + 32, vd_hex(s).data, 32);
    memcpy(der + 5, raw, 32);
    der[37] = 2;
    der[38] = 33;
    memcpy(der + 40, raw + 32, 32);
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){raw, 64}, NULL), VD_OK);
    what.mechanism = VD_ALG_ECDSA_SHA256;
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){der, 72}, NULL), VD_OK);
    VD_EXPECT_EQ(vd_hash(VD_HASH_SHA256, "sample", 6, digest, NULL), VD_OK);
    what.message = (struct vd_alg_bytes){digest, 32};
    what.mechanism = VD_ALG_ECDSA_SHA256_DIGEST;
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){der, 72}, NULL), VD_OK);
    what.mechanism = VD_ALG_ECDSA_SHA256_RAW_DIGEST;
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){raw, 64}, NULL), VD_OK);
    raw[63] ^= 1;
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){raw, 64}, NULL), VD_E_SIGNATURE);
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){raw, 63}, NULL), VD_E_SIZE);
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){der, 72}, NULL), VD_E_SIZE);
    memset(raw, 0, 64);
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &(struct vd_alg_bytes){raw, 64}, NULL), VD_E_SIGNATURE);
    vd_alg_key_free(key);
}

/* Second encodings of a valid signature: each is refused as an encoding, not as a signature. */
VD_TEST(ecdsa_has_one_encoding)
{
    /* r = 1, s = 2: the form is judged before the signature is. */
    static const char *const bad[] = {
        "30060201010201",     /* cut */
        "300602010102010200", /* bytes behind */
        "3081060201010201",   /* length in a longer form */
        "308106020101020102", /* the same, whole */
        "3080020101020102"
        "0000", /* indefinite */
        "30070202000102"
        "0102",                   /* leading zero */
        "3006020181020102",       /* negative */
        "3006020101030102",       /* another type inside */
        "3106020101020102",       /* a set */
        "3009020101020102020103", /* three numbers */
        "3005020002"
        "0102", /* a number of no bytes */
        "",
    };
    struct vd_alg_key *key = vd_test_key(VD_ALG_ECDSA_P256);
    const struct vd_alg_signing what = {.message = VD_TEXT("x")};
    struct vd_hex one = vd_hex("3006020101020102"), other;

    VD_EXPECT_EQ(vd_alg_verify(key, &what, &VD_BYTES(one), NULL), VD_E_SIGNATURE);
    for (size_t i = 0; i < VD_COUNT(bad); i++) {
        other = vd_hex(bad[i]);
        VD_EXPECT_EQ(vd_alg_verify(key, &what, &VD_BYTES(other), NULL), VD_E_ENCODING);
    }
    /* A number longer than the order. */
    other = vd_hex("302702210100000000000000000000000000000000000000000000000000000000000000"
                   "00020101");
    other.data[1] = (uint8_t)(other.size - 2);
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &VD_BYTES(other), NULL), VD_E_ENCODING);
    vd_alg_key_free(key);
}

static const struct {
    enum vd_alg_type type;
    enum vd_alg_mechanism of_message, of_digest;
} pairs[] = {
    {VD_ALG_RSA_4096, VD_ALG_RSA_PSS_SHA256, VD_ALG_RSA_PSS_SHA256_DIGEST},
    {VD_ALG_RSA_4096, VD_ALG_RSA_PKCS1_SHA256, VD_ALG_RSA_PKCS1_SHA256_DIGEST},
    {VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256, VD_ALG_ECDSA_SHA256_DIGEST},
    {VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256_RAW, VD_ALG_ECDSA_SHA256_RAW_DIGEST},
};

/* A message and its digest sign alike, both ways round; the mechanisms do not mix. */
VD_TEST(signing_a_message_or_its_digest)
{
    uint8_t digest[32], room[512];

    VD_EXPECT_EQ(vd_hash(VD_HASH_SHA256, "text", 4, digest, NULL), VD_OK);
    for (size_t i = 0; i < VD_COUNT(pairs); i++) {
        struct vd_alg_key *key =
            pairs[i].type == VD_ALG_RSA_4096 ? vd_alg_key_hold(rsa()) : vd_test_key(pairs[i].type);
        struct vd_alg_signing whole = {pairs[i].of_message, VD_TEXT("text"), {}};
        struct vd_alg_signing hashed = {pairs[i].of_digest, {digest, 32}, {}};
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        struct vd_alg_bytes signature;
        VD_EXPECT_EQ(vd_alg_sign(key, &whole, &out, NULL), VD_OK);
        signature = (struct vd_alg_bytes){room, out.size};
        VD_EXPECT_EQ(vd_alg_verify(key, &hashed, &signature, NULL), VD_OK);
        VD_EXPECT_EQ(vd_alg_sign(key, &hashed, &out, NULL), VD_OK);
        signature.size = out.size;
        VD_EXPECT_EQ(vd_alg_verify(key, &whole, &signature, NULL), VD_OK);
        for (size_t other = 0; other < VD_COUNT(pairs); other++) {
            whole.mechanism = pairs[other].of_message;
            if (other != i)
                VD_EXPECT(vd_alg_verify(key, &whole, &signature, NULL) != VD_OK);
        }
        hashed.message.size = 31;
        VD_EXPECT_EQ(vd_alg_sign(key, &hashed, &out, NULL), VD_E_SIZE);
        VD_EXPECT_EQ(vd_alg_verify(key, &hashed, &signature, NULL), VD_E_SIZE);
        whole.mechanism = pairs[i].of_message;
        out.room = 10;
        VD_EXPECT_EQ(vd_alg_sign(key, &whole, &out, NULL), VD_E_NO_SPACE);
        vd_alg_key_free(key);
    }
}

/* Every mechanism that a type does not have, to sign and to verify. */
VD_TEST(signing_wrong_mechanism_has_its_own_error)
{
    static const enum vd_alg_type types[] = {VD_ALG_RSA_4096, VD_ALG_ECDSA_P256, VD_ALG_ED25519,
                                             VD_ALG_HMAC_SHA256, VD_ALG_ML_DSA_65};
    uint8_t room[VD_ALG_SIGNATURE_MAX], text[64] = {};
    struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
    struct vd_alg_bytes none = {room, 0};

    for (size_t t = 0; t < VD_COUNT(types); t++) {
        struct vd_alg_key *key =
            types[t] == VD_ALG_RSA_4096 ? vd_alg_key_hold(rsa()) : vd_test_key(types[t]);
        for (unsigned m = 1; m <= VD_ALG_MECHANISM_COUNT; m++) {
            struct vd_alg_signing what = {(enum vd_alg_mechanism)m, {text, 64}, {}};
            bool has = m < VD_ALG_MECHANISM_COUNT &&
                       (vd_alg_key_info(key)->mechanisms >> m & 1) != 0 && m != VD_ALG_ECDH &&
                       m != VD_ALG_RSA_OAEP_SHA256;
            if (has)
                continue;
            VD_EXPECT_EQ(vd_alg_sign(key, &what, &out, NULL), VD_E_MECHANISM);
            VD_EXPECT_EQ(vd_alg_verify(key, &what, &none, NULL), VD_E_MECHANISM);
        }
        vd_alg_key_free(key);
    }
}

VD_TEST(signature_of_another_key_message_or_size)
{
    static const enum vd_alg_type types[] = {VD_ALG_ECDSA_P256, VD_ALG_ED25519, VD_ALG_HMAC_SHA256,
                                             VD_ALG_ML_DSA_65};
    for (size_t t = 0; t < VD_COUNT(types); t++) {
        struct vd_alg_key *key = vd_test_key(types[t]), *other = vd_test_key(types[t]);
        struct vd_alg_signing what = {.message = VD_TEXT("text")};
        uint8_t room[VD_ALG_SIGNATURE_MAX + 1];
        struct vd_alg_buffer out = {.data = room, .room = sizeof(room)};
        struct vd_alg_bytes signature;
        bool der = types[t] == VD_ALG_ECDSA_P256;
        VD_EXPECT_EQ(vd_alg_sign(key, &what, &out, NULL), VD_OK);
        signature = (struct vd_alg_bytes){room, out.size};
        VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), VD_OK);
        VD_EXPECT_EQ(vd_alg_verify(other, &what, &signature, NULL), VD_E_SIGNATURE);
        what.message = VD_TEXT("texT");
        VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), VD_E_SIGNATURE);
        what.message = VD_TEXT("text");
        signature.size--;
        VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), der ? VD_E_ENCODING : VD_E_SIZE);
        signature.size += 2;
        VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), der ? VD_E_ENCODING : VD_E_SIZE);
        signature.size = 0;
        VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), der ? VD_E_ENCODING : VD_E_SIZE);
        what.context = VD_TEXT("ctx");
        if (types[t] != VD_ALG_ML_DSA_65)
            VD_EXPECT_EQ(vd_alg_sign(key, &what, &out, NULL), VD_E_MECHANISM);
        vd_alg_key_free(key);
        vd_alg_key_free(other);
    }
}

VD_TEST(ml_dsa_context_and_randomness)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_ML_DSA_65);
    static uint8_t one[VD_ALG_SIGNATURE_MAX], two[VD_ALG_SIGNATURE_MAX], long_context[256];
    struct vd_alg_buffer a = {.data = one, .room = sizeof(one)};
    struct vd_alg_buffer b = {.data = two, .room = sizeof(two)};
    struct vd_alg_signing what = {VD_ALG_ML_DSA, VD_TEXT("text"), VD_TEXT("context")};
    const struct vd_alg_bytes signature = {one, sizeof(one)};

    VD_EXPECT_EQ(vd_alg_sign(key, &what, &a, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_sign(key, &what, &b, NULL), VD_OK);
    VD_EXPECT(memcmp(one, two, sizeof(one)) != 0); /* hedged */
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), VD_OK);
    what.context = VD_TEXT("");
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), VD_E_SIGNATURE);
    what.context = VD_TEXT("contexT");
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), VD_E_SIGNATURE);
    what.mechanism = VD_ALG_ML_DSA_DETERMINISTIC;
    what.context = (struct vd_alg_bytes){long_context, 255};
    VD_EXPECT_EQ(vd_alg_sign(key, &what, &a, NULL), VD_OK);
    VD_EXPECT_EQ(vd_alg_sign(key, &what, &b, NULL), VD_OK);
    VD_EXPECT_MEM(one, two, sizeof(one));
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), VD_OK);
    what.context.size = 256;
    VD_EXPECT_EQ(vd_alg_sign(key, &what, &a, NULL), VD_E_SIZE);
    VD_EXPECT_EQ(vd_alg_verify(key, &what, &signature, NULL), VD_E_SIZE);
    vd_alg_key_free(key);
}

/* mu as FIPS 204, algorithm 2, line 6 has it, computed apart: SHAKE256(tr, 0, |ctx|, ctx, M). */
static void compute_mu(struct vd_alg_key *key, const char *context, const char *text,
                       uint8_t ret[64])
{
    uint8_t public[1952], tr[64], head[2] = {0, (uint8_t)strlen(context)};
    struct vd_alg_buffer out = {.data = public, .room = sizeof(public)};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    VD_EXPECT_EQ(vd_alg_key_public(key, VD_ALG_FORM_RAW_PUBLIC, &out, NULL), VD_OK);
    VD_EXPECT(EVP_DigestInit(ctx, EVP_shake256()) == 1 &&
              EVP_DigestUpdate(ctx, public, sizeof(public)) == 1 &&
              EVP_DigestFinalXOF(ctx, tr, sizeof(tr)) == 1);
    VD_EXPECT(EVP_DigestInit(ctx, EVP_shake256()) == 1 && EVP_DigestUpdate(ctx, tr, 64) == 1 &&
              EVP_DigestUpdate(ctx, head, 2) == 1 &&
              EVP_DigestUpdate(ctx, context, strlen(context)) == 1 &&
              EVP_DigestUpdate(ctx, text, strlen(text)) == 1 &&
              EVP_DigestFinalXOF(ctx, ret, 64) == 1);
    EVP_MD_CTX_free(ctx);
}

VD_TEST(ml_dsa_external_mu_is_the_message_signature)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_ML_DSA_65);
    static uint8_t one[VD_ALG_SIGNATURE_MAX], two[VD_ALG_SIGNATURE_MAX];
    struct vd_alg_buffer a = {.data = one, .room = sizeof(one)};
    struct vd_alg_buffer b = {.data = two, .room = sizeof(two)};
    struct vd_alg_signing whole = {VD_ALG_ML_DSA_DETERMINISTIC, VD_TEXT("text"), VD_TEXT("ctx")};
    uint8_t mu[64];
    struct vd_alg_signing hashed = {VD_ALG_ML_DSA_MU_DETERMINISTIC, {mu, 64}, {}};

    compute_mu(key, "ctx", "text", mu);
    /* In turns on one key: neither call leaves its choice to the next. */
    for (int turn = 0; turn < 2; turn++) {
        VD_EXPECT_EQ(vd_alg_sign(key, &whole, &a, NULL), VD_OK);
        VD_EXPECT_EQ(vd_alg_sign(key, &hashed, &b, NULL), VD_OK);
        VD_EXPECT_MEM(one, two, sizeof(one));
        hashed.mechanism = VD_ALG_ML_DSA_MU;
        VD_EXPECT_EQ(vd_alg_verify(key, &hashed, &(struct vd_alg_bytes){one, a.size}, NULL), VD_OK);
        VD_EXPECT_EQ(vd_alg_verify(key, &whole, &(struct vd_alg_bytes){two, b.size}, NULL), VD_OK);
        VD_EXPECT_EQ(vd_alg_sign(key, &hashed, &b, NULL), VD_OK);
        VD_EXPECT(memcmp(one, two, sizeof(one)) != 0);
        VD_EXPECT_EQ(vd_alg_verify(key, &whole, &(struct vd_alg_bytes){two, b.size}, NULL), VD_OK);
        hashed.mechanism = VD_ALG_ML_DSA_MU_DETERMINISTIC;
    }
    hashed.context = VD_TEXT("ctx");
    VD_EXPECT_EQ(vd_alg_sign(key, &hashed, &b, NULL), VD_E_MECHANISM);
    hashed.context.size = 0;
    hashed.message.size = 63;
    VD_EXPECT_EQ(vd_alg_sign(key, &hashed, &b, NULL), VD_E_SIZE);
    vd_alg_key_free(key);
}

VD_TEST(oaep_round_trip_and_refusals)
{
    uint8_t sealed[512], plain[512], text[VD_ALG_OAEP_MAX + 1] = {1, 2, 3};
    static const size_t sizes[] = {0, 1, 32, VD_ALG_OAEP_MAX};
    struct vd_alg_message message = {.aad = VD_TEXT("label")};
    struct vd_alg_buffer out, back = {.data = plain, .room = sizeof(plain)};

    for (size_t i = 0; i < VD_COUNT(sizes); i++) {
        struct vd_alg_message opened = {.text = {sealed, 512}, .aad = VD_TEXT("label")};
        message.text = (struct vd_alg_bytes){text, sizes[i]};
        out = (struct vd_alg_buffer){.data = sealed, .room = sizeof(sealed)};
        VD_EXPECT_EQ(vd_alg_oaep_encrypt(rsa(), &message, &out, NULL), VD_OK);
        VD_EXPECT_EQ(out.size, 512);
        VD_EXPECT_EQ(vd_alg_oaep_decrypt(rsa(), &opened, &back, NULL), VD_OK);
        VD_EXPECT_EQ(back.size, sizes[i]);
        VD_EXPECT_MEM(plain, text, sizes[i]);
        opened.aad = VD_TEXT("");
        VD_EXPECT_EQ(vd_alg_oaep_decrypt(rsa(), &opened, &back, NULL), VD_E_TAG);
        opened.aad = VD_TEXT("label");
        sealed[100] ^= 1;
        VD_EXPECT_EQ(vd_alg_oaep_decrypt(rsa(), &opened, &back, NULL), VD_E_TAG);
        memset(sealed, 0xff, sizeof(sealed)); /* larger than the modulus */
        VD_EXPECT_EQ(vd_alg_oaep_decrypt(rsa(), &opened, &back, NULL), VD_E_TAG);
        opened.text.size = 511;
        VD_EXPECT_EQ(vd_alg_oaep_decrypt(rsa(), &opened, &back, NULL), VD_E_SIZE);
    }
    message.text.size = VD_ALG_OAEP_MAX + 1;
    VD_EXPECT_EQ(vd_alg_oaep_encrypt(rsa(), &message, &out, NULL), VD_E_SIZE);
    message.text.size = 1;
    message.nonce = VD_TEXT("n");
    VD_EXPECT_EQ(vd_alg_oaep_encrypt(rsa(), &message, &out, NULL), VD_E_MECHANISM);
}
