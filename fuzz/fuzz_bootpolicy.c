/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An accepted policy encodes to the same bytes; its verdict is consistent and
 * grows stricter, never laxer, when a capability goes or a version sinks.
 */
#include "core/boot/policy.h"
#include "fuzz/fuzz.h"

#include <string.h>

static bool allows(const struct vd_boot_policy *policy, const struct vd_boot_facts *facts)
{
    struct vd_boot_policy_verdict verdict;

    vd_boot_policy_evaluate(policy, facts, &verdict);
    VD_FUZZ_ASSERT((verdict.allow == VD_BOOT_ALLOW) == (verdict.reason == VD_BOOT_REASON_NONE));
    return verdict.allow == VD_BOOT_ALLOW;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_boot_policy policy;
    uint8_t again[VD_BOOT_POLICY_SIZE];
    struct vd_boot_facts facts = {
        .capabilities = VD_BOOT_CAP_ALL,
        .security_version = UINT32_MAX,
        .signer_generation = UINT32_MAX,
    };

    if (vd_boot_policy_parse(data, size, &policy, NULL) != VD_OK)
        return 0;
    vd_boot_policy_encode(&policy, again);
    VD_FUZZ_ASSERT(size == sizeof(again) && memcmp(again, data, size) == 0);
    VD_FUZZ_ASSERT(allows(&policy, &facts));
    for (unsigned bit = 0; bit < 5; bit++) {
        facts.capabilities = VD_BOOT_CAP_ALL & ~(1u << bit);
        VD_FUZZ_ASSERT(allows(&policy, &facts) == !(policy.required_capabilities & 1u << bit));
    }
    facts.capabilities = VD_BOOT_CAP_ALL;
    if (policy.min_security_version > 0) {
        facts.security_version = policy.min_security_version - 1;
        VD_FUZZ_ASSERT(!allows(&policy, &facts));
    }
    return 0;
}
