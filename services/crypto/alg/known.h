/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls whose randomness or interface the caller chooses: for published known answers alone, never
 * for requests. They run the code that serves keys.
 */
#ifndef VD_SERVICES_CRYPTO_ALG_KNOWN_H
#define VD_SERVICES_CRYPTO_ALG_KNOWN_H

#include "services/crypto/alg/alg.h"

/* ML-KEM's m (32 bytes), X-Wing's eseed (64). */
vd_status vd_alg_known_encapsulate(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                                   struct vd_alg_buffer *out, struct vd_secret *ret,
                                   struct vd_diag *diag);

struct vd_alg_known_signing {
    struct vd_alg_signing signing;
    bool internal; /* FIPS 204's ML-DSA.Sign_internal: the message as it is, no context */
    struct vd_alg_bytes random; /* rnd (32 bytes); none: zeros, the deterministic variant */
};

/* ML-DSA with everything given. */
vd_status vd_alg_known_sign(struct vd_alg_key *key, const struct vd_alg_known_signing *what,
                            struct vd_alg_buffer *out, struct vd_diag *diag);
vd_status vd_alg_known_verify(struct vd_alg_key *key, const struct vd_alg_known_signing *what,
                              const struct vd_alg_bytes *signature, struct vd_diag *diag);

#endif
