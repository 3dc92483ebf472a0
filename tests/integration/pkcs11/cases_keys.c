/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What keys do: every mechanism against OpenSSL, and what must fail. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "core/base/types.h"
#include "tests/integration/pkcs11/client.h"

#define TEXT_SIZE 1000u

static uint8_t text[TEXT_SIZE], out[8192], back[8192];

static const CK_ATTRIBUTE_TYPE crypt_usages[] = {CKA_ENCRYPT, CKA_DECRYPT, 0};
static const CK_ATTRIBUTE_TYPE sign_usages[] = {CKA_SIGN, CKA_VERIFY, 0};

static void fill(void)
{
    for (size_t i = 0; i < TEXT_SIZE; i++)
        text[i] = (uint8_t)(i * 7);
}

VD_TEST(own_format)
{
    CK_MECHANISM m = {VD_CKM_AEAD, (void *)"context", 7};
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    CK_ULONG size = 0, back_size = sizeof(back);

    fill();
    OK(p11->C_EncryptInit(s, &m, key));
    OK(p11->C_Encrypt(s, text, TEXT_SIZE, NULL, &size));
    VD_EXPECT_EQ(size, TEXT_SIZE + 56);
    size--;
    CHECK_RV(p11->C_Encrypt(s, text, TEXT_SIZE, out, &size), CKR_BUFFER_TOO_SMALL);
    OK(p11->C_Encrypt(s, text, TEXT_SIZE, out, &size));
    CHECK_RV(p11->C_Encrypt(s, text, TEXT_SIZE, out, &size), CKR_OPERATION_NOT_INITIALIZED);
    OK(p11->C_DecryptInit(s, &m, key));
    OK(p11->C_Decrypt(s, out, size, back, &back_size));
    VD_EXPECT_EQ(back_size, TEXT_SIZE);
    VD_EXPECT_MEM(back, text, TEXT_SIZE);
    /* In parts. */
    OK(p11->C_DecryptInit(s, &m, key));
    for (size_t at = 0; at < size; at += 100) {
        CK_ULONG none = sizeof(back);
        OK(p11->C_DecryptUpdate(s, out + at, size - at < 100 ? size - at : 100, back, &none));
        VD_EXPECT_EQ(none, 0);
    }
    memset(back, 0, sizeof(back));
    back_size = sizeof(back);
    OK(p11->C_DecryptFinal(s, back, &back_size));
    VD_EXPECT_MEM(back, text, TEXT_SIZE);
    /* Other additional data; one bit changed; cut off. */
    m.pParameter = (void *)"Context";
    OK(p11->C_DecryptInit(s, &m, key));
    CHECK_RV(p11->C_Decrypt(s, out, size, back, &back_size), CKR_ENCRYPTED_DATA_INVALID);
    m.pParameter = (void *)"context";
    out[size - 1] ^= 1;
    OK(p11->C_DecryptInit(s, &m, key));
    CHECK_RV(p11->C_Decrypt(s, out, size, back, &back_size), CKR_ENCRYPTED_DATA_INVALID);
    OK(p11->C_DecryptInit(s, &m, key));
    VD_EXPECT(p11->C_Decrypt(s, out, 20, back, &back_size) != CKR_OK);
    p11_end();
}

/* AES-GCM as everybody's: a key that is known, and OpenSSL's result. */
VD_TEST(gcm_with_own_nonce)
{
    static const uint8_t value[32] = "0123456789abcdef0123456789abcde", nonce[12] = "nonce.nonce";
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_MECHANISM_TYPE allowed = CKM_AES_GCM;
    CK_ATTRIBUTE t[] = {P11_ULONG(CKA_CLASS, class),
                        P11_ULONG(CKA_KEY_TYPE, type),
                        P11_BOOL(CKA_TOKEN, true),
                        P11_BOOL(CKA_ENCRYPT, true),
                        P11_BOOL(CKA_DECRYPT, true),
                        P11_BYTES(CKA_VALUE, value, 32),
                        P11_ULONG(CKA_ALLOWED_MECHANISMS, allowed)};
    CK_GCM_PARAMS p = {(uint8_t *)(uintptr_t)nonce, 12, 96, (uint8_t *)(uintptr_t) "aad", 3, 128};
    CK_MECHANISM m = {CKM_AES_GCM, &p, sizeof(p)};
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key, careful;
    CK_ULONG size = sizeof(out);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    fill();
    OK(p11->C_CreateObject(s, t, 7, &key));
    OK(p11->C_EncryptInit(s, &m, key));
    OK(p11->C_Encrypt(s, text, TEXT_SIZE, out, &size));
    VD_EXPECT_EQ(size, TEXT_SIZE + 16);
    VD_EXPECT(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, value, nonce) == 1);
    VD_EXPECT(EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)"aad", 3) == 1);
    VD_EXPECT(EVP_EncryptUpdate(ctx, back, &n, text, TEXT_SIZE) == 1);
    VD_EXPECT(EVP_EncryptFinal_ex(ctx, back, &n) == 1);
    VD_EXPECT(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, back + TEXT_SIZE) == 1);
    EVP_CIPHER_CTX_free(ctx);
    VD_EXPECT_MEM(out, back, size);
    /* A key that was not made for it does not take a nonce of the caller. */
    careful = p11_secret_key(s, CKM_AES_KEY_GEN, crypt_usages);
    CHECK_RV(p11->C_EncryptInit(s, &m, careful), CKR_KEY_FUNCTION_NOT_PERMITTED);
    p.ulTagBits = 32;
    CHECK_RV(p11->C_EncryptInit(s, &m, key), CKR_MECHANISM_PARAM_INVALID);
    p.ulTagBits = 128;
    p.ulIvLen = 8;
    CHECK_RV(p11->C_EncryptInit(s, &m, key), CKR_MECHANISM_PARAM_INVALID);
    p11_end();
}

/* Messages of 3.0, whose nonces the token makes. */
VD_TEST(gcm_messages)
{
    CK_MECHANISM_TYPE allowed = CKM_AES_GCM;
    CK_ATTRIBUTE t[] = {P11_BOOL(CKA_TOKEN, true), P11_BOOL(CKA_ENCRYPT, true),
                        P11_BOOL(CKA_DECRYPT, true), P11_ULONG(CKA_ALLOWED_MECHANISMS, allowed)};
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}, m = {CKM_AES_GCM, NULL, 0};
    uint8_t iv[12] = {}, tag[16], last[12] = {};
    struct vd_ck_gcm_message p = {iv, 12, 0, VD_CKG_GENERATE, tag, 128};
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key;
    CK_ULONG size, back_size;

    fill();
    OK(p11->C_GenerateKey(s, &generate, t, 4, &key));
    OK(p32->v3.C_MessageEncryptInit(s, &m, key));
    OK(p32->v3.C_MessageDecryptInit(s, &m, key));
    for (size_t i = 0; i < 50; i++) {
        size = sizeof(out);
        OK(p32->v3.C_EncryptMessage(s, &p, sizeof(p), text, i, text, 10 * i, out, &size));
        VD_EXPECT_EQ(size, 10 * i);
        VD_EXPECT(memcmp(iv, last, 12) != 0);
        memcpy(last, iv, 12);
        back_size = sizeof(back);
        OK(p32->v3.C_DecryptMessage(s, &p, sizeof(p), text, i, out, size, back, &back_size));
        VD_EXPECT_EQ(back_size, size);
        VD_EXPECT_MEM(back, text, size);
        tag[i % 16] ^= 4;
        CHECK_RV(p32->v3.C_DecryptMessage(s, &p, sizeof(p), text, i, out, size, back, &back_size),
                 CKR_ENCRYPTED_DATA_INVALID);
    }
    OK(p32->v3.C_MessageEncryptFinal(s));
    CHECK_RV(p32->v3.C_EncryptMessage(s, &p, sizeof(p), NULL, 0, text, 1, out, &size),
             CKR_OPERATION_NOT_INITIALIZED);
    p11_end();
}

/* r ‖ s to DER, as OpenSSL takes it. */
static size_t to_der(const uint8_t raw[64], uint8_t *ret)
{
    size_t at = 2;

    for (int half = 0; half < 2; half++) {
        const uint8_t *n = raw + 32 * half;
        size_t skip = 0;
        while (skip < 31 && n[skip] == 0)
            skip++;
        bool pad = n[skip] >= 0x80;
        ret[at++] = 0x02;
        ret[at++] = (uint8_t)(32 - skip + pad);
        if (pad)
            ret[at++] = 0;
        memcpy(ret + at, n + skip, 32 - skip);
        at += 32 - skip;
    }
    ret[0] = 0x30;
    ret[1] = (uint8_t)(at - 2);
    return at;
}

static const EVP_MD *digest_of(CK_MECHANISM_TYPE type)
{
    switch (type) {
    case VD_CKM_EDDSA:
    case VD_CKM_ML_DSA:
        return NULL;
    case CKM_ECDSA_SHA512:
    case CKM_SHA512_RSA_PKCS:
    case CKM_SHA512_RSA_PKCS_PSS:
        return EVP_sha512();
    case CKM_SHA384_RSA_PKCS:
    case CKM_SHA384_RSA_PKCS_PSS:
        return EVP_sha384();
    default:
        return EVP_sha256();
    }
}

static bool openssl_verifies(EVP_PKEY *key, CK_MECHANISM_TYPE type, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    uint8_t der[80];
    bool good;

    VD_EXPECT(EVP_DigestVerifyInit(ctx, &pkey, digest_of(type), NULL, key) == 1);
    if (type >= CKM_SHA256_RSA_PKCS_PSS && type <= CKM_SHA512_RSA_PKCS_PSS) {
        VD_EXPECT(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1);
        VD_EXPECT(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    if (type == CKM_ECDSA_SHA256 || type == CKM_ECDSA_SHA512) {
        size = to_der(out, der);
        good = EVP_DigestVerify(ctx, der, size, text, TEXT_SIZE) == 1;
    } else {
        good = EVP_DigestVerify(ctx, out, size, text, TEXT_SIZE) == 1;
    }
    EVP_MD_CTX_free(ctx);
    return good;
}

/* Signs with the token; OpenSSL and the token verify; a changed message does not hold. */
static void sign_and_verify(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE public_key,
                            CK_OBJECT_HANDLE private_key)
{
    EVP_PKEY *key = p11_evp(s, public_key);
    CK_ULONG size = 0, parts = sizeof(back);

    OK(p11->C_SignInit(s, m, private_key));
    OK(p11->C_Sign(s, text, TEXT_SIZE, NULL, &size));
    OK(p11->C_Sign(s, text, TEXT_SIZE, out, &size));
    VD_EXPECT(openssl_verifies(key, m->mechanism, size));
    EVP_PKEY_free(key);
    OK(p11->C_VerifyInit(s, m, public_key));
    OK(p11->C_Verify(s, text, TEXT_SIZE, out, size));
    OK(p11->C_VerifyInit(s, m, public_key));
    OK(p11->C_VerifyUpdate(s, text, 999));
    OK(p11->C_VerifyUpdate(s, text + 999, 1));
    OK(p11->C_VerifyFinal(s, out, size));
    OK(p32->v32.C_VerifySignatureInit(s, m, public_key, out, size));
    OK(p32->v32.C_VerifySignature(s, text, TEXT_SIZE));
    OK(p11->C_SignInit(s, m, private_key));
    OK(p11->C_SignUpdate(s, text, TEXT_SIZE));
    OK(p11->C_SignFinal(s, back, &parts));
    VD_EXPECT_EQ(parts, size);
    OK(p11->C_VerifyInit(s, m, public_key));
    OK(p11->C_Verify(s, text, TEXT_SIZE, back, parts));
    text[0] ^= 1;
    OK(p11->C_VerifyInit(s, m, public_key));
    CHECK_RV(p11->C_Verify(s, text, TEXT_SIZE, out, size), CKR_SIGNATURE_INVALID);
    text[0] ^= 1;
    OK(p11->C_VerifyInit(s, m, public_key));
    CHECK_RV(p11->C_Verify(s, text, TEXT_SIZE, out, size - 1), CKR_SIGNATURE_LEN_RANGE);
    /* The halves are not each other. */
    CHECK_RV(p11->C_SignInit(s, m, public_key), CKR_KEY_TYPE_INCONSISTENT);
    CHECK_RV(p11->C_VerifyInit(s, m, private_key), CKR_KEY_TYPE_INCONSISTENT);
}

static void pair_signs(CK_MECHANISM_TYPE generate, CK_MECHANISM *m, size_t count)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE public_key, private_key;

    fill();
    p11_key_pair(s, generate, &public_key, &private_key);
    for (size_t i = 0; i < count; i++)
        sign_and_verify(s, &m[i], public_key, private_key);
    OK(p11->C_DestroyObject(s, private_key));
    CHECK_RV(p11->C_SignInit(s, &m[0], private_key), CKR_KEY_HANDLE_INVALID);
    p11_end();
}

VD_TEST(rsa_signs)
{
    CK_RSA_PKCS_PSS_PARAMS p[] = {{CKM_SHA256, CKG_MGF1_SHA256, 32},
                                  {CKM_SHA384, CKG_MGF1_SHA384, 48},
                                  {CKM_SHA512, CKG_MGF1_SHA512, 64}};
    CK_MECHANISM m[] = {{CKM_SHA256_RSA_PKCS, NULL, 0},
                        {CKM_SHA384_RSA_PKCS, NULL, 0},
                        {CKM_SHA512_RSA_PKCS, NULL, 0},
                        {CKM_SHA256_RSA_PKCS_PSS, &p[0], sizeof(p[0])},
                        {CKM_SHA384_RSA_PKCS_PSS, &p[1], sizeof(p[1])},
                        {CKM_SHA512_RSA_PKCS_PSS, &p[2], sizeof(p[2])}};

    pair_signs(CKM_RSA_PKCS_KEY_PAIR_GEN, m, VD_COUNT(m));
}

VD_TEST(ecdsa_signs)
{
    CK_MECHANISM m[] = {{CKM_ECDSA_SHA256, NULL, 0}, {CKM_ECDSA_SHA512, NULL, 0}};

    pair_signs(CKM_EC_KEY_PAIR_GEN, m, 2);
}

VD_TEST(ed25519_signs)
{
    CK_MECHANISM m[] = {{VD_CKM_EDDSA, NULL, 0}};

    pair_signs(VD_CKM_EC_EDWARDS_KEY_PAIR_GEN, m, 1);
}

VD_TEST(ml_dsa_signs)
{
    struct vd_ck_sign_context none = {VD_CKH_DETERMINISTIC_REQUIRED, NULL, 0};
    CK_MECHANISM m[] = {{VD_CKM_ML_DSA, NULL, 0}, {VD_CKM_ML_DSA, &none, sizeof(none)}};

    pair_signs(VD_CKM_ML_DSA_KEY_PAIR_GEN, m, 2);
}

VD_TEST(hmac)
{
    CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE key = p11_secret_key(s, CKM_GENERIC_SECRET_KEY_GEN, sign_usages);
    CK_ULONG size = 32;

    OK(p11->C_SignInit(s, &m, key));
    OK(p11->C_Sign(s, text, TEXT_SIZE, out, &size));
    OK(p11->C_VerifyInit(s, &m, key));
    OK(p11->C_Verify(s, text, TEXT_SIZE, out, 32));
    out[31] ^= 0x80;
    OK(p11->C_VerifyInit(s, &m, key));
    CHECK_RV(p11->C_Verify(s, text, TEXT_SIZE, out, 32), CKR_SIGNATURE_INVALID);
    p11_end();
}

/* Both sides of an agreement come to the same secret. */
VD_TEST(ecdh)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE public_key, private_key, secret;
    CK_ECDH1_DERIVE_PARAMS p = {.kdf = CKD_NULL};
    CK_MECHANISM m = {CKM_ECDH1_DERIVE, &p, sizeof(p)}, generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE pub[] = {P11_BOOL(CKA_TOKEN, true)};
    CK_ATTRIBUTE prv[] = {P11_BOOL(CKA_TOKEN, true), P11_BOOL(CKA_DERIVE, true)};
    EVP_PKEY *mine = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), *theirs;
    uint8_t point[65], ours[32], other[32];
    size_t size = sizeof(point), other_size = 32;
    EVP_PKEY_CTX *ctx;

    OK(p11->C_GenerateKeyPair(s, &generate, pub, 1, prv, 2, &public_key, &private_key));
    VD_EXPECT(EVP_PKEY_get_octet_string_param(mine, OSSL_PKEY_PARAM_PUB_KEY, point, 65, &size) ==
              1);
    p.pPublicData = point;
    p.ulPublicDataLen = 65;
    OK(p11->C_DeriveKey(s, &m, private_key, NULL, 0, &secret));
    VD_EXPECT_EQ(p11_get(s, secret, CKA_VALUE, ours, 32), 32);
    theirs = p11_evp(s, public_key);
    ctx = EVP_PKEY_CTX_new(mine, NULL);
    VD_EXPECT(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, theirs) == 1);
    VD_EXPECT(EVP_PKEY_derive(ctx, other, &other_size) == 1);
    VD_EXPECT_MEM(ours, other, 32);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(theirs);
    point[64] ^= 1; /* no point of the curve */
    VD_EXPECT(p11->C_DeriveKey(s, &m, private_key, NULL, 0, &secret) != CKR_OK);
    p11_end();
}

VD_TEST(ml_kem)
{
    CK_SESSION_HANDLE s = p11_start();
    CK_OBJECT_HANDLE public_key, private_key, a, b;
    CK_MECHANISM m = {VD_CKM_ML_KEM, NULL, 0};
    CK_ULONG size = 0;
    uint8_t ours[32], theirs[32];

    p11_key_pair(s, VD_CKM_ML_KEM_KEY_PAIR_GEN, &public_key, &private_key);
    OK(p32->v32.C_EncapsulateKey(s, &m, public_key, NULL, 0, NULL, &size, &a));
    VD_EXPECT_EQ(size, 1088);
    OK(p32->v32.C_EncapsulateKey(s, &m, public_key, NULL, 0, out, &size, &a));
    OK(p32->v32.C_DecapsulateKey(s, &m, private_key, NULL, 0, out, size, &b));
    VD_EXPECT_EQ(p11_get(s, a, CKA_VALUE, ours, 32), 32);
    VD_EXPECT_EQ(p11_get(s, b, CKA_VALUE, theirs, 32), 32);
    VD_EXPECT_MEM(ours, theirs, 32);
    VD_EXPECT(p32->v32.C_DecapsulateKey(s, &m, private_key, NULL, 0, out, size - 1, &b) != CKR_OK);
    CHECK_RV(p32->v32.C_DecapsulateKey(s, &m, public_key, NULL, 0, out, size, &b),
             CKR_KEY_TYPE_INCONSISTENT);
    p11_end();
}
