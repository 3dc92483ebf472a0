/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A policy whose size and checksum are repaired first, so that the fuzzer
 * reaches what lies behind them; if it opens, every boolean is turned over and
 * the result must open too.
 */
#include "fuzz/policydb_ask.h"
#include "fuzz/policydb_repair.h"

static void turn_booleans(uint8_t *copy, uint32_t size)
{
    struct vd_policydb db = {.base = copy, .size = size};
    uint32_t count = vd_policydb_header(&db)->sections[VD_PDB_BOOLS].count;
    struct vd_policydb turned;

    for (uint32_t i = 0; i < count; i++)
        (void)!vd_policydb_set_bool(copy, i, i % 2 == 0);
    vd_policydb_recompute(copy);
    VD_FUZZ_ASSERT(vd_policydb_open(&turned, copy, size, NULL) == VD_OK);
    ask_everything(&turned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_policydb db;
    uint8_t *copy;

    if (size < sizeof(struct vd_pdb_header) || size > 1u << 20)
        return 0;
    copy = repaired_policy(data, size);
    if (copy == NULL)
        return 0;
    if (vd_policydb_open(&db, copy, size, NULL) == VD_OK) {
        ask_everything(&db);
        turn_booleans(copy, (uint32_t)size);
    }
    free(copy);
    return 0;
}
