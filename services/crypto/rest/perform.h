/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Does what a request asks, by a client of the key service, and makes the answer. Any thread. */
#ifndef VD_SERVICES_CRYPTO_REST_PERFORM_H
#define VD_SERVICES_CRYPTO_REST_PERFORM_H

#include "lib/keyclient/keyclient.h"
#include "services/crypto/rest/request.h"

struct vd_rest_answer {
    uint32_t code;    /* HTTP's */
    json_t *data;     /* owned; NULL: none */
    json_t *warnings; /* owned; NULL: none */
    bool bare;        /* `data` is the whole answer, without Vault's envelope */
};

/* The HTTP status for a failure. */
uint32_t vd_rest_code(vd_status status);

/* On failure the answer stays empty and `diag` says why. */
vd_status vd_rest_perform(struct vd_keyclient *client, struct vd_rest_request *request,
                          struct vd_rest_answer *ret, struct vd_diag *diag);
void vd_rest_answer_done(struct vd_rest_answer *answer);

/* Operations on data (operate.c): encrypt, decrypt, rewrap, sign, verify, hmac. */
vd_status vd_rest_operate(struct vd_keyclient *client, struct vd_rest_request *request,
                          struct vd_rest_answer *ret, struct vd_diag *diag);

/* "vault:vN:" and base64, as a JSON text. */
json_t *vd_rest_versioned(uint32_t version, enum vd_rest_base64 kind, const void *data,
                          size_t size);
json_t *vd_rest_base64_text(enum vd_rest_base64 kind, const void *data, size_t size);

#endif
