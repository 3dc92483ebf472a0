/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/pki.h"

#include "lib/diagf.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIAL_SIZE   16
#define CERT_FILE_MAX (64u << 10)
#define NEVER_EXPIRES "99991231235959Z" /* RFC 5280, 4.1.2.5 */
#define SCALAR_SIZE   48                /* of P-384, in bytes */

vd_status vd_pki_fail(struct vd_diag *diag, vd_status status, const char *text)
{
    unsigned long error = ERR_get_error();
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

    ERR_clear_error();
    if (reason == NULL)
        return vd_diag_fail(diag, status, text);
    return vd_diagf(diag, status, "%s: %s", text, reason);
}

void vd_pki_pair_free(struct vd_pki_pair *pair)
{
    EVP_PKEY_free(pair->key);
    X509_free(pair->cert);
    *pair = (struct vd_pki_pair){};
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    bool good;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL_SIZE];
    BIGNUM *number = NULL;
    bool good;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always of the same length */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return good;
}

static bool set_names(X509 *cert, const char *common_name, const X509 *issuer)
{
    X509_NAME *name = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, issuer == NULL ? name : X509_get_subject_name(issuer)) == 1;
}

static bool fill_cert(X509 *cert, EVP_PKEY *key, const struct vd_pki_request *request)
{
    X509 *issuer = request->issuer != NULL ? request->issuer->cert : cert;
    EVP_PKEY *signer = request->issuer != NULL ? request->issuer->key : key;
    const EVP_MD *md = EVP_PKEY_get_bits(signer) == 384 ? EVP_sha384() : EVP_sha256();

    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           set_names(cert, request->common_name,
                     request->issuer != NULL ? request->issuer->cert : NULL) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL &&
           ASN1_TIME_set_string(X509_getm_notAfter(cert), NEVER_EXPIRES) == 1 &&
           X509_set_pubkey(cert, key) == 1 &&
           add_extension(cert, issuer, NID_basic_constraints,
                         request->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_extension(cert, issuer, NID_key_usage,
                         request->ca ? "critical,keyCertSign,digitalSignature"
                                     : "critical,digitalSignature") &&
           add_extension(cert, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
           X509_sign(cert, signer, md) > 0;
}

vd_status vd_pki_make(const struct vd_pki_request *request, struct vd_pki_pair *ret,
                      struct vd_diag *diag)
{
    VD_AUTO(vd_pki_pair_free) struct vd_pki_pair pair = {};

    pair.key = request->kind == VD_PKI_P384 ? EVP_EC_gen("P-384") : EVP_RSA_gen(2048);
    pair.cert = X509_new();
    if (pair.key == NULL || pair.cert == NULL)
        return vd_pki_fail(diag, VD_E_SYSTEM, "cannot make a key");
    if (!fill_cert(pair.cert, pair.key, request))
        return vd_pki_fail(diag, VD_E_SYSTEM, "cannot make a certificate");
    *ret = pair;
    pair = (struct vd_pki_pair){};
    return VD_OK;
}

/* Stores what a memory BIO holds as DIR/FILE; only a private key is for its owner alone. */
static vd_status store_bio(BIO *bio, const char *dir, const char *file, bool private,
                           struct vd_diag *diag)
{
    char path[PATH_MAX];
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);

    VD_TRY(vd_boot_path(path, dir, file, diag));
    return vd_boot_file_store_new(path, private ? 0600 : 0644, data, (size_t)size, diag);
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

/* Private keys pass through OpenSSL's secure heap or are wiped when the BIO is freed. */
static vd_status store_key(const char *dir, const char *name, EVP_PKEY *key, struct vd_diag *diag)
{
    VD_AUTO(free_bio) BIO *bio = BIO_new(BIO_s_secmem());
    char file[64];

    if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return vd_pki_fail(diag, VD_E_SYSTEM, "cannot encode a private key");
    snprintf(file, sizeof(file), "%s.key", name);
    return store_bio(bio, dir, file, true, diag);
}

vd_status vd_pki_store(const char *dir, const char *name, const struct vd_pki_pair *pair,
                       struct vd_diag *diag)
{
    VD_AUTO(free_bio) BIO *pem = BIO_new(BIO_s_mem());
    VD_AUTO(free_bio) BIO *der = BIO_new(BIO_s_mem());
    char file[64];

    if (pem == NULL || der == NULL || PEM_write_bio_X509(pem, pair->cert) != 1 ||
        i2d_X509_bio(der, pair->cert) != 1)
        return vd_pki_fail(diag, VD_E_SYSTEM, "cannot encode a certificate");
    VD_TRY(store_key(dir, name, pair->key, diag));
    snprintf(file, sizeof(file), "%s.crt", name);
    VD_TRY(store_bio(pem, dir, file, false, diag));
    snprintf(file, sizeof(file), "%s.der", name);
    return store_bio(der, dir, file, false, diag);
}

/* The one certificate of a PEM file. Of two, the second would be dropped unnoticed. */
static X509 *parse_pem_cert(const struct vd_bytes *file)
{
    VD_AUTO(free_bio) BIO *bio = BIO_new_mem_buf(file->data, (int)file->size);
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    X509 *next;

    if (cert == NULL)
        return NULL;
    ERR_set_mark();
    next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    ERR_pop_to_mark();
    if (next == NULL)
        return cert;
    X509_free(next);
    X509_free(cert);
    return NULL;
}

/* Parses one certificate, PEM if it looks so, else DER; nothing may follow the DER. */
static X509 *parse_cert(const struct vd_bytes *file)
{
    const unsigned char *p = file->data;
    X509 *cert;

    if (strstr((const char *)file->data, "-----BEGIN") != NULL)
        return parse_pem_cert(file);
    cert = d2i_X509(NULL, &p, (long)file->size);
    if (cert != NULL && p != file->data + file->size) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static vd_status load_x509(const char *path, X509 **ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes file = {};

    VD_TRY(vd_file_load(path, CERT_FILE_MAX, &file, diag));
    *ret = parse_cert(&file);
    if (*ret == NULL) {
        vd_diag_file(diag, path);
        return vd_pki_fail(diag, VD_E_SYNTAX, "this is not one certificate in PEM or DER");
    }
    return VD_OK;
}

vd_status vd_pki_load(const char *dir, const char *name, struct vd_pki_pair *ret,
                      struct vd_diag *diag)
{
    VD_AUTO(vd_pki_pair_free) struct vd_pki_pair pair = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes pem = {};
    VD_AUTO(free_bio) BIO *bio = NULL;
    char file[64];
    char path[PATH_MAX];

    snprintf(file, sizeof(file), "%s.crt", name);
    VD_TRY(vd_boot_path(path, dir, file, diag));
    VD_TRY(load_x509(path, &pair.cert, diag));
    snprintf(file, sizeof(file), "%s.key", name);
    VD_TRY(vd_boot_path(path, dir, file, diag));
    VD_TRY(vd_file_load(path, CERT_FILE_MAX, &pem, diag));
    bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    pair.key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
    OPENSSL_cleanse(pem.data, pem.size);
    vd_diag_file(diag, path);
    if (pair.key == NULL)
        return vd_pki_fail(diag, VD_E_SYNTAX, "this is not a private key in PEM");
    if (X509_check_private_key(pair.cert, pair.key) != 1)
        return vd_pki_fail(diag, VD_E_INVALID, "the key does not belong to its certificate");
    if (diag != NULL)
        diag->file[0] = '\0';
    *ret = pair;
    pair = (struct vd_pki_pair){};
    return VD_OK;
}

vd_status vd_pki_cert_der(const X509 *cert, struct vd_bytes *ret, struct vd_diag *diag)
{
    unsigned char *der = NULL;
    int size = i2d_X509(cert, &der);

    if (size <= 0)
        return vd_pki_fail(diag, VD_E_SYSTEM, "cannot encode a certificate");
    /* into memory of this program's own kind: OPENSSL_free need not be free */
    ret->data = malloc((size_t)size);
    if (ret->data != NULL)
        memcpy(ret->data, der, (size_t)size);
    OPENSSL_free(der);
    if (ret->data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    ret->size = (size_t)size;
    return VD_OK;
}

vd_status vd_pki_load_cert(const char *path, struct vd_bytes *ret_der, struct vd_diag *diag)
{
    X509 *cert = NULL;
    vd_status status;

    VD_TRY(load_x509(path, &cert, diag));
    status = vd_pki_cert_der(cert, ret_der, diag);
    X509_free(cert);
    return status;
}

/* DER ECDSA-Sig-Value to r || s of fixed size. */
static bool split_signature(const uint8_t *der, size_t size, uint8_t ret[VD_IMAGE_SIGNATURE_SIZE])
{
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)size);
    bool good = sig != NULL &&
                BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, SCALAR_SIZE) == SCALAR_SIZE &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + SCALAR_SIZE, SCALAR_SIZE) == SCALAR_SIZE;

    ECDSA_SIG_free(sig);
    return good;
}

vd_status vd_pki_sign_header(EVP_PKEY *key, const uint8_t header[VD_IMAGE_HEADER_SIZE],
                             uint8_t ret[VD_IMAGE_SIGNATURE_SIZE], struct vd_diag *diag)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    uint8_t der[160];
    size_t size = sizeof(der);
    bool good;

    good = ctx != NULL && EVP_DigestSignInit(ctx, &pkey, EVP_sha384(), NULL, key) == 1;
#ifdef OSSL_SIGNATURE_PARAM_NONCE_TYPE
    if (good) {
        unsigned int deterministic = 1;
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_uint(OSSL_SIGNATURE_PARAM_NONCE_TYPE, &deterministic),
            OSSL_PARAM_construct_end()};
        good = EVP_PKEY_CTX_set_params(pkey, params) == 1;
    }
#endif
    good = good && EVP_DigestSign(ctx, der, &size, header, VD_IMAGE_HEADER_SIZE) == 1 &&
           split_signature(der, size, ret);
    EVP_MD_CTX_free(ctx);
    if (!good)
        return vd_pki_fail(diag, VD_E_INVALID, "cannot sign the header with this key");
    return VD_OK;
}
