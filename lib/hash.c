/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/hash.h"
#include "core/base/mem.h"
#include "lib/diagf.h"

#include <openssl/evp.h>
#include <string.h>

struct row {
    const char *name;
    size_t size;
    const EVP_MD *(*md)(void);
};

static const struct row rows[VD_HASH_COUNT] = {
    [VD_HASH_SHA256] = {"sha256", VD_SHA256_SIZE, EVP_sha256},
    [VD_HASH_SHA384] = {"sha384", VD_SHA384_SIZE, EVP_sha384},
    [VD_HASH_SHA512] = {"sha512", VD_SHA512_SIZE, EVP_sha512},
};

size_t vd_hash_size(enum vd_hash_algorithm algorithm)
{
    return (unsigned)algorithm < VD_HASH_COUNT ? rows[algorithm].size : 0;
}

const char *vd_hash_name(enum vd_hash_algorithm algorithm)
{
    return (unsigned)algorithm < VD_HASH_COUNT ? rows[algorithm].name : "?";
}

static vd_status fail(struct vd_diag *diag, enum vd_hash_algorithm algorithm)
{
    return vd_diagf(diag, VD_E_SYSTEM, "the cryptographic library cannot compute %s",
                    vd_hash_name(algorithm));
}

vd_status vd_hash(enum vd_hash_algorithm algorithm, const void *data, size_t size, uint8_t *ret,
                  struct vd_diag *diag)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if ((unsigned)algorithm >= VD_HASH_COUNT)
        return vd_diag_fail(diag, VD_E_BUG, "no such hash");
    if (EVP_Digest(data, size, digest, NULL, rows[algorithm].md(), NULL) != 1)
        return fail(diag, algorithm);
    vd_copy(ret, digest, rows[algorithm].size);
    return VD_OK;
}

vd_status vd_hasher_init(struct vd_hasher *hasher, enum vd_hash_algorithm algorithm,
                         struct vd_diag *diag)
{
    if ((unsigned)algorithm >= VD_HASH_COUNT)
        return vd_diag_fail(diag, VD_E_BUG, "no such hash");
    /* Naming the algorithm makes OpenSSL look it up again, which costs as much as a short hash. */
    bool again = hasher->ctx != NULL && hasher->algorithm == algorithm;
    if (hasher->ctx == NULL)
        hasher->ctx = EVP_MD_CTX_new();
    if (hasher->ctx == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    hasher->algorithm = algorithm;
    if (EVP_DigestInit_ex(hasher->ctx, again ? NULL : rows[algorithm].md(), NULL) != 1)
        return fail(diag, algorithm);
    return VD_OK;
}

vd_status vd_hasher_update(struct vd_hasher *hasher, const void *data, size_t size,
                           struct vd_diag *diag)
{
    if (size > 0 && EVP_DigestUpdate(hasher->ctx, data, size) != 1)
        return fail(diag, hasher->algorithm);
    return VD_OK;
}

vd_status vd_hasher_final(struct vd_hasher *hasher, uint8_t *ret, struct vd_diag *diag)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (EVP_DigestFinal_ex(hasher->ctx, digest, NULL) != 1)
        return fail(diag, hasher->algorithm);
    vd_copy(ret, digest, rows[hasher->algorithm].size);
    return VD_OK;
}

void vd_hasher_done(struct vd_hasher *hasher)
{
    EVP_MD_CTX_free(hasher->ctx);
    hasher->ctx = NULL;
}

void vd_hex_encode(const uint8_t *data, size_t size, char *ret)
{
    struct vd_text text;

    vd_text_init(&text, ret, 2 * size + 1);
    vd_text_hex(&text, data, size);
}

/* 0 … 15, or 16 for a character that is no digit. */
static uint8_t digit(char c)
{
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (uint8_t)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return (uint8_t)(c - 'A' + 10);
    return 16;
}

vd_status vd_hex_decode(const char *text, uint8_t *ret, size_t size, struct vd_diag *diag)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (digit(text[i]) > 15)
            return vd_diag_fail_at(diag, VD_E_INVALID, i, "a hexadecimal digit is expected");
    }
    if (len != 2 * size)
        return vd_diagf(diag, VD_E_RANGE, "%zu hexadecimal digits are expected, not %zu", 2 * size,
                        len);
    for (size_t i = 0; i < size; i++)
        ret[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    return VD_OK;
}
