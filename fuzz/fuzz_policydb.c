/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A policy as it comes, checksum included. */
#include "fuzz/policydb_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_policydb db;
    struct vd_diag diag = {};
    uint8_t *copy = malloc(size + 1);

    if (copy == NULL)
        return 0;
    if (size != 0)
        memcpy(copy, data, size);
    if (vd_policydb_open(&db, copy, size, &diag) == VD_OK)
        ask_everything(&db);
    else
        VD_FUZZ_ASSERT(diag.status != VD_OK && diag.text[0] != '\0');
    free(copy);
    return 0;
}
