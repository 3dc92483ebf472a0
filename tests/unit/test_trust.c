/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/certs.h"
#include "core/boot/trust.h"
#include "tests/harness.h"

/* Shaped like a certificate: SEQUENCE of 0x85 bytes. */
static uint8_t root_der[3 + 0x85] = {0x30, 0x81, 0x85, 1, 2, 3};
static const struct vd_boot_policy policy = {.required_capabilities = 1, .min_security_version = 2};

static void encode(uint8_t block[VD_TRUST_CAPACITY])
{
    struct vd_span root = {root_der, sizeof(root_der)};

    VD_EXPECT_EQ(vd_trust_encode(&root, &policy, block, NULL), VD_OK);
}

VD_TEST(trust_round_trip)
{
    static uint8_t block[VD_TRUST_CAPACITY];
    struct vd_trust trust;

    encode(block);
    VD_EXPECT_EQ(vd_trust_parse(block, sizeof(block), &trust, NULL), VD_OK);
    VD_EXPECT_EQ(trust.root.size, sizeof(root_der));
    VD_EXPECT_MEM(trust.root.data, root_der, sizeof(root_der));
    VD_EXPECT_MEM(&trust.policy, &policy, sizeof(policy));
    VD_EXPECT_EQ(trust.policy_bytes.size, VD_BOOT_POLICY_SIZE);
}

VD_TEST(trust_placeholder_trusts_nobody)
{
    static const uint8_t placeholder[VD_TRUST_CAPACITY] = VD_TRUST_PLACEHOLDER;
    static uint8_t encoded[VD_TRUST_CAPACITY];
    struct vd_span none = {};
    struct vd_trust trust;

    VD_EXPECT_EQ(vd_trust_encode(&none, NULL, encoded, NULL), VD_OK);
    VD_EXPECT_MEM(placeholder, encoded, sizeof(encoded));
    VD_EXPECT_EQ(vd_trust_parse(placeholder, sizeof(placeholder), &trust, NULL), VD_E_NOT_FOUND);
}

VD_TEST(trust_refuses_every_cut)
{
    static uint8_t block[VD_TRUST_CAPACITY + 1];
    struct vd_trust trust;

    encode(block);
    for (size_t n = 0; n < VD_TRUST_CAPACITY; n++)
        VD_EXPECT_EQ(vd_trust_parse(block, n, &trust, NULL), VD_E_TRUNCATED);
    VD_EXPECT_EQ(vd_trust_parse(block, sizeof(block), &trust, NULL), VD_E_TRAILING);
}

VD_TEST(trust_refuses_bad_fields)
{
    static const struct {
        size_t at;
        uint8_t value;
        vd_status status;
    } rows[] = {
        {0, 'W', VD_E_MAGIC},
        {8, 2, VD_E_VERSION},
        {12, 1, VD_E_RANGE},
        {16, 0, VD_E_LIMIT},    /* a policy without a root */
        {17, 0x20, VD_E_LIMIT}, /* a root beyond the block */
        {19, 0x80, VD_E_LIMIT},
        {20, 0, VD_E_RANGE}, /* a root without a policy */
        {20, 33, VD_E_RANGE},
        {24, 1, VD_E_RESERVED},
        {31, 1, VD_E_RESERVED},
        {32, 0x31, VD_E_INVALID},               /* the root is no SEQUENCE */
        {34, 0x84, VD_E_INVALID},               /* one byte is left over after the root */
        {32 + sizeof(root_der), 0, VD_E_MAGIC}, /* the policy's magic */
        {32 + sizeof(root_der) + VD_BOOT_POLICY_SIZE, 1, VD_E_RESERVED},
        {VD_TRUST_CAPACITY - 1, 1, VD_E_RESERVED},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        static uint8_t block[VD_TRUST_CAPACITY];
        struct vd_trust trust;
        vd_status status;

        encode(block);
        block[rows[i].at] = rows[i].value;
        status = vd_trust_parse(block, sizeof(block), &trust, NULL);
        if (status != rows[i].status)
            vd_test_fail(__FILE__, __LINE__, "row %zu: %s", i, vd_status_name(status));
    }
}

VD_TEST(trust_capacity_is_a_limit)
{
    static uint8_t big[VD_TRUST_CAPACITY];
    static uint8_t block[VD_TRUST_CAPACITY];
    size_t most = VD_TRUST_CAPACITY - VD_TRUST_HEADER_SIZE - VD_BOOT_POLICY_SIZE;
    struct vd_span root = {big, most};
    struct vd_trust trust;

    big[0] = 0x30;
    big[1] = 0x82;
    big[2] = (uint8_t)((most - 4) >> 8);
    big[3] = (uint8_t)(most - 4);
    VD_EXPECT_EQ(vd_trust_encode(&root, &policy, block, NULL), VD_OK);
    VD_EXPECT_EQ(vd_trust_parse(block, sizeof(block), &trust, NULL), VD_OK);
    root.size++;
    VD_EXPECT_EQ(vd_trust_encode(&root, &policy, block, NULL), VD_E_LIMIT);
}

VD_TEST(certs_split_and_limits)
{
    static const uint8_t two[] = {0x30, 1, 9, 0x30, 2, 8, 8};
    static const uint8_t five[] = {0x30, 1, 9, 0x30, 1, 9, 0x30, 1, 9, 0x30, 1, 9, 0x30, 1, 9};
    struct vd_certs certs;

    VD_EXPECT_EQ(vd_certs_parse(two, sizeof(two), &certs, NULL), VD_OK);
    VD_EXPECT_EQ(certs.count, 2);
    VD_EXPECT_EQ(certs.cert[0].size, 3);
    VD_EXPECT_EQ(certs.cert[1].size, 4);
    VD_EXPECT(certs.cert[1].data == two + 3);
    for (size_t n = 0; n < sizeof(two); n++)
        VD_EXPECT_EQ(vd_certs_parse(two, n, &certs, NULL) == VD_OK, n == 3);
    VD_EXPECT_EQ(vd_certs_parse(five, 12, &certs, NULL), VD_OK);
    VD_EXPECT_EQ(vd_certs_parse(five, 15, &certs, NULL), VD_E_LIMIT);
}

VD_TEST(certs_lengths_are_definite_and_minimal)
{
    static const uint8_t bad[][8] = {
        {0x30, 0x80, 0, 0},             /* indefinite */
        {0x30, 0x81, 5, 1, 1, 1, 1, 1}, /* short form would do */
        {0x30, 0x82, 0, 4, 1, 1, 1, 1}, /* leading zero */
        {0x30, 0x85, 0, 0, 0, 0, 1, 1}, /* five length bytes */
        {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 1},
        {0x30, 0},                   /* empty */
        {0x31, 6, 1, 1, 1, 1, 1, 1}, /* a SET */
    };
    struct vd_certs certs;

    for (size_t i = 0; i < VD_COUNT(bad); i++)
        VD_EXPECT(vd_certs_parse(bad[i], 8, &certs, NULL) != VD_OK);
}
