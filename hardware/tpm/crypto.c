/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/crypto.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

#define POINT_SIZE (1 + 2 * VD_TPM_P256_SIZE) /* uncompressed */

struct vd_tpm_crypto {
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *hmac;
    EVP_CIPHER *aes;
    EVP_CIPHER_CTX *cipher;
    EVP_PKEY_CTX *generator; /* of key pairs on P-256 */
    EVP_PKEY *own;           /* the pair of the next salt; NULL: not made yet */
};

void vd_tpm_crypto_free(struct vd_tpm_crypto *crypto)
{
    if (crypto == NULL)
        return;
    EVP_MD_CTX_free(crypto->digest);
    EVP_MD_free(crypto->sha256);
    EVP_MAC_CTX_free(crypto->hmac);
    EVP_CIPHER_CTX_free(crypto->cipher);
    EVP_CIPHER_free(crypto->aes);
    EVP_PKEY_CTX_free(crypto->generator);
    EVP_PKEY_free(crypto->own);
    free(crypto);
}

static bool fetch(struct vd_tpm_crypto *c)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_END};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool good;

    c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    c->digest = EVP_MD_CTX_new();
    c->hmac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    c->aes = EVP_CIPHER_fetch(NULL, "AES-128-CFB", NULL);
    c->cipher = EVP_CIPHER_CTX_new();
    c->generator = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    good = c->sha256 != NULL && c->digest != NULL && c->hmac != NULL && c->aes != NULL &&
           c->cipher != NULL && c->generator != NULL;
    return good && EVP_MAC_CTX_set_params(c->hmac, params) == 1 &&
           EVP_PKEY_keygen_init(c->generator) == 1 &&
           EVP_PKEY_CTX_set_group_name(c->generator, "P-256") == 1;
}

vd_status vd_tpm_crypto_new(struct vd_tpm_crypto **ret, struct vd_diag *diag)
{
    struct vd_tpm_crypto *crypto = calloc(1, sizeof(*crypto));

    if (crypto == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    if (!fetch(crypto)) {
        vd_tpm_crypto_free(crypto);
        return vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL lacks an algorithm of TPM sessions");
    }
    *ret = crypto;
    return VD_OK;
}

vd_status vd_tpm_hash(struct vd_tpm_crypto *crypto, const struct vd_tpm_piece *pieces, size_t count,
                      uint8_t ret[VD_TPM_HASH_SIZE])
{
    bool good = EVP_DigestInit_ex2(crypto->digest, crypto->sha256, NULL) == 1;

    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(crypto->digest, pieces[i].data, pieces[i].size) == 1;
    return good && EVP_DigestFinal_ex(crypto->digest, ret, NULL) == 1 ? VD_OK : VD_E_SYSTEM;
}

vd_status vd_tpm_hmac(struct vd_tpm_crypto *crypto, const struct vd_tpm_piece *key,
                      const struct vd_tpm_piece *pieces, size_t count,
                      uint8_t ret[VD_TPM_HASH_SIZE])
{
    size_t size = 0;
    bool good = EVP_MAC_init(crypto->hmac, key->data, key->size, NULL) == 1;

    for (size_t i = 0; good && i < count; i++)
        good = EVP_MAC_update(crypto->hmac, pieces[i].data, pieces[i].size) == 1;
    return good && EVP_MAC_final(crypto->hmac, ret, &size, VD_TPM_HASH_SIZE) == 1 ? VD_OK
                                                                                  : VD_E_SYSTEM;
}

vd_status vd_tpm_kdfa(struct vd_tpm_crypto *crypto, const struct vd_tpm_kdf *from,
                      uint8_t ret[VD_TPM_HASH_SIZE])
{
    static const uint8_t counter[4] = {0, 0, 0, 1}, bits[4] = {0, 0, 1, 0};
    const struct vd_tpm_piece pieces[] = {
        {counter, sizeof(counter)}, {from->label, strlen(from->label) + 1}, from->u, from->v,
        {bits, sizeof(bits)},
    };

    return vd_tpm_hmac(crypto, &from->key, pieces, VD_COUNT(pieces), ret);
}

vd_status vd_tpm_cfb(struct vd_tpm_crypto *crypto, bool encrypt, const uint8_t key_iv[32],
                     uint8_t *data, size_t size)
{
    int len = 0;
    bool good =
        EVP_CipherInit_ex2(crypto->cipher, crypto->aes, key_iv, key_iv + 16, encrypt, NULL) == 1;

    good = good && EVP_CipherUpdate(crypto->cipher, data, &len, data, (int)size) == 1;
    return good && (size_t)len == size ? VD_OK : VD_E_SYSTEM;
}

/* The key as OpenSSL's; NULL: no point of the curve, or no memory. */
static EVP_PKEY *import_point(const struct vd_tpm_point *point)
{
    uint8_t bytes[POINT_SIZE] = {POINT_CONVERSION_UNCOMPRESSED};
    char group[] = "P-256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                           OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes)),
                           OSSL_PARAM_END};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    vd_copy(bytes + 1, point->x, VD_TPM_P256_SIZE);
    vd_copy(bytes + 1 + VD_TPM_P256_SIZE, point->y, VD_TPM_P256_SIZE);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static bool export_point(EVP_PKEY *key, struct vd_tpm_point *ret)
{
    uint8_t bytes[POINT_SIZE];
    size_t size = 0;

    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes),
                                        &size) != 1 ||
        size != sizeof(bytes) || bytes[0] != POINT_CONVERSION_UNCOMPRESSED)
        return false;
    vd_copy(ret->x, bytes + 1, VD_TPM_P256_SIZE);
    vd_copy(ret->y, bytes + 1 + VD_TPM_P256_SIZE, VD_TPM_P256_SIZE);
    return true;
}

/* ECDH: the x coordinate. */
static bool agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t ret[VD_TPM_P256_SIZE])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    size_t size = VD_TPM_P256_SIZE;
    bool good = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, ret, &size) == 1 &&
                size == VD_TPM_P256_SIZE;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

void vd_tpm_salt_prepare(struct vd_tpm_crypto *crypto)
{
    if (crypto->own == NULL && EVP_PKEY_generate(crypto->generator, &crypto->own) != 1)
        crypto->own = NULL;
}

vd_status vd_tpm_salt_begin(struct vd_tpm_crypto *crypto, struct vd_tpm_point *ret)
{
    vd_tpm_salt_prepare(crypto);
    return crypto->own != NULL && export_point(crypto->own, ret) ? VD_OK : VD_E_SYSTEM;
}

vd_status vd_tpm_salt_finish(struct vd_tpm_crypto *crypto, const struct vd_tpm_point *key,
                             uint8_t ret[VD_TPM_HASH_SIZE])
{
    static const uint8_t counter[4] = {0, 0, 0, 1};
    uint8_t secret[VD_TPM_P256_SIZE];
    EVP_PKEY *peer = import_point(key), *own = crypto->own;
    vd_status status = peer == NULL ? VD_E_INVALID : VD_E_SYSTEM;
    struct vd_tpm_point point;

    crypto->own = NULL;
    if (own != NULL && peer != NULL && export_point(own, &point) && agree(own, peer, secret)) {
        const struct vd_tpm_piece pieces[] = {
            {counter, sizeof(counter)}, {secret, sizeof(secret)}, {"SECRET", sizeof("SECRET")},
            {point.x, sizeof(point.x)}, {key->x, sizeof(key->x)},
        };

        status = vd_tpm_hash(crypto, pieces, VD_COUNT(pieces), ret);
    }
    vd_wipe(secret, sizeof(secret));
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    return status;
}

vd_status vd_tpm_random(uint8_t *ret, size_t size)
{
    return RAND_bytes(ret, (int)size) == 1 ? VD_OK : VD_E_SYSTEM;
}
