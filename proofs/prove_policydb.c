/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* proof: unwind 1 */
/*
 * Type enforcement on any blob at all, as the kernel sees it when the map's
 * bytes are damaged: whatever the 1024 bytes are, and whatever is asked, a leaf
 * is found inside the blob or not at all.
 */
#include "core/mac/te.h"
#include "proofs/proof.h"

#define BLOB_BYTES 1024u

int main(void)
{
    static uint8_t blob[BLOB_BYTES] __attribute__((aligned(8)));
    struct vd_policydb db = {.base = blob, .size = BLOB_BYTES};
    const struct vd_pdb_leaf *leaf;
    const uint8_t *at;

    __CPROVER_havoc_object(blob);
    leaf = vd_te_leaf(&db, nondet_u32(), nondet_u32(), nondet_u32());
    at = (const uint8_t *)leaf;
    VD_PROVE(leaf == NULL || (at >= blob && at + sizeof(struct vd_pdb_leaf) <= blob + BLOB_BYTES));
    VD_PROVE_WRONG(leaf == NULL);
    return 0;
}
