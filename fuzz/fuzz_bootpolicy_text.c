/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Either form of a boot policy file: what is accepted demands only known
 * capabilities; what is refused has a place within the input.
 */
#include "fuzz/fuzz.h"
#include "tools/veridian/boot/policy_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_boot_policy policy;
    struct vd_diag diag = {};
    vd_status status = vd_boot_policy_read((const char *)data, size, &policy, &diag);

    if (status == VD_OK) {
        VD_FUZZ_ASSERT((policy.required_capabilities & ~VD_BOOT_CAP_ALL) == 0);
        return 0;
    }
    VD_FUZZ_ASSERT(diag.status == status);
    VD_FUZZ_ASSERT(diag.has_offset ? diag.offset <= size
                                   : diag.line >= 1 && diag.column >= 1 && diag.column <= size + 1);
    return 0;
}
