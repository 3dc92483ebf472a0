/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * JSON and base64 as clients of the web interface send them: bounded before anything is
 * allocated, and refused with the place. Any thread.
 */
#ifndef VD_SERVICES_CRYPTO_REST_VALUE_H
#define VD_SERVICES_CRYPTO_REST_VALUE_H

#include "core/base/diag.h"

#include <jansson.h>

#define VD_REST_BODY_MAX   (8u << 20) /* bytes of a request's body */
#define VD_REST_DEPTH_MAX  8u         /* arrays and objects within each other */
#define VD_REST_VALUES_MAX 16384u /* commas and colons of a body: bounds what jansson allocates */

/* Reads an object. VD_E_LIMIT, VD_E_SYNTAX with line and column. The caller's: json_decref. */
vd_status vd_rest_json_read(const char *text, size_t size, json_t **ret, struct vd_diag *diag);

/* Bytes of `size` bytes in base64, NUL included. */
#define VD_REST_BASE64_SIZE(size) (((size) + 2) / 3 * 4 + 1)

enum vd_rest_base64 {
    VD_REST_BASE64,     /* RFC 4648, padded */
    VD_REST_BASE64_URL, /* without padding, as in JSON web signatures */
};

/* Writes it with NUL; `ret` has VD_REST_BASE64_SIZE(size) bytes. */
void vd_rest_base64_encode(enum vd_rest_base64 kind, const void *data, size_t size, char *ret);

/*
 * Reads it; `ret` has room for 3/4 of `size`, and may be the text itself. VD_E_ENCODING with the
 * offset: no such letter, wrong padding, bits that say nothing.
 */
struct vd_rest_text {
    enum vd_rest_base64 kind;
    const char *text;
    size_t size;
};
vd_status vd_rest_base64_decode(const struct vd_rest_text *from, uint8_t *ret, size_t *ret_size,
                                struct vd_diag *diag);

#endif
