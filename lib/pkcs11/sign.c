/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signing and verifying, in one part or in many. Hashing is done here, the rest by the service. */
#include "core/base/mem.h"
#include "lib/pkcs11/functions.h"
#include "lib/pkcs11/mechanism.h"
#include "lib/pkcs11/service.h"

#define HASH_MAX 64u

static size_t signature_size(const struct vd_p11_operation *op)
{
    switch (op->object->key->type) {
    case VD_ALG_RSA_4096:
        return 512;
    case VD_ALG_ML_DSA_65:
        return 3309;
    case VD_ALG_HMAC_SHA256:
        return 32;
    default:
        return 64;
    }
}

/* What the service signs: the message, or its digest. */
static CK_RV message_of(struct vd_p11_operation *op, const struct vd_key_part *text,
                        uint8_t scratch[VD_P11_DIGEST_INFO], struct vd_key_part *ret)
{
    const struct vd_p11_mechanism *m = &op->mechanism;
    uint8_t digest[HASH_MAX];
    size_t size;
    CK_RV rv;

    *ret = *text;
    if (m->hash != NULL) {
        rv = text->size != 0 ? vd_p11_hash_update(op->hash, text->data, text->size) : CKR_OK;
        if (rv == CKR_OK)
            rv = vd_p11_hash_end(op->hash, digest, &size);
        if (rv != CKR_OK)
            return rv;
        if (m->digest_info) {
            *ret = (struct vd_key_part){.data = scratch,
                                        .size = vd_p11_digest_info(m->hash, digest, scratch)};
            return CKR_OK;
        }
        vd_copy(scratch, digest, size);
        *ret = (struct vd_key_part){.data = scratch, .size = size};
    }
    if (op->object->key->type == VD_ALG_ECDSA_P256) {
        /*
         * ECDSA takes a digest's first 32 bytes (FIPS 186-5, 6.4.1); a shorter one is a number
         * too, which zeros in front do not change.
         */
        size_t used = ret->size < 32 ? ret->size : 32;
        if (ret->size < 20 || ret->size > HASH_MAX)
            return CKR_DATA_LEN_RANGE;
        vd_copy(digest, ret->data, used);
        vd_wipe(scratch, 32);
        vd_copy(scratch + 32 - used, digest, used);
        *ret = (struct vd_key_part){.data = scratch, .size = 32};
        return CKR_OK;
    }
    return m->digest_size == 0 || ret->size == m->digest_size ? CKR_OK : CKR_DATA_LEN_RANGE;
}

static CK_RV run(struct vd_p11_operation *op, enum vd_key_verb verb, const struct vd_key_part *text,
                 const struct vd_key_part *signature)
{
    const struct vd_p11_mechanism *m = &op->mechanism;
    struct vd_key_op ask = {.mechanism = m->alg, .aux = {.data = m->aux, .size = m->aux_size}};
    uint8_t scratch[VD_P11_DIGEST_INFO];
    CK_RV rv = message_of(op, text, scratch, &ask.text);

    if (rv != CKR_OK)
        return rv;
    if (signature != NULL)
        ask.extra = *signature;
    rv = vd_p11_rv(vd_p11_service_op(op->object->key, verb, &ask,
                                     verb == VD_KEY_SIGN ? &op->result : NULL, NULL));
    op->done = rv == CKR_OK;
    return rv;
}

static CK_RV update(CK_SESSION_HANDLE session, enum vd_p11_kind kind, const CK_BYTE *part,
                    CK_ULONG size)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, kind, &s, &op);

    if (rv != CKR_OK)
        return rv;
    if (part == NULL && size != 0)
        return vd_p11_stop(s, kind, CKR_ARGUMENTS_BAD);
    op->updated = true;
    rv = op->hash != NULL ? vd_p11_hash_update(op->hash, part, size)
                          : vd_p11_buffer_add(&op->data, part, size);
    return rv == CKR_OK ? vd_p11_leave(s, rv) : vd_p11_stop(s, kind, rv);
}

/* `text` NULL: what came in parts. */
static CK_RV sign(CK_SESSION_HANDLE session, const struct vd_key_part *text, CK_BYTE *out,
                  CK_ULONG *out_len)
{
    const enum vd_p11_kind kind = VD_P11_SIGN;
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    struct vd_key_part parts;
    bool active = false;
    CK_RV rv = vd_p11_continue(session, kind, &s, &op);

    if (rv != CKR_OK)
        return rv;
    if (out_len == NULL || (text != NULL && text->data == NULL && text->size != 0))
        return vd_p11_stop(s, kind, CKR_ARGUMENTS_BAD);
    if (text != NULL && op->updated)
        return vd_p11_stop(s, kind, CKR_OPERATION_ACTIVE);
    parts = (struct vd_key_part){.data = op->data.bytes, .size = op->data.size};
    if (out == NULL || *out_len < signature_size(op)) {
        *out_len = signature_size(op);
        return vd_p11_leave(s, out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL);
    }
    rv = run(op, VD_KEY_SIGN, text != NULL ? text : &parts, NULL);
    if (rv == CKR_OK)
        rv = vd_p11_give(&op->result, out, out_len, &active);
    return vd_p11_stop(s, kind, rv);
}

static CK_RV verify(CK_SESSION_HANDLE session, const struct vd_key_part *text,
                    const struct vd_key_part *signature)
{
    const enum vd_p11_kind kind = VD_P11_VERIFY;
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    struct vd_key_part parts, kept;
    CK_RV rv = vd_p11_continue(session, kind, &s, &op);

    if (rv != CKR_OK)
        return rv;
    parts = (struct vd_key_part){.data = op->data.bytes, .size = op->data.size};
    kept = (struct vd_key_part){.data = op->signature.bytes, .size = op->signature.size};
    if ((signature == NULL) != (op->signature.size != 0))
        return vd_p11_stop(s, kind, CKR_OPERATION_NOT_INITIALIZED);
    if (signature == NULL)
        signature = &kept;
    if ((signature->data == NULL && signature->size != 0) ||
        (text != NULL && text->data == NULL && text->size != 0))
        return vd_p11_stop(s, kind, CKR_ARGUMENTS_BAD);
    if (text != NULL && op->updated)
        return vd_p11_stop(s, kind, CKR_OPERATION_ACTIVE);
    if (signature->size != signature_size(op))
        return vd_p11_stop(s, kind, CKR_SIGNATURE_LEN_RANGE);
    return vd_p11_stop(s, kind, run(op, VD_KEY_VERIFY, text != NULL ? text : &parts, signature));
}

static const struct vd_p11_beginning signing = {VD_P11_SIGN, CKF_SIGN, VD_ALG_SIGN,
                                                CKO_PRIVATE_KEY};
static const struct vd_p11_beginning verifying = {VD_P11_VERIFY, CKF_VERIFY, VD_ALG_VERIFY,
                                                  CKO_PUBLIC_KEY};

CK_RV C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return vd_p11_begin(session, mechanism, key, &signing);
}

CK_RV C_Sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
             CK_ULONG *signature_len)
{
    const struct vd_key_part text = {.data = data, .size = data_len};

    return sign(session, &text, signature, signature_len);
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len)
{
    return update(session, VD_P11_SIGN, part, part_len);
}

CK_RV C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG *signature_len)
{
    return sign(session, NULL, signature, signature_len);
}

CK_RV C_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return vd_p11_begin(session, mechanism, key, &verifying);
}

CK_RV C_Verify(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
               CK_ULONG signature_len)
{
    const struct vd_key_part text = {.data = data, .size = data_len};
    const struct vd_key_part given = {.data = signature, .size = signature_len};

    return verify(session, &text, &given);
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len)
{
    return update(session, VD_P11_VERIFY, part, part_len);
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG signature_len)
{
    const struct vd_key_part given = {.data = signature, .size = signature_len};

    return verify(session, NULL, &given);
}

CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                            CK_OBJECT_HANDLE key, CK_BYTE *signature, CK_ULONG signature_len)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv;

    if (mechanism != NULL && (signature == NULL || signature_len == 0))
        return CKR_ARGUMENTS_BAD;
    rv = vd_p11_begin(session, mechanism, key, &verifying);
    if (rv != CKR_OK || mechanism == NULL)
        return rv;
    rv = vd_p11_continue(session, VD_P11_VERIFY, &s, &op);
    if (rv != CKR_OK)
        return rv;
    rv = signature_len == signature_size(op)
             ? vd_p11_buffer_add(&op->signature, signature, signature_len)
             : CKR_SIGNATURE_LEN_RANGE;
    return rv == CKR_OK ? vd_p11_leave(s, rv) : vd_p11_stop(s, VD_P11_VERIFY, rv);
}

CK_RV C_VerifySignature(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len)
{
    const struct vd_key_part text = {.data = data, .size = data_len};

    return verify(session, &text, NULL);
}

CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len)
{
    return update(session, VD_P11_VERIFY, part, part_len);
}

CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE session)
{
    return verify(session, NULL, NULL);
}
