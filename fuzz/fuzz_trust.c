/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is a trust block without its tail of zeros (a whole block would
 * hide every change in 8 KiB). An accepted block encodes to the same bytes.
 */
#include "core/boot/trust.h"
#include "fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t block[VD_TRUST_CAPACITY];
    static uint8_t again[VD_TRUST_CAPACITY];
    struct vd_trust trust;

    if (size > sizeof(block)) {
        VD_FUZZ_ASSERT(vd_trust_parse(data, size, &trust, NULL) != VD_OK);
        return 0;
    }
    memset(block, 0, sizeof(block));
    if (size > 0)
        memcpy(block, data, size);
    if (vd_trust_parse(block, sizeof(block), &trust, NULL) != VD_OK)
        return 0;
    VD_FUZZ_ASSERT(vd_trust_encode(&trust.root, &trust.policy, again, NULL) == VD_OK);
    VD_FUZZ_ASSERT(memcmp(again, block, sizeof(block)) == 0);
    return 0;
}
