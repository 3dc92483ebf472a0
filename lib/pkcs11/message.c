/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Messages of AES-GCM under one beginning (3.0): many, each with a nonce and a tag of its own. */
#include "core/base/mem.h"
#include "lib/pkcs11/functions.h"
#include "lib/pkcs11/mechanism.h"
#include "lib/pkcs11/service.h"

#define NONCE_SIZE 12u
#define TAG_SIZE   16u

static CK_RV check(const void *parameter, CK_ULONG size, struct vd_ck_gcm_message *p)
{
    if (parameter == NULL || size != sizeof(*p))
        return CKR_MECHANISM_PARAM_INVALID;
    vd_copy(p, parameter, sizeof(*p));
    if (p->iv == NULL || p->iv_len != NONCE_SIZE || p->tag == NULL || p->tag_bits != TAG_SIZE * 8 ||
        p->iv_fixed_bits > NONCE_SIZE * 8 || p->iv_fixed_bits % 8 != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    return CKR_OK;
}

/*
 * The nonce, where the token is to make it: all 96 bits random, so that 2^32 of them collide with
 * a probability of 2^-32. With bits that the caller fixed they would be too few.
 */
static CK_RV make_nonce(const struct vd_ck_gcm_message *p)
{
    if (p->iv_generator == VD_CKG_NO_GENERATE)
        return CKR_OK;
    if (p->iv_fixed_bits != 0 ||
        (p->iv_generator != VD_CKG_GENERATE && p->iv_generator != VD_CKG_GENERATE_RANDOM))
        return CKR_MECHANISM_PARAM_INVALID;
    return vd_p11_rv(vd_p11_service_random(p->iv, NONCE_SIZE));
}

struct message {
    const struct vd_ck_gcm_message *parameter;
    struct vd_key_part aad, text;
};

static CK_RV encrypt(struct vd_p11_operation *op, const struct message *m, CK_BYTE *out,
                     CK_ULONG *out_len)
{
    struct vd_key_op ask = {.mechanism = VD_ALG_AEAD_RAW, .text = m->text, .aux = m->aad};
    struct vd_p11_buffer result = {};
    CK_RV rv = make_nonce(m->parameter);

    ask.extra = (struct vd_key_part){.data = m->parameter->iv, .size = NONCE_SIZE};
    if (rv == CKR_OK)
        rv = vd_p11_rv(vd_p11_service_op(op->object->key, VD_KEY_ENCRYPT, &ask, &result, NULL));
    if (rv == CKR_OK && result.size != m->text.size + TAG_SIZE)
        rv = CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        if (m->text.size != 0)
            vd_copy(out, result.bytes, m->text.size);
        vd_copy(m->parameter->tag, result.bytes + m->text.size, TAG_SIZE);
        *out_len = m->text.size;
    }
    vd_p11_buffer_done(&result);
    return rv;
}

static CK_RV decrypt(struct vd_p11_operation *op, const struct message *m, CK_BYTE *out,
                     CK_ULONG *out_len)
{
    struct vd_key_op ask = {.mechanism = VD_ALG_AEAD_RAW, .aux = m->aad};
    struct vd_p11_buffer text = {}, result = {};
    CK_RV rv = vd_p11_buffer_add(&text, m->text.data, m->text.size);

    if (rv == CKR_OK)
        rv = vd_p11_buffer_add(&text, m->parameter->tag, TAG_SIZE);
    ask.text = (struct vd_key_part){.data = text.bytes, .size = text.size};
    ask.extra = (struct vd_key_part){.data = m->parameter->iv, .size = NONCE_SIZE};
    if (rv == CKR_OK)
        rv = vd_p11_rv(vd_p11_service_op(op->object->key, VD_KEY_DECRYPT, &ask, &result, NULL));
    if (rv == CKR_OK && result.size != m->text.size)
        rv = CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        if (result.size != 0)
            vd_copy(out, result.bytes, result.size);
        *out_len = result.size;
    }
    vd_p11_buffer_done(&text);
    vd_p11_buffer_done(&result);
    return rv;
}

static CK_RV one(CK_SESSION_HANDLE session, enum vd_p11_kind kind, const struct message *m,
                 CK_BYTE *out, CK_ULONG *out_len)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, kind, &s, &op);

    if (rv != CKR_OK)
        return rv;
    if (out_len == NULL || (m->aad.data == NULL && m->aad.size != 0) ||
        (m->text.data == NULL && m->text.size != 0))
        return vd_p11_leave(s, CKR_ARGUMENTS_BAD);
    if (m->text.size > VD_P11_DATA_MAX)
        return vd_p11_leave(s, CKR_DATA_LEN_RANGE);
    if (out == NULL || *out_len < m->text.size) {
        *out_len = m->text.size;
        return vd_p11_leave(s, out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL);
    }
    rv = kind == VD_P11_MESSAGE_ENCRYPT ? encrypt(op, m, out, out_len)
                                        : decrypt(op, m, out, out_len);
    return vd_p11_leave(s, rv); /* other messages may follow */
}

static CK_RV end(CK_SESSION_HANDLE session, enum vd_p11_kind kind)
{
    struct vd_p11_operation *op;
    struct vd_p11_session *s;
    CK_RV rv = vd_p11_continue(session, kind, &s, &op);

    return rv == CKR_OK ? vd_p11_stop(s, kind, CKR_OK) : rv;
}

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    static const struct vd_p11_beginning b = {VD_P11_MESSAGE_ENCRYPT, VD_CKF_MESSAGE_ENCRYPT,
                                              VD_ALG_ENCRYPT, CKO_SECRET_KEY};

    return vd_p11_begin(session, mechanism, key, &b);
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                       CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *text, CK_ULONG text_len,
                       CK_BYTE *out, CK_ULONG *out_len)
{
    struct vd_ck_gcm_message p;
    const struct message m = {&p, {.data = aad, .size = aad_len}, {.data = text, .size = text_len}};
    CK_RV rv = check(parameter, parameter_len, &p);

    return rv == CKR_OK ? one(session, VD_P11_MESSAGE_ENCRYPT, &m, out, out_len) : rv;
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE session)
{
    return end(session, VD_P11_MESSAGE_ENCRYPT);
}

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    static const struct vd_p11_beginning b = {VD_P11_MESSAGE_DECRYPT, VD_CKF_MESSAGE_DECRYPT,
                                              VD_ALG_DECRYPT, CKO_SECRET_KEY};

    return vd_p11_begin(session, mechanism, key, &b);
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,
                       CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *text, CK_ULONG text_len,
                       CK_BYTE *out, CK_ULONG *out_len)
{
    struct vd_ck_gcm_message p;
    const struct message m = {&p, {.data = aad, .size = aad_len}, {.data = text, .size = text_len}};
    CK_RV rv = check(parameter, parameter_len, &p);

    return rv == CKR_OK ? one(session, VD_P11_MESSAGE_DECRYPT, &m, out, out_len) : rv;
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE session)
{
    return end(session, VD_P11_MESSAGE_DECRYPT);
}
