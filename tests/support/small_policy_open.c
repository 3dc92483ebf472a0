/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Apart from the policy itself, which programs without the harness use too. */
#include "tests/support/small_policy.h"

#include "tests/harness.h"

struct vd_policydb small_policy_open(uint8_t **ret_blob)
{
    struct vd_policydb db;
    struct vd_diag diag = {};
    size_t size;

    *ret_blob = small_policy(&size);
    if (vd_policydb_open(&db, *ret_blob, size, &diag) != VD_OK)
        vd_test_fail(__FILE__, __LINE__, "%s at offset %llu", diag.text,
                     (unsigned long long)diag.offset);
    return db;
}
