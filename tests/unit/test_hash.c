/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/hash.h"
#include "tests/harness.h"

/* FIPS 180-4 examples (NIST CSRC, "Secure Hashing"): "abc" and the empty message. */
static const struct {
    enum vd_hash_algorithm algorithm;
    const char *message;
    const char *digest;
} vectors[] = {
    {VD_HASH_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {VD_HASH_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {VD_HASH_SHA384, "abc",
     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
    {VD_HASH_SHA384, "",
     "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"},
    {VD_HASH_SHA512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
};

VD_TEST(hash_published_vectors)
{
    for (size_t i = 0; i < VD_COUNT(vectors); i++) {
        uint8_t digest[VD_HASH_MAX_SIZE];
        char hex[2 * VD_HASH_MAX_SIZE + 1];
        size_t size = vd_hash_size(vectors[i].algorithm);
        VD_EXPECT_EQ(vd_hash(vectors[i].algorithm, vectors[i].message, strlen(vectors[i].message),
                             digest, NULL),
                     VD_OK);
        vd_hex_encode(digest, size, hex);
        VD_EXPECT_STR(hex, vectors[i].digest);
    }
}

VD_TEST(hasher_agrees_at_every_split)
{
    uint8_t data[200];
    VD_AUTO(vd_hasher_done) struct vd_hasher hasher = {};

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    for (enum vd_hash_algorithm a = 0; a < VD_HASH_COUNT; a++) {
        uint8_t whole[VD_HASH_MAX_SIZE];
        VD_EXPECT_EQ(vd_hash(a, data, sizeof(data), whole, NULL), VD_OK);
        for (size_t split = 0; split <= sizeof(data); split++) {
            uint8_t parts[VD_HASH_MAX_SIZE];
            VD_EXPECT_EQ(vd_hasher_init(&hasher, a, NULL), VD_OK);
            VD_EXPECT_EQ(vd_hasher_update(&hasher, data, split, NULL), VD_OK);
            VD_EXPECT_EQ(vd_hasher_update(&hasher, data + split, sizeof(data) - split, NULL),
                         VD_OK);
            VD_EXPECT_EQ(vd_hasher_final(&hasher, parts, NULL), VD_OK);
            VD_EXPECT_MEM(parts, whole, vd_hash_size(a));
        }
    }
}

VD_TEST(hash_outside_the_table)
{
    VD_AUTO(vd_hasher_done) struct vd_hasher hasher = {};
    uint8_t digest[VD_HASH_MAX_SIZE];

    VD_EXPECT_EQ(vd_hash(VD_HASH_COUNT, "", 0, digest, NULL), VD_E_BUG);
    VD_EXPECT_EQ(vd_hasher_init(&hasher, VD_HASH_COUNT, NULL), VD_E_BUG);
    VD_EXPECT_EQ(vd_hash_size(VD_HASH_COUNT), 0);
    VD_EXPECT_STR(vd_hash_name(VD_HASH_COUNT), "?");
    VD_EXPECT_STR(vd_hash_name(VD_HASH_SHA384), "sha384");
}

VD_TEST(hex_round_trip)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t in = (uint8_t)byte;
        uint8_t out = (uint8_t)~byte;
        char hex[3];
        vd_hex_encode(&in, 1, hex);
        VD_EXPECT_EQ(vd_hex_decode(hex, &out, 1, NULL), VD_OK);
        VD_EXPECT_EQ(out, in);
    }
}

VD_TEST(hex_refuses_with_the_place)
{
    static const struct {
        const char *text;
        vd_status status;
        uint64_t offset;
    } rows[] = {
        {"0a0B", VD_OK, 0},
        {"0a0", VD_E_RANGE, 0},
        {"0a0b0c", VD_E_RANGE, 0},
        {"", VD_E_RANGE, 0},
        {"0a0g", VD_E_INVALID, 3},
        {" a0b", VD_E_INVALID, 0},
        {"0x0b", VD_E_INVALID, 1},
        {"0a0b\n", VD_E_INVALID, 4},
        {"0a/b", VD_E_INVALID, 2},
        {"0a:b", VD_E_INVALID, 2},
        {"0a@b", VD_E_INVALID, 2},
        {"0aGb", VD_E_INVALID, 2},
        {"0a`b", VD_E_INVALID, 2},
        {"0a\xff"
         "b",
         VD_E_INVALID, 2},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        uint8_t out[2] = {0xee, 0xee};
        struct vd_diag diag = {};
        VD_EXPECT_EQ(vd_hex_decode(rows[i].text, out, 2, &diag), rows[i].status);
        VD_EXPECT_EQ(diag.offset, rows[i].offset);
        VD_EXPECT_MEM(out, rows[i].status == VD_OK ? "\x0a\x0b" : "\xee\xee", 2);
    }
}
