/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hash operations of the boot code, from OpenSSL. */
#ifndef VD_TESTS_UNIT_BOOT_HASH_H
#define VD_TESTS_UNIT_BOOT_HASH_H

#include "core/boot/eventlog.h"

#include <openssl/evp.h>

static inline const EVP_MD *boot_hash_md(uint16_t algorithm)
{
    switch (algorithm) {
    case VD_TPM_ALG_SHA1:
        return EVP_sha1();
    case VD_TPM_ALG_SHA256:
        return EVP_sha256();
    case VD_TPM_ALG_SHA384:
        return EVP_sha384();
    case VD_TPM_ALG_SHA512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

static inline vd_status boot_hash(void *ctx, uint16_t algorithm, const void *data, size_t size,
                                  uint8_t *ret)
{
    const EVP_MD *md = boot_hash_md(algorithm);

    (void)ctx;
    if (md == NULL)
        return VD_E_UNSUPPORTED;
    return EVP_Digest(data, size, ret, NULL, md, NULL) == 1 ? VD_OK : VD_E_BUG;
}

static const struct vd_hash_ops boot_hash_ops = {.hash = boot_hash};

#endif
