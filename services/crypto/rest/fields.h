/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parameters of requests' bodies: which there are, and how they get into a request. */
#ifndef VD_SERVICES_CRYPTO_REST_FIELDS_H
#define VD_SERVICES_CRYPTO_REST_FIELDS_H

#include "services/crypto/rest/request.h"

enum vd_rest_field_kind {
    VD_REST_FIELD_BASE64,     /* → struct vd_rest_bytes */
    VD_REST_FIELD_CIPHERTEXT, /* "vault:vN:" and base64 → bytes and the item's version */
    VD_REST_FIELD_SIGNATURE,  /* the same, where a JSON web signature's base64url may stand */
    VD_REST_FIELD_NUMBER,     /* → uint32_t; a text of digits too, as Vault's command sends it */
    VD_REST_FIELD_BOOL,       /* → bool; "true" and "false" too */
    VD_REST_FIELD_TEXT,       /* → const char * */
    VD_REST_FIELD_CHOICE,     /* given to `set` */
    VD_REST_FIELD_NEVER,      /* must be empty, zero or false: `why` not */
};

struct vd_rest_field {
    const char *name; /* NULL: the table's end */
    enum vd_rest_field_kind kind;
    bool item; /* of an item, so that a batch has it in each; `offset` is in it then */
    size_t offset;
    uint32_t has; /* VD_REST_HAS_… to be set with it */
    bool (*set)(struct vd_rest_request *request, const char *text);
    const char *why; /* NEVER; CHOICE: what is expected */
};

/* The parameters of an action. */
const struct vd_rest_field *vd_rest_fields(enum vd_rest_action action);

/* Hash functions, as parameter or part of the path: SHA-256 alone. */
bool vd_rest_set_hash(struct vd_rest_request *request, const char *text);

/* Reads a number from text: 1 to 10 digits. */
bool vd_rest_number(const char *text, uint32_t *ret);

/* All parameters of the body; those that it has not stay as they are. */
vd_status vd_rest_fields_read(struct vd_rest_request *request, struct vd_diag *diag);

#endif
