/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Signatures of certificates, requests and revocation lists, made by the key service: the key
 * never comes here. Algorithm identifiers: RFC 5758 (ECDSA), RFC 4055 (RSA), RFC 8410 (Ed25519),
 * RFC 9881 (ML-DSA). Alternative signatures: ITU-T X.509 (10/2019) 7.2.2 and 9.8.
 */
#ifndef VD_TOOLS_VERIDIAN_KEY_CERT_SIGN_H
#define VD_TOOLS_VERIDIAN_KEY_CERT_SIGN_H

#include "lib/keyclient/keyclient.h"

#include <openssl/x509.h>

/* A key of the service that signs. */
struct vd_cert_signer {
    struct vd_keyclient *client;
    struct vd_keyclient_key *key;
    uint16_t mechanism; /* RSA: _PSS_ or _PKCS1_; else what the type has */
};

/* VD_E_KEY_TYPE if keys of the type sign no certificates. `pkcs1`: for RSA, instead of PSS. */
vd_status vd_cert_signer_init(struct vd_cert_signer *signer, struct vd_keyclient *client,
                              struct vd_keyclient_key *key, bool pkcs1, struct vd_diag *diag);

/* The signer's public key; the caller frees (EVP_PKEY_free). */
vd_status vd_cert_signer_public(const struct vd_cert_signer *signer, EVP_PKEY **ret,
                                struct vd_diag *diag);

/* Sets the algorithm and the signature. */
vd_status vd_cert_sign(const struct vd_cert_signer *signer, X509 *cert, struct vd_diag *diag);
vd_status vd_cert_sign_request(const struct vd_cert_signer *signer, X509_REQ *request,
                               struct vd_diag *diag);

/* An empty list that names the signer's algorithm (the caller frees), and its signature. */
vd_status vd_cert_list_new(const struct vd_cert_signer *signer, X509_CRL **ret,
                           struct vd_diag *diag);
vd_status vd_cert_sign_list(const struct vd_cert_signer *signer, X509_CRL *list,
                            struct vd_diag *diag);

/*
 * Adds the alternative algorithm and signature; vd_cert_sign with the first signer comes after.
 */
vd_status vd_cert_sign_alternative(const struct vd_cert_signer *signer, X509 *cert,
                                   struct vd_diag *diag);

/* Adds the subject's alternative public key. */
vd_status vd_cert_add_alternative_key(X509 *cert, EVP_PKEY *key, struct vd_diag *diag);

/*
 * Verifies a certificate's alternative signature by the alternative key of its issuer's.
 * VD_E_NOT_FOUND: one of them has none; VD_E_SIGNATURE.
 */
vd_status vd_cert_verify_alternative(X509 *cert, X509 *issuer, struct vd_diag *diag);

/* OpenSSL's first error, as VD_E_SYSTEM. */
vd_status vd_cert_openssl(const char *what, struct vd_diag *diag);

#endif
