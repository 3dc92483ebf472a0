/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From templates to keys and objects. */
#ifndef VD_LIB_PKCS11_CREATE_H
#define VD_LIB_PKCS11_CREATE_H

#include "lib/pkcs11/service.h"

/*
 * A new key's attributes from its template and, of a pair, the public half's (`other`, may be
 * NULL). CKR_TEMPLATE_INCONSISTENT: a key for wrapping and for anything else, or for nothing.
 */
CK_RV vd_p11_read_attributes(const struct vd_p11_template *t, const struct vd_p11_template *other,
                             uint16_t type, struct vd_key_attributes *ret);

/* Session keys would live in the service without an owner: keys are the token's. */
CK_RV vd_p11_check_token(const struct vd_p11_template *t, const struct vd_p11_session *s);

/* Makes the key, gives it label and id of the template, and says its objects (either may be NULL). */
CK_RV vd_p11_make_key(const struct vd_p11_new_key *from, const struct vd_p11_template *t,
                      CK_OBJECT_HANDLE *ret_secret, CK_OBJECT_HANDLE *ret_public);

/* Makes `o` (which becomes the table's, or is let go) an object of the session. */
CK_RV vd_p11_make_session_object(struct vd_p11_object *o, const struct vd_p11_template *t,
                                 const struct vd_p11_session *s, CK_OBJECT_HANDLE *ret);

#endif
