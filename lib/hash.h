/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Hashes over OpenSSL (FIPS 180-4), and hexadecimal text.
 *
 * A hasher belongs to one thread. Failures are VD_E_SYSTEM: the library has the
 * algorithm or it is not the library the build asked for.
 */
#ifndef VD_LIB_HASH_H
#define VD_LIB_HASH_H

#include "core/base/diag.h"

#define VD_SHA256_SIZE   32u
#define VD_SHA384_SIZE   48u
#define VD_SHA512_SIZE   64u
#define VD_HASH_MAX_SIZE 64u

enum vd_hash_algorithm {
    VD_HASH_SHA256,
    VD_HASH_SHA384,
    VD_HASH_SHA512,
    VD_HASH_COUNT,
};

/* Bytes of a digest; 0 for a value outside the table. */
size_t vd_hash_size(enum vd_hash_algorithm algorithm);

/* "sha256", …; "?" for a value outside the table. */
const char *vd_hash_name(enum vd_hash_algorithm algorithm);

/* The digest of `size` bytes; `ret` has vd_hash_size bytes. */
vd_status vd_hash(enum vd_hash_algorithm algorithm, const void *data, size_t size, uint8_t *ret,
                  struct vd_diag *diag);

/* A digest made piece by piece. Zero-initialise; ends with vd_hasher_done. */
struct vd_hasher {
    void *ctx;
    enum vd_hash_algorithm algorithm;
};

/* Starts; a hasher that was started before starts afresh and keeps its memory. */
vd_status vd_hasher_init(struct vd_hasher *hasher, enum vd_hash_algorithm algorithm,
                         struct vd_diag *diag);

/* Adds `size` bytes. */
vd_status vd_hasher_update(struct vd_hasher *hasher, const void *data, size_t size,
                           struct vd_diag *diag);

/* The digest of everything added; only vd_hasher_init or _done may follow. */
vd_status vd_hasher_final(struct vd_hasher *hasher, uint8_t *ret, struct vd_diag *diag);

/* Frees; serves VD_AUTO. */
void vd_hasher_done(struct vd_hasher *hasher);

/* Writes 2 * size lower-case digits and a NUL to `ret`. */
void vd_hex_encode(const uint8_t *data, size_t size, char *ret);

/*
 * Reads exactly 2 * size digits of either case from the NUL-terminated `text`.
 * VD_E_INVALID at the byte that is no digit; VD_E_RANGE if the length differs.
 */
vd_status vd_hex_decode(const char *text, uint8_t *ret, size_t size, struct vd_diag *diag);

#endif
