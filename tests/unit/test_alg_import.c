/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Key material from outside: OpenSSL's own encodings, and every kind of wrong one. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "services/crypto/alg/alg.h"
#include "tests/support/alg.h"

/* OpenSSL's key of the same kind, as PKCS #8 and SubjectPublicKeyInfo of its own encoders. */
static const struct {
    enum vd_alg_type type;
    const char *name, *group;
} peers[] = {
    {VD_ALG_ECDSA_P256, "EC", "P-256"},    {VD_ALG_ED25519, "ED25519", NULL},
    {VD_ALG_X25519, "X25519", NULL},       {VD_ALG_ML_KEM_768, "ML-KEM-768", NULL},
    {VD_ALG_ML_DSA_65, "ML-DSA-65", NULL}, {VD_ALG_RSA_4096, "RSA", NULL},
};

static EVP_PKEY *peer_key(size_t i)
{
    if (peers[i].type == VD_ALG_RSA_4096)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
    return peers[i].group != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                  : EVP_PKEY_Q_keygen(NULL, NULL, peers[i].name);
}

static int pkcs8(EVP_PKEY *pkey, uint8_t **ret)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    int size;

    *ret = NULL;
    size = i2d_PKCS8_PRIV_KEY_INFO(info, ret);
    PKCS8_PRIV_KEY_INFO_free(info);
    VD_EXPECT(size > 0);
    return size;
}

/* Theirs in, ours out and into theirs again: both have the same public key. */
VD_TEST(import_and_export_with_openssl)
{
    for (size_t i = 0; i < VD_COUNT(peers); i++) {
        EVP_PKEY *theirs = peer_key(i), *back;
        uint8_t *der = NULL, *spki = NULL, own[VD_ALG_PUBLIC_DER_MAX];
        int size = pkcs8(theirs, &der), public_size = i2d_PUBKEY(theirs, &spki);
        struct vd_alg_key *key = NULL, *public = NULL;
        struct vd_alg_buffer out = {.data = own, .room = sizeof(own)};
        struct vd_secret secret = {};
        const uint8_t *at;
        VD_EXPECT_EQ(
            vd_test_import_bytes(peers[i].type, VD_ALG_FORM_PKCS8, der, (size_t)size, &key), VD_OK);
        VD_EXPECT_EQ(vd_alg_key_public(key, VD_ALG_FORM_SPKI, &out, NULL), VD_OK);
        VD_EXPECT_EQ(out.size, public_size);
        VD_EXPECT_MEM(own, spki, out.size);
        VD_EXPECT_EQ(vd_test_import_bytes(peers[i].type, VD_ALG_FORM_SPKI, spki,
                                          (size_t)public_size, &public),
                     VD_OK);
        VD_EXPECT_EQ(vd_alg_key_export(key, VD_ALG_FORM_PKCS8, &secret, NULL), VD_OK);
        at = secret.data;
        back = d2i_AutoPrivateKey(NULL, &at, (long)secret.size);
        VD_EXPECT(back != NULL && EVP_PKEY_eq(back, theirs) == 1);
        EVP_PKEY_free(back);
        EVP_PKEY_free(theirs);
        OPENSSL_free(der);
        OPENSSL_free(spki);
        vd_secret_done(&secret);
        vd_alg_key_free(public);
        vd_alg_key_free(key);
    }
}

/* Cut anywhere, with a byte behind, or as another type: none is a key. */
VD_TEST(import_cut_long_or_of_another_type)
{
    for (size_t i = 0; i < VD_COUNT(peers); i++) {
        struct vd_alg_key *key, *none = NULL;
        struct vd_secret secret = {};
        uint8_t der[8193];
        if (peers[i].type == VD_ALG_RSA_4096)
            continue; /* the checks of a whole key are too slow for each length */
        key = vd_test_key(peers[i].type);
        VD_EXPECT_EQ(vd_alg_key_export(key, VD_ALG_FORM_PKCS8, &secret, NULL), VD_OK);
        memcpy(der, secret.data, secret.size);
        for (size_t size = 0; size < secret.size; size++)
            VD_EXPECT_EQ(vd_test_import_bytes(peers[i].type, VD_ALG_FORM_PKCS8, der, size, &none),
                         VD_E_ENCODING);
        der[secret.size] = 0;
        VD_EXPECT_EQ(
            vd_test_import_bytes(peers[i].type, VD_ALG_FORM_PKCS8, der, secret.size + 1, &none),
            VD_E_ENCODING);
        VD_EXPECT_EQ(vd_test_import_bytes(peers[i].type, VD_ALG_FORM_PKCS8, der, 8193, &none),
                     VD_E_LIMIT);
        for (size_t other = 0; other < VD_COUNT(peers); other++)
            if (other != i)
                VD_EXPECT_EQ(vd_test_import_bytes(peers[other].type, VD_ALG_FORM_PKCS8, der,
                                                  secret.size, &none),
                             VD_E_KEY_TYPE);
        VD_EXPECT(none == NULL);
        vd_secret_done(&secret);
        vd_alg_key_free(key);
    }
}

struct row {
    enum vd_alg_type type;
    enum vd_alg_form form;
    vd_status status;
    const char *hex;
};

#define ED_HEAD "302e020100300506032b657004220420"
#define ED_KEY  "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define ED_PUB  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define EC_G                                                             \
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" \
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"

static const struct row rows[] = {
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_OK, ED_HEAD ED_KEY},
    /* RFC 8410, 10.3 has version 1 with the public key. */
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_OK,
     "3051020101300506032b657004220420" ED_KEY "812100" ED_PUB},
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_E_INVALID,
     "3051020101300506032b657004220420" ED_KEY "812100" ED_KEY},
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_E_ENCODING,
     "3051020100300506032b657004220420" ED_KEY "812100" ED_PUB},
    /* length in a longer form; version 2; attributes; a tag of another class */
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_E_ENCODING, "30812e020100300506032b657004220420" ED_KEY},
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_E_ENCODING, "302e020102300506032b657004220420" ED_KEY},
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_E_ENCODING,
     "3030020100300506032b657004220420" ED_KEY "a000"},
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_E_ENCODING, "312e020100300506032b657004220420" ED_KEY},
    /* parameters where there are none */
    {VD_ALG_ED25519, VD_ALG_FORM_PKCS8, VD_E_KEY_TYPE,
     "3030020100300706032b6570050004220420" ED_KEY},
    {VD_ALG_ED25519, VD_ALG_FORM_RAW, VD_OK, ED_KEY},
    {VD_ALG_ED25519, VD_ALG_FORM_RAW, VD_E_SIZE, ED_KEY "00"},
    {VD_ALG_ED25519, VD_ALG_FORM_RAW_PUBLIC, VD_OK, ED_PUB},
    {VD_ALG_ED25519, VD_ALG_FORM_SPKI, VD_OK, "302a300506032b6570032100" ED_PUB},
    {VD_ALG_ED25519, VD_ALG_FORM_SPKI, VD_E_ENCODING, "302a300506032b6570032101" ED_PUB},
    {VD_ALG_ED25519, VD_ALG_FORM_SPKI, VD_E_KEY_TYPE, "302a300506032b656e032100" ED_PUB},
    {VD_ALG_ED25519, VD_ALG_FORM_RAW_PUBLIC, VD_E_POINT, ZERO},
    {VD_ALG_ED25519, VD_ALG_FORM_RAW_PUBLIC, VD_E_POINT,
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"},
    /* y = 2 is on no point; y = 2^255 - 19 + 3 is not reduced */
    {VD_ALG_ED25519, VD_ALG_FORM_RAW_PUBLIC, VD_E_POINT,
     "0200000000000000000000000000000000000000000000000000000000000000"},
    {VD_ALG_ED25519, VD_ALG_FORM_RAW_PUBLIC, VD_E_POINT,
     "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW_PUBLIC, VD_OK, EC_G},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW_PUBLIC, VD_E_SIZE, "00"},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW_PUBLIC, VD_E_POINT, "04" ZERO ZERO},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW_PUBLIC, VD_E_SIZE,
     "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW_PUBLIC, VD_E_ENCODING, "07" ZERO ZERO},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW, VD_E_INVALID, ZERO},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW, VD_E_INVALID, ORDER},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW, VD_E_SIZE, "01"},
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_SPKI, VD_OK,
     "3059301306072a8648ce3d020106082a8648ce3d030107034200" EC_G},
    /* secp256k1 */
    {VD_ALG_ECDSA_P256, VD_ALG_FORM_SPKI, VD_E_KEY_TYPE,
     "3056301006072a8648ce3d020106052b8104000a034200" EC_G},
    {VD_ALG_HMAC_SHA256, VD_ALG_FORM_RAW, VD_E_SIZE, "000102030405060708090a0b0c0d0e"},
    {VD_ALG_HMAC_SHA256, VD_ALG_FORM_RAW, VD_OK, "000102030405060708090a0b0c0d0e0f"},
    {VD_ALG_X_WING, VD_ALG_FORM_SEED, VD_E_SIZE, "00"},
    {VD_ALG_X_WING, VD_ALG_FORM_PKCS8, VD_OK,
     "3034020100300d060b2b0601040183e62d81c87a0420" ED_KEY},
    {VD_ALG_X_WING, VD_ALG_FORM_PKCS8, VD_E_ENCODING,
     "3034020100300d060b2b0601040183e62d81c87a0520" ED_KEY},
    {VD_ALG_ML_KEM_768, VD_ALG_FORM_SEED, VD_E_SIZE, ED_KEY},
    {VD_ALG_ML_DSA_65, VD_ALG_FORM_SEED, VD_E_SIZE, ED_KEY ED_KEY},
    {VD_ALG_ML_DSA_65, VD_ALG_FORM_EXPANDED, VD_E_SIZE, ED_KEY},
    {VD_ALG_ML_DSA_65, VD_ALG_FORM_PKCS8, VD_OK,
     "3034020100300b06096086480165030403120422"
     "8020" ED_KEY},
    {VD_ALG_ML_DSA_65, VD_ALG_FORM_PKCS8, VD_E_ENCODING,
     "3034020100300b06096086480165030403120422"
     "8120" ED_KEY},
    {VD_ALG_RSA_4096, VD_ALG_FORM_SPKI, VD_E_ENCODING,
     "301c300d06092a864886f70d0101010500030b003008020300ffff"
     "020103"
     "00"},
};

VD_TEST(import_rows)
{
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_hex hex = vd_hex(rows[i].hex);
        struct vd_alg_key *key = NULL;
        vd_status status =
            vd_test_import_bytes(rows[i].type, rows[i].form, hex.data, hex.size, &key);
        if (status != rows[i].status)
            vd_test_fail(__FILE__, __LINE__, "row %zu: %s", i, vd_status_name(status));
        VD_EXPECT((key != NULL) == (status == VD_OK));
        vd_alg_key_free(key);
    }
}

/* An RSA key's SubjectPublicKeyInfo with parts exchanged for others. */
static vd_status import_rsa(const EVP_PKEY *pkey, size_t bits, const char *exponent)
{
    static uint8_t *der;
    struct vd_alg_key *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *own = NULL;
    BIGNUM *n = NULL, *e = NULL;
    OSSL_PARAM params[3];
    uint8_t native[2][1024];
    vd_status status;
    int size;

    VD_EXPECT(EVP_PKEY_get_bn_param(pkey, "n", &n) == 1);
    VD_EXPECT(BN_hex2bn(&e, exponent) > 0);
    if (bits != 4096)
        VD_EXPECT(BN_rshift(n, n, (int)(4096 - bits)) == 1 && BN_set_bit(n, 0) == 1);
    VD_EXPECT(BN_bn2nativepad(n, native[0], 513) > 0 && BN_bn2nativepad(e, native[1], 16) > 0);
    params[0] = OSSL_PARAM_construct_BN("n", native[0], 513);
    params[1] = OSSL_PARAM_construct_BN("e", native[1], 16);
    params[2] = OSSL_PARAM_construct_end();
    VD_EXPECT(EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, &own, EVP_PKEY_PUBLIC_KEY, params) == 1);
    der = NULL;
    size = i2d_PUBKEY(own, &der);
    VD_EXPECT(size > 0);
    status = vd_test_import_bytes(VD_ALG_RSA_4096, VD_ALG_FORM_SPKI, der, (size_t)size, &key);
    vd_alg_key_free(key);
    OPENSSL_free(der);
    BN_free(n);
    BN_free(e);
    EVP_PKEY_free(own);
    EVP_PKEY_CTX_free(ctx);
    return status;
}

VD_TEST(import_rsa_sizes_and_exponents)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);

    VD_EXPECT_EQ(import_rsa(pkey, 4096, "010001"), VD_OK);
    VD_EXPECT_EQ(import_rsa(pkey, 4096, "ffffffffffffffff"), VD_OK);
    VD_EXPECT_EQ(import_rsa(pkey, 4096, "010000000000000001"), VD_E_ENCODING);
    VD_EXPECT_EQ(import_rsa(pkey, 4096, "03"), VD_E_POINT);
    VD_EXPECT_EQ(import_rsa(pkey, 4096, "010002"), VD_E_POINT);
    VD_EXPECT_EQ(import_rsa(pkey, 4095, "010001"), VD_E_SIZE);
    VD_EXPECT_EQ(import_rsa(pkey, 2048, "010001"), VD_E_SIZE);
    EVP_PKEY_free(pkey);
}

/* Each part of a private RSA key changed: the parts must belong together. */
VD_TEST(import_rsa_parts_contradict_each_other)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_RSA_4096), *none = NULL;
    static const size_t places[] = {600, 1200, 1500, 1700, 2000, 2300};
    struct vd_secret der = {};

    VD_EXPECT_EQ(vd_alg_key_export(key, VD_ALG_FORM_PKCS8, &der, NULL), VD_OK);
    for (size_t i = 0; i < VD_COUNT(places); i++) {
        der.data[places[i]] ^= 4;
        VD_EXPECT_EQ(
            vd_test_import_bytes(VD_ALG_RSA_4096, VD_ALG_FORM_PKCS8, der.data, der.size, &none),
            VD_E_INVALID);
        der.data[places[i]] ^= 4;
    }
    vd_secret_done(&der);
    vd_alg_key_free(key);
}
