/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The input is a quote and a signature. Everything lent lies within the input. */
#include "hardware/tpm/attest.h"

#include "fuzz/fuzz.h"

static void within(const struct vd_tpm_bytes *bytes, const uint8_t *data, size_t size)
{
    VD_FUZZ_ASSERT(bytes->size == 0 ||
                   (bytes->data >= data && bytes->data + bytes->size <= data + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_tpm_signature signature;
    struct vd_tpm_quote quote;
    struct vd_diag diag = {};

    if (vd_tpm_quote_parse(data, size, &quote, &diag) == VD_OK) {
        within(&quote.signer, data, size);
        within(&quote.nonce, data, size);
        within(&quote.digest, data, size);
        VD_FUZZ_ASSERT(quote.selection.count <= VD_TPM_BANKS_MAX);
        for (uint32_t i = 0; i < quote.selection.count; i++)
            VD_FUZZ_ASSERT(quote.selection.bank[i].pcrs < 1u << VD_PCR_COUNT);
    } else {
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
    }
    if (vd_tpm_signature_parse(data, size, &signature, NULL) == VD_OK) {
        within(&signature.r, data, size);
        within(&signature.s, data, size);
    }
    return 0;
}
