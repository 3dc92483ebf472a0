/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Digests, which need no key and are made in the process; and DigestInfo around them. */
#include "lib/pkcs11/internal.h"

#include <openssl/evp.h>

#include "core/base/mem.h"

struct vd_p11_hash {
    CK_MECHANISM_TYPE digest;
    const char *name;
    uint8_t size;
    uint8_t prefix[19]; /* of its DigestInfo (RFC 8017, 9.2, note 1) */
};

static const struct vd_p11_hash hashes[] = {
    {CKM_SHA256,
     "SHA256",
     32,
     {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
      0x05, 0x00, 0x04, 0x20}},
    {CKM_SHA384,
     "SHA384",
     48,
     {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
      0x05, 0x00, 0x04, 0x30}},
    {CKM_SHA512,
     "SHA512",
     64,
     {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
      0x05, 0x00, 0x04, 0x40}},
};

const struct vd_p11_hash *vd_p11_hash_find(CK_MECHANISM_TYPE digest)
{
    for (size_t i = 0; i < VD_COUNT(hashes); i++)
        if (hashes[i].digest == digest)
            return &hashes[i];
    return NULL;
}

size_t vd_p11_hash_size(const struct vd_p11_hash *hash)
{
    return hash->size;
}

CK_RV vd_p11_hash_start(const struct vd_p11_hash *hash, void **ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = EVP_get_digestbyname(hash->name);

    if (ctx == NULL || md == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return CKR_HOST_MEMORY;
    }
    *ret = ctx;
    return CKR_OK;
}

CK_RV vd_p11_hash_update(void *ctx, const void *data, size_t size)
{
    return EVP_DigestUpdate(ctx, data, size) == 1 ? CKR_OK : CKR_GENERAL_ERROR;
}

CK_RV vd_p11_hash_end(void *ctx, uint8_t *ret, size_t *ret_size)
{
    unsigned size = 0;

    if (EVP_DigestFinal_ex(ctx, ret, &size) != 1)
        return CKR_GENERAL_ERROR;
    *ret_size = size;
    return CKR_OK;
}

void vd_p11_hash_free(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

size_t vd_p11_digest_info(const struct vd_p11_hash *hash, const uint8_t *digest, uint8_t *ret)
{
    vd_copy(ret, hash->prefix, sizeof(hash->prefix));
    vd_copy(ret + sizeof(hash->prefix), digest, hash->size);
    return sizeof(hash->prefix) + hash->size;
}
