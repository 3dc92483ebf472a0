/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The judge with the bootloader's cryptography, and a second opinion: OpenSSL
 * verifies the same chains and signatures, and both must give one verdict.
 */
#include "bootloader/crypto_mbedtls.h"
#include "bootloader/forbidden.h"
#include "core/base/writer.h"
#include "core/boot/judge.h"
#include "core/boot/pe.h"
#include "tests/unit/boot_fixture.h"
#include "tools/veridian/boot/enroll.h"
#include "tools/veridian/boot/pki.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <stdio.h>

struct actors {
    struct vd_pki_pair root, signer, other_root, other_signer, middle, below, ca_signer;
    struct vd_bytes root_der;
};

static struct vd_pki_pair make_pair(const char *name, bool ca, const struct vd_pki_pair *issuer)
{
    struct vd_pki_request request = {name, VD_PKI_P384, ca, issuer};
    struct vd_pki_pair pair;

    VD_EXPECT_EQ(vd_pki_make(&request, &pair, NULL), VD_OK);
    return pair;
}

/* Made once for all cases. */
static const struct actors *actors(void)
{
    static struct actors a;

    if (a.root.key != NULL)
        return &a;
    a.root = make_pair("root", true, NULL);
    a.signer = make_pair("signer", false, &a.root);
    a.other_root = make_pair("root", true, NULL);
    a.other_signer = make_pair("signer", false, &a.other_root);
    a.middle = make_pair("middle", true, &a.root);
    a.below = make_pair("below", false, &a.middle);
    a.ca_signer = make_pair("ca signer", true, &a.root);
    VD_EXPECT_EQ(vd_pki_cert_der(a.root.cert, &a.root_der, NULL), VD_OK);
    return &a;
}

/* --- the second opinion --- */

static X509 *parse_x509(const struct vd_span *der)
{
    const unsigned char *p = der->data;

    return d2i_X509(NULL, &p, (long)der->size);
}

static bool openssl_chain(X509 *root, STACK_OF(X509) * chain)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good;

    X509_STORE_add_cert(store, root);
    X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain);
    good = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return good;
}

static bool openssl_signature(X509 *signer, const struct vd_boot_signed *what)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    int size;
    bool good;

    ECDSA_SIG_set0(sig, BN_bin2bn(what->signature.data, 48, NULL),
                   BN_bin2bn(what->signature.data + 48, 48, NULL));
    size = i2d_ECDSA_SIG(sig, &der);
    good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, X509_get0_pubkey(signer)) == 1 &&
           EVP_DigestVerify(ctx, der, (size_t)size, what->message.data, what->message.size) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(sig);
    return good;
}

static vd_status openssl_verify(void *ctx, const struct vd_boot_signed *what)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *root = parse_x509(&what->root);
    vd_status status = VD_OK;

    (void)ctx;
    for (uint32_t i = 0; i < what->chain->count && status == VD_OK; i++) {
        X509 *cert = parse_x509(&what->chain->cert[i]);
        if (cert == NULL || (X509_check_ca(cert) != 0) != (i > 0))
            status = VD_E_INVALID;
        if (cert != NULL)
            sk_X509_push(chain, cert);
    }
    if (status == VD_OK && !openssl_chain(root, chain))
        status = VD_E_UNTRUSTED;
    if (status == VD_OK && !openssl_signature(sk_X509_value(chain, 0), what))
        status = VD_E_SIGNATURE;
    sk_X509_pop_free(chain, X509_free);
    X509_free(root);
    return status;
}

static vd_status openssl_sha256(void *ctx, const void *data, size_t size, uint8_t ret[32])
{
    (void)ctx;
    return EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL) == 1 ? VD_OK : VD_E_BUG;
}

/* --- images --- */

struct sample {
    struct fixture f;
    const struct vd_pki_pair *chain[3]; /* the signer first */
    uint32_t capabilities;
    uint32_t rollback_floor;
    struct vd_boot_policy policy;
    uint8_t dbx[4096];
    size_t dbx_size;
};

static void sample_defaults(struct sample *s)
{
    *s = (struct sample){.capabilities = VD_BOOT_CAP_ALL, .chain = {&actors()->signer}};
    fixture_defaults(&s->f);
    s->f.header.part[VD_IMAGE_POLICY].size = 0;
}

/* Computes the digests, encodes and signs. */
static void sample_sign(struct sample *s)
{
    static uint8_t certs[VD_IMAGE_CERTS_MAX_BYTES];
    size_t size = 0;
    struct fixture *f = &s->f;

    for (size_t i = 0; i < 3 && s->chain[i] != NULL; i++) {
        struct vd_bytes der = {};
        VD_EXPECT_EQ(vd_pki_cert_der(s->chain[i]->cert, &der, NULL), VD_OK);
        memcpy(certs + size, der.data, der.size);
        size += der.size;
        vd_bytes_free(&der);
    }
    f->part[VD_IMAGE_CERTIFICATES] = certs;
    f->header.part[VD_IMAGE_CERTIFICATES].size = size;
    for (size_t i = 0; i < VD_IMAGE_PAYLOAD_COUNT; i++)
        VD_EXPECT_EQ(openssl_sha256(NULL, f->part[i], f->header.part[i].size, f->header.digest[i]),
                     VD_OK);
    fixture_build(f);
    VD_EXPECT_EQ(vd_pki_sign_header(s->chain[0]->key, f->data,
                                    f->data + f->header.part[VD_IMAGE_SIGNATURE].offset, NULL),
                 VD_OK);
}

static void judge_with(const struct sample *s, const struct vd_boot_ops *ops,
                       struct vd_boot_verdict *ret, struct vd_diag *diag)
{
    struct vd_boot_case what = {
        .image = {s->f.data, s->f.size},
        .root = {actors()->root_der.data, actors()->root_der.size},
        .policy = s->policy,
        .capabilities = s->capabilities,
        .rollback_floor = s->rollback_floor,
    };

    memset(ret, 0xff, sizeof(*ret));
    vd_boot_judge(&what, ops, ret, diag);
}

/* The one verdict of both; fails where they differ. */
static const char *judge(struct sample *s)
{
    struct vd_span dbx = {s->dbx, s->dbx_size};
    struct vd_boot_ops ours = {&dbx, vd_crypto_sha256, vd_crypto_verify, vd_forbidden};
    struct vd_boot_ops second = {&dbx, openssl_sha256, openssl_verify, vd_forbidden};
    struct vd_boot_verdict a;
    struct vd_boot_verdict b;
    struct vd_diag diag = {};

    judge_with(s, &ours, &a, &diag);
    judge_with(s, &second, &b, NULL);
    VD_EXPECT_STR(vd_boot_reason_name(a.reason), vd_boot_reason_name(b.reason));
    VD_EXPECT_EQ(vd_boot_allowed(&a), vd_boot_allowed(&b));
    VD_EXPECT_EQ(vd_boot_allowed(&a), a.reason == VD_BOOT_REASON_NONE);
    VD_EXPECT_EQ(diag.status == VD_OK, vd_boot_allowed(&a));
    return vd_boot_reason_name(a.reason);
}

static void expect(struct sample *s, const char *reason)
{
    VD_EXPECT_STR(judge(s), reason);
    fixture_free(&s->f);
}

VD_TEST(judge_accepts_what_was_signed)
{
    struct sample s;

    sample_defaults(&s);
    sample_sign(&s);
    expect(&s, "none");
    sample_defaults(&s);
    s.chain[0] = &actors()->below;
    s.chain[1] = &actors()->middle;
    sample_sign(&s);
    expect(&s, "none");
}

VD_TEST(judge_chain_and_signature)
{
    struct sample s;

    sample_defaults(&s);
    s.chain[0] = &actors()->other_signer;
    sample_sign(&s);
    expect(&s, "untrusted");
    sample_defaults(&s);
    s.chain[0] = &actors()->below; /* its issuer is left out */
    sample_sign(&s);
    expect(&s, "untrusted");
    sample_defaults(&s);
    s.chain[0] = &actors()->ca_signer;
    sample_sign(&s);
    expect(&s, "certificate");
    /* the right certificate, another's signature */
    sample_defaults(&s);
    sample_sign(&s);
    VD_EXPECT_EQ(vd_pki_sign_header(actors()->other_signer.key, s.f.data,
                                    s.f.data + s.f.header.part[VD_IMAGE_SIGNATURE].offset, NULL),
                 VD_OK);
    expect(&s, "signature");
    /* not certificates at all */
    sample_defaults(&s);
    sample_sign(&s);
    s.f.data[s.f.header.part[VD_IMAGE_CERTIFICATES].offset] = 0x31;
    expect(&s, "certificate");
}

VD_TEST(judge_payload_digests)
{
    static const char *const reasons[] = {"digest-kernel", "digest-initrd", "digest-cmdline",
                                          "digest-policy"};

    for (size_t i = 0; i < VD_COUNT(reasons); i++) {
        struct sample s;
        sample_defaults(&s);
        s.f.header.part[VD_IMAGE_POLICY].size = 6;
        sample_sign(&s);
        s.f.data[s.f.header.part[i].offset + 2] ^= 1;
        expect(&s, reasons[i]);
    }
}

/* Absent payloads have the digest of nothing; any other digest is a lie. */
VD_TEST(judge_absent_payloads_have_digests_too)
{
    struct sample s;

    sample_defaults(&s);
    s.f.header.part[VD_IMAGE_INITRD].size = 0;
    sample_sign(&s);
    s.f.data[176] ^= 1;
    VD_EXPECT_EQ(vd_pki_sign_header(actors()->signer.key, s.f.data,
                                    s.f.data + s.f.header.part[VD_IMAGE_SIGNATURE].offset, NULL),
                 VD_OK);
    expect(&s, "digest-initrd");
}

static void forbid(struct sample *s, const uint8_t *data, size_t size)
{
    char path[256];
    struct vd_writer w;

    snprintf(path, sizeof(path), "%s/forbidden", vd_test_tmpdir());
    VD_EXPECT_EQ(vd_file_store(path, data, size, 0600, NULL), VD_OK);
    vd_writer_init(&w, s->dbx, sizeof(s->dbx));
    VD_EXPECT_EQ(vd_enroll_forbid(&w, path, NULL), VD_OK);
    VD_EXPECT_EQ(vd_write_done(&w), VD_OK);
    s->dbx_size = w.len;
}

/*
 * Whoever has a signature (r, s) has (r, n - s) as well: the same certificate
 * in other bytes, which its issuer never wrote.
 */
static struct vd_pki_pair rewrite_signature(const struct vd_pki_pair *pair)
{
    struct vd_pki_pair ret = {.key = pair->key, .cert = X509_dup(pair->cert)};
    const ASN1_BIT_STRING *value;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp384r1);
    ECDSA_SIG *other = ECDSA_SIG_new();
    BIGNUM *s = BN_new();
    unsigned char *der = NULL;

    X509_get0_signature(&value, NULL, ret.cert);
    const unsigned char *p = value->data;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, value->length);
    VD_EXPECT(sig != NULL && BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(sig)) == 1);
    ECDSA_SIG_set0(other, BN_dup(ECDSA_SIG_get0_r(sig)), s);
    int size = i2d_ECDSA_SIG(other, &der);
    VD_EXPECT_EQ(ASN1_STRING_set((ASN1_STRING *)value, der, size), 1);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    ECDSA_SIG_free(other);
    EC_GROUP_free(group);
    return ret;
}

VD_TEST(judge_forbids_a_certificate_whatever_its_signature_bytes)
{
    struct vd_pki_pair other = rewrite_signature(&actors()->signer);
    struct vd_bytes der = {};
    struct sample s;

    sample_defaults(&s);
    s.chain[0] = &other;
    sample_sign(&s);
    expect(&s, "none"); /* it is as good as the one that the issuer wrote */
    sample_defaults(&s);
    s.chain[0] = &other;
    sample_sign(&s);
    VD_EXPECT_EQ(vd_pki_cert_der(actors()->signer.cert, &der, NULL), VD_OK);
    forbid(&s, der.data, der.size);
    vd_bytes_free(&der);
    expect(&s, "forbidden");
    X509_free(other.cert);
}

VD_TEST(judge_forbidden_list)
{
    struct sample s;
    struct vd_bytes der = {};
    char hex[65];
    struct vd_text t;
    struct vd_writer w;

    sample_defaults(&s);
    sample_sign(&s);
    forbid(&s, s.f.data, s.f.size); /* the image: its header's digest */
    expect(&s, "forbidden");
    sample_defaults(&s);
    sample_sign(&s);
    VD_EXPECT_EQ(vd_pki_cert_der(actors()->signer.cert, &der, NULL), VD_OK);
    forbid(&s, der.data, der.size);
    expect(&s, "forbidden");
    vd_bytes_free(&der);
    sample_defaults(&s);
    sample_sign(&s);
    VD_EXPECT_EQ(vd_pki_cert_der(actors()->other_signer.cert, &der, NULL), VD_OK);
    forbid(&s, der.data, der.size);
    expect(&s, "none");
    vd_bytes_free(&der);
    sample_defaults(&s);
    sample_sign(&s);
    vd_text_init(&t, hex, sizeof(hex));
    vd_text_hex(&t, s.f.header.digest[VD_IMAGE_KERNEL], 32);
    vd_writer_init(&w, s.dbx, sizeof(s.dbx));
    VD_EXPECT_EQ(vd_enroll_forbid(&w, hex, NULL), VD_OK);
    s.dbx_size = w.len;
    expect(&s, "forbidden");
}

VD_TEST(judge_policies)
{
    struct sample s;
    uint8_t encoded[VD_BOOT_POLICY_SIZE];
    struct vd_boot_policy demand = {.min_security_version = 8};

    sample_defaults(&s);
    s.policy.min_security_version = 8; /* the image has 7 */
    sample_sign(&s);
    expect(&s, "security-version");
    sample_defaults(&s);
    s.policy.min_signer_generation = 4; /* the image has 3 */
    sample_sign(&s);
    expect(&s, "signer-generation");
    sample_defaults(&s);
    s.rollback_floor = 8;
    sample_sign(&s);
    expect(&s, "rollback");
    sample_defaults(&s);
    s.policy.required_capabilities = VD_BOOT_CAP_SECURE_BOOT;
    s.capabilities = VD_BOOT_CAP_ALL & ~VD_BOOT_CAP_SECURE_BOOT;
    sample_sign(&s);
    expect(&s, "secure-boot-off");
    /* the image's own policy demands in addition */
    vd_boot_policy_encode(&demand, encoded);
    sample_defaults(&s);
    s.f.part[VD_IMAGE_POLICY] = encoded;
    s.f.header.part[VD_IMAGE_POLICY].size = sizeof(encoded);
    sample_sign(&s);
    expect(&s, "security-version");
    sample_defaults(&s);
    s.f.header.part[VD_IMAGE_POLICY].size = 6;
    sample_sign(&s);
    expect(&s, "policy");
}

VD_TEST(judge_entry_point_is_the_kernels)
{
    static uint8_t kernel[8192];
    char path[512];
    struct vd_bytes pe = {};
    struct sample s;

    snprintf(path, sizeof(path), "%s/fuzz/corpus/pe/two", vd_test_source_root());
    VD_EXPECT_EQ(vd_file_load(path, sizeof(kernel), &pe, NULL), VD_OK);
    memcpy(kernel, pe.data, pe.size);
    kernel[0x58 + 16] = 0x34; /* AddressOfEntryPoint */
    kernel[0x58 + 17] = 0x02;
    for (int i = 0; i < 3; i++) {
        sample_defaults(&s);
        s.f.part[VD_IMAGE_KERNEL] = i == 2 ? (const void *)"no program" : kernel;
        s.f.header.part[VD_IMAGE_KERNEL].size = i == 2 ? 10 : pe.size;
        s.f.header.entry_point = i == 0 ? 0x234 : i == 1 ? 0x235 : 1;
        sample_sign(&s);
        expect(&s, i == 0 ? "none" : "kernel");
    }
    vd_bytes_free(&pe);
}

/* One flipped bit anywhere in the file: never accepted, and both opinions agree. */
VD_TEST(judge_refuses_every_flipped_bit)
{
    struct sample s;

    sample_defaults(&s);
    sample_sign(&s);
    VD_EXPECT_STR(judge(&s), "none");
    for (size_t at = 0; at < s.f.size; at++) {
        for (unsigned bit = 0; bit < 8; bit += at < VD_IMAGE_HEADER_SIZE ? 1 : 3) {
            struct vd_span none = {};
            struct vd_boot_ops ours = {&none, vd_crypto_sha256, vd_crypto_verify, vd_forbidden};
            struct vd_boot_verdict verdict;

            s.f.data[at] ^= (uint8_t)(1u << bit);
            judge_with(&s, &ours, &verdict, NULL);
            if (vd_boot_allowed(&verdict))
                vd_test_fail(__FILE__, __LINE__, "accepted with bit %u of byte %zu", bit, at);
            s.f.data[at] ^= (uint8_t)(1u << bit);
        }
    }
    fixture_free(&s.f);
}

/* Random damage of the header, re-signed or not: both opinions give one reason. */
VD_TEST(judge_opinions_agree)
{
    uint64_t seed = 7;

    for (int i = 0; i < 300; i++) {
        struct sample s;
        size_t at;

        sample_defaults(&s);
        sample_sign(&s);
        at = vd_test_random(&seed) % VD_IMAGE_HEADER_SIZE;
        if (i % 4 == 0)
            at = s.f.size - 1 - vd_test_random(&seed) % VD_IMAGE_SIGNATURE_SIZE;
        s.f.data[at] ^= (uint8_t)(1u << vd_test_random(&seed) % 8);
        if (i % 2 == 1)
            VD_EXPECT_EQ(vd_pki_sign_header(actors()->signer.key, s.f.data,
                                            s.f.data + s.f.header.part[VD_IMAGE_SIGNATURE].offset,
                                            NULL),
                         VD_OK);
        judge(&s);
        fixture_free(&s.f);
    }
}

static vd_status failing_verify(void *ctx, const struct vd_boot_signed *what)
{
    (void)what;
    return *(const vd_status *)ctx;
}

static vd_status failing_sha256(void *ctx, const void *data, size_t size, uint8_t ret[32])
{
    int *left = ctx;

    return (*left)-- > 0 ? openssl_sha256(NULL, data, size, ret) : VD_E_SYSTEM;
}

static vd_status failing_forbidden(void *ctx, enum vd_boot_forbidden_kind kind,
                                   const struct vd_span *thing)
{
    (void)kind;
    (void)thing;
    return *(const vd_status *)ctx;
}

static vd_status passing_verify(void *ctx, const struct vd_boot_signed *what)
{
    (void)ctx;
    (void)what;
    return VD_OK;
}

static vd_status passing_forbidden(void *ctx, enum vd_boot_forbidden_kind kind,
                                   const struct vd_span *thing)
{
    (void)ctx;
    (void)kind;
    (void)thing;
    return VD_OK;
}

/* An operation that fails, in whatever way, is a fault and a refusal. */
VD_TEST(judge_faults_refuse)
{
    struct sample s;
    struct vd_boot_verdict verdict;

    sample_defaults(&s);
    sample_sign(&s);
    for (int status = VD_OK + 1; status < VD_STATUS_COUNT; status++) {
        vd_status value = (vd_status)status;
        struct vd_boot_ops verify = {&value, openssl_sha256, failing_verify, passing_forbidden};
        struct vd_boot_ops list = {&value, openssl_sha256, passing_verify, failing_forbidden};

        judge_with(&s, &verify, &verdict, NULL);
        VD_EXPECT(!vd_boot_allowed(&verdict));
        judge_with(&s, &list, &verdict, NULL);
        VD_EXPECT(!vd_boot_allowed(&verdict));
        VD_EXPECT_STR(vd_boot_reason_name(verdict.reason),
                      value == VD_E_REVOKED ? "forbidden" : "fault");
    }
    for (int good = 0; good <= 5; good++) {
        int left = good;
        struct vd_boot_ops hash = {&left, failing_sha256, passing_verify, passing_forbidden};

        judge_with(&s, &hash, &verdict, NULL);
        VD_EXPECT_STR(vd_boot_reason_name(verdict.reason), good < 5 ? "fault" : "none");
    }
    fixture_free(&s.f);
}

VD_TEST(judge_zero_verdict_refuses)
{
    struct vd_boot_verdict zero = {};
    struct vd_boot_verdict half = {.reason = VD_BOOT_REASON_NONE};
    struct vd_boot_verdict other = {.allow = VD_BOOT_ALLOW};

    VD_EXPECT(!vd_boot_allowed(&zero));
    VD_EXPECT(!vd_boot_allowed(&half));
    VD_EXPECT(!vd_boot_allowed(&other));
}
