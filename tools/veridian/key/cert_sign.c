/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/key/cert_sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/writer.h"
#include "lib/diagf.h"

#define PUBLIC_MAX    8192u
#define SIGNATURE_MAX 8192u
#define TAG_SEQUENCE  0x30

#define OID_ALT_KEY       "2.5.29.72"
#define OID_ALT_ALGORITHM "2.5.29.73"
#define OID_ALT_SIGNATURE "2.5.29.74"

/* RSASSA-PSS-params: SHA-256, MGF1 with SHA-256, salt of 32 bytes (RFC 4055, 3.1). */
static const uint8_t pss_params[] = {
    0x30, 0x34, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
    0x04, 0x02, 0x01, 0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48,
    0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
    0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, 0x20,
};

static const struct algorithm {
    uint16_t type;
    uint16_t mechanism;
    int nid;
    int parameter; /* of the identifier: V_ASN1_UNDEF, V_ASN1_NULL or V_ASN1_SEQUENCE (PSS) */
} algorithms[] = {
    {VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256, NID_ecdsa_with_SHA256, V_ASN1_UNDEF},
    {VD_ALG_RSA_4096, VD_ALG_RSA_PSS_SHA256, NID_rsassaPss, V_ASN1_SEQUENCE},
    {VD_ALG_RSA_4096, VD_ALG_RSA_PKCS1_SHA256, NID_sha256WithRSAEncryption, V_ASN1_NULL},
    {VD_ALG_ED25519, VD_ALG_EDDSA, NID_ED25519, V_ASN1_UNDEF},
    {VD_ALG_ML_DSA_65, VD_ALG_ML_DSA, NID_ML_DSA_65, V_ASN1_UNDEF},
};

vd_status vd_cert_openssl(const char *what, struct vd_diag *diag)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    vd_status status =
        vd_diagf(diag, VD_E_SYSTEM, "%s: %s", what, reason != NULL ? reason : "OpenSSL failed");

    ERR_clear_error();
    return status;
}

vd_status vd_cert_signer_init(struct vd_cert_signer *signer, struct vd_keyclient *client,
                              struct vd_keyclient_key *key, bool pkcs1, struct vd_diag *diag)
{
    uint16_t type = vd_keyclient_key_info(key)->attributes.type;

    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        const struct algorithm *a = &algorithms[i];
        if (a->type != type || (a->mechanism == VD_ALG_RSA_PSS_SHA256 && pkcs1))
            continue;
        *signer = (struct vd_cert_signer){client, key, a->mechanism};
        return VD_OK;
    }
    vd_diag_hint(diag, "ecdsa-p256, rsa-4096, ed25519 and ml-dsa-65 do");
    return vd_diag_fail(diag, VD_E_KEY_TYPE, "keys of this type sign no certificates");
}

static const struct algorithm *algorithm_of(const struct vd_cert_signer *signer)
{
    const struct algorithm *a = algorithms;

    while (a->mechanism != signer->mechanism)
        a++;
    return a;
}

vd_status vd_cert_signer_public(const struct vd_cert_signer *signer, EVP_PKEY **ret,
                                struct vd_diag *diag)
{
    uint8_t der[PUBLIC_MAX];
    struct vd_keyclient_buffer out = {der, sizeof(der), 0};
    const unsigned char *at = der;
    EVP_PKEY *key;

    VD_TRY(vd_keyclient_public(signer->key, 0, VD_ALG_FORM_SPKI, &out, diag));
    key = d2i_PUBKEY(NULL, &at, (long)out.size);
    if (key == NULL || at != der + out.size) {
        EVP_PKEY_free(key);
        return vd_cert_openssl("cannot read the key's public part", diag);
    }
    *ret = key;
    return VD_OK;
}

/* The algorithm's identifier. */
static bool set_algorithm(X509_ALGOR *to, const struct algorithm *a)
{
    ASN1_STRING *params;

    if (a->parameter != V_ASN1_SEQUENCE)
        return X509_ALGOR_set0(to, OBJ_nid2obj(a->nid), a->parameter, NULL) == 1;
    params = ASN1_STRING_new();
    if (params == NULL || ASN1_STRING_set(params, pss_params, sizeof(pss_params)) != 1 ||
        X509_ALGOR_set0(to, OBJ_nid2obj(a->nid), V_ASN1_SEQUENCE, params) != 1) {
        ASN1_STRING_free(params);
        return false;
    }
    return true;
}

static vd_status sign_bytes(const struct vd_cert_signer *signer,
                            const struct vd_keyclient_bytes *tbs, struct vd_keyclient_buffer *out,
                            struct vd_diag *diag)
{
    struct vd_keyclient_op op = {
        .key = signer->key, .mechanism = signer->mechanism, .text = *tbs, .out = *out};

    VD_TRY(vd_keyclient_operate(signer->client, VD_KEY_SIGN, &op, diag));
    out->size = op.out.size;
    return VD_OK;
}

/* A bit string without unused bits. */
static bool set_bits(ASN1_BIT_STRING *to, const struct vd_keyclient_buffer *from)
{
    if (ASN1_STRING_set(to, from->data, (int)from->size) != 1)
        return false;
    to->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07);
    to->flags |= ASN1_STRING_FLAG_BITS_LEFT;
    return true;
}

/* Signs `size` bytes at `tbs` (freed here) and puts the signature into `to`. */
static vd_status sign_into(const struct vd_cert_signer *signer, unsigned char *tbs, int size,
                           const ASN1_BIT_STRING *to, struct vd_diag *diag)
{
    uint8_t signature[SIGNATURE_MAX];
    struct vd_keyclient_buffer out = {signature, sizeof(signature), 0};
    struct vd_keyclient_bytes bytes = {tbs, (size_t)size};
    vd_status status;

    if (size <= 0)
        return vd_cert_openssl("cannot encode what is to be signed", diag);
    status = sign_bytes(signer, &bytes, &out, diag);
    OPENSSL_free(tbs);
    VD_TRY(status);
    /* OpenSSL lends these parts as const, and has no other way to set them. */
    return set_bits((ASN1_BIT_STRING *)(uintptr_t)to, &out)
               ? VD_OK
               : vd_cert_openssl("cannot set a signature", diag);
}

vd_status vd_cert_sign(const struct vd_cert_signer *signer, X509 *cert, struct vd_diag *diag)
{
    const struct algorithm *a = algorithm_of(signer);
    const ASN1_BIT_STRING *signature;
    const X509_ALGOR *outer;
    unsigned char *tbs = NULL;
    int size;

    X509_get0_signature(&signature, &outer, cert);
    if (!set_algorithm((X509_ALGOR *)(uintptr_t)outer, a) ||
        !set_algorithm((X509_ALGOR *)(uintptr_t)X509_get0_tbs_sigalg(cert), a))
        return vd_cert_openssl("cannot set a certificate's algorithm", diag);
    size = i2d_re_X509_tbs(cert, &tbs);
    return sign_into(signer, tbs, size, signature, diag);
}

vd_status vd_cert_sign_request(const struct vd_cert_signer *signer, X509_REQ *request,
                               struct vd_diag *diag)
{
    const ASN1_BIT_STRING *signature;
    const X509_ALGOR *outer;
    unsigned char *tbs = NULL;
    int size;

    X509_REQ_get0_signature(request, &signature, &outer);
    if (!set_algorithm((X509_ALGOR *)(uintptr_t)outer, algorithm_of(signer)))
        return vd_cert_openssl("cannot set a request's algorithm", diag);
    size = i2d_re_X509_REQ_tbs(request, &tbs);
    return sign_into(signer, tbs, size, signature, diag);
}

/* An element of at most 255 bytes, as all of the template's are. */
static void element(struct vd_writer *w, uint8_t tag, const void *content, size_t size)
{
    vd_write_u8(w, tag);
    if (size >= 0x80)
        vd_write_u8(w, 0x81);
    vd_write_u8(w, (uint8_t)size);
    vd_write_bytes(w, content, size);
}

/*
 * OpenSSL has no function that sets the algorithm inside a list: an empty list that names it is
 * read instead, and filled afterwards.
 */
vd_status vd_cert_list_new(const struct vd_cert_signer *signer, X509_CRL **ret,
                           struct vd_diag *diag)
{
    static const uint8_t version[] = {1}, no_unused_bits[] = {0};
    uint8_t inner[160], outer[250], whole[256];
    X509_ALGOR *algorithm = X509_ALGOR_new();
    unsigned char *der = NULL;
    const unsigned char *at = whole;
    struct vd_writer in, out, all;
    X509_CRL *list = NULL;
    int size = 0;

    if (algorithm != NULL && set_algorithm(algorithm, algorithm_of(signer)))
        size = i2d_X509_ALGOR(algorithm, &der);
    vd_writer_init(&in, inner, sizeof(inner));
    element(&in, 0x02, version, sizeof(version));
    vd_write_bytes(&in, der, size > 0 ? (size_t)size : 0);
    element(&in, TAG_SEQUENCE, NULL, 0);
    element(&in, 0x17, "700101000000Z", 13);
    vd_writer_init(&out, outer, sizeof(outer));
    element(&out, TAG_SEQUENCE, inner, in.len);
    vd_write_bytes(&out, der, size > 0 ? (size_t)size : 0);
    element(&out, 0x03, no_unused_bits, sizeof(no_unused_bits));
    vd_writer_init(&all, whole, sizeof(whole));
    element(&all, TAG_SEQUENCE, outer, out.len);
    if (size > 0 && !in.full && !out.full && !all.full)
        list = d2i_X509_CRL(NULL, &at, (long)all.len);
    OPENSSL_free(der);
    X509_ALGOR_free(algorithm);
    if (list == NULL)
        return vd_cert_openssl("cannot begin a revocation list", diag);
    *ret = list;
    return VD_OK;
}

vd_status vd_cert_sign_list(const struct vd_cert_signer *signer, X509_CRL *list,
                            struct vd_diag *diag)
{
    const ASN1_BIT_STRING *signature;
    unsigned char *tbs = NULL;
    int size;

    X509_CRL_get0_signature(list, &signature, NULL);
    size = i2d_re_X509_CRL_tbs(list, &tbs);
    return sign_into(signer, tbs, size, signature, diag);
}

/* Alternative signatures */

static vd_status add_extension(X509 *cert, const char *oid, const unsigned char *der, int size,
                               struct vd_diag *diag)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    bool good = object != NULL && value != NULL && size > 0 &&
                ASN1_OCTET_STRING_set(value, der, size) == 1 &&
                (extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value)) != NULL &&
                X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return good ? VD_OK : vd_cert_openssl("cannot add an extension", diag);
}

vd_status vd_cert_add_alternative_key(X509 *cert, EVP_PKEY *key, struct vd_diag *diag)
{
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    vd_status status = add_extension(cert, OID_ALT_KEY, der, size, diag);

    OPENSSL_free(der);
    return status;
}

/* Size of an element's head, and of its content; 0: it does not lie in `left` bytes. */
static size_t head_size(const uint8_t *at, size_t left, size_t *ret_content)
{
    size_t size, bytes;

    if (left < 2)
        return 0;
    size = at[1];
    bytes = 0;
    if (size >= 0x80) {
        bytes = size & 0x7f;
        if (bytes == 0 || bytes > 3 || left < 2 + bytes)
            return 0;
        size = 0;
        for (size_t i = 0; i < bytes; i++)
            size = size << 8 | at[2 + i];
    }
    if (size > left - 2 - bytes)
        return 0;
    *ret_content = size;
    return 2 + bytes;
}

/* Bytes of the whole element; 0 as above. */
static size_t element_size(const uint8_t *at, size_t left)
{
    size_t content = 0, head = head_size(at, left, &content);

    return head == 0 ? 0 : head + content;
}

/* DER: the shortest form. */
static size_t write_head(uint8_t *to, size_t size)
{
    size_t bytes = size < 0x80 ? 0 : size < 0x100 ? 1 : size < 0x10000 ? 2 : 3;

    to[0] = TAG_SEQUENCE;
    to[1] = (uint8_t)(bytes == 0 ? size : 0x80 + bytes);
    for (size_t i = 0; i < bytes; i++)
        to[2 + i] = (uint8_t)(size >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

/*
 * PreTBSCertificate: the TBSCertificate without `signature`, its third element. `cert` has no
 * altSignatureValue.
 */
static vd_status pre_tbs(X509 *cert, unsigned char **ret, size_t *ret_size, struct vd_diag *diag)
{
    unsigned char *tbs = NULL, *out;
    int encoded = i2d_re_X509_tbs(cert, &tbs);
    size_t content = 0, head, before = 0, skipped, size;

    if (encoded <= 0)
        return vd_cert_openssl("cannot encode a certificate", diag);
    head = head_size(tbs, (size_t)encoded, &content);
    for (int i = 0; i < 2; i++) /* version, serial number */
        before += element_size(tbs + head + before, content - before);
    skipped = element_size(tbs + head + before, content - before);
    size = content - skipped;
    out = OPENSSL_malloc(size + 8);
    if (out == NULL || head == 0 || skipped == 0 || size > 0xffffff) {
        OPENSSL_free(out);
        OPENSSL_free(tbs);
        return vd_diag_fail(diag, VD_E_INVALID, "a certificate without the parts that it needs");
    }
    *ret_size = write_head(out, size);
    vd_copy(out + *ret_size, tbs + head, before);
    vd_copy(out + *ret_size + before, tbs + head + before + skipped, size - before);
    *ret_size += size;
    OPENSSL_free(tbs);
    *ret = out;
    return VD_OK;
}

static vd_status add_algorithm(X509 *cert, const struct algorithm *a, struct vd_diag *diag)
{
    X509_ALGOR *algorithm = X509_ALGOR_new();
    unsigned char *der = NULL;
    int size =
        algorithm != NULL && set_algorithm(algorithm, a) ? i2d_X509_ALGOR(algorithm, &der) : 0;
    vd_status status = add_extension(cert, OID_ALT_ALGORITHM, der, size, diag);

    OPENSSL_free(der);
    X509_ALGOR_free(algorithm);
    return status;
}

vd_status vd_cert_sign_alternative(const struct vd_cert_signer *signer, X509 *cert,
                                   struct vd_diag *diag)
{
    uint8_t signature[SIGNATURE_MAX];
    struct vd_keyclient_buffer out = {signature, sizeof(signature), 0};
    struct vd_keyclient_bytes bytes = {};
    unsigned char *tbs = NULL, *der = NULL;
    ASN1_BIT_STRING *bits;
    vd_status status;
    int size = 0;

    /* Only so that it can be encoded: `signature` is left out of what is signed. */
    if (!set_algorithm((X509_ALGOR *)(uintptr_t)X509_get0_tbs_sigalg(cert), algorithm_of(signer)))
        return vd_cert_openssl("cannot set a certificate's algorithm", diag);
    VD_TRY(add_algorithm(cert, algorithm_of(signer), diag));
    VD_TRY(pre_tbs(cert, &tbs, &bytes.size, diag));
    bytes.data = tbs;
    status = sign_bytes(signer, &bytes, &out, diag);
    OPENSSL_free(tbs);
    VD_TRY(status);
    bits = ASN1_BIT_STRING_new();
    if (bits != NULL && set_bits(bits, &out))
        size = i2d_ASN1_BIT_STRING(bits, &der);
    status = add_extension(cert, OID_ALT_SIGNATURE, der, size, diag);
    OPENSSL_free(der);
    ASN1_BIT_STRING_free(bits);
    return status;
}

/* The extension's index; -1: none. */
static int find_extension(const X509 *cert, const char *oid)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = object != NULL ? X509_get_ext_by_OBJ(cert, object, -1) : -1;

    ASN1_OBJECT_free(object);
    return at;
}

static const ASN1_OCTET_STRING *extension_value(const X509 *cert, const char *oid)
{
    int at = find_extension(cert, oid);

    return at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(cert, at));
}

/* Only ML-DSA-65 and the classical ones that we make ourselves; PSS with our parameters alone. */
static const struct algorithm *read_algorithm(const ASN1_OCTET_STRING *value)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        X509_ALGOR *algorithm = X509_ALGOR_new();
        unsigned char *der = NULL;
        int size = algorithm != NULL && set_algorithm(algorithm, &algorithms[i])
                       ? i2d_X509_ALGOR(algorithm, &der)
                       : 0;
        bool same = size > 0 && size == ASN1_STRING_length(value) &&
                    memcmp(der, ASN1_STRING_get0_data(value), (size_t)size) == 0;
        OPENSSL_free(der);
        X509_ALGOR_free(algorithm);
        if (same)
            return &algorithms[i];
    }
    return NULL;
}

static bool verify_bytes(const struct algorithm *a, EVP_PKEY *key,
                         const struct vd_keyclient_bytes *tbs, const ASN1_BIT_STRING *signature)
{
    bool digest = a->type == VD_ALG_ECDSA_P256 || a->type == VD_ALG_RSA_4096;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    bool good =
        md != NULL && EVP_DigestVerifyInit(md, &ctx, digest ? EVP_sha256() : NULL, NULL, key) == 1;

    if (good && a->mechanism == VD_ALG_RSA_PSS_SHA256)
        good = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) > 0;
    good =
        good && EVP_DigestVerify(md, ASN1_STRING_get0_data(signature),
                                 (size_t)ASN1_STRING_length(signature), tbs->data, tbs->size) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return good;
}

/* Is the key of the type that the algorithm needs? */
static bool fits(const struct algorithm *a, const EVP_PKEY *key)
{
    static const struct {
        uint16_t type;
        const char *name;
    } names[] = {{VD_ALG_ECDSA_P256, "EC"},
                 {VD_ALG_RSA_4096, "RSA"},
                 {VD_ALG_ED25519, "ED25519"},
                 {VD_ALG_ML_DSA_65, "ML-DSA-65"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].type == a->type)
            return EVP_PKEY_is_a(key, names[i].name) == 1;
    return false;
}

struct alternative {
    EVP_PKEY *key;              /* of the issuer's, owned */
    ASN1_BIT_STRING *signature; /* owned */
    X509 *without;              /* the certificate without it, owned */
    unsigned char *tbs;         /* owned */
    size_t tbs_size;
};

static void alternative_done(struct alternative *a)
{
    EVP_PKEY_free(a->key);
    ASN1_BIT_STRING_free(a->signature);
    X509_free(a->without);
    OPENSSL_free(a->tbs);
}

static bool read_parts(struct alternative *a, const ASN1_OCTET_STRING *key,
                       const ASN1_OCTET_STRING *signature)
{
    const unsigned char *key_at = ASN1_STRING_get0_data(key);
    const unsigned char *key_end = key_at + ASN1_STRING_length(key);
    const unsigned char *at = ASN1_STRING_get0_data(signature);
    const unsigned char *end = at + ASN1_STRING_length(signature);

    a->key = d2i_PUBKEY(NULL, &key_at, key_end - key_at);
    a->signature = d2i_ASN1_BIT_STRING(NULL, &at, end - at);
    ERR_clear_error();
    return a->key != NULL && key_at == key_end && a->signature != NULL && at == end;
}

vd_status vd_cert_verify_alternative(X509 *cert, X509 *issuer, struct vd_diag *diag)
{
    struct alternative alt VD_AUTO(alternative_done) = {};
    const ASN1_OCTET_STRING *key = extension_value(issuer, OID_ALT_KEY);
    const ASN1_OCTET_STRING *algorithm = extension_value(cert, OID_ALT_ALGORITHM);
    const ASN1_OCTET_STRING *signature = extension_value(cert, OID_ALT_SIGNATURE);
    const struct algorithm *a;
    struct vd_keyclient_bytes tbs;

    if (key == NULL || algorithm == NULL || signature == NULL)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "there is no alternative signature");
    a = read_algorithm(algorithm);
    if (a == NULL || !read_parts(&alt, key, signature) || !fits(a, alt.key))
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the alternative signature is none that can be verified");
    alt.without = X509_dup(cert);
    if (alt.without == NULL)
        return vd_cert_openssl("cannot copy a certificate", diag);
    X509_EXTENSION_free(
        X509_delete_ext(alt.without, find_extension(alt.without, OID_ALT_SIGNATURE)));
    VD_TRY(pre_tbs(alt.without, &alt.tbs, &alt.tbs_size, diag));
    tbs = (struct vd_keyclient_bytes){alt.tbs, alt.tbs_size};
    return verify_bytes(a, alt.key, &tbs, alt.signature)
               ? VD_OK
               : vd_diag_fail(diag, VD_E_SIGNATURE, "the alternative signature does not hold");
}
