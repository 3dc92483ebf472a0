/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a module says of public keys, and wrapped keys. The first byte chooses: RSA, EC, text or a
 * wrapped key; the second is the size of the first of two values.
 */
#include "hardware/hsm/internal.h"

#include <openssl/evp.h>
#include <string.h>

#include "fuzz/fuzz.h"

static void wrapped(const uint8_t *data, size_t size)
{
    struct vd_hsm_wrapped w;
    struct vd_diag diag = {};

    if (vd_hsm_wrapped_parse(data, size, &w, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
        return;
    }
    VD_FUZZ_ASSERT(w.data == data + w.header_size && w.header_size + w.size == size);
    VD_FUZZ_ASSERT(strlen(w.where.object) <= VD_HSM_LABEL_MAX && w.where.id_size <= VD_HSM_ID_MAX);
}

static void text(const uint8_t *data, size_t size)
{
    char out[65];

    hsm_text(out, data, size < 64 ? size : 64);
    for (size_t i = 0; out[i] != '\0'; i++)
        VD_FUZZ_ASSERT(out[i] >= ' ' && out[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hsm_bytes a, b;
    EVP_PKEY *key = NULL;
    vd_status status;

    if (size < 2)
        return 0;
    a.data = data + 2;
    a.size = data[1] * 2u < size - 2 ? data[1] * 2u : size - 2;
    b.data = a.data + a.size;
    b.size = size - 2 - a.size;
    switch (data[0] & 3) {
    case 0:
        status = hsm_rsa_from(a, b, &key, NULL);
        break;
    case 1:
        status = hsm_ec_from((struct hsm_bytes){hsm_p256_params, sizeof(hsm_p256_params)}, b, &key,
                             NULL);
        break;
    case 2:
        text(data + 2, size - 2);
        return 0;
    default:
        wrapped(data + 2, size - 2);
        return 0;
    }
    VD_FUZZ_ASSERT((status == VD_OK) == (key != NULL));
    EVP_PKEY_free(key);
    return 0;
}
