/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Encrypting and decrypting, in one part or in many. */
#include "lib/pkcs11/mechanism.h"
#include "lib/pkcs11/service.h"

#define RSA_SIZE      512u
#define TAG_SIZE      16u
#define AEAD_OVERHEAD 56u /* docs/formats/ciphertext.md: header and tag */

/* Bytes that come out: of encrypting exactly, of decrypting at most. */
static size_t bound(const struct vd_p11_operation *op, bool encrypt, size_t size)
{
    if (!encrypt)
        return size;
    switch (op->mechanism.alg) {
    case VD_ALG_RSA_OAEP_SHA256:
        return RSA_SIZE;
    case VD_ALG_AEAD:
        return size + AEAD_OVERHEAD;
    default:
        return size + TAG_SIZE;
    }
}

static CK_RV run(struct vd_p11_operation *op, bool encrypt, const struct vd_key_part *text,
                 struct vd_p11_out *out)
{
    const struct vd_p11_mechanism *m = &op->mechanism;
    const struct vd_key_op ask = {.mechanism = m->alg,
                                  .text = *text,
                                  .aux = {.data = m->aux, .size = m->aux_size},
                                  .extra = {.data = m->nonce, .size = m->nonce_size}};
    const enum vd_key_verb verb = encrypt ? VD_KEY_ENCRYPT : VD_KEY_DECRYPT;
    struct vd_p11_key *key = op->object->key;
    CK_RV rv;

    /* Straight to the caller, where whatever comes has room there. */
    if (out->room >= bound(op, encrypt, text->size)) {
        rv = vd_p11_rv(vd_p11_service_op_to(key, verb, &ask, out));
    } else {
        rv = vd_p11_rv(vd_p11_service_op(key, verb, &ask, &op->result, NULL));
        op->done = rv == CKR_OK;
    }
    if (rv == CKR_DATA_INVALID && !encrypt)
        return CKR_ENCRYPTED_DATA_INVALID;
    return rv == CKR_DATA_LEN_RANGE && !encrypt ? CKR_ENCRYPTED_DATA_LEN_RANGE : rv;
}

/* One part, or what the parts before came to. */
static CK_RV whole(CK_SESSION_HANDLE session, enum vd_p11_kind kind, const struct vd_key_part *text,
                   CK_BYTE *out, CK_ULONG *out_len)
{
    bool encrypt = kind == VD_P11_ENCRYPT, active = false;
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, kind, &s, &op);
    struct vd_key_part data;
    struct vd_p11_out to;

    if (rv != CKR_OK)
        return rv;
    if (out_len == NULL)
        return vd_p11_stop(s, kind, CKR_ARGUMENTS_BAD);
    if (text != NULL && (op->updated || (text->data == NULL && text->size != 0)))
        return vd_p11_stop(s, kind, op->updated ? CKR_OPERATION_ACTIVE : CKR_ARGUMENTS_BAD);
    data =
        text != NULL ? *text : (struct vd_key_part){.data = op->data.bytes, .size = op->data.size};
    if (data.size > VD_P11_DATA_MAX)
        return vd_p11_stop(s, kind, encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE);
    if (!op->done && (out == NULL || (encrypt && *out_len < bound(op, encrypt, data.size)))) {
        *out_len = bound(op, encrypt, data.size);
        return vd_p11_leave(s, out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL);
    }
    to = (struct vd_p11_out){.data = out, .room = *out_len};
    if (!op->done)
        rv = run(op, encrypt, &data, &to);
    if (rv == CKR_OK && op->done)
        rv = vd_p11_give(&op->result, out, out_len, &active);
    else if (rv == CKR_OK)
        *out_len = to.size;
    return active ? vd_p11_leave(s, rv) : vd_p11_stop(s, kind, rv);
}

/* A part: kept until the last one has come, since nothing may leave before its tag is checked. */
static CK_RV update(CK_SESSION_HANDLE session, enum vd_p11_kind kind,
                    const struct vd_key_part *part, CK_ULONG *out_len)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, kind, &s, &op);

    if (rv != CKR_OK)
        return rv;
    if (out_len == NULL || (part->data == NULL && part->size != 0))
        return vd_p11_stop(s, kind, CKR_ARGUMENTS_BAD);
    if (op->done)
        return vd_p11_stop(s, kind, CKR_OPERATION_ACTIVE);
    *out_len = 0;
    op->updated = true;
    rv = vd_p11_buffer_add(&op->data, part->data, part->size);
    return rv == CKR_OK ? vd_p11_leave(s, rv) : vd_p11_stop(s, kind, rv);
}

CK_RV C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    static const struct vd_p11_beginning b = {VD_P11_ENCRYPT, CKF_ENCRYPT, VD_ALG_ENCRYPT,
                                              CKO_PUBLIC_KEY};

    return vd_p11_begin(session, mechanism, key, &b);
}

CK_RV C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE *text, CK_ULONG text_len, CK_BYTE *out,
                CK_ULONG *out_len)
{
    const struct vd_key_part part = {.data = text, .size = text_len};

    return whole(session, VD_P11_ENCRYPT, &part, out, out_len);
}

CK_RV C_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *text, CK_ULONG text_len, CK_BYTE *out,
                      CK_ULONG *out_len)
{
    const struct vd_key_part part = {.data = text, .size = text_len};

    (void)out;
    return update(session, VD_P11_ENCRYPT, &part, out_len);
}

CK_RV C_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len)
{
    return whole(session, VD_P11_ENCRYPT, NULL, out, out_len);
}

CK_RV C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    static const struct vd_p11_beginning b = {VD_P11_DECRYPT, CKF_DECRYPT, VD_ALG_DECRYPT,
                                              CKO_PRIVATE_KEY};

    return vd_p11_begin(session, mechanism, key, &b);
}

CK_RV C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE *text, CK_ULONG text_len, CK_BYTE *out,
                CK_ULONG *out_len)
{
    const struct vd_key_part part = {.data = text, .size = text_len};

    return whole(session, VD_P11_DECRYPT, &part, out, out_len);
}

CK_RV C_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *text, CK_ULONG text_len, CK_BYTE *out,
                      CK_ULONG *out_len)
{
    const struct vd_key_part part = {.data = text, .size = text_len};

    (void)out;
    return update(session, VD_P11_DECRYPT, &part, out_len);
}

CK_RV C_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len)
{
    return whole(session, VD_P11_DECRYPT, NULL, out, out_len);
}
