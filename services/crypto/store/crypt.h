/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key hierarchy and what hangs on it (docs/formats/key-store.md):
 *
 *     root → domain → service → record key of one blob     HKDF-SHA256 (RFC 5869)
 *     root → header key of one header, set key, row key
 *
 * A blob and a header are AES-256-GCM under a key that encrypts once, made from a fresh salt; so
 * the nonce is zero. Row tags and entries of the set are HMAC-SHA256.
 *
 * Threads: every function may be called by any thread.
 */
#ifndef VD_SERVICES_CRYPTO_STORE_CRYPT_H
#define VD_SERVICES_CRYPTO_STORE_CRYPT_H

#include <pthread.h>

#include "services/crypto/store/record.h"

struct evp_mac_ctx_st;
struct evp_kdf_st;
struct evp_cipher_st;

struct vd_kcrypt {
    const struct vd_secret *root; /* borrowed */
    uint8_t store_id[VD_KSTORE_ID_SIZE];
    pthread_mutex_t lock; /* of both contexts */
    struct evp_mac_ctx_st *set;
    struct evp_mac_ctx_st *row;
    struct evp_kdf_st *hkdf;
    struct evp_cipher_st *gcm;
};

/* What a blob is bound to, and its place in the hierarchy. */
struct vd_kcrypt_place {
    const struct vd_krec *version; /* id, generation, version, sizes */
    const struct vd_kstore_attributes *attributes;
    const uint8_t *public_part;
};

/* `root` has VD_KSTORE_ROOT_SIZE bytes and outlives the result. */
vd_status vd_kcrypt_new(const struct vd_secret *root, const uint8_t store_id[VD_KSTORE_ID_SIZE],
                        struct vd_kcrypt **ret, struct vd_diag *diag);
void vd_kcrypt_free(struct vd_kcrypt *crypt);

/* Random bytes of the library's generator. */
vd_status vd_kcrypt_random(void *ret, size_t size, struct vd_diag *diag);

/* The tag that stands in the row: over place, head and body. */
vd_status vd_kcrypt_tag(struct vd_kcrypt *crypt, const struct vd_krec_row *row,
                        uint8_t ret[VD_KREC_MAC_SIZE], struct vd_diag *diag);

/* The row's entry in the set: over place, head and tag. */
vd_status vd_kcrypt_entry(struct vd_kcrypt *crypt, const struct vd_krec_row *row,
                          uint8_t ret[VD_KREC_MAC_SIZE], struct vd_diag *diag);

/* Writes salt, ciphertext and tag of `material` to `ret`: VD_KREC_WRAP_OVERHEAD bytes more. */
vd_status vd_kcrypt_wrap(struct vd_kcrypt *crypt, const struct vd_kcrypt_place *place,
                         const struct vd_secret *material, uint8_t *ret, struct vd_diag *diag);

/* The reverse; `ret` is empty before. VD_E_SIGNATURE if anything differs. */
vd_status vd_kcrypt_unwrap(struct vd_kcrypt *crypt, const struct vd_kcrypt_place *place,
                           const uint8_t *blob, struct vd_secret *ret, struct vd_diag *diag);

/* The header's row, under a fresh salt. */
vd_status vd_kcrypt_seal_header(struct vd_kcrypt *crypt, const struct vd_krec_header *header,
                                uint8_t ret[VD_KREC_HEADER_SIZE], struct vd_diag *diag);
vd_status vd_kcrypt_open_header(struct vd_kcrypt *crypt, const uint8_t bytes[VD_KREC_HEADER_SIZE],
                                struct vd_krec_header *ret, struct vd_diag *diag);

/* The store's id from a header's clear part. VD_E_MAGIC, VD_E_VERSION, VD_E_SIZE. */
vd_status vd_kcrypt_store_id(const void *bytes, size_t size, uint8_t ret[VD_KSTORE_ID_SIZE],
                             struct vd_diag *diag);

#endif
