/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How every operation with a key begins. */
#include "lib/pkcs11/mechanism.h"

static CK_RV start(struct vd_p11_session *s, const struct vd_p11_beginning *b,
                   const CK_MECHANISM *mechanism, struct vd_p11_object *o)
{
    struct vd_p11_operation *op;
    uint32_t usage = b->usage;
    CK_RV rv = vd_p11_op_new(s, b->kind, &op);

    if (rv != CKR_OK)
        return rv;
    rv = vd_p11_mechanism_read(mechanism, b->flag, o, &op->mechanism);
    if (rv == CKR_OK && o->class != b->class && o->class != CKO_SECRET_KEY)
        rv = CKR_KEY_TYPE_INCONSISTENT;
    /* The caller picks the nonce: only for keys made for that. */
    if (op->mechanism.alg == VD_ALG_AEAD_RAW && (usage & VD_ALG_ENCRYPT) != 0)
        usage |= VD_ALG_ENCRYPT_OWN_NONCE;
    if (rv == CKR_OK && (o->key->usages & usage) != usage)
        rv = CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (rv == CKR_OK && op->mechanism.hash != NULL)
        rv = vd_p11_hash_start(op->mechanism.hash, &op->hash);
    if (rv != CKR_OK) {
        vd_p11_op_end(s, b->kind);
        return rv;
    }
    op->object = o;
    return CKR_OK;
}

CK_RV vd_p11_begin(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                   const struct vd_p11_beginning *b)
{
    struct vd_p11_object *o;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL) { /* ends what is active (3.0, 5.8.2) */
        vd_p11_op_end(s, b->kind);
        return vd_p11_leave(s, CKR_OK);
    }
    if (s->op[b->kind] != NULL)
        return vd_p11_leave(s, CKR_OPERATION_ACTIVE);
    rv = vd_p11_object_get(key, &o);
    if (rv != CKR_OK)
        return vd_p11_leave(s, CKR_KEY_HANDLE_INVALID);
    rv = o->key != NULL && o->class != CKO_CERTIFICATE ? start(s, b, mechanism, o)
                                                       : CKR_KEY_HANDLE_INVALID;
    if (rv != CKR_OK)
        vd_p11_object_put(o);
    return vd_p11_leave(s, rv);
}

CK_RV vd_p11_continue(CK_SESSION_HANDLE session, enum vd_p11_kind kind, struct vd_p11_session **ret,
                      struct vd_p11_operation **ret_op)
{
    CK_RV rv = vd_p11_enter(session, ret);

    if (rv != CKR_OK)
        return rv;
    *ret_op = (*ret)->op[kind];
    return *ret_op != NULL ? CKR_OK : vd_p11_leave(*ret, CKR_OPERATION_NOT_INITIALIZED);
}

CK_RV vd_p11_stop(struct vd_p11_session *session, enum vd_p11_kind kind, CK_RV rv)
{
    vd_p11_op_end(session, kind);
    return vd_p11_leave(session, rv);
}
