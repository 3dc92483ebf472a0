/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input's first byte chooses what the command was; the rest is the TPM's
 * response. The parameters lie within it.
 */
#include "hardware/tpm/pcr.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_tpm_selection selection;
    struct vd_reader parameters = {};
    uint32_t code = 0, handle = 0;

    if (size == 0)
        return 0;
    if (vd_tpm_parse_response(data + 1, size - 1, (data[0] & 1) != 0, (data[0] & 2) != 0, &code,
                              &handle, &parameters, NULL) != VD_OK)
        return 0;
    VD_FUZZ_ASSERT(vd_tpm_rc_text(code)[0] != '\0');
    if (code != VD_TPM_RC_SUCCESS)
        return 0;
    VD_FUZZ_ASSERT(parameters.pos >= data + 1 && parameters.end <= data + size);
    if (vd_tpm_selection_read(&parameters, &selection) == VD_OK)
        VD_FUZZ_ASSERT(selection.count <= VD_TPM_BANKS_MAX);
    return 0;
}
