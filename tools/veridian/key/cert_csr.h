/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading what others hand in: certification requests (PKCS #10, RFC 2986) and certificates.
 * Hostile input: bounded, in DER's one form, self signature verified.
 */
#ifndef VD_TOOLS_VERIDIAN_KEY_CERT_CSR_H
#define VD_TOOLS_VERIDIAN_KEY_CERT_CSR_H

#include "core/base/diag.h"

#include <openssl/x509v3.h>

#define VD_CERT_CSR_MAX        32768u /* bytes of DER */
#define VD_CERT_MAX            60000u /* of a certificate */
#define VD_CERT_NAME_PARTS_MAX 16u
#define VD_CERT_NAME_TEXT_MAX  256u /* bytes of a part */
#define VD_CERT_EXTENSIONS_MAX 32u
#define VD_CERT_ALT_NAMES_MAX  128u

/*
 * Reads a request of DER. VD_E_LIMIT, VD_E_ENCODING (no DER, trailing data, not the canonical
 * form), VD_E_KEY_TYPE (a key that is not accepted: RSA of 2048 to 8192 bits with a usual
 * exponent, P-256, P-384, Ed25519, ML-DSA-44, -65, -87 are), VD_E_SIGNATURE. The caller frees.
 */
vd_status vd_cert_csr_read(const void *der, size_t size, X509_REQ **ret, struct vd_diag *diag);

/* Reads a certificate of DER, with the same limits; its signature is another question. */
vd_status vd_cert_read(const void *der, size_t size, X509 **ret, struct vd_diag *diag);

/* A key that is good enough; VD_E_KEY_TYPE. */
vd_status vd_cert_key_check(const EVP_PKEY *key, struct vd_diag *diag);

/*
 * The names that a request asks for in a subjectAltName; NULL in `ret`: none. Others of its
 * extensions are not looked at. VD_E_LIMIT, VD_E_ENCODING. The caller frees (GENERAL_NAMES_free).
 */
vd_status vd_cert_csr_names(X509_REQ *request, STACK_OF(GENERAL_NAME) * *ret, struct vd_diag *diag);

#endif
