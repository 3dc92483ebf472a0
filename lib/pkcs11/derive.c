/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deriving, encapsulating and decapsulating: secrets that become objects of the session. */
#include <stdlib.h>

#include "core/base/mem.h"
#include "lib/pkcs11/create.h"
#include "lib/pkcs11/functions.h"
#include "lib/pkcs11/mechanism.h"

#define POINT_MAX 67u /* a P-256 point inside an OCTET STRING */

/* The secret becomes a generic secret of the session; `secret` is wiped. */
static CK_RV keep(struct vd_p11_buffer *secret, const struct vd_p11_template *t,
                  const struct vd_p11_session *s, CK_OBJECT_HANDLE *ret)
{
    struct vd_p11_object *o = NULL;
    CK_ULONG class, size = secret->size, type;
    CK_BBOOL token, sensitive, extractable;
    CK_RV rv = vd_p11_template_ulong(t, CKA_CLASS, CKO_SECRET_KEY, &class);

    if (rv == CKR_OK)
        rv = vd_p11_template_ulong(t, CKA_KEY_TYPE, CKK_GENERIC_SECRET, &type);
    if (rv == CKR_OK)
        rv = vd_p11_template_ulong(t, CKA_VALUE_LEN, size, &size);
    if (rv == CKR_OK)
        rv = vd_p11_template_bool(t, CKA_TOKEN, CK_FALSE, &token);
    if (rv == CKR_OK)
        rv = vd_p11_template_bool(t, CKA_SENSITIVE, CK_FALSE, &sensitive);
    if (rv == CKR_OK)
        rv = vd_p11_template_bool(t, CKA_EXTRACTABLE, CK_TRUE, &extractable);
    if (rv == CKR_OK && (class != CKO_SECRET_KEY || token))
        rv = CKR_TEMPLATE_INCONSISTENT;
    if (rv == CKR_OK && (size == 0 || size > secret->size))
        rv = CKR_KEY_SIZE_RANGE;
    if (rv == CKR_OK && (o = vd_p11_object_new(CKO_SECRET_KEY)) == NULL)
        rv = CKR_HOST_MEMORY;
    if (rv == CKR_OK && (o->value = malloc(size)) == NULL) {
        vd_p11_object_put(o);
        rv = CKR_HOST_MEMORY;
    }
    if (rv == CKR_OK) {
        vd_copy(o->value, secret->bytes, size);
        o->value_size = size;
        o->key_type = type;
        o->sensitive = sensitive;
        o->extractable = extractable;
        rv = vd_p11_make_session_object(o, t, s, ret);
    }
    vd_p11_buffer_done(secret);
    return rv;
}

/* The key of an operation without state: its class, its mechanism and its usage fit. */
static CK_RV check_key(CK_OBJECT_HANDLE handle, const CK_MECHANISM *mechanism,
                       const struct vd_p11_beginning *b, struct vd_p11_object **ret)
{
    const struct vd_p11_mechanism_row *row;
    struct vd_p11_object *o;
    CK_RV rv = vd_p11_object_get(handle, &o);

    if (rv != CKR_OK)
        return CKR_KEY_HANDLE_INVALID;
    row = vd_p11_mechanism_find(mechanism->mechanism, 0);
    if (row == NULL || (row->flags & b->flag) == 0)
        rv = CKR_MECHANISM_INVALID;
    else if (o->key == NULL || o->class == CKO_CERTIFICATE)
        rv = CKR_KEY_FUNCTION_NOT_PERMITTED;
    else if (vd_p11_mechanism_find(mechanism->mechanism, o->key->type) == NULL ||
             (o->class != b->class && o->class != CKO_SECRET_KEY))
        rv = CKR_KEY_TYPE_INCONSISTENT;
    else if ((o->key->usages & b->usage) != b->usage)
        rv = CKR_KEY_FUNCTION_NOT_PERMITTED;
    else if (!vd_p11_key_allows(o->key, mechanism->mechanism))
        rv = CKR_MECHANISM_INVALID;
    if (rv != CKR_OK)
        vd_p11_object_put(o);
    else
        *ret = o;
    return rv;
}

/* ECDH without a key derivation function: the application puts the secret through one. */
static CK_RV read_ecdh(const CK_MECHANISM *m, uint16_t type, struct vd_key_op *ret)
{
    CK_ECDH1_DERIVE_PARAMS p;
    size_t point = type == VD_ALG_X25519 ? 32 : 65;

    if (vd_p11_parameter(m, &p, sizeof(p)) != CKR_OK || p.kdf != CKD_NULL ||
        p.ulSharedDataLen != 0 || p.pPublicData == NULL || p.ulPublicDataLen > POINT_MAX)
        return CKR_MECHANISM_PARAM_INVALID;
    *ret = (struct vd_key_op){.mechanism = VD_ALG_ECDH,
                              .form = VD_ALG_FORM_RAW_PUBLIC,
                              .text = {.data = p.pPublicData, .size = p.ulPublicDataLen}};
    /* Both forms are in use: the point alone, and inside an OCTET STRING. */
    if (p.ulPublicDataLen == point + 2 && p.pPublicData[0] == 0x04 && p.pPublicData[1] == point)
        ret->text = (struct vd_key_part){.data = p.pPublicData + 2, .size = point};
    return CKR_OK;
}

static CK_RV read_hkdf(const CK_MECHANISM *m, const struct vd_p11_template *t,
                       struct vd_key_op *ret)
{
    struct vd_ck_hkdf p;
    CK_ULONG size;
    CK_RV rv = vd_p11_template_ulong(t, CKA_VALUE_LEN, 32, &size);

    if (rv != CKR_OK)
        return rv;
    if (vd_p11_parameter(m, &p, sizeof(p)) != CKR_OK || !p.extract || !p.expand ||
        p.hash != CKM_SHA256 ||
        (p.salt_type != VD_CKF_HKDF_SALT_NULL && p.salt_type != VD_CKF_HKDF_SALT_DATA) ||
        (p.salt == NULL && p.salt_len != 0) || (p.info == NULL && p.info_len != 0) ||
        p.salt_len > VD_P11_VALUE_MAX || p.info_len > VD_P11_VALUE_MAX)
        return CKR_MECHANISM_PARAM_INVALID;
    if (size == 0 || size > 255ul * 32)
        return CKR_KEY_SIZE_RANGE;
    *ret = (struct vd_key_op){.mechanism = VD_ALG_HKDF,
                              .length = (uint32_t)size,
                              .extra = {.data = p.info, .size = p.info_len}};
    if (p.salt_type == VD_CKF_HKDF_SALT_DATA)
        ret->aux = (struct vd_key_part){.data = p.salt, .size = p.salt_len};
    return CKR_OK;
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                  CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    static const struct vd_p11_beginning b = {0, CKF_DERIVE, VD_ALG_DERIVE, CKO_PRIVATE_KEY};
    const struct vd_p11_template t = {template, count};
    struct vd_p11_buffer secret = {};
    struct vd_p11_session *s;
    struct vd_p11_object *o;
    struct vd_key_op op;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = mechanism != NULL && ret != NULL ? vd_p11_template_check(&t) : CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK)
        rv = check_key(key, mechanism, &b, &o);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv == CKR_KEY_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv);
    rv = mechanism->mechanism == CKM_ECDH1_DERIVE ? read_ecdh(mechanism, o->key->type, &op)
                                                  : read_hkdf(mechanism, &t, &op);
    if (rv == CKR_OK)
        rv = vd_p11_rv(vd_p11_service_op(o->key, VD_KEY_DERIVE, &op, &secret, NULL));
    vd_p11_object_put(o);
    if (rv == CKR_OK)
        rv = keep(&secret, &t, s, ret);
    vd_p11_buffer_done(&secret);
    return vd_p11_leave(s, rv);
}

CK_RV C_EncapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                       CK_ATTRIBUTE *template, CK_ULONG count, CK_BYTE *out, CK_ULONG *out_len,
                       CK_OBJECT_HANDLE *ret)
{
    static const struct vd_p11_beginning b = {0, VD_CKF_ENCAPSULATE, VD_ALG_ENCAPSULATE,
                                              CKO_PUBLIC_KEY};
    const size_t size = 1088; /* ML-KEM-768 */
    const struct vd_key_op op = {.mechanism = VD_ALG_KEM};
    const struct vd_p11_template t = {template, count};
    struct vd_p11_buffer secret = {}, text = {};
    struct vd_p11_session *s;
    struct vd_p11_object *o;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = mechanism != NULL && out_len != NULL ? vd_p11_template_check(&t) : CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK)
        rv = check_key(key, mechanism, &b, &o);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    if (out == NULL || *out_len < size) {
        vd_p11_object_put(o);
        *out_len = size;
        return vd_p11_leave(s, out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL);
    }
    rv = ret != NULL ? vd_p11_rv(vd_p11_service_op(o->key, VD_KEY_ENCAPSULATE, &op, &text, &secret))
                     : CKR_ARGUMENTS_BAD;
    vd_p11_object_put(o);
    if (rv == CKR_OK && text.size != size)
        rv = CKR_DEVICE_ERROR;
    if (rv == CKR_OK)
        rv = keep(&secret, &t, s, ret);
    if (rv == CKR_OK) {
        vd_copy(out, text.bytes, size);
        *out_len = size;
    }
    vd_p11_buffer_done(&secret);
    vd_p11_buffer_done(&text);
    return vd_p11_leave(s, rv);
}

CK_RV C_DecapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                       CK_ATTRIBUTE *template, CK_ULONG count, CK_BYTE *text, CK_ULONG text_len,
                       CK_OBJECT_HANDLE *ret)
{
    static const struct vd_p11_beginning b = {0, VD_CKF_DECAPSULATE, VD_ALG_DECAPSULATE,
                                              CKO_PRIVATE_KEY};
    const struct vd_key_op op = {.mechanism = VD_ALG_KEM, .text = {.data = text, .size = text_len}};
    const struct vd_p11_template t = {template, count};
    struct vd_p11_buffer secret = {};
    struct vd_p11_session *s;
    struct vd_p11_object *o;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    rv = mechanism != NULL && ret != NULL && text != NULL ? vd_p11_template_check(&t)
                                                          : CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK)
        rv = check_key(key, mechanism, &b, &o);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    rv = vd_p11_rv(vd_p11_service_op(o->key, VD_KEY_DECAPSULATE, &op, &secret, NULL));
    vd_p11_object_put(o);
    if (rv == CKR_OK)
        rv = keep(&secret, &t, s, ret);
    else if (rv == CKR_DATA_LEN_RANGE || rv == CKR_DATA_INVALID)
        rv = CKR_ENCRYPTED_DATA_LEN_RANGE;
    vd_p11_buffer_done(&secret);
    return vd_p11_leave(s, rv);
}
