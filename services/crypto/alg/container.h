/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys in DER: PrivateKeyInfo (RFC 5958) without attributes, and SubjectPublicKeyInfo (RFC 5280).
 * Algorithm identifiers: RFC 3279, 5480, 8410, 9935 (ML-KEM), 9881 (ML-DSA) and
 * draft-connolly-cfrg-xwing-kem.
 */
#ifndef VD_SERVICES_CRYPTO_ALG_CONTAINER_H
#define VD_SERVICES_CRYPTO_ALG_CONTAINER_H

#include "services/crypto/alg/alg.h"
#include "services/crypto/alg/der.h"

struct vd_alg_private {
    struct vd_reader key;    /* content of privateKey */
    struct vd_reader public; /* content of publicKey, nothing left where there is none */
};

/* VD_E_ENCODING; VD_E_KEY_TYPE for another algorithm or curve; VD_E_LIMIT. */
vd_status vd_alg_pkcs8_read(enum vd_alg_type type, const struct vd_alg_bytes *from,
                            struct vd_alg_private *ret, struct vd_diag *diag);
vd_status vd_alg_spki_read(enum vd_alg_type type, const struct vd_alg_bytes *from,
                           struct vd_reader *ret, struct vd_diag *diag);

/* PrivateKeyInfo around `key` into a new secret. */
vd_status vd_alg_pkcs8_write(enum vd_alg_type type, const struct vd_secret *key,
                             struct vd_secret *ret, struct vd_diag *diag);

/* SubjectPublicKeyInfo around `key`. */
vd_status vd_alg_spki_write(enum vd_alg_type type, const struct vd_alg_bytes *key,
                            struct vd_alg_buffer *out, struct vd_diag *diag);

/* An element `tag` with these bytes, in a new secret. */
vd_status vd_alg_element(uint8_t tag, const struct vd_secret *content, struct vd_secret *ret,
                         struct vd_diag *diag);

/* The seed, the expanded key or both, as ML-KEM and ML-DSA keys have it (RFC 9935, RFC 9881). */
struct vd_alg_lattice {
    const uint8_t *seed;     /* NULL: none */
    const uint8_t *expanded; /* NULL: none */
};
vd_status vd_alg_lattice_read(struct vd_reader *from, size_t seed_size, size_t expanded_size,
                              struct vd_alg_lattice *ret, struct vd_diag *diag);

/* VD_E_ENCODING. */
vd_status vd_alg_bad_der(const char *what, struct vd_diag *diag);

#endif
