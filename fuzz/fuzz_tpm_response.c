/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input's first byte chooses what the command was; the rest is the TPM's
 * response. The parameters lie within it.
 */
#include "hardware/tpm/pcr.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vd_tpm_response response;
    struct vd_tpm_selection selection;
    const uint8_t *start = response.message.bytes;

    if (size == 0 || size - 1 > VD_TPM_MAX_BYTES)
        return 0;
    response.sessions = (data[0] & 1) != 0;
    response.returns_handle = (data[0] & 2) != 0;
    response.message.size = size - 1;
    __builtin_memcpy(response.message.bytes, data + 1, size - 1);
    if (vd_tpm_parse_response(&response, NULL) != VD_OK)
        return 0;
    VD_FUZZ_ASSERT(vd_tpm_rc_text(response.code)[0] != '\0');
    if (response.code != VD_TPM_RC_SUCCESS)
        return 0;
    VD_FUZZ_ASSERT(response.parameters.pos >= start &&
                   response.parameters.end <= start + response.message.size);
    if (vd_tpm_selection_read(&response.parameters, &selection) == VD_OK)
        VD_FUZZ_ASSERT(selection.count <= VD_TPM_BANKS_MAX);
    return 0;
}
