/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The way to a token through any PKCS #11 module (hardware/hsm), as the root key of kind `hsm`
 * wants it.
 *
 *     struct vd_root_token token VD_AUTO(vd_root_token_done) = {};
 *     VD_TRY(vd_root_token_open(&where, &token, diag));
 *     struct vd_root_options o = {.kind = VD_ROOT_HSM, .path = path, .token = &token};
 *
 * What is kept in the root file is docs/formats/hsm-wrapped.md. The key that wraps is the one that
 * the URI names: an AES key, else an RSA pair; to unwrap, the one that the file names. It is
 * never made here: `veridian hsm create --kind aes-256`. Threads: one at a time.
 */
#ifndef VD_SERVICES_CRYPTO_ROOT_TOKEN_H
#define VD_SERVICES_CRYPTO_ROOT_TOKEN_H

#include "hardware/hsm/hsm.h"
#include "services/crypto/root/root.h"

/* Opens the token and logs in; `where` is not kept. As vd_hsm_open fails. */
vd_status vd_root_token_open(const struct vd_hsm_where *where, struct vd_root_token *ret,
                             struct vd_diag *diag);

/* Lets go of the token; an empty struct is fine. Serves VD_AUTO. */
void vd_root_token_done(struct vd_root_token *token);

#endif
