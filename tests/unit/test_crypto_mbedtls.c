/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The judge's cryptography against chains and signatures that OpenSSL makes
 * anew for each run (boot_fixtures.sh).
 */
#include "bootloader/crypto_mbedtls.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX 4096

struct blob {
    uint8_t data[FILE_MAX];
    size_t size;
};

/* Makes the fixtures at the first call; later cases use the same. */
static const char *fixtures(void)
{
    static const char *dir;
    char command[1024];

    if (dir)
        return dir;
    const char *made = vd_test_tmpdir();
    snprintf(command, sizeof(command), "cd '%s' && sh '%s/tests/unit/boot_fixtures.sh' 2>log", made,
             vd_test_source_root());
    if (system(command) != 0)
        vd_test_fail(__FILE__, __LINE__, "boot_fixtures.sh failed, see %s/log", made);
    dir = made;
    return dir;
}

static struct blob load(const char *name)
{
    struct blob blob = {};
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", fixtures(), name);
    FILE *file = fopen(path, "rb");
    VD_EXPECT(file != NULL);
    blob.size = fread(blob.data, 1, sizeof(blob.data), file);
    fclose(file);
    VD_EXPECT(blob.size > 0 && blob.size < sizeof(blob.data));
    return blob;
}

/* Copies a DER INTEGER's value, right-aligned, to 48 bytes; returns what follows it. */
static const uint8_t *integer(const uint8_t *der, uint8_t ret[48])
{
    size_t size = der[1];
    const uint8_t *value = der + 2;

    VD_EXPECT_EQ(der[0], 0x02);
    for (; size > 48; size--, value++)
        VD_EXPECT_EQ(*value, 0);
    memset(ret, 0, 48);
    memcpy(ret + 48 - size, value, size);
    return value + size;
}

/* SEQUENCE { r, s } of a P-384 signature to r || s. */
static void raw_signature(const struct blob *der, uint8_t ret[96])
{
    VD_EXPECT_EQ(der->data[0], 0x30);
    VD_EXPECT_EQ(der->data[1] + 2u, der->size);
    integer(integer(der->data + 2, ret), ret + 48);
}

struct proof {
    struct blob root, cert[VD_CERTS_MAX], header;
    uint8_t signature[96];
    struct vd_certs chain;
    struct vd_boot_signed what;
};

/* A proof of header.bin by the first of `names`, a list that ends with NULL. */
static void prove(struct proof *p, const char *root, const char *const *names)
{
    char path[64];

    *p = (struct proof){};
    snprintf(path, sizeof(path), "%s.der", root);
    p->root = load(path);
    p->header = load("header.bin");
    for (; names[p->chain.count]; p->chain.count++) {
        snprintf(path, sizeof(path), "%s.der", names[p->chain.count]);
        struct blob *cert = &p->cert[p->chain.count];
        *cert = load(path);
        p->chain.cert[p->chain.count] = (struct vd_span){.data = cert->data, .size = cert->size};
    }
    snprintf(path, sizeof(path), "%s.sig", names[0]);
    struct blob sig = load(path);
    /* The other curves' signatures have another size: their keys are refused before. */
    if (strcmp(names[0], "p256") != 0 && strcmp(names[0], "p521") != 0)
        raw_signature(&sig, p->signature);
    p->what = (struct vd_boot_signed){
        .root = {.data = p->root.data, .size = p->root.size},
        .chain = &p->chain,
        .message = {.data = p->header.data, .size = p->header.size},
        .signature = {.data = p->signature, .size = sizeof(p->signature)},
    };
}

static void expect_verdict(vd_status expected, const char *root, const char *const *names)
{
    struct proof p;

    prove(&p, root, names);
    vd_status status = vd_crypto_verify(NULL, &p.what);
    if (status != expected)
        vd_test_fail(__FILE__, __LINE__, "%s under %s: %s, expected %s", names[0], root,
                     vd_status_name(status), vd_status_name(expected));
}
#define CHAIN(...) ((const char *const[]){__VA_ARGS__, NULL})

VD_TEST(crypto_accepts_good_chains)
{
    expect_verdict(VD_OK, "root", CHAIN("leaf"));
    expect_verdict(VD_OK, "root", CHAIN("under_middle", "middle"));
    expect_verdict(VD_OK, "root", CHAIN("code"));
}

VD_TEST(crypto_refuses_other_roots)
{
    expect_verdict(VD_E_UNTRUSTED, "other", CHAIN("leaf"));
    expect_verdict(VD_E_UNTRUSTED, "root", CHAIN("under_other"));
    expect_verdict(VD_E_UNTRUSTED, "root", CHAIN("under_other", "other"));
    /* the right name, the wrong key */
    expect_verdict(VD_E_UNTRUSTED, "false_root", CHAIN("leaf"));
}

VD_TEST(crypto_refuses_incomplete_and_padded_chains)
{
    expect_verdict(VD_E_UNTRUSTED, "root", CHAIN("under_middle"));
    expect_verdict(VD_E_UNTRUSTED, "root", CHAIN("leaf", "middle"));
    expect_verdict(VD_E_UNTRUSTED, "root", CHAIN("leaf", "root"));
    expect_verdict(VD_E_UNTRUSTED, "root", CHAIN("under_below", "short", "below"));
}

VD_TEST(crypto_refuses_wrong_purposes)
{
    expect_verdict(VD_E_INVALID, "root", CHAIN("no_sign"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("is_ca"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("root"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("v1"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("critical"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("server"));
}

VD_TEST(crypto_refuses_issuers_that_may_not_issue)
{
    expect_verdict(VD_E_INVALID, "root", CHAIN("under_leaf", "leaf"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("under_ca_no_sign", "ca_no_sign"));
    expect_verdict(VD_E_INVALID, "leaf", CHAIN("under_leaf"));
    /* a CA with path length 0 issued a CA */
    expect_verdict(VD_E_UNTRUSTED, "root", CHAIN("under_below", "below", "short"));
}

VD_TEST(crypto_refuses_other_algorithms)
{
    expect_verdict(VD_E_INVALID, "root", CHAIN("p256"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("p521"));
    expect_verdict(VD_E_INVALID, "root", CHAIN("sha256"));
}

VD_TEST(crypto_refuses_every_flipped_signature_byte)
{
    struct proof p;

    prove(&p, "root", CHAIN("leaf"));
    for (size_t i = 0; i < sizeof(p.signature); i++) {
        p.signature[i] ^= 1;
        VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_SIGNATURE);
        p.signature[i] ^= 1;
    }
    for (size_t i = 0; i < p.header.size; i += 37) {
        p.header.data[i] ^= 0x80;
        VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_SIGNATURE);
        p.header.data[i] ^= 0x80;
    }
    VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_OK);
}

/* The group's order n is not allowed as r or s, nor is zero. */
VD_TEST(crypto_refuses_scalars_out_of_range)
{
    struct proof p;

    prove(&p, "root", CHAIN("leaf"));
    for (size_t half = 0; half < 2; half++) {
        uint8_t good[48];
        memcpy(good, p.signature + 48 * half, sizeof(good));
        memset(p.signature + 48 * half, 0, 48);
        VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_SIGNATURE);
        memset(p.signature + 48 * half, 0xff, 48);
        VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_SIGNATURE);
        memcpy(p.signature + 48 * half, good, sizeof(good));
    }
    p.what.signature.size--;
    VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_SIGNATURE);
}

/* No change of a certificate may go through, whatever it is called. */
VD_TEST(crypto_refuses_every_flipped_certificate_byte)
{
    struct proof p;

    prove(&p, "root", CHAIN("leaf"));
    for (size_t i = 0; i < p.cert[0].size; i++) {
        p.cert[0].data[i] ^= 1;
        VD_EXPECT(vd_crypto_verify(NULL, &p.what) != VD_OK);
        p.cert[0].data[i] ^= 1;
    }
}

VD_TEST(crypto_refuses_every_cut_certificate)
{
    struct proof p;

    prove(&p, "root", CHAIN("leaf"));
    for (size_t n = 0; n < p.cert[0].size; n++) {
        p.chain.cert[0].size = n;
        VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_INVALID);
    }
    p.chain.cert[0].size = p.cert[0].size + 1;
    VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_INVALID);
    p.chain.count = 0;
    VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_INVALID);
    p.chain.count = VD_CERTS_MAX + 1;
    VD_EXPECT_EQ(vd_crypto_verify(NULL, &p.what), VD_E_INVALID);
}

VD_TEST(crypto_hashes_like_openssl)
{
    struct blob header = load("header.bin");
    struct blob expected = load("header.sha256");
    uint8_t digest[32];

    VD_EXPECT_EQ(vd_crypto_sha256(NULL, header.data, header.size, digest), VD_OK);
    VD_EXPECT_MEM(digest, expected.data, 32);
}

/* FIPS 180-4: the digests of the empty message. */
VD_TEST(crypto_hashes_nothing)
{
    static const uint8_t first[3][4] = {
        {0xe3, 0xb0, 0xc4, 0x42}, {0x38, 0xb0, 0x60, 0xa7}, {0xcf, 0x83, 0xe1, 0x35}};
    static const enum vd_crypto_hash hashes[] = {VD_CRYPTO_SHA256, VD_CRYPTO_SHA384,
                                                 VD_CRYPTO_SHA512};

    for (size_t i = 0; i < 3; i++) {
        uint8_t digest[VD_CRYPTO_HASH_MAX_BYTES];
        VD_EXPECT_EQ(vd_crypto_hash(hashes[i], NULL, 0, digest), VD_OK);
        VD_EXPECT_MEM(digest, first[i], 4);
    }
}
