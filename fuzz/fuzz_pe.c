/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What Authenticode hashes of an accepted file lies within it, in order,
 * and never includes the checksum or the certificates.
 */
#include "core/boot/pe.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_pe pe;
    struct vd_pe_hashed hashed;
    const uint8_t *end = data;

    if (vd_pe_parse(data, size, &pe, NULL) != VD_OK)
        return 0;
    VD_FUZZ_ASSERT(vd_pe_hashed(&pe, &hashed) == VD_OK);
    VD_FUZZ_ASSERT(hashed.count <= VD_COUNT(hashed.piece));
    for (uint32_t i = 0; i < hashed.count; i++) {
        const struct vd_span *p = &hashed.piece[i];
        const uint8_t *checksum = data + pe.checksum_offset;

        VD_FUZZ_ASSERT(p->size > 0 && p->data >= data);
        VD_FUZZ_ASSERT(p->data + p->size <= data + size - pe.certificates.size);
        VD_FUZZ_ASSERT(p->data + p->size <= checksum || p->data >= checksum + 4);
        /* only the tail may repeat: it starts where the counted sizes end */
        VD_FUZZ_ASSERT(p->data >= end || i + 1 == hashed.count);
        end = p->data + p->size;
    }
    return 0;
}
