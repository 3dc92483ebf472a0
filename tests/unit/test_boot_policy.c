/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/policy.h"
#include "tests/harness.h"

static const struct vd_boot_policy sample = {
    .required_capabilities = VD_BOOT_CAP_SECURE_BOOT | VD_BOOT_CAP_ATTESTATION,
    .min_security_version = 4,
    .min_signer_generation = 2,
};

VD_TEST(boot_policy_round_trip)
{
    uint8_t bytes[VD_BOOT_POLICY_SIZE];
    struct vd_boot_policy back;

    vd_boot_policy_encode(&sample, bytes);
    VD_EXPECT_EQ(vd_boot_policy_parse(bytes, sizeof(bytes), &back, NULL), VD_OK);
    VD_EXPECT_MEM(&back, &sample, sizeof(back));
}

VD_TEST(boot_policy_refuses_every_cut)
{
    uint8_t bytes[VD_BOOT_POLICY_SIZE + 1] = {};
    struct vd_boot_policy back;

    vd_boot_policy_encode(&sample, bytes);
    for (size_t n = 0; n < VD_BOOT_POLICY_SIZE; n++)
        VD_EXPECT_EQ(vd_boot_policy_parse(bytes, n, &back, NULL), VD_E_TRUNCATED);
    VD_EXPECT_EQ(vd_boot_policy_parse(bytes, sizeof(bytes), &back, NULL), VD_E_TRAILING);
}

VD_TEST(boot_policy_refuses_bad_fields)
{
    static const struct {
        size_t at;
        uint8_t value;
        vd_status status;
    } rows[] = {
        {0, 'v', VD_E_MAGIC},   {7, 'X', VD_E_MAGIC},   {8, 0, VD_E_VERSION},
        {8, 2, VD_E_VERSION},   {11, 1, VD_E_VERSION},  {12, 31, VD_E_RANGE},
        {13, 1, VD_E_RANGE},    {16, 0x20, VD_E_RANGE}, {19, 0x80, VD_E_RANGE},
        {28, 1, VD_E_RESERVED}, {31, 1, VD_E_RESERVED},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        uint8_t bytes[VD_BOOT_POLICY_SIZE];
        struct vd_boot_policy back;
        struct vd_diag diag = {};

        vd_boot_policy_encode(&sample, bytes);
        bytes[rows[i].at] = rows[i].value;
        VD_EXPECT_EQ(vd_boot_policy_parse(bytes, sizeof(bytes), &back, &diag), rows[i].status);
        VD_EXPECT(diag.has_offset && diag.offset / 4 <= rows[i].at / 4);
    }
}

static const struct {
    struct vd_boot_policy policy;
    struct vd_boot_facts facts;
    const char *reason;
    uint32_t required;
    uint32_t actual;
} cases[] = {
    {{0, 0, 0}, {0, 0, 0, 0}, "none", 0, 0},
    {{0, 5, 0}, {0, 5, 0, 0}, "none", 0, 0},
    {{0, 5, 0}, {0, 4, 9, 0}, "security-version", 5, 4},
    {{0, UINT32_MAX, 0}, {0, UINT32_MAX - 1, 0, 0}, "security-version", UINT32_MAX, UINT32_MAX - 1},
    {{0, 0, 3}, {0, 9, 2, 0}, "signer-generation", 3, 2},
    {{0, 0, 3}, {0, 9, 3, 0}, "none", 0, 0},
    {{0, 2, 0}, {0, 6, 0, 7}, "rollback", 7, 6},
    {{0, 2, 0}, {0, 7, 0, 7}, "none", 0, 0},
    {{VD_BOOT_CAP_SECURE_BOOT, 0, 0}, {30, 0, 0, 0}, "secure-boot-off", 1, 30},
    {{VD_BOOT_CAP_MEASURED_BOOT, 0, 0}, {29, 0, 0, 0}, "measured-boot-off", 2, 29},
    {{VD_BOOT_CAP_ENCRYPTED_STORAGE, 0, 0}, {27, 0, 0, 0}, "encrypted-storage-off", 4, 27},
    {{VD_BOOT_CAP_ATTESTATION, 0, 0}, {23, 0, 0, 0}, "attestation-off", 8, 23},
    {{VD_BOOT_CAP_ROLLBACK_PROTECTION, 0, 0}, {15, 0, 0, 0}, "rollback", 16, 15},
    {{VD_BOOT_CAP_ALL, 0, 0}, {VD_BOOT_CAP_ALL, 0, 0, 0}, "none", 0, 0},
    {{VD_BOOT_CAP_ALL, 0, 0}, {0, 0, 0, 0}, "secure-boot-off", 1, 0},
    /* a bit no table row explains: refused, never allowed */
    {{1u << 9, 0, 0}, {VD_BOOT_CAP_ALL, 0, 0, 0}, "undecided", 0, 0},
};

VD_TEST(boot_policy_rules)
{
    for (size_t i = 0; i < VD_COUNT(cases); i++) {
        struct vd_boot_policy_verdict verdict;
        bool allowed = strcmp(cases[i].reason, "none") == 0;

        memset(&verdict, 0xff, sizeof(verdict));
        vd_boot_policy_evaluate(&cases[i].policy, &cases[i].facts, &verdict);
        VD_EXPECT_STR(vd_boot_reason_name(verdict.reason), cases[i].reason);
        VD_EXPECT_EQ(verdict.allow, allowed ? VD_BOOT_ALLOW : 0);
        VD_EXPECT_EQ(verdict.required, cases[i].required);
        VD_EXPECT_EQ(verdict.actual, cases[i].actual);
    }
}

VD_TEST(boot_capabilities_have_names)
{
    for (unsigned bit = 0; bit < 5; bit++)
        VD_EXPECT(vd_boot_capability_name(bit) != NULL);
    VD_EXPECT(vd_boot_capability_name(5) == NULL);
    VD_EXPECT_STR(vd_boot_capability_name(0), "secure-boot");
}
