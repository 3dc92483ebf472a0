/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is concatenated certificates: the root, then a chain. Whatever they
 * are, a signature of zeros never verifies, the answer is one of the three that
 * the judge knows, and looking a certificate up in an empty or foreign list
 * never forbids it.
 */
#include "bootloader/crypto_mbedtls.h"
#include "bootloader/forbidden.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t header[VD_IMAGE_HEADER_SIZE];
    static const uint8_t signature[VD_IMAGE_SIGNATURE_SIZE];
    struct vd_certs all;
    struct vd_certs chain = {};
    struct vd_span tbs;
    struct vd_span no_list = {};

    if (vd_certs_parse(data, size, &all, NULL) != VD_OK || all.count < 2)
        return 0;
    for (uint32_t i = 1; i < all.count; i++)
        chain.cert[chain.count++] = all.cert[i];
    struct vd_boot_signed what = {
        .root = all.cert[0],
        .chain = &chain,
        .message = {.data = header, .size = sizeof(header)},
        .signature = {.data = signature, .size = sizeof(signature)},
    };
    vd_status status = vd_crypto_verify(NULL, &what);
    VD_FUZZ_ASSERT(status == VD_E_INVALID || status == VD_E_UNTRUSTED || status == VD_E_SIGNATURE);
    for (uint32_t i = 0; i < all.count; i++) {
        const struct vd_span *cert = &all.cert[i];
        VD_FUZZ_ASSERT(vd_forbidden(&no_list, VD_BOOT_FORBIDDEN_CERTIFICATE, cert) == VD_OK);
        if (vd_crypto_certificate_tbs(cert, &tbs) == VD_OK)
            VD_FUZZ_ASSERT(tbs.data > cert->data && tbs.data + tbs.size <= cert->data + cert->size);
    }
    return 0;
}
