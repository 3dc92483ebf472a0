/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Digests. */
#include "lib/pkcs11/mechanism.h"

#include "core/base/mem.h"

#define HASH_MAX 64u

CK_RV C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_enter(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (mechanism == NULL) {
        vd_p11_op_end(s, VD_P11_DIGEST);
        return vd_p11_leave(s, CKR_OK);
    }
    rv = vd_p11_op_new(s, VD_P11_DIGEST, &op);
    if (rv != CKR_OK)
        return vd_p11_leave(s, rv);
    rv = vd_p11_mechanism_read(mechanism, CKF_DIGEST, NULL, &op->mechanism);
    if (rv == CKR_OK)
        rv = vd_p11_hash_start(op->mechanism.hash, &op->hash);
    return rv == CKR_OK ? vd_p11_leave(s, rv) : vd_p11_stop(s, VD_P11_DIGEST, rv);
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, VD_P11_DIGEST, &s, &op);

    if (rv != CKR_OK)
        return rv;
    if (part == NULL && part_len != 0)
        return vd_p11_stop(s, VD_P11_DIGEST, CKR_ARGUMENTS_BAD);
    op->updated = true;
    rv = vd_p11_hash_update(op->hash, part, part_len);
    return rv == CKR_OK ? vd_p11_leave(s, rv) : vd_p11_stop(s, VD_P11_DIGEST, rv);
}

static CK_RV finish(struct vd_p11_session *s, struct vd_p11_operation *op, CK_BYTE *out,
                    CK_ULONG *out_len)
{
    uint8_t digest[HASH_MAX];
    size_t size = vd_p11_hash_size(op->mechanism.hash);
    CK_RV rv = vd_p11_hash_end(op->hash, digest, &size);

    if (rv == CKR_OK) {
        vd_copy(out, digest, size);
        *out_len = size;
    }
    return vd_p11_stop(s, VD_P11_DIGEST, rv);
}

/* True if the call only asks for the size, or has too little room; then `*rv` is the answer. */
static bool too_small(const struct vd_p11_operation *op, const CK_BYTE *out, CK_ULONG *out_len,
                      CK_RV *rv)
{
    size_t size = vd_p11_hash_size(op->mechanism.hash);

    if (out != NULL && *out_len >= size)
        return false;
    *rv = out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL;
    *out_len = size;
    return true;
}

CK_RV C_Digest(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *out,
               CK_ULONG *out_len)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, VD_P11_DIGEST, &s, &op);

    if (rv != CKR_OK)
        return rv;
    if (out_len == NULL || (data == NULL && data_len != 0))
        return vd_p11_stop(s, VD_P11_DIGEST, CKR_ARGUMENTS_BAD);
    if (op->updated)
        return vd_p11_stop(s, VD_P11_DIGEST, CKR_OPERATION_ACTIVE);
    if (too_small(op, out, out_len, &rv))
        return vd_p11_leave(s, rv);
    rv = vd_p11_hash_update(op->hash, data, data_len);
    return rv == CKR_OK ? finish(s, op, out, out_len) : vd_p11_stop(s, VD_P11_DIGEST, rv);
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, VD_P11_DIGEST, &s, &op);

    if (rv != CKR_OK)
        return rv;
    if (out_len == NULL)
        return vd_p11_stop(s, VD_P11_DIGEST, CKR_ARGUMENTS_BAD);
    if (too_small(op, out, out_len, &rv))
        return vd_p11_leave(s, rv);
    return finish(s, op, out, out_len);
}
