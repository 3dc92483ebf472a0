/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of mechanisms. */
#ifndef VD_LIB_PKCS11_MECHANISM_H
#define VD_LIB_PKCS11_MECHANISM_H

#include "lib/pkcs11/internal.h"

/* A mechanism with one type of key. */
struct vd_p11_mechanism_row {
    CK_MECHANISM_TYPE type;
    uint16_t key;           /* enum vd_alg_type; 0: none */
    uint16_t alg;           /* enum vd_alg_mechanism */
    CK_MECHANISM_TYPE hash; /* made in this process */
    CK_ULONG min, max;
    CK_FLAGS flags;
};

/* The row for that type of key (0: the first one of the mechanism); NULL: there is none. */
const struct vd_p11_mechanism_row *vd_p11_mechanism_find(CK_MECHANISM_TYPE type, uint16_t alg_type);

/* A parameter that is a struct of that size; applications need not align it. */
CK_RV vd_p11_parameter(const CK_MECHANISM *from, void *ret, size_t size);

/*
 * Reads what an application passed, for the use `use` (CKF_…) with the object's key (NULL: none).
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_KEY_TYPE_INCONSISTENT.
 */
CK_RV vd_p11_mechanism_read(const CK_MECHANISM *from, CK_FLAGS use,
                            const struct vd_p11_object *object, struct vd_p11_mechanism *ret);

/* How an operation with a key begins (begin.c). */
struct vd_p11_beginning {
    enum vd_p11_kind kind;
    CK_FLAGS flag;         /* what the mechanism must do */
    uint32_t usage;        /* what the key must be for */
    CK_OBJECT_CLASS class; /* which half of a pair; a secret key does too */
};
CK_RV vd_p11_begin(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                   const struct vd_p11_beginning *b);

/* Enters the session of an operation that has begun; ends with vd_p11_leave or _stop. */
CK_RV vd_p11_continue(CK_SESSION_HANDLE session, enum vd_p11_kind kind, struct vd_p11_session **ret,
                      struct vd_p11_operation **ret_op);

/* Ends the operation and leaves the session. */
CK_RV vd_p11_stop(struct vd_p11_session *session, enum vd_p11_kind kind, CK_RV rv);

#endif
