/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* X-Wing, ML-KEM, ECDH and HKDF: published answers, hostile points, implicit rejection. */
#include "services/crypto/alg/known.h"
#include "tests/support/alg.h"

/* draft-connolly-cfrg-xwing-kem-08, appendix C: of pk and ct the first bytes, of ss all. */
static const struct {
    const char *seed, *eseed, *pk, *ct, *ss;
} x_wing[] = {
    {"7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
     "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2"
     "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
     "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5b19cfc3d",
     "b83aa828d4d62b9a83ceffe1d3d3bb1ef31264643c070c5798927e41fb07914a273f8f96",
     "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384"},
    {"badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
     "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef"
     "aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
     "0333285fa253661508c9fb444852caa4061636cb060e69943b431400134ae1fbc0228724",
     "c93beb22326705699bbc3d1d0aa6339be7a405debe61a7c337e1a91453c097a6f77c1306",
     "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150"},
};

VD_TEST(x_wing_published_vectors)
{
    for (size_t i = 0; i < VD_COUNT(x_wing); i++) {
        struct vd_alg_key *key = vd_test_import(VD_ALG_X_WING, VD_ALG_FORM_SEED, x_wing[i].seed);
        struct vd_alg_key *public = NULL;
        struct vd_hex eseed = vd_hex(x_wing[i].eseed), pk = vd_hex(x_wing[i].pk),
                      ct = vd_hex(x_wing[i].ct), ss = vd_hex(x_wing[i].ss);
        uint8_t raw[1216], cipher[1120];
        struct vd_alg_buffer out = {.data = raw, .room = sizeof(raw)};
        struct vd_secret made = {}, opened = {};
        VD_EXPECT_EQ(vd_alg_key_public(key, VD_ALG_FORM_RAW_PUBLIC, &out, NULL), VD_OK);
        VD_EXPECT_MEM(raw, pk.data, pk.size);
        VD_EXPECT_EQ(
            vd_test_import_bytes(VD_ALG_X_WING, VD_ALG_FORM_RAW_PUBLIC, raw, out.size, &public),
            VD_OK);
        out = (struct vd_alg_buffer){.data = cipher, .room = sizeof(cipher)};
        VD_EXPECT_EQ(vd_alg_known_encapsulate(public, &VD_BYTES(eseed), &out, &made, NULL), VD_OK);
        VD_EXPECT_MEM(cipher, ct.data, ct.size);
        VD_EXPECT_MEM(made.data, ss.data, 32);
        VD_EXPECT_EQ(vd_alg_decapsulate(key, &(struct vd_alg_bytes){cipher, 1120}, &opened, NULL),
                     VD_OK);
        VD_EXPECT_MEM(opened.data, ss.data, 32);
        vd_secret_done(&made);
        vd_secret_done(&opened);
        vd_alg_key_free(public);
        vd_alg_key_free(key);
    }
}

static const enum vd_alg_type kems[] = {VD_ALG_ML_KEM_768, VD_ALG_X_WING};

VD_TEST(kem_secrets_agree_and_changed_ones_do_not)
{
    for (size_t t = 0; t < VD_COUNT(kems); t++) {
        struct vd_alg_key *key = vd_test_key(kems[t]), *other = vd_test_key(kems[t]);
        size_t size = vd_alg_key_info(key)->encapsulated_size;
        uint8_t cipher[1120];
        struct vd_alg_buffer out = {.data = cipher, .room = sizeof(cipher)};
        struct vd_alg_bytes in = {cipher, size};
        struct vd_secret made = {}, opened = {}, again = {};
        VD_EXPECT_EQ(vd_alg_encapsulate(key, &out, &made, NULL), VD_OK);
        VD_EXPECT_EQ(out.size, size);
        VD_EXPECT_EQ(vd_alg_decapsulate(key, &in, &opened, NULL), VD_OK);
        VD_EXPECT(vd_secret_equal(&made, &opened));
        vd_secret_done(&opened);
        /* Implicit rejection: another key or another byte gives another secret, always the same. */
        VD_EXPECT_EQ(vd_alg_decapsulate(other, &in, &opened, NULL), VD_OK);
        VD_EXPECT(!vd_secret_equal(&made, &opened));
        vd_secret_done(&opened);
        for (size_t at = 0; at < size; at += 31) {
            cipher[at] ^= 1;
            VD_EXPECT_EQ(vd_alg_decapsulate(key, &in, &opened, NULL), VD_OK);
            VD_EXPECT_EQ(vd_alg_decapsulate(key, &in, &again, NULL), VD_OK);
            VD_EXPECT(!vd_secret_equal(&made, &opened) && vd_secret_equal(&opened, &again));
            vd_secret_done(&opened);
            vd_secret_done(&again);
            cipher[at] ^= 1;
        }
        for (int by = -1; by <= 1; by += 2) {
            in.size = (size_t)((int)size + by);
            VD_EXPECT_EQ(vd_alg_decapsulate(key, &in, &opened, NULL), VD_E_SIZE);
        }
        out.room = size - 1;
        VD_EXPECT_EQ(vd_alg_encapsulate(key, &out, &opened, NULL), VD_E_NO_SPACE);
        VD_EXPECT(opened.slab == NULL);
        vd_secret_done(&made);
        vd_alg_key_free(key);
        vd_alg_key_free(other);
    }
}

/* X25519's part of an encapsulation of small order: as the draft computes it, and never an error. */
VD_TEST(x_wing_takes_a_small_point_in_an_encapsulation)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_X_WING);
    uint8_t cipher[1120];
    struct vd_alg_buffer out = {.data = cipher, .room = sizeof(cipher)};
    struct vd_secret made = {}, opened = {};

    VD_EXPECT_EQ(vd_alg_encapsulate(key, &out, &made, NULL), VD_OK);
    memset(cipher + 1088, 0, 32);
    VD_EXPECT_EQ(vd_alg_decapsulate(key, &(struct vd_alg_bytes){cipher, 1120}, &opened, NULL),
                 VD_OK);
    VD_EXPECT(!vd_secret_equal(&made, &opened));
    vd_secret_done(&made);
    vd_secret_done(&opened);
    vd_alg_key_free(key);
}

VD_TEST(ml_kem_key_with_a_coefficient_out_of_range)
{
    struct vd_alg_key *key = vd_test_key(VD_ALG_ML_KEM_768), *none = NULL;
    uint8_t raw[1184];
    struct vd_alg_buffer out = {.data = raw, .room = sizeof(raw)};
    struct vd_secret expanded = {};

    VD_EXPECT_EQ(vd_alg_key_public(key, VD_ALG_FORM_RAW_PUBLIC, &out, NULL), VD_OK);
    raw[0] = 0xff;
    raw[1] = 0xff;
    VD_EXPECT_EQ(vd_test_import_bytes(VD_ALG_ML_KEM_768, VD_ALG_FORM_RAW_PUBLIC, raw, 1184, &none),
                 VD_E_POINT);
    VD_EXPECT_EQ(vd_test_import_bytes(VD_ALG_ML_KEM_768, VD_ALG_FORM_RAW_PUBLIC, raw, 1183, &none),
                 VD_E_SIZE);
    /* The hash of ek inside dk is checked (FIPS 203, 7.3). */
    VD_EXPECT_EQ(vd_alg_key_export(key, VD_ALG_FORM_EXPANDED, &expanded, NULL), VD_OK);
    expanded.data[2400 - 40] ^= 1;
    VD_EXPECT_EQ(
        vd_test_import_bytes(VD_ALG_ML_KEM_768, VD_ALG_FORM_EXPANDED, expanded.data, 2400, &none),
        VD_E_INVALID);
    VD_EXPECT(none == NULL);
    vd_secret_done(&expanded);
    vd_alg_key_free(key);
}

/* RFC 7748, 5.2: the scalar and the point become the last point and the result, 1,000 times. */
VD_TEST(x25519_published_iteration)
{
    struct vd_hex first =
        vd_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    struct vd_hex last = vd_hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    uint8_t scalar[32] = {9}, point[32] = {9};

    for (int i = 0; i < 1000; i++) {
        struct vd_alg_key *key = NULL;
        struct vd_secret shared = {};
        VD_EXPECT_EQ(vd_test_import_bytes(VD_ALG_X25519, VD_ALG_FORM_RAW, scalar, 32, &key), VD_OK);
        VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &(struct vd_alg_bytes){point, 32},
                                  &shared, NULL),
                     VD_OK);
        memcpy(point, scalar, 32);
        memcpy(scalar, shared.data, 32);
        if (i == 0)
            VD_EXPECT_MEM(scalar, first.data, 32);
        vd_secret_done(&shared);
        vd_alg_key_free(key);
    }
    VD_EXPECT_MEM(scalar, last.data, 32);
}

/* Points of small order, with the highest bit either way, and those that are not reduced. */
VD_TEST(x25519_zero_results_are_refused)
{
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct vd_alg_key *key = vd_test_key(VD_ALG_X25519), *none = NULL;
    struct vd_secret shared = {};

    for (size_t i = 0; i < VD_COUNT(small); i++) {
        struct vd_hex point = vd_hex(small[i]);
        for (int turn = 0; turn < 2; turn++) {
            VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &VD_BYTES(point), &shared, NULL),
                         VD_E_POINT);
            VD_EXPECT(shared.slab == NULL);
            VD_EXPECT_EQ(
                vd_test_import_bytes(VD_ALG_X25519, VD_ALG_FORM_RAW_PUBLIC, point.data, 32, &none),
                VD_E_POINT);
            point.data[31] ^= 0x80;
        }
    }
    VD_EXPECT_EQ(
        vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &(struct vd_alg_bytes){small, 31}, &shared, NULL),
        VD_E_SIZE);
    VD_EXPECT_EQ(
        vd_alg_agree(key, VD_ALG_FORM_RAW, &(struct vd_alg_bytes){small, 32}, &shared, NULL),
        VD_E_MECHANISM);
    vd_alg_key_free(key);
}

/* RFC 5903, 8.1. */
VD_TEST(ecdh_p256_published_exchange)
{
    struct vd_alg_key *key =
        vd_test_import(VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW,
                       "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
    struct vd_hex peer = vd_hex("04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
                                "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab");
    struct vd_hex right =
        vd_hex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
    struct vd_secret shared = {};

    VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &VD_BYTES(peer), &shared, NULL), VD_OK);
    VD_EXPECT_MEM(shared.data, right.data, 32);
    vd_secret_done(&shared);
    peer.data[64] ^= 1;
    VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &VD_BYTES(peer), &shared, NULL),
                 VD_E_POINT);
    peer.data[0] = 6; /* hybrid */
    VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &VD_BYTES(peer), &shared, NULL),
                 VD_E_ENCODING);
    peer.size = 33;
    VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &VD_BYTES(peer), &shared, NULL),
                 VD_E_SIZE);
    peer.size = 1; /* infinity */
    VD_EXPECT_EQ(vd_alg_agree(key, VD_ALG_FORM_RAW_PUBLIC, &VD_BYTES(peer), &shared, NULL),
                 VD_E_SIZE);
    VD_EXPECT(shared.slab == NULL);
    vd_alg_key_free(key);
}

VD_TEST(both_sides_agree)
{
    static const enum vd_alg_type types[] = {VD_ALG_ECDSA_P256, VD_ALG_X25519};

    for (size_t t = 0; t < VD_COUNT(types); t++) {
        struct vd_alg_key *a = vd_test_key(types[t]), *b = vd_test_key(types[t]);
        uint8_t one[128], other[128];
        struct vd_alg_buffer x = {.data = one, .room = sizeof(one)};
        struct vd_alg_buffer y = {.data = other, .room = sizeof(other)};
        struct vd_secret s = {}, r = {};
        VD_EXPECT_EQ(vd_alg_key_public(a, VD_ALG_FORM_SPKI, &x, NULL), VD_OK);
        VD_EXPECT_EQ(vd_alg_key_public(b, VD_ALG_FORM_RAW_PUBLIC, &y, NULL), VD_OK);
        VD_EXPECT_EQ(
            vd_alg_agree(b, VD_ALG_FORM_SPKI, &(struct vd_alg_bytes){one, x.size}, &s, NULL),
            VD_OK);
        VD_EXPECT_EQ(vd_alg_agree(a, VD_ALG_FORM_RAW_PUBLIC, &(struct vd_alg_bytes){other, y.size},
                                  &r, NULL),
                     VD_OK);
        VD_EXPECT(vd_secret_equal(&s, &r));
        vd_secret_done(&s);
        vd_secret_done(&r);
        vd_alg_key_free(a);
        vd_alg_key_free(b);
    }
}

/* RFC 5869, A.1 to A.3. */
static const struct {
    const char *ikm, *salt, *info, *okm;
} hkdf[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
     "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"
     "2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d"
     "8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdd"
     "dedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59"
     "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

VD_TEST(hkdf_published_vectors_and_limits)
{
    struct vd_alg_kdf kdf = {};
    struct vd_secret out = {};

    for (size_t i = 0; i < VD_COUNT(hkdf); i++) {
        struct vd_alg_key *key = vd_test_import(VD_ALG_HKDF_SHA256, VD_ALG_FORM_RAW, hkdf[i].ikm);
        struct vd_hex salt = vd_hex(hkdf[i].salt), info = vd_hex(hkdf[i].info),
                      okm = vd_hex(hkdf[i].okm);
        kdf = (struct vd_alg_kdf){VD_BYTES(salt), VD_BYTES(info), okm.size};
        VD_EXPECT_EQ(vd_alg_hkdf(key, &kdf, &out, NULL), VD_OK);
        VD_EXPECT_EQ(out.size, okm.size);
        VD_EXPECT_MEM(out.data, okm.data, okm.size);
        vd_secret_done(&out);
        kdf.size = 0;
        VD_EXPECT_EQ(vd_alg_hkdf(key, &kdf, &out, NULL), VD_E_SIZE);
        kdf.size = 255 * 32 + 1;
        VD_EXPECT_EQ(vd_alg_hkdf(key, &kdf, &out, NULL), VD_E_SIZE);
        kdf.size = 255 * 32;
        VD_EXPECT_EQ(vd_alg_hkdf(key, &kdf, &out, NULL), VD_OK);
        vd_secret_done(&out);
        kdf.info.size = VD_ALG_AAD_MAX + 1;
        VD_EXPECT_EQ(vd_alg_hkdf(key, &kdf, &out, NULL), VD_E_LIMIT);
        VD_EXPECT(out.slab == NULL);
        vd_alg_key_free(key);
    }
}
