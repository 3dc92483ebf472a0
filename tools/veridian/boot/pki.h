/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys, certificates and signatures of the boot chain, made with OpenSSL.
 *
 * Two hierarchies: the firmware's (PK, KEK, db: RSA-2048, what every UEFI
 * firmware takes) and the image's (P-384: root and signer). Verification is
 * not here: that is bootloader/crypto_mbedtls, the same as in the bootloader.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_PKI_H
#define VD_TOOLS_VERIDIAN_BOOT_PKI_H

#include "tools/veridian/boot/files.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

struct vd_pki_pair {
    EVP_PKEY *key;
    X509 *cert;
};

enum vd_pki_kind {
    VD_PKI_RSA_2048,
    VD_PKI_P384,
};

struct vd_pki_request {
    const char *common_name;
    enum vd_pki_kind kind;
    bool ca;                          /* may sign certificates; else it signs images */
    const struct vd_pki_pair *issuer; /* NULL: self-signed */
};

/* Frees both; for VD_AUTO. */
void vd_pki_pair_free(struct vd_pki_pair *pair);

/* Makes a new key and its certificate (valid from now, without a date of expiry). */
vd_status vd_pki_make(const struct vd_pki_request *request, struct vd_pki_pair *ret,
                      struct vd_diag *diag);

/* Stores NAME.key (PEM, 0600), NAME.crt (PEM) and NAME.der in `dir`, all new. */
vd_status vd_pki_store(const char *dir, const char *name, const struct vd_pki_pair *pair,
                       struct vd_diag *diag);

/* Loads NAME.key and NAME.crt and sees that they belong together. */
vd_status vd_pki_load(const char *dir, const char *name, struct vd_pki_pair *ret,
                      struct vd_diag *diag);

/* Loads one certificate, PEM or DER, as DER. */
vd_status vd_pki_load_cert(const char *path, struct vd_bytes *ret_der, struct vd_diag *diag);

/* The certificate as DER. */
vd_status vd_pki_cert_der(const X509 *cert, struct vd_bytes *ret, struct vd_diag *diag);

/*
 * ECDSA P-384 with SHA-384 over the image header, as r || s. Deterministic
 * (RFC 6979) where OpenSSL can (3.2 or newer), so that a build repeats exactly.
 */
vd_status vd_pki_sign_header(EVP_PKEY *key, const uint8_t header[VD_IMAGE_HEADER_SIZE],
                             uint8_t ret[VD_IMAGE_SIGNATURE_SIZE], struct vd_diag *diag);

/* Notes a failure with OpenSSL's own reason. */
vd_status vd_pki_fail(struct vd_diag *diag, vd_status status, const char *text);

#endif
