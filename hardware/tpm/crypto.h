/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The cryptography of TPM sessions, over OpenSSL: algorithms are looked up once,
 * since looking them up costs more than what a session computes with them.
 *
 * One thread at a time. Source: TCG TPM 2.0 Library 1.59, part 1, 11.4 and 21.
 */
#ifndef VD_HARDWARE_TPM_CRYPTO_H
#define VD_HARDWARE_TPM_CRYPTO_H

#include "core/base/diag.h"

#define VD_TPM_HASH_SIZE 32u /* SHA-256, the only hash of our sessions and objects */
#define VD_TPM_P256_SIZE 32u

struct vd_tpm_crypto; /* opaque */

/* A piece of what is hashed. */
struct vd_tpm_piece {
    const void *data;
    size_t size;
};

/* A point of P-256, big-endian. */
struct vd_tpm_point {
    uint8_t x[VD_TPM_P256_SIZE];
    uint8_t y[VD_TPM_P256_SIZE];
};

/* VD_E_NO_MEMORY, or VD_E_SYSTEM if OpenSSL lacks an algorithm. Ends with vd_tpm_crypto_free. */
vd_status vd_tpm_crypto_new(struct vd_tpm_crypto **ret, struct vd_diag *diag);

/* Frees; NULL is fine. */
void vd_tpm_crypto_free(struct vd_tpm_crypto *crypto);

/* SHA-256 of the pieces one after another. */
vd_status vd_tpm_hash(struct vd_tpm_crypto *crypto, const struct vd_tpm_piece *pieces, size_t count,
                      uint8_t ret[VD_TPM_HASH_SIZE]);

/* HMAC-SHA-256 of the pieces. */
vd_status vd_tpm_hmac(struct vd_tpm_crypto *crypto, const struct vd_tpm_piece *key,
                      const struct vd_tpm_piece *pieces, size_t count,
                      uint8_t ret[VD_TPM_HASH_SIZE]);

/* What KDFa derives from; the label's NUL is hashed too. */
struct vd_tpm_kdf {
    struct vd_tpm_piece key;
    const char *label;
    struct vd_tpm_piece u, v;
};

/* KDFa with SHA-256 and 256 bits. */
vd_status vd_tpm_kdfa(struct vd_tpm_crypto *crypto, const struct vd_tpm_kdf *from,
                      uint8_t ret[VD_TPM_HASH_SIZE]);

/* AES-128-CFB in place; `key_iv` is the key and the initial value, 16 bytes each. */
vd_status vd_tpm_cfb(struct vd_tpm_crypto *crypto, bool encrypt, const uint8_t key_iv[32],
                     uint8_t *data, size_t size);

/*
 * A salt that only the holder of a key learns: a fresh key pair, whose public point goes to the
 * TPM, and KDFe over the secret that the two keys share. In three steps, so that each can be done
 * while the TPM works: `_prepare` makes the pair (may be left out), `_begin` gives its point,
 * `_finish` the salt. VD_E_INVALID if `key` is no point of the curve.
 */
void vd_tpm_salt_prepare(struct vd_tpm_crypto *crypto);
vd_status vd_tpm_salt_begin(struct vd_tpm_crypto *crypto, struct vd_tpm_point *ret);
vd_status vd_tpm_salt_finish(struct vd_tpm_crypto *crypto, const struct vd_tpm_point *key,
                             uint8_t ret[VD_TPM_HASH_SIZE]);

/* Random bytes. */
vd_status vd_tpm_random(uint8_t *ret, size_t size);

#endif
