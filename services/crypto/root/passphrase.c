/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/root/internal.h"

#define HEAD_SIZE (4u + VD_ROOT_SALT_SIZE)

static vd_status check(const struct vd_secret *passphrase, struct vd_diag *diag)
{
    if (passphrase == NULL)
        return vd_diag_fail(diag, VD_E_USAGE, "a root key of kind passphrase needs a passphrase");
    if (passphrase->size < VD_ROOT_PASSPHRASE_MIN || passphrase->size > VD_ROOT_PASSPHRASE_MAX)
        return vd_diagf(diag, VD_E_USAGE, "a passphrase has %u to %u bytes", VD_ROOT_PASSPHRASE_MIN,
                        VD_ROOT_PASSPHRASE_MAX);
    return VD_OK;
}

static bool scrypt(const struct vd_root_passphrase *p, const struct vd_secret *passphrase,
                   struct vd_secret *ret)
{
    uint64_t n = 1ull << p->log_n, r = p->r, parallel = p->p;
    uint64_t memory = 128 * n * r + 128 * r * parallel + (1u << 20);
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PASSWORD, passphrase->data, passphrase->size),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, (void *)p->salt, sizeof(p->salt)),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_P, &parallel),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_END,
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    bool good = ctx != NULL && EVP_KDF_derive(ctx, ret->data, ret->size, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return good;
}

/* AES-256-GCM; the parameters and the salt are authenticated too. */
static bool crypt(struct vd_root_passphrase *p, const struct vd_secret *wrapping, bool encrypt,
                  const uint8_t *from, uint8_t *to)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t head[HEAD_SIZE] = {p->log_n, p->r, p->p};
    int len = 0, size = (int)VD_ROOT_KEY_SIZE;
    bool good;

    vd_copy(head + 4, p->salt, sizeof(p->salt));
    good =
        ctx != NULL &&
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, wrapping->data, p->nonce, encrypt) == 1 &&
        EVP_CipherUpdate(ctx, NULL, &len, head, sizeof(head)) == 1 &&
        EVP_CipherUpdate(ctx, to, &len, from, size) == 1 && len == size;
    if (good && !encrypt)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, VD_ROOT_TAG_SIZE, p->tag) == 1;
    good = good && EVP_CipherFinal_ex(ctx, to + len, &len) == 1;
    if (good && encrypt)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, VD_ROOT_TAG_SIZE, p->tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

vd_status vd_root_passphrase_seal(const struct vd_root_work *work, const struct vd_secret *key,
                                  struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret wrapping = {};
    struct vd_root_passphrase *p = &work->file->passphrase;
    uint32_t log_n = work->options->scrypt_log_n;

    VD_TRY(check(work->options->passphrase, diag));
    if (log_n == 0)
        log_n = VD_ROOT_SCRYPT_LOG_N;
    if (log_n < VD_ROOT_SCRYPT_MIN || log_n > VD_ROOT_SCRYPT_MAX)
        return vd_diagf(diag, VD_E_USAGE, "scrypt's cost is 2^%u to 2^%u", VD_ROOT_SCRYPT_MIN,
                        VD_ROOT_SCRYPT_MAX);
    *p = (struct vd_root_passphrase){.log_n = (uint8_t)log_n, .r = VD_ROOT_SCRYPT_R, .p = 1};
    VD_TRY(vd_secret_init(&wrapping, VD_ROOT_KEY_SIZE, diag));
    if (RAND_bytes(p->salt, sizeof(p->salt)) != 1 || RAND_bytes(p->nonce, sizeof(p->nonce)) != 1 ||
        !scrypt(p, work->options->passphrase, &wrapping) ||
        !crypt(p, &wrapping, true, key->data, p->key))
        return vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL cannot protect the key by a passphrase");
    return VD_OK;
}

vd_status vd_root_passphrase_open(const struct vd_root_work *work, struct vd_secret *key,
                                  struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret wrapping = {};
    struct vd_root_passphrase *p = &work->file->passphrase;

    VD_TRY(check(work->options->passphrase, diag));
    VD_TRY(vd_secret_init(&wrapping, VD_ROOT_KEY_SIZE, diag));
    if (!scrypt(p, work->options->passphrase, &wrapping))
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "there is no memory for scrypt");
    if (!crypt(p, &wrapping, false, p->key, key->data))
        return vd_diag_fail(diag, VD_E_DENIED,
                            "the passphrase is wrong, or the root file was changed");
    return VD_OK;
}
