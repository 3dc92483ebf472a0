/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* proof: core/base/mem.c unwind 17 */
/* vd_ct_equal is equality, for all pairs of up to 16 bytes; vd_range_within is what it says. */
#include "core/base/checked.h"
#include "core/base/mem.h"
#include "proofs/proof.h"

int main(void)
{
    uint8_t a[16], b[16];
    size_t size = nondet_size();
    uint64_t offset = nondet_u64(), length = nondet_u64(), total = nondet_u64();
    bool equal = true;

    VD_ASSUME(size <= sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++) {
        if (i < size && a[i] != b[i])
            equal = false;
    }
    VD_PROVE(vd_ct_equal(a, b, size) == equal);
    VD_PROVE_WRONG(vd_ct_equal(a, b, size));
    if (vd_range_within(offset, length, total)) {
        VD_PROVE(offset + length >= offset);
        VD_PROVE(offset + length <= total);
    } else {
        VD_PROVE(offset > total || length > total - offset);
    }
    return 0;
}
