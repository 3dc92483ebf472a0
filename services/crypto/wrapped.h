/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The outside of a wrapped key (docs/formats/wrapped-key.md): which key wrapped it, which key it
 * is, then the ciphertext. Reads and writes bytes, nothing else.
 */
#ifndef VD_SERVICES_CRYPTO_WRAPPED_H
#define VD_SERVICES_CRYPTO_WRAPPED_H

#include "services/crypto/alg/alg.h"

#define VD_KEYD_WRAPPED_MAGIC    "VDWK" /* 4 bytes, no NUL */
#define VD_KEYD_WRAPPED_VERSION  1u
#define VD_KEYD_WRAPPED_HEAD     44u /* magic, version, reserved, both ids, version of the key */
#define VD_KEYD_WRAPPED_TEXT_MAX 12288u
#define VD_KEYD_WRAPPED_MAX      (VD_KEYD_WRAPPED_HEAD + VD_KEYD_WRAPPED_TEXT_MAX + VD_ALG_OVERHEAD)
#define VD_KEYD_WRAPPED_USER_MAX 1024u /* bytes of the caller's additional data */
#define VD_KEYD_WRAPPED_AAD_MAX  (VD_KEYD_WRAPPED_HEAD + 4 + VD_KEYD_WRAPPED_USER_MAX)

struct vd_keyd_wrapped {
    uint8_t wrapper[VD_KEY_ID_SIZE];
    uint8_t key[VD_KEY_ID_SIZE];
    uint32_t version;         /* of the key that is wrapped */
    uint32_t by;              /* version of the key that wraps; from the ciphertext */
    struct vd_alg_bytes text; /* the ciphertext */
    struct vd_alg_bytes aad;  /* the caller's; not in the blob */
};

/*
 * Reads a blob: VD_E_TRUNCATED, VD_E_MAGIC, VD_E_VERSION, VD_E_RESERVED, VD_E_LIMIT, VD_E_RANGE,
 * and those of vd_alg_ciphertext_parse. `ret->aad` is empty.
 */
vd_status vd_keyd_wrapped_parse(const struct vd_alg_bytes *blob, struct vd_keyd_wrapped *ret,
                                struct vd_diag *diag);

void vd_keyd_wrapped_head(const struct vd_keyd_wrapped *head, uint8_t ret[VD_KEYD_WRAPPED_HEAD]);

/* What the ciphertext is bound to: the head and the caller's data; `ret` borrows `bytes`. */
vd_status vd_keyd_wrapped_aad(const struct vd_keyd_wrapped *head,
                              uint8_t bytes[VD_KEYD_WRAPPED_AAD_MAX], struct vd_alg_bytes *ret,
                              struct vd_diag *diag);

#endif
