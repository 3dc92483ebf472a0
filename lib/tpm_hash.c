/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/tpm_hash.h"

const EVP_MD *vd_tpm_md(uint16_t algorithm)
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

static vd_status hash(void *ctx, uint16_t algorithm, const void *data, size_t size, uint8_t *ret)
{
    const EVP_MD *md = vd_tpm_md(algorithm);

    if (md == NULL)
        return VD_E_UNSUPPORTED;
    return EVP_Digest(data, size, ret, NULL, md, NULL) == 1 ? VD_OK : VD_E_SYSTEM;
}

const struct vd_hash_ops vd_tpm_hash_ops = {.hash = hash};
