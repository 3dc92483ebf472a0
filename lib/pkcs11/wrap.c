/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Wrapping keys under keys: one mechanism, whose blob carries the key's attributes. */
#include "core/base/mem.h"
#include "lib/pkcs11/create.h"
#include "lib/pkcs11/functions.h"
#include "lib/pkcs11/mechanism.h"

static CK_RV check_with(const CK_MECHANISM *mechanism, CK_FLAGS flag, const struct vd_p11_object *o,
                        struct vd_p11_mechanism *ret)
{
    uint32_t usage = flag == CKF_WRAP ? VD_ALG_WRAP : VD_ALG_UNWRAP;
    CK_RV rv;

    if (o->key == NULL || o->class != CKO_SECRET_KEY)
        return flag == CKF_WRAP ? CKR_WRAPPING_KEY_TYPE_INCONSISTENT
                                : CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
    rv = vd_p11_mechanism_read(mechanism, flag, o, ret);
    if (rv != CKR_OK)
        return rv;
    return (o->key->usages & usage) != 0 ? CKR_OK : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

CK_RV C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
                CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_len)
{
    struct vd_p11_object *w = NULL, *k = NULL;
    struct vd_p11_buffer blob = {};
    struct vd_p11_mechanism m;
    struct vd_p11_session *s;
    bool active;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL || out_len == NULL)
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    if (vd_p11_object_get(with, &w) != CKR_OK)
        rv = CKR_WRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && vd_p11_object_get(key, &k) != CKR_OK)
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        rv = check_with(mechanism, CKF_WRAP, w, &m);
    if (rv == CKR_OK &&
        (k->key == NULL || k->class == CKO_PUBLIC_KEY || k->class == CKO_CERTIFICATE))
        rv = CKR_KEY_NOT_WRAPPABLE;
    if (rv == CKR_OK && !k->extractable)
        rv = CKR_KEY_UNEXTRACTABLE;
    if (rv == CKR_OK)
        rv = vd_p11_rv(vd_p11_service_wrap(w->key, k->key, m.aux, m.aux_size, &blob));
    if (rv == CKR_OK)
        rv = vd_p11_give(&blob, out, out_len, &active);
    vd_p11_buffer_done(&blob);
    vd_p11_object_put(w);
    vd_p11_object_put(k);
    return vd_p11_leave(s, rv);
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
                  CK_BYTE *wrapped, CK_ULONG wrapped_len, CK_ATTRIBUTE *template, CK_ULONG count,
                  CK_OBJECT_HANDLE *ret)
{
    const struct vd_p11_template t = {template, count};
    struct vd_p11_new_key new = {.material = wrapped, .size = wrapped_len};
    struct vd_p11_object *w = NULL;
    struct vd_p11_mechanism m;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = mechanism != NULL && wrapped != NULL && ret != NULL ? vd_p11_template_check(&t)
                                                             : CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK)
        rv = vd_p11_check_token(&t, s);
    if (rv == CKR_OK && vd_p11_object_get(with, &w) != CKR_OK)
        rv = CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        rv = check_with(mechanism, CKF_UNWRAP, w, &m);
    /* Type, usages and flags are the blob's own: a template cannot widen them. */
    if (rv == CKR_OK)
        rv = vd_p11_read_attributes(&t, NULL, w->key->type, &new.attributes);
    if (rv == CKR_OK) {
        new.attributes.type = 0;
        new.attributes.usages = 0;
        new.with = w->key;
        new.aad = m.aux;
        new.aad_size = m.aux_size;
        rv = vd_p11_make_key(&new, &t, ret, NULL);
    }
    if (rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_DATA_INVALID)
        rv = CKR_WRAPPED_KEY_INVALID;
    vd_p11_object_put(w);
    return vd_p11_leave(s, rv);
}

/* The additional data come as an argument instead of the mechanism's parameter. */
static CK_RV with_aad(const CK_MECHANISM *mechanism, CK_BYTE *aad, CK_ULONG aad_len,
                      CK_MECHANISM *ret)
{
    if (mechanism == NULL)
        return CKR_ARGUMENTS_BAD;
    if (mechanism->mechanism != VD_CKM_WRAP)
        return CKR_MECHANISM_INVALID;
    *ret = (CK_MECHANISM){mechanism->mechanism, aad, aad_len};
    return mechanism->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

CK_RV C_WrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key, CK_BYTE *aad,
                             CK_ULONG aad_len, CK_BYTE *out, CK_ULONG *out_len)
{
    CK_MECHANISM m;
    CK_RV rv = with_aad(mechanism, aad, aad_len, &m);

    return rv == CKR_OK ? C_WrapKey(session, &m, with, key, out, out_len) : rv;
}

CK_RV C_UnwrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                               CK_OBJECT_HANDLE with, CK_BYTE *wrapped, CK_ULONG wrapped_len,
                               CK_ATTRIBUTE *template, CK_ULONG count, CK_BYTE *aad,
                               CK_ULONG aad_len, CK_OBJECT_HANDLE *ret)
{
    CK_MECHANISM m;
    CK_RV rv = with_aad(mechanism, aad, aad_len, &m);

    return rv == CKR_OK ? C_UnwrapKey(session, &m, with, wrapped, wrapped_len, template, count, ret)
                        : rv;
}
