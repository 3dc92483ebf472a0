/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keys of ML-KEM-768 and ML-DSA-65, made, read and written: entries of struct vd_alg_family. */
#ifndef VD_SERVICES_CRYPTO_ALG_LATTICE_H
#define VD_SERVICES_CRYPTO_ALG_LATTICE_H

#include "services/crypto/alg/internal.h"

vd_status vd_alg_lattice_generate(struct vd_alg_key *key, struct vd_diag *diag);
vd_status vd_alg_lattice_load(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                              struct vd_diag *diag);
vd_status vd_alg_lattice_import(struct vd_alg_key *key, enum vd_alg_form form,
                                const struct vd_alg_bytes *from, struct vd_diag *diag);
vd_status vd_alg_lattice_export(const struct vd_alg_key *key, enum vd_alg_form form,
                                struct vd_secret *ret, struct vd_diag *diag);
vd_status vd_alg_lattice_public(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag);

#endif
