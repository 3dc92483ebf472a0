/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signature databases (core/boot/sigdb) and what they forbid. */
#include "bootloader/crypto_mbedtls.h"
#include "bootloader/forbidden.h"
#include "core/base/writer.h"
#include "core/boot/sigdb.h"
#include "tests/harness.h"

static const uint8_t sha256_guid[16] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
                                        0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};
static const uint8_t x509_guid[16] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
                                      0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t x509_sha256_guid[16] = {0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40,
                                             0xb4, 0x20, 0xfc, 0xf9, 0x8e, 0xf1, 0x03, 0xed};
static const uint8_t x509_sha384_guid[16] = {0x6e, 0x87, 0x76, 0x70, 0xc2, 0x80, 0xe6, 0x4e,
                                             0xaa, 0xd2, 0x28, 0xb3, 0x49, 0xa6, 0x86, 0x5b};
static const uint8_t x509_sha512_guid[16] = {0x63, 0xbf, 0x6d, 0x44, 0x02, 0x25, 0xda, 0x4c,
                                             0xbc, 0xfa, 0x24, 0x65, 0xd2, 0xb0, 0xfe, 0x9d};
static const uint8_t unknown_guid[16] = {1, 2, 3};

/* SEQUENCE { SEQUENCE { INTEGER 5 }, NULL }: all that a look-up reads of a certificate. */
static const uint8_t certificate[] = {0x30, 0x07, 0x30, 0x03, 0x02, 0x01, 0x05, 0x05, 0x00};
static const struct vd_span certificate_span = {.data = certificate, .size = sizeof(certificate)};
static const struct vd_span tbs_span = {.data = certificate + 2, .size = 5};

static uint8_t buffer[2048];

static void list(struct vd_writer *w, const uint8_t guid[16], uint32_t header_size,
                 uint32_t entry_size, uint32_t count)
{
    vd_write_bytes(w, guid, 16);
    vd_write_le32(w, 28 + header_size + entry_size * count);
    vd_write_le32(w, header_size);
    vd_write_le32(w, entry_size);
    vd_write_zero(w, header_size);
}

static void entry(struct vd_writer *w, const void *data, size_t size, size_t time_size)
{
    vd_write_zero(w, 16);
    vd_write_bytes(w, data, size);
    vd_write_zero(w, time_size);
}

/* An unknown list with a header, two digests, nothing, a certificate. */
static struct vd_span database(const uint8_t digest[32])
{
    static const uint8_t other[32] = {7};
    struct vd_writer w;

    vd_writer_init(&w, buffer, sizeof(buffer));
    list(&w, unknown_guid, 5, 17, 1);
    entry(&w, "x", 1, 0);
    list(&w, sha256_guid, 0, 48, 2);
    entry(&w, other, 32, 0);
    entry(&w, digest, 32, 0);
    list(&w, sha256_guid, 0, 48, 0);
    list(&w, x509_guid, 0, 16 + sizeof(certificate), 1);
    entry(&w, certificate, sizeof(certificate), 0);
    VD_EXPECT_EQ(vd_write_done(&w), VD_OK);
    return (struct vd_span){.data = buffer, .size = w.len};
}

static vd_status look_up(struct vd_span *db, enum vd_boot_forbidden_kind kind, const void *data,
                         size_t size)
{
    struct vd_span thing = {.data = data, .size = size};

    return vd_forbidden(db, kind, &thing);
}

VD_TEST(forbidden_finds_digests_and_certificates)
{
    static const uint8_t digest[32] = {1, 2, 3};
    static const uint8_t near[32] = {1, 2, 4};
    struct vd_span db = database(digest);
    uint8_t changed[sizeof(certificate)];

    VD_EXPECT_EQ(vd_forbidden_check_form(&db, NULL), VD_OK);
    VD_EXPECT_EQ(look_up(&db, VD_BOOT_FORBIDDEN_SHA256, digest, 32), VD_E_REVOKED);
    VD_EXPECT_EQ(look_up(&db, VD_BOOT_FORBIDDEN_SHA256, near, 32), VD_OK);
    VD_EXPECT_EQ(vd_forbidden(&db, VD_BOOT_FORBIDDEN_CERTIFICATE, &certificate_span), VD_E_REVOKED);
    memcpy(changed, certificate, sizeof(changed));
    changed[6] = 6;
    VD_EXPECT_EQ(look_up(&db, VD_BOOT_FORBIDDEN_CERTIFICATE, changed, sizeof(changed)), VD_OK);
}

VD_TEST(forbidden_empty_database_forbids_nothing)
{
    static const uint8_t digest[32] = {1};
    struct vd_span db = {};

    VD_EXPECT_EQ(vd_forbidden_check_form(&db, NULL), VD_OK);
    VD_EXPECT_EQ(look_up(&db, VD_BOOT_FORBIDDEN_SHA256, digest, 32), VD_OK);
}

VD_TEST(forbidden_finds_the_signed_parts_digest)
{
    static const struct {
        const uint8_t *guid;
        enum vd_crypto_hash hash;
    } rows[] = {
        {x509_sha256_guid, VD_CRYPTO_SHA256},
        {x509_sha384_guid, VD_CRYPTO_SHA384},
        {x509_sha512_guid, VD_CRYPTO_SHA512},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        uint8_t digest[VD_CRYPTO_HASH_MAX_BYTES];
        size_t size = vd_crypto_hash_size(rows[i].hash);
        struct vd_writer w;

        VD_EXPECT_EQ(vd_crypto_hash(rows[i].hash, tbs_span.data, tbs_span.size, digest), VD_OK);
        for (int flip = 0; flip < 2; flip++) {
            digest[size - 1] ^= (uint8_t)flip;
            vd_writer_init(&w, buffer, sizeof(buffer));
            list(&w, rows[i].guid, 0, (uint32_t)(32 + size), 1);
            entry(&w, digest, size, 16);
            struct vd_span db = {.data = buffer, .size = w.len};
            VD_EXPECT_EQ(vd_forbidden(&db, VD_BOOT_FORBIDDEN_CERTIFICATE, &certificate_span),
                         flip ? VD_OK : VD_E_REVOKED);
        }
    }
}

/* Every proper prefix is malformed, except where a list ends. */
VD_TEST(forbidden_refuses_every_cut_database)
{
    static const uint8_t digest[32] = {1, 2, 3};
    struct vd_span whole = database(digest);
    size_t good = 0;

    for (size_t n = 0; n < whole.size; n++) {
        struct vd_span db = {.data = whole.data, .size = n};
        vd_status status = vd_forbidden_check_form(&db, NULL);
        if (status == VD_OK)
            good++;
        else if (n > 0)
            VD_EXPECT(look_up(&db, VD_BOOT_FORBIDDEN_SHA256, "0123456789abcdef0123456789abcdef",
                              32) != VD_OK);
    }
    VD_EXPECT_EQ(good, 4); /* before each of the lists */
}

VD_TEST(forbidden_refuses_bad_sizes)
{
    static const struct {
        uint32_t list_size, header_size, entry_size;
    } rows[] = {
        {27, 0, 48},      {0, 0, 48},          {28 + 48, 49, 48}, {28 + 48, UINT32_MAX, 48},
        {28 + 48, 0, 0},  {28 + 48, 0, 16},    {28 + 48, 0, 24},  {28 + 48, 0, 47},
        {28 + 96, 0, 96}, {UINT32_MAX, 0, 48}, {28 + 96, 0, 48},  {28 + 49, 0, 48},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct vd_writer w;
        vd_writer_init(&w, buffer, sizeof(buffer));
        vd_write_bytes(&w, sha256_guid, 16);
        vd_write_le32(&w, rows[i].list_size);
        vd_write_le32(&w, rows[i].header_size);
        vd_write_le32(&w, rows[i].entry_size);
        vd_write_zero(&w, 48);
        struct vd_span db = {.data = buffer, .size = w.len};
        if (vd_forbidden_check_form(&db, NULL) == VD_OK)
            vd_test_fail(__FILE__, __LINE__, "row %zu was accepted", i);
    }
}

VD_TEST(forbidden_refuses_what_is_no_certificate)
{
    static const uint8_t digest[32] = {1};
    struct vd_span db = database(digest);

    for (size_t n = 0; n < sizeof(certificate); n++)
        VD_EXPECT_EQ(look_up(&db, VD_BOOT_FORBIDDEN_CERTIFICATE, certificate, n), VD_E_INVALID);
}
