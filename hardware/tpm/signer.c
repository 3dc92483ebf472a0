/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/signer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/file.h"

#define PEM_MAX        65536u
#define SIGNATURE_SIZE 80u /* DER, of P-256 */

/* Asked for a passphrase there is none: a prompt would hang a service. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    return -1;
}

static EVP_PKEY *read_key(const struct vd_bytes *bytes, bool private)
{
    BIO *bio = BIO_new_mem_buf(bytes->data, (int)bytes->size);
    EVP_PKEY *key = NULL;

    if (bio != NULL)
        key = private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                      : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return key;
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32];
    size_t size;

    return EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* A key of the file, which the caller frees: a private one, or where that is no must any. */
static vd_status load_key(const char *path, bool private, EVP_PKEY **ret, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};
    EVP_PKEY *key;

    VD_TRY(vd_file_load(path, PEM_MAX, &bytes, diag));
    key = read_key(&bytes, true);
    if (key == NULL && !private)
        key = read_key(&bytes, false);
    vd_wipe(bytes.data, bytes.size);
    if (key != NULL && is_p256(key)) {
        *ret = key;
        return VD_OK;
    }
    EVP_PKEY_free(key);
    vd_diag_hint(diag, "openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem makes one");
    return vd_diagf(diag, VD_E_INVALID, "%s: expected a %s key on P-256 in PEM", path,
                    private ? "private" : "public or private");
}

static bool coordinate(EVP_PKEY *key, const char *name, uint8_t ret[VD_TPM_P256_SIZE])
{
    BIGNUM *value = NULL;
    bool good = EVP_PKEY_get_bn_param(key, name, &value) == 1 &&
                BN_bn2binpad(value, ret, VD_TPM_P256_SIZE) == VD_TPM_P256_SIZE;

    BN_free(value);
    return good;
}

vd_status vd_tpm_signer_load(const char *path, const char *reference, struct vd_tpm_signer *ret,
                             struct vd_diag *diag)
{
    struct vd_tpm_signer signer = {};
    EVP_PKEY *key = NULL;
    bool good;

    if (reference != NULL) {
        signer.reference_size = strlen(reference);
        if (signer.reference_size > sizeof(signer.reference))
            return vd_diagf(diag, VD_E_USAGE, "a reference has at most %u bytes",
                            VD_TPM_REFERENCE_MAX);
        vd_copy(signer.reference, reference, signer.reference_size);
    }
    VD_TRY(load_key(path, false, &key, diag));
    good = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, signer.point.x) &&
           coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, signer.point.y);
    EVP_PKEY_free(key);
    if (!good)
        return vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL cannot give the key's point");
    *ret = signer;
    return VD_OK;
}

/* DER to the two numbers. */
static bool split(const uint8_t *der, size_t size, struct vd_tpm_approval *approval)
{
    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    bool good = signature != NULL &&
                BN_bn2binpad(ECDSA_SIG_get0_r(signature), approval->r, VD_TPM_P256_SIZE) ==
                    VD_TPM_P256_SIZE &&
                BN_bn2binpad(ECDSA_SIG_get0_s(signature), approval->s, VD_TPM_P256_SIZE) ==
                    VD_TPM_P256_SIZE;

    ECDSA_SIG_free(signature);
    return good;
}

vd_status vd_tpm_approval_sign(struct vd_tpm_crypto *crypto, const char *path,
                               struct vd_tpm_approval *approval, struct vd_diag *diag)
{
    uint8_t digest[VD_TPM_HASH_SIZE], der[SIGNATURE_SIZE];
    size_t size = sizeof(der);
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx;
    bool good;

    VD_TRY(vd_tpm_approval_digest(crypto, approval, digest));
    VD_TRY(load_key(path, true, &key, diag));
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    good = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
           EVP_PKEY_sign(ctx, der, &size, digest, sizeof(digest)) == 1 &&
           split(der, size, approval);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good ? VD_OK : vd_diag_fail(diag, VD_E_SYSTEM, "OpenSSL cannot sign");
}
