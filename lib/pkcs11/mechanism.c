/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Mechanisms: which there are, for which keys, and what their parameters mean to the service. */
#include "lib/pkcs11/mechanism.h"

#include <string.h>

#include "core/base/mem.h"

#define PAIR   CKF_GENERATE_KEY_PAIR
#define SINGLE CKF_GENERATE
#define ED     (CKF_ENCRYPT | CKF_DECRYPT)
#define MED    (VD_CKF_MESSAGE_ENCRYPT | VD_CKF_MESSAGE_DECRYPT)
#define SV     (CKF_SIGN | CKF_VERIFY)
#define EC     (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS)
#define KEM    (VD_CKF_ENCAPSULATE | VD_CKF_DECAPSULATE)

static const struct vd_p11_mechanism_row rows[] = {
    {CKM_RSA_PKCS_KEY_PAIR_GEN, VD_ALG_RSA_4096, 0, 0, 4096, 4096, PAIR},
    {CKM_EC_KEY_PAIR_GEN, VD_ALG_ECDSA_P256, 0, 0, 256, 256, PAIR | EC},
    {VD_CKM_EC_EDWARDS_KEY_PAIR_GEN, VD_ALG_ED25519, 0, 0, 255, 255, PAIR},
    {VD_CKM_EC_MONTGOMERY_KEY_PAIR_GEN, VD_ALG_X25519, 0, 0, 255, 255, PAIR},
    {VD_CKM_ML_KEM_KEY_PAIR_GEN, VD_ALG_ML_KEM_768, 0, 0, 768, 768, PAIR},
    {VD_CKM_ML_DSA_KEY_PAIR_GEN, VD_ALG_ML_DSA_65, 0, 0, 65, 65, PAIR},
    {CKM_AES_KEY_GEN, VD_ALG_AES_256_GCM, 0, 0, 32, 32, SINGLE},
    {VD_CKM_CHACHA20_KEY_GEN, VD_ALG_CHACHA20_POLY1305, 0, 0, 32, 32, SINGLE},
    {CKM_GENERIC_SECRET_KEY_GEN, VD_ALG_HMAC_SHA256, 0, 0, 32, 32, SINGLE},
    {VD_CKM_HKDF_KEY_GEN, VD_ALG_HKDF_SHA256, 0, 0, 32, 32, SINGLE},
    {CKM_AES_GCM, VD_ALG_AES_256_GCM, VD_ALG_AEAD_RAW, 0, 32, 32, ED | MED},
    {VD_CKM_CHACHA20_POLY1305, VD_ALG_CHACHA20_POLY1305, VD_ALG_AEAD_RAW, 0, 32, 32, ED},
    {VD_CKM_AEAD, VD_ALG_AES_256_GCM, VD_ALG_AEAD, 0, 32, 32, ED},
    {VD_CKM_AEAD, VD_ALG_CHACHA20_POLY1305, VD_ALG_AEAD, 0, 32, 32, ED},
    {CKM_RSA_PKCS_OAEP, VD_ALG_RSA_4096, VD_ALG_RSA_OAEP_SHA256, 0, 4096, 4096, ED},
    {CKM_RSA_PKCS, VD_ALG_RSA_4096, VD_ALG_RSA_PKCS1_RAW, 0, 4096, 4096, SV},
    {CKM_SHA256_RSA_PKCS, VD_ALG_RSA_4096, VD_ALG_RSA_PKCS1_RAW, CKM_SHA256, 4096, 4096, SV},
    {CKM_SHA384_RSA_PKCS, VD_ALG_RSA_4096, VD_ALG_RSA_PKCS1_RAW, CKM_SHA384, 4096, 4096, SV},
    {CKM_SHA512_RSA_PKCS, VD_ALG_RSA_4096, VD_ALG_RSA_PKCS1_RAW, CKM_SHA512, 4096, 4096, SV},
    {CKM_RSA_PKCS_PSS, VD_ALG_RSA_4096, VD_ALG_RSA_PSS_SHA256_DIGEST, 0, 4096, 4096, SV},
    {CKM_SHA256_RSA_PKCS_PSS, VD_ALG_RSA_4096, VD_ALG_RSA_PSS_SHA256_DIGEST, CKM_SHA256, 4096, 4096,
     SV},
    {CKM_SHA384_RSA_PKCS_PSS, VD_ALG_RSA_4096, VD_ALG_RSA_PSS_SHA384_DIGEST, CKM_SHA384, 4096, 4096,
     SV},
    {CKM_SHA512_RSA_PKCS_PSS, VD_ALG_RSA_4096, VD_ALG_RSA_PSS_SHA512_DIGEST, CKM_SHA512, 4096, 4096,
     SV},
    {CKM_ECDSA, VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256_RAW_DIGEST, 0, 256, 256, SV | EC},
    {CKM_ECDSA_SHA256, VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256_RAW_DIGEST, CKM_SHA256, 256, 256,
     SV | EC},
    {CKM_ECDSA_SHA384, VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256_RAW_DIGEST, CKM_SHA384, 256, 256,
     SV | EC},
    {CKM_ECDSA_SHA512, VD_ALG_ECDSA_P256, VD_ALG_ECDSA_SHA256_RAW_DIGEST, CKM_SHA512, 256, 256,
     SV | EC},
    {VD_CKM_EDDSA, VD_ALG_ED25519, VD_ALG_EDDSA, 0, 255, 255, SV},
    {VD_CKM_ML_DSA, VD_ALG_ML_DSA_65, VD_ALG_ML_DSA, 0, 65, 65, SV},
    {CKM_SHA256_HMAC, VD_ALG_HMAC_SHA256, VD_ALG_HMAC, 0, 16, 1024, SV},
    {CKM_ECDH1_DERIVE, VD_ALG_ECDSA_P256, VD_ALG_ECDH, 0, 256, 256, CKF_DERIVE | EC},
    {CKM_ECDH1_DERIVE, VD_ALG_X25519, VD_ALG_ECDH, 0, 255, 255, CKF_DERIVE},
    {VD_CKM_HKDF_DERIVE, VD_ALG_HKDF_SHA256, VD_ALG_HKDF, 0, 16, 1024, CKF_DERIVE},
    {VD_CKM_ML_KEM, VD_ALG_ML_KEM_768, VD_ALG_KEM, 0, 768, 768, KEM},
    {VD_CKM_WRAP, VD_ALG_AES_256_GCM, VD_ALG_AEAD, 0, 32, 32, CKF_WRAP | CKF_UNWRAP},
    {CKM_SHA256, 0, 0, CKM_SHA256, 0, 0, CKF_DIGEST},
    {CKM_SHA384, 0, 0, CKM_SHA384, 0, 0, CKF_DIGEST},
    {CKM_SHA512, 0, 0, CKM_SHA512, 0, 0, CKF_DIGEST},
};

const struct vd_p11_mechanism_row *vd_p11_mechanism_find(CK_MECHANISM_TYPE type, uint16_t alg_type)
{
    for (size_t i = 0; i < VD_COUNT(rows); i++)
        if (rows[i].type == type && (alg_type == 0 || rows[i].key == alg_type))
            return &rows[i];
    return NULL;
}

/* Several rows have one type: one for each kind of key. */
static bool first_of_type(size_t at)
{
    return vd_p11_mechanism_find(rows[at].type, 0) == &rows[at];
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    CK_ULONG there = 0;

    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot != VD_P11_SLOT)
        return CKR_SLOT_ID_INVALID;
    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        if (!first_of_type(i))
            continue;
        if (list != NULL && there < *count)
            list[there] = rows[i].type;
        there++;
    }
    if (list != NULL && *count < there) {
        *count = there;
        return CKR_BUFFER_TOO_SMALL;
    }
    *count = there;
    return CKR_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    const struct vd_p11_mechanism_row *row = vd_p11_mechanism_find(type, 0);

    if (!vd_p11_ready())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot != VD_P11_SLOT)
        return CKR_SLOT_ID_INVALID;
    if (info == NULL)
        return CKR_ARGUMENTS_BAD;
    if (row == NULL)
        return CKR_MECHANISM_INVALID;
    *info = (CK_MECHANISM_INFO){
        .ulMinKeySize = row->min, .ulMaxKeySize = row->max, .flags = row->flags | CKF_HW};
    return CKR_OK;
}

CK_RV vd_p11_parameter(const CK_MECHANISM *from, void *ret, size_t size)
{
    if (from->pParameter == NULL || from->ulParameterLen != size)
        return CKR_MECHANISM_PARAM_INVALID;
    vd_copy(ret, from->pParameter, size);
    return CKR_OK;
}

static CK_RV take(uint8_t *to, size_t room, size_t *ret_size, const void *from, CK_ULONG size)
{
    if (size > room || (from == NULL && size != 0))
        return CKR_MECHANISM_PARAM_INVALID;
    if (size != 0)
        vd_copy(to, from, size);
    *ret_size = size;
    return CKR_OK;
}

static CK_RV take_aad(struct vd_p11_mechanism *m, const void *from, CK_ULONG size)
{
    return take(m->aux, sizeof(m->aux), &m->aux_size, from, size);
}

static CK_RV take_nonce(struct vd_p11_mechanism *m, const void *from, CK_ULONG size)
{
    return size == 12 ? take(m->nonce, sizeof(m->nonce), &m->nonce_size, from, size)
                      : CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV read_gcm(const CK_MECHANISM *from, struct vd_p11_mechanism *m)
{
    CK_GCM_PARAMS p;
    CK_RV rv = vd_p11_parameter(from, &p, sizeof(p));

    if (rv == CKR_OK && p.ulTagBits != 128)
        rv = CKR_MECHANISM_PARAM_INVALID;
    if (rv == CKR_OK)
        rv = take_nonce(m, p.pIv, p.ulIvLen);
    return rv == CKR_OK ? take_aad(m, p.pAAD, p.ulAADLen) : rv;
}

static CK_RV read_chacha(const CK_MECHANISM *from, struct vd_p11_mechanism *m)
{
    struct vd_ck_chacha_params p;
    CK_RV rv = vd_p11_parameter(from, &p, sizeof(p));

    if (rv == CKR_OK)
        rv = take_nonce(m, p.nonce, p.nonce_len);
    return rv == CKR_OK ? take_aad(m, p.aad, p.aad_len) : rv;
}

/* Digest, mask and salt are of one hash; with CKM_RSA_PKCS_PSS the parameters choose it. */
static CK_RV read_pss(const CK_MECHANISM *from, struct vd_p11_mechanism *m)
{
    static const struct {
        CK_MECHANISM_TYPE hash;
        CK_ULONG mgf, size;
        enum vd_alg_mechanism alg;
    } choices[] = {
        {CKM_SHA256, CKG_MGF1_SHA256, 32, VD_ALG_RSA_PSS_SHA256_DIGEST},
        {CKM_SHA384, CKG_MGF1_SHA384, 48, VD_ALG_RSA_PSS_SHA384_DIGEST},
        {CKM_SHA512, CKG_MGF1_SHA512, 64, VD_ALG_RSA_PSS_SHA512_DIGEST},
    };
    CK_RSA_PKCS_PSS_PARAMS p;
    CK_RV rv = vd_p11_parameter(from, &p, sizeof(p));

    if (rv != CKR_OK)
        return rv;
    for (size_t i = 0; i < VD_COUNT(choices); i++) {
        if (p.hashAlg != choices[i].hash || p.mgf != choices[i].mgf || p.sLen != choices[i].size)
            continue;
        if (m->hash != NULL && m->alg != choices[i].alg)
            continue;
        m->alg = choices[i].alg;
        m->digest_size = m->hash == NULL ? choices[i].size : 0;
        return CKR_OK;
    }
    return CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV read_oaep(const CK_MECHANISM *from, struct vd_p11_mechanism *m)
{
    CK_RSA_PKCS_OAEP_PARAMS p;
    CK_RV rv = vd_p11_parameter(from, &p, sizeof(p));

    if (rv == CKR_OK && (p.hashAlg != CKM_SHA256 || p.mgf != CKG_MGF1_SHA256))
        rv = CKR_MECHANISM_PARAM_INVALID;
    return rv == CKR_OK ? take_aad(m, p.pSourceData, p.ulSourceDataLen) : rv;
}

static CK_RV read_ml_dsa(const CK_MECHANISM *from, struct vd_p11_mechanism *m)
{
    struct vd_ck_sign_context p;
    CK_RV rv;

    if (from->pParameter == NULL && from->ulParameterLen == 0)
        return CKR_OK;
    rv = vd_p11_parameter(from, &p, sizeof(p));
    if (rv == CKR_OK && (p.context_len > 255 || p.hedge > VD_CKH_DETERMINISTIC_REQUIRED))
        rv = CKR_MECHANISM_PARAM_INVALID;
    if (rv != CKR_OK)
        return rv;
    if (p.hedge == VD_CKH_DETERMINISTIC_REQUIRED)
        m->alg = VD_ALG_ML_DSA_DETERMINISTIC;
    return take_aad(m, p.context, p.context_len);
}

CK_RV vd_p11_mechanism_read(const CK_MECHANISM *from, CK_FLAGS use,
                            const struct vd_p11_object *object, struct vd_p11_mechanism *ret)
{
    const struct vd_p11_mechanism_row *row = vd_p11_mechanism_find(from->mechanism, 0);

    if (row == NULL || (row->flags & use) == 0)
        return CKR_MECHANISM_INVALID;
    if (object != NULL) {
        if (object->key == NULL)
            return CKR_KEY_FUNCTION_NOT_PERMITTED;
        row = vd_p11_mechanism_find(from->mechanism, object->key->type);
        if (row == NULL)
            return CKR_KEY_TYPE_INCONSISTENT;
        if (!vd_p11_key_allows(object->key, from->mechanism))
            return CKR_MECHANISM_INVALID;
    }
    *ret = (struct vd_p11_mechanism){
        .type = from->mechanism, .alg = row->alg, .hash = vd_p11_hash_find(row->hash)};
    switch (from->mechanism) {
    case CKM_AES_GCM:
        return (use & MED) != 0 ? CKR_OK : read_gcm(from, ret);
    case VD_CKM_CHACHA20_POLY1305:
        return read_chacha(from, ret);
    case VD_CKM_AEAD:
    case VD_CKM_WRAP:
        return take_aad(ret, from->pParameter, from->ulParameterLen);
    case CKM_RSA_PKCS_PSS:
    case CKM_SHA384_RSA_PKCS_PSS:
    case CKM_SHA512_RSA_PKCS_PSS:
    case CKM_SHA256_RSA_PKCS_PSS:
        return read_pss(from, ret);
    case CKM_RSA_PKCS_OAEP:
        return read_oaep(from, ret);
    case VD_CKM_ML_DSA:
        return read_ml_dsa(from, ret);
    case CKM_ECDSA:
        ret->digest_size = 32;
        break;
    case CKM_SHA256_RSA_PKCS:
    case CKM_SHA384_RSA_PKCS:
    case CKM_SHA512_RSA_PKCS:
        ret->digest_info = true;
        break;
    default:
        break;
    }
    return from->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}
