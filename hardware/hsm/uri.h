/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The names of tokens and objects: pkcs11: URIs (RFC 7512).
 *
 *     pkcs11:token=boot;object=release;type=private?module-path=/usr/lib/x.so&pin-source=/etc/pin
 *
 * An attribute that is not known is an error, as is pin-value: a PIN has no place in what is
 * typed, logged and stored. Threads: no shared state.
 */
#ifndef VD_HARDWARE_HSM_URI_H
#define VD_HARDWARE_HSM_URI_H

#include "core/base/diag.h"

#define VD_HSM_URI_MAX   4096u /* bytes of a URI */
#define VD_HSM_LABEL_MAX 128u  /* bytes of an object's label */
#define VD_HSM_ID_MAX    64u   /* bytes of CKA_ID */
#define VD_HSM_PATH_MAX  1024u
#define VD_HSM_ANY_SLOT  UINT64_MAX

/* What an object is (RFC 7512, `type`). */
enum vd_hsm_class {
    VD_HSM_ANY_CLASS,
    VD_HSM_PUBLIC,
    VD_HSM_PRIVATE,
    VD_HSM_SECRET_KEY,
    VD_HSM_CERTIFICATE,
    VD_HSM_DATA,
};

/* An empty text or an id of no bytes: not named, everything fits. */
struct vd_hsm_uri {
    char token[33]; /* sizes of CK_TOKEN_INFO, without its padding */
    char manufacturer[33];
    char model[17];
    char serial[17];
    uint64_t slot; /* VD_HSM_ANY_SLOT: not named */
    char object[VD_HSM_LABEL_MAX + 1];
    uint8_t id[VD_HSM_ID_MAX];
    size_t id_size;
    enum vd_hsm_class class;
    char module_path[VD_HSM_PATH_MAX];
    char pin_source[VD_HSM_PATH_MAX]; /* an absolute path, `file:` removed */
};

/*
 * Reads a URI. The diagnostic has the byte: VD_E_SYNTAX, VD_E_LIMIT, VD_E_INVALID (an attribute
 * twice, unknown, or with a value that cannot be), VD_E_UNSUPPORTED (pin-value and module-name,
 * a pin-source that is no file).
 */
vd_status vd_hsm_uri_parse(const char *text, struct vd_hsm_uri *ret, struct vd_diag *diag);

/* Writes it with a NUL; VD_E_NO_SPACE. What was written is read back as the same. */
vd_status vd_hsm_uri_write(const struct vd_hsm_uri *uri, char *buf, size_t size);

/* "public", "private", "secret-key", "cert", "data"; NULL for VD_HSM_ANY_CLASS. */
const char *vd_hsm_class_name(enum vd_hsm_class class);

#endif
