/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The judge's cryptography (core/boot/judge) made of mbedTLS 3.6: digests, the
 * certificate chain, the image's signature.
 *
 * Compiled into the EFI program and, as the library vdbootcrypto, for the host:
 * `veridian boot verify` and the bootloader answer alike. Only P-384 with
 * SHA-384 or SHA-512 is accepted anywhere in a chain (X.509: RFC 5280; ECDSA:
 * FIPS 186-5). Dates are not looked at: at boot no clock can be trusted.
 * Memory comes from vd_mbedtls_calloc and is given back before a call returns.
 * Any thread.
 */
#ifndef VD_BOOTLOADER_CRYPTO_MBEDTLS_H
#define VD_BOOTLOADER_CRYPTO_MBEDTLS_H

#include "core/boot/judge.h"

/* SHA-256 as struct vd_boot_ops wants it; `ctx` is not used. */
vd_status vd_crypto_sha256(void *ctx, const void *data, size_t size, uint8_t ret[32]);

/* The hashes by which a certificate may be forbidden. */
enum vd_crypto_hash {
    VD_CRYPTO_SHA256, /* 32 bytes */
    VD_CRYPTO_SHA384, /* 48 bytes */
    VD_CRYPTO_SHA512, /* 64 bytes */
};
#define VD_CRYPTO_HASH_MAX_BYTES 64u

/* The hash's size in bytes. */
size_t vd_crypto_hash_size(enum vd_crypto_hash hash);

/* Hashes `size` bytes; `ret` has room for vd_crypto_hash_size(hash). */
vd_status vd_crypto_hash(enum vd_crypto_hash hash, const void *data, size_t size, uint8_t *ret);

/* SHA-256 of `count` pieces one after another. */
vd_status vd_crypto_sha256_pieces(const struct vd_span *piece, size_t count, uint8_t ret[32]);

/*
 * Lends the part of a DER certificate that its issuer signed
 * (TBSCertificate). VD_E_INVALID for what is not one certificate.
 */
vd_status vd_crypto_certificate_tbs(const struct vd_span *certificate, struct vd_span *ret);

/*
 * Verifies chain and signature as struct vd_boot_ops demands; `ctx` is not
 * used. Cost: one P-384 verification for each certificate and one for the
 * header. VD_E_NO_MEMORY is a fault.
 */
vd_status vd_crypto_verify(void *ctx, const struct vd_boot_signed *what);

#endif
