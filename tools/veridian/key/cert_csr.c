/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/key/cert_csr.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "lib/diagf.h"

#define RSA_BITS_MIN   2048
#define RSA_BITS_MAX   8192
#define ATTRIBUTES_MAX 8

static vd_status bad(struct vd_diag *diag, const char *text)
{
    ERR_clear_error();
    return vd_diag_fail(diag, VD_E_ENCODING, text);
}

/* Is what was read written again the same? Then it was DER, and nothing came behind it. */
static bool same_again(const unsigned char *der, size_t size, unsigned char *again, int again_size)
{
    bool same = again_size > 0 && (size_t)again_size == size && memcmp(again, der, size) == 0;

    OPENSSL_free(again);
    return same;
}

static vd_status check_name(const X509_NAME *name, struct vd_diag *diag)
{
    int count = X509_NAME_entry_count(name);

    if (count > (int)VD_CERT_NAME_PARTS_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a name has more than %u parts", VD_CERT_NAME_PARTS_MAX);
    for (int i = 0; i < count; i++) {
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
        int size = ASN1_STRING_length(text);
        if (size > (int)VD_CERT_NAME_TEXT_MAX)
            return vd_diagf(diag, VD_E_LIMIT, "a part of a name has more than %u bytes",
                            VD_CERT_NAME_TEXT_MAX);
        if (size == 0 || memchr(ASN1_STRING_get0_data(text), 0, (size_t)size) != NULL)
            return bad(diag, "a part of a name is empty or has a NUL");
    }
    return VD_OK;
}

static bool rsa_good(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool good = EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX &&
                EVP_PKEY_get_bn_param(key, "e", &e) == 1 && BN_is_odd(e) && BN_num_bits(e) >= 17 &&
                BN_num_bits(e) <= 64;

    BN_free(e);
    return good;
}

static bool curve_good(const EVP_PKEY *key)
{
    char name[32];
    size_t size;

    return EVP_PKEY_get_group_name(key, name, sizeof(name), &size) == 1 &&
           (strcmp(name, "prime256v1") == 0 || strcmp(name, "P-256") == 0 ||
            strcmp(name, "secp384r1") == 0 || strcmp(name, "P-384") == 0);
}

vd_status vd_cert_key_check(const EVP_PKEY *key, struct vd_diag *diag)
{
    static const char *const whole[] = {"ED25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"};

    if (key != NULL) {
        for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
            if (EVP_PKEY_is_a(key, whole[i]))
                return VD_OK;
        if ((EVP_PKEY_is_a(key, "RSA") && rsa_good(key)) ||
            (EVP_PKEY_is_a(key, "EC") && curve_good(key)))
            return VD_OK;
    }
    ERR_clear_error();
    vd_diag_hint(diag, "RSA of 2048 to 8192 bits, P-256, P-384, Ed25519 and ML-DSA are accepted");
    return vd_diag_fail(diag, VD_E_KEY_TYPE, "the public key is of a kind that is not accepted");
}

/* Signatures over SHA-1 and MD5 prove nothing. */
static bool algorithm_good(int nid)
{
    static const int good[] = {NID_ecdsa_with_SHA256,
                               NID_ecdsa_with_SHA384,
                               NID_ecdsa_with_SHA512,
                               NID_sha256WithRSAEncryption,
                               NID_sha384WithRSAEncryption,
                               NID_sha512WithRSAEncryption,
                               NID_rsassaPss,
                               NID_ED25519,
                               NID_ML_DSA_44,
                               NID_ML_DSA_65,
                               NID_ML_DSA_87};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (good[i] == nid)
            return true;
    return false;
}

static vd_status check_request(X509_REQ *request, struct vd_diag *diag)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);

    if (X509_REQ_get_version(request) != X509_REQ_VERSION_1)
        return bad(diag, "the request's version is not known");
    if (X509_REQ_get_attr_count(request) > ATTRIBUTES_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a request has more than %d attributes", ATTRIBUTES_MAX);
    VD_TRY(check_name(X509_REQ_get_subject_name(request), diag));
    VD_TRY(vd_cert_key_check(key, diag));
    if (!algorithm_good(X509_REQ_get_signature_nid(request)) ||
        X509_REQ_verify(request, key) != 1) {
        ERR_clear_error();
        return vd_diag_fail(diag, VD_E_SIGNATURE,
                            "the request is not signed by the key that it names");
    }
    return VD_OK;
}

vd_status vd_cert_csr_read(const void *der, size_t size, X509_REQ **ret, struct vd_diag *diag)
{
    const unsigned char *at = der;
    unsigned char *again = NULL;
    X509_REQ *request;
    vd_status status;
    int again_size;

    if (size > VD_CERT_CSR_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a request has more than %u bytes", VD_CERT_CSR_MAX);
    request = d2i_X509_REQ(NULL, &at, (long)size);
    if (request == NULL)
        return bad(diag, "this is no certification request");
    again_size = i2d_X509_REQ(request, &again);
    if (!same_again(der, size, again, again_size))
        status = bad(diag, "the request is not in DER's one form, or data come behind it");
    else
        status = check_request(request, diag);
    if (status != VD_OK) {
        X509_REQ_free(request);
        return status;
    }
    *ret = request;
    return VD_OK;
}

vd_status vd_cert_read(const void *der, size_t size, X509 **ret, struct vd_diag *diag)
{
    const unsigned char *at = der;
    unsigned char *again = NULL;
    vd_status status = VD_OK;
    X509 *cert;
    int again_size;

    if (size > VD_CERT_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a certificate has more than %u bytes", VD_CERT_MAX);
    cert = d2i_X509(NULL, &at, (long)size);
    if (cert == NULL)
        return bad(diag, "this is no certificate");
    again_size = i2d_X509(cert, &again);
    if (!same_again(der, size, again, again_size))
        status = bad(diag, "the certificate is not in DER's one form, or data come behind it");
    else if (X509_get_ext_count(cert) > (int)VD_CERT_EXTENSIONS_MAX)
        status = vd_diagf(diag, VD_E_LIMIT, "a certificate has more than %u extensions",
                          VD_CERT_EXTENSIONS_MAX);
    if (status == VD_OK)
        status = check_name(X509_get_subject_name(cert), diag);
    if (status == VD_OK)
        status = check_name(X509_get_issuer_name(cert), diag);
    if (status != VD_OK) {
        X509_free(cert);
        return status;
    }
    *ret = cert;
    return VD_OK;
}

vd_status vd_cert_csr_names(X509_REQ *request, STACK_OF(GENERAL_NAME) * *ret, struct vd_diag *diag)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    STACK_OF(GENERAL_NAME) *names = NULL;
    int count = sk_X509_EXTENSION_num(extensions), critical = -1;
    vd_status status = VD_OK;

    if (count > (int)VD_CERT_EXTENSIONS_MAX)
        status = vd_diagf(diag, VD_E_LIMIT, "a request asks for more than %u extensions",
                          VD_CERT_EXTENSIONS_MAX);
    else if (count > 0) {
        names = X509V3_get_d2i(extensions, NID_subject_alt_name, &critical, NULL);
        if (names == NULL && critical != -1)
            status = bad(diag, "the request's subjectAltName cannot be read, or is there twice");
        if (sk_GENERAL_NAME_num(names) > (int)VD_CERT_ALT_NAMES_MAX)
            status = vd_diagf(diag, VD_E_LIMIT, "a request has more than %u names",
                              VD_CERT_ALT_NAMES_MAX);
    }
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    ERR_clear_error();
    if (status != VD_OK) {
        GENERAL_NAMES_free(names);
        return status;
    }
    *ret = names;
    return VD_OK;
}
