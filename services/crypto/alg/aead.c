/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * AES-256-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439): the keys, one message through a
 * kept cipher context, and the calls with the caller's nonce.
 */
#include "services/crypto/alg/internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

void vd_alg_cipher_done(void *cipher)
{
    EVP_CIPHER_CTX_free(cipher);
}

EVP_CIPHER_CTX *vd_alg_cipher_take(const struct vd_alg_key *key, struct vd_alg_pool *pool,
                                   const struct vd_secret *secret)
{
    EVP_CIPHER_CTX *cipher = vd_alg_pool_take(pool);
    const EVP_CIPHER *algorithm =
        key->info->type == VD_ALG_AES_256_GCM ? key->alg->aes_256_gcm : key->alg->chacha20_poly1305;

    if (cipher != NULL)
        return cipher;
    cipher = EVP_CIPHER_CTX_new();
    if (cipher != NULL && EVP_CipherInit_ex2(cipher, algorithm, secret->data, NULL, 1, NULL) == 1)
        return cipher;
    EVP_CIPHER_CTX_free(cipher);
    return NULL;
}

/* Additional data, text; a text of no bytes has no call of its own. */
static bool run(EVP_CIPHER_CTX *cipher, const struct vd_alg_message *message, uint8_t *out)
{
    int len = 0;

    if (message->aad.size != 0 &&
        EVP_CipherUpdate(cipher, NULL, &len, message->aad.data, (int)message->aad.size) != 1)
        return false;
    return message->text.size == 0 ||
           (EVP_CipherUpdate(cipher, out, &len, message->text.data, (int)message->text.size) == 1 &&
            (size_t)len == message->text.size);
}

bool vd_alg_seal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[VD_ALG_NONCE_SIZE],
                 const struct vd_alg_message *message, uint8_t *out)
{
    uint8_t *tag = out + message->text.size;
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, VD_ALG_TAG_SIZE), OSSL_PARAM_END};
    uint8_t none[VD_ALG_TAG_SIZE];
    int len = 0;

    return EVP_CipherInit_ex2(cipher, NULL, NULL, nonce, 1, NULL) == 1 &&
           run(cipher, message, out) && EVP_CipherFinal_ex(cipher, none, &len) == 1 &&
           EVP_CIPHER_CTX_get_params(cipher, params) == 1;
}

vd_status vd_alg_unseal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[VD_ALG_NONCE_SIZE],
                        const struct vd_alg_message *message, uint8_t *out, struct vd_diag *diag)
{
    struct vd_alg_message inner = *message;
    uint8_t tag[VD_ALG_TAG_SIZE], none[VD_ALG_TAG_SIZE];
    OSSL_PARAM params[] = {OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, sizeof(tag)),
                           OSSL_PARAM_END};
    int len = 0;

    inner.text.size -= VD_ALG_TAG_SIZE;
    vd_copy(tag, (const uint8_t *)inner.text.data + inner.text.size, sizeof(tag));
    if (EVP_CipherInit_ex2(cipher, NULL, NULL, nonce, 0, NULL) != 1 ||
        EVP_CIPHER_CTX_set_params(cipher, params) != 1 || !run(cipher, &inner, out)) {
        vd_wipe(out, inner.text.size);
        return vd_alg_failed(diag, "OpenSSL could not decrypt");
    }
    if (EVP_CipherFinal_ex(cipher, none, &len) != 1) {
        ERR_clear_error();
        vd_wipe(out, inner.text.size);
        return vd_diag_fail(diag, VD_E_TAG,
                            "the ciphertext, its additional data or its tag was changed, or the "
                            "key is another");
    }
    return VD_OK;
}

static vd_status check(const struct vd_alg_message *message, struct vd_diag *diag)
{
    if (message->nonce.size != VD_ALG_NONCE_SIZE)
        return vd_alg_wrong_size("a nonce", message->nonce.size, VD_ALG_NONCE_SIZE, diag);
    if (message->text.size > VD_ALG_TEXT_MAX + VD_ALG_TAG_SIZE)
        return vd_diagf(diag, VD_E_LIMIT, "a text of %zu bytes; at most %u in one call",
                        message->text.size, VD_ALG_TEXT_MAX);
    if (message->aad.size > VD_ALG_AAD_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "additional data of %zu bytes; at most %u",
                        message->aad.size, VD_ALG_AAD_MAX);
    return VD_OK;
}

static vd_status is_aead(const struct vd_alg_key *key, struct vd_diag *diag)
{
    if (key->family != &vd_alg_aead_family)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s has no such encryption",
                        key->info->name);
    return VD_OK;
}

vd_status vd_alg_encrypt_raw(struct vd_alg_key *key, const struct vd_alg_message *message,
                             struct vd_alg_buffer *out, struct vd_diag *diag)
{
    uint8_t nonce[VD_ALG_NONCE_SIZE];
    EVP_CIPHER_CTX *cipher;
    bool good;

    VD_TRY(is_aead(key, diag));
    VD_TRY(check(message, diag));
    if (message->text.size > VD_ALG_TEXT_MAX)
        return vd_diag_fail(diag, VD_E_LIMIT, "the text is too long for one call");
    VD_TRY(vd_alg_room(out, message->text.size + VD_ALG_TAG_SIZE, diag));
    vd_copy(nonce, message->nonce.data, sizeof(nonce));
    cipher = vd_alg_cipher_take(key, &key->ciphers, &key->secret);
    if (cipher == NULL)
        return vd_alg_failed(diag, "no cipher context");
    good = vd_alg_seal(cipher, nonce, message, out->data);
    vd_alg_pool_put(&key->ciphers, cipher, vd_alg_cipher_done);
    return good ? VD_OK : vd_alg_failed(diag, "OpenSSL could not encrypt");
}

vd_status vd_alg_decrypt_raw(struct vd_alg_key *key, const struct vd_alg_message *message,
                             struct vd_alg_buffer *out, struct vd_diag *diag)
{
    uint8_t nonce[VD_ALG_NONCE_SIZE];
    EVP_CIPHER_CTX *cipher;
    vd_status status;

    VD_TRY(is_aead(key, diag));
    VD_TRY(check(message, diag));
    if (message->text.size < VD_ALG_TAG_SIZE)
        return vd_diagf(diag, VD_E_TRUNCATED, "a ciphertext of %zu bytes has no whole tag of %u",
                        message->text.size, VD_ALG_TAG_SIZE);
    VD_TRY(vd_alg_room(out, message->text.size - VD_ALG_TAG_SIZE, diag));
    vd_copy(nonce, message->nonce.data, sizeof(nonce));
    cipher = vd_alg_cipher_take(key, &key->ciphers, &key->secret);
    if (cipher == NULL)
        return vd_alg_failed(diag, "no cipher context");
    status = vd_alg_unseal(cipher, nonce, message, out->data, diag);
    vd_alg_pool_put(&key->ciphers, cipher, vd_alg_cipher_done);
    return status;
}

static vd_status generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    VD_TRY(vd_secret_init(&key->secret, VD_ALG_KEY_SIZE, diag));
    return vd_alg_random(key->alg, key->secret.data, VD_ALG_KEY_SIZE, diag);
}

static vd_status import(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    if (from->size != VD_ALG_KEY_SIZE)
        return vd_alg_wrong_size("a key", from->size, VD_ALG_KEY_SIZE, diag);
    return vd_secret_set(&key->secret, from->data, from->size, diag);
}

const struct vd_alg_family vd_alg_aead_family = {.generate = generate, .import = import};
