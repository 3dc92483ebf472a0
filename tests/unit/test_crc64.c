/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/crc64.h"
#include "tests/harness.h"

#define REFLECTED_POLYNOMIAL UINT64_C(0xc96c5795d7870f42) /* ECMA-182, reflected */

/* Bit by bit, straight from the definition. */
static uint64_t slow_crc64(uint64_t crc, const uint8_t *data, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? REFLECTED_POLYNOMIAL : 0);
    }
    return ~crc;
}

VD_TEST(crc64_check_value)
{
    VD_EXPECT_EQ(vd_crc64(0, "123456789", 9), UINT64_C(0x995dc9bbdf1939fa));
    VD_EXPECT_EQ(vd_crc64(0, NULL, 0), 0);
}

/*
 * The entry of table k for byte b is the register after b and k zero bytes. A
 * message of eight bytes with one byte set, less the message of zeros, isolates
 * that entry: this visits all 2048.
 */
VD_TEST(crc64_every_table_entry)
{
    for (size_t at = 0; at < 8; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t message[8] = {};
            message[at] = (uint8_t)value;
            VD_EXPECT_EQ(vd_crc64(0, message, 8), slow_crc64(0, message, 8));
        }
    }
}

VD_TEST(crc64_every_length_and_split)
{
    uint8_t data[67];
    uint64_t seed = 7;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)vd_test_random(&seed);
    for (size_t n = 0; n <= sizeof(data); n++) {
        uint64_t whole = slow_crc64(0, data, n);
        for (size_t split = 0; split <= n; split++)
            VD_EXPECT_EQ(vd_crc64(vd_crc64(0, data, split), data + split, n - split), whole);
    }
}

VD_TEST(crc64_sees_every_changed_bit)
{
    uint8_t data[40] = "the policy as it was when it was built";
    uint64_t before = vd_crc64(0, data, sizeof(data));

    for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        VD_EXPECT(vd_crc64(0, data, sizeof(data)) != before);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* Above 64 KiB the data may be folded: every remainder, several places in memory. */
VD_TEST(crc64_large_data)
{
    static uint8_t data[(64 << 10) + 300];
    uint64_t seed = 11;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)vd_test_random(&seed);
    for (size_t n = (64 << 10) - 2; n + 3 <= sizeof(data); n += 1 + n % 3) {
        size_t at = n % 4;
        VD_EXPECT_EQ(vd_crc64(n, data + at, n - at), slow_crc64(n, data + at, n - at));
    }
}
