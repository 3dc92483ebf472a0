/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From method, path and body to what is to be done: the requests of HashiCorp Vault's transit
 * engine (docs/rest.md), without HTTP and without the key service. Everything is checked here that
 * can be known without the key. Hostile input; any thread; allocates by memory.h and jansson.
 */
#ifndef VD_SERVICES_CRYPTO_REST_REQUEST_H
#define VD_SERVICES_CRYPTO_REST_REQUEST_H

#include "core/abi/crypto.h"
#include "services/crypto/rest/value.h"

#define VD_REST_PATH_MAX  1024u
#define VD_REST_ERROR_MAX 320u /* bytes of an item's error */
#define VD_REST_PREFIX    "/v1/"

enum vd_rest_action {
    VD_REST_NONE,
    VD_REST_HEALTH,
    VD_REST_KEYS, /* their names */
    VD_REST_CREATE,
    VD_REST_SHOW,
    VD_REST_DELETE,
    VD_REST_ROTATE,
    VD_REST_CONFIG,
    VD_REST_ENCRYPT,
    VD_REST_DECRYPT,
    VD_REST_REWRAP,
    VD_REST_SIGN,
    VD_REST_VERIFY,
    VD_REST_HMAC,
    VD_REST_RANDOM,
    VD_REST_DATAKEY,
    VD_REST_WRAP, /* byok-export */
    VD_REST_ACTION_COUNT,
};

/* What of a request was given: bits of a set. */
#define VD_REST_HAS_TEXT        (1u << 0)
#define VD_REST_HAS_SIGNATURE   (1u << 1)
#define VD_REST_HAS_HMAC        (1u << 2)
#define VD_REST_HAS_MIN_DECRYPT (1u << 3)
#define VD_REST_HAS_DELETION    (1u << 4)

struct vd_rest_bytes {
    const uint8_t *data;
    size_t size;
};

struct vd_rest_item {
    struct vd_rest_bytes text, aux, extra; /* as in struct vd_key_op */
    uint32_t version;                      /* of the ciphertext, signature or request; 0: none */
    uint32_t has;                          /* VD_REST_HAS_… */
    const char *reference;                 /* borrowed from the body; NULL: none */
    vd_status status;                      /* not VD_OK: refused with `error` */
    char error[VD_REST_ERROR_MAX];
};

struct vd_rest_request {
    enum vd_rest_action action;
    char name[VD_KEY_NAME_MAX + 1];  /* of the key */
    char other[VD_KEY_NAME_MAX + 1]; /* of the key that goes out */
    struct vd_rest_item *items;      /* owned; one unless it is a batch */
    uint32_t count;
    bool batch;
    uint32_t partial_code; /* HTTP status when some of a batch failed; 0: the usual */
    uint32_t has;          /* VD_REST_HAS_… */

    uint16_t type; /* enum vd_alg_type */
    bool exportable, deletion_allowed;
    uint32_t min_decrypt_version;
    bool prehashed, jws, pkcs1, keep_secret, hex; /* keep_secret: datakey/wrapped */
    uint32_t bytes;                               /* of random, or of a data key */

    json_t *body;     /* owned; NULL: none */
    json_t *ignored;  /* owned; names of parameters that mean nothing here; NULL: none */
    uint8_t *decoded; /* owned: what items borrow */
    size_t decoded_size, decoded_used;
};

struct vd_rest_input {
    const char *method;
    const char *path;       /* as in the request line: not decoded, without the query */
    const char *query_list; /* the query's parameter "list"; NULL: none */
    const char *body;
    size_t size; /* 0: no body */
};

/*
 * Reads a request; `ret` is to be let go in any case. VD_E_NOT_FOUND: there is no such path;
 * VD_E_UNSUPPORTED: not by that method; VD_E_DENIED: never done; else the body's or a field's
 * error with the place in the text.
 */
vd_status vd_rest_request_read(const struct vd_rest_input *input, struct vd_rest_request *ret,
                               struct vd_diag *diag);
void vd_rest_request_done(struct vd_rest_request *request);

/* Our type of key, and Vault's name of it; NULL: it has none. */
const char *vd_rest_type_name(uint16_t type);

#endif
