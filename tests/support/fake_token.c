/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fake module's token: objects, and cryptography by OpenSSL. */
#include "tests/support/fake_pkcs11.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

static const CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

struct fake_object fake_objects[FAKE_OBJECTS];

static bool flag(const CK_ATTRIBUTE *a)
{
    return a->ulValueLen == 1 && *(const CK_BBOOL *)a->pValue != 0;
}

static void take(struct fake_object *o, const CK_ATTRIBUTE *a)
{
    switch (a->type) {
    case CKA_CLASS:
        memcpy(&o->class, a->pValue, sizeof(o->class));
        break;
    case CKA_KEY_TYPE:
        memcpy(&o->type, a->pValue, sizeof(o->type));
        break;
    case CKA_LABEL:
        memcpy(o->label, a->pValue, o->label_size = a->ulValueLen);
        break;
    case CKA_ID:
        memcpy(o->id, a->pValue, o->id_size = a->ulValueLen);
        break;
    case CKA_VALUE:
        memcpy(o->value, a->pValue, o->value_size = a->ulValueLen);
        break;
    case CKA_TOKEN:
        o->session = !flag(a);
        break;
    case CKA_SENSITIVE:
        o->sensitive = flag(a);
        break;
    case CKA_EXTRACTABLE:
        o->extractable = flag(a) || fake_control.makes_weak_keys;
        break;
    case CKA_SIGN:
        o->sign = flag(a);
        break;
    case CKA_DECRYPT:
        o->decrypt = flag(a);
        break;
    case CKA_DERIVE:
        o->derive = flag(a);
        break;
    case CKA_UNWRAP:
        o->wrap = flag(a);
        break;
    default:
        break;
    }
}

struct fake_object *fake_new(const CK_ATTRIBUTE *template, CK_ULONG count)
{
    for (int i = 0; i < FAKE_OBJECTS; i++) {
        struct fake_object *o = &fake_objects[i];

        if (o->used)
            continue;
        memset(o, 0, sizeof(*o));
        o->used = true;
        for (CK_ULONG j = 0; j < count; j++)
            take(o, &template[j]);
        return o;
    }
    return NULL;
}

/* ---- Attributes ---- */

static CK_ULONG put(CK_BYTE *out, const void *value, CK_ULONG size)
{
    memcpy(out, value, size);
    return size;
}

static CK_ULONG put_flag(CK_BYTE *out, bool value)
{
    out[0] = value;
    return 1;
}

static CK_ULONG put_number(const struct fake_object *o, const char *name, CK_BYTE *out)
{
    BIGNUM *n = NULL;
    CK_ULONG size;

    if (o->type != CKK_RSA || EVP_PKEY_get_bn_param(o->pkey, name, &n) != 1)
        return CK_UNAVAILABLE_INFORMATION;
    size = (CK_ULONG)BN_bn2bin(n, out);
    BN_free(n);
    return size;
}

static CK_ULONG put_point(const struct fake_object *o, CK_BYTE *out)
{
    size_t size = 0;

    if (o->type != CKK_EC || o->class != CKO_PUBLIC_KEY ||
        EVP_PKEY_get_octet_string_param(o->pkey, OSSL_PKEY_PARAM_PUB_KEY, out + 2, 200, &size) != 1)
        return CK_UNAVAILABLE_INFORMATION;
    out[0] = 0x04;
    out[1] = (CK_BYTE)size;
    return size + 2;
}

static CK_ULONG public_part(const struct fake_object *o, CK_ATTRIBUTE_TYPE type, CK_BYTE *out)
{
    if (type == CKA_MODULUS)
        return put_number(o, OSSL_PKEY_PARAM_RSA_N, out);
    if (type == CKA_PUBLIC_EXPONENT)
        return put_number(o, OSSL_PKEY_PARAM_RSA_E, out);
    if (type == CKA_EC_POINT)
        return put_point(o, out);
    return o->type == CKK_EC ? put(out, p256, sizeof(p256)) : CK_UNAVAILABLE_INFORMATION;
}

static CK_ULONG secret_part(const struct fake_object *o, CK_BYTE *out)
{
    if (o->sensitive && !fake_control.gives_away)
        return CK_UNAVAILABLE_INFORMATION;
    return o->value_size > 0 ? put(out, o->value, o->value_size) : put(out, "given away", 10);
}

CK_ULONG fake_attribute(const struct fake_object *o, CK_ATTRIBUTE_TYPE type, CK_BYTE *out)
{
    switch (type) {
    case CKA_CLASS:
        return put(out, &o->class, sizeof(o->class));
    case CKA_KEY_TYPE:
        return put(out, &o->type, sizeof(o->type));
    case CKA_LABEL:
        return put(out, o->label, o->label_size);
    case CKA_ID:
        return put(out, o->id, o->id_size);
    case CKA_VALUE_LEN:
        return put(out, &o->value_size, sizeof(o->value_size));
    case CKA_SENSITIVE:
        return put_flag(out, o->sensitive);
    case CKA_EXTRACTABLE:
        return put_flag(out, o->extractable);
    case CKA_SIGN:
        return put_flag(out, o->sign);
    case CKA_DECRYPT:
        return put_flag(out, o->decrypt);
    case CKA_DERIVE:
        return put_flag(out, o->derive);
    case CKA_UNWRAP:
        return put_flag(out, o->wrap);
    case CKA_VALUE:
    case CKA_PRIVATE_EXPONENT:
        return secret_part(o, out);
    case CKA_MODULUS:
    case CKA_PUBLIC_EXPONENT:
    case CKA_EC_PARAMS:
    case CKA_EC_POINT:
        return public_part(o, type, out);
    default:
        return CK_UNAVAILABLE_INFORMATION;
    }
}

/* ---- Cryptography ---- */

bool fake_generate_pair(struct fake_object *public, struct fake_object *private)
{
    private->pkey = private->type == CKK_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    public->pkey = private->pkey;
    return private->pkey != NULL && EVP_PKEY_up_ref(public->pkey) == 1;
}

static EVP_PKEY_CTX *rsa_context(const struct fake_work *w, bool sign)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, w->key->pkey, NULL);
    bool pss = w->type == CKM_RSA_PKCS_PSS;

    if (ctx == NULL || (sign ? EVP_PKEY_sign_init(ctx) : EVP_PKEY_verify_init(ctx)) != 1)
        return ctx;
    if (w->key->type == CKK_RSA)
        (void)EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING);
    if (pss) {
        (void)EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
        (void)EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32);
    }
    return ctx;
}

CK_RV fake_sign(const struct fake_work *w, const CK_BYTE *in, CK_ULONG n, CK_BYTE *out,
                CK_ULONG *size)
{
    EVP_PKEY_CTX *ctx = rsa_context(w, true);
    CK_BYTE made[512];
    const CK_BYTE *der = made;
    size_t made_size = sizeof(made);
    bool good = EVP_PKEY_sign(ctx, made, &made_size, in, n) == 1;

    if (good && w->key->type == CKK_EC) {
        ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)made_size);

        BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32);
        ECDSA_SIG_free(sig);
        *size = 64;
    } else if (good) {
        memcpy(out, made, made_size);
        *size = made_size;
    }
    if (fake_control.fails_to_sign)
        out[20] ^= 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? CKR_OK : CKR_FUNCTION_FAILED;
}

CK_RV fake_verify(const struct fake_work *w, const CK_BYTE *in, CK_ULONG n, const CK_BYTE *sig,
                  CK_ULONG size)
{
    EVP_PKEY_CTX *ctx = rsa_context(w, false);
    CK_BYTE der[128], *end = der;
    bool good;

    if (w->key->type == CKK_EC) {
        ECDSA_SIG *pair = ECDSA_SIG_new();

        ECDSA_SIG_set0(pair, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
        size = (CK_ULONG)i2d_ECDSA_SIG(pair, &end);
        sig = der;
        ECDSA_SIG_free(pair);
    }
    good = EVP_PKEY_verify(ctx, sig, size, in, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? CKR_OK : CKR_SIGNATURE_INVALID;
}

static CK_RV oaep(const struct fake_work *w, const CK_BYTE *in, CK_ULONG n, CK_BYTE *out,
                  CK_ULONG *size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, w->key->pkey, NULL);
    size_t made = *size;
    bool good = EVP_PKEY_decrypt_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
                EVP_PKEY_decrypt(ctx, out, &made, in, n) == 1;

    EVP_PKEY_CTX_free(ctx);
    *size = made;
    return good ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID;
}

CK_RV fake_cipher(const struct fake_work *w, struct fake_input in, CK_BYTE *out, CK_ULONG *size)
{
    EVP_CIPHER_CTX *ctx;
    CK_ULONG body = in.encrypt ? in.size : in.size - 16;
    int len = 0, end = 0;
    bool good;

    if (w->type == CKM_RSA_PKCS_OAEP)
        return oaep(w, in.data, in.size, out, size);
    ctx = EVP_CIPHER_CTX_new();
    good =
        EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), w->key->value, w->iv, in.encrypt, NULL) == 1 &&
        EVP_CipherUpdate(ctx, NULL, &len, w->aad, (int)w->aad_size) == 1 &&
        EVP_CipherUpdate(ctx, out, &len, in.data, (int)body) == 1;
    if (good && !in.encrypt)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, (void *)(in.data + body)) == 1;
    good = good && EVP_CipherFinal_ex(ctx, out + len, &end) == 1;
    if (good && in.encrypt)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + body) == 1;
    EVP_CIPHER_CTX_free(ctx);
    *size = in.encrypt ? in.size + 16 : body;
    return good ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID;
}

CK_RV fake_key_wrap(const struct fake_object *key, struct fake_input in, CK_BYTE *out,
                    CK_ULONG *size)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    bool good;

    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    good = EVP_CipherInit_ex2(ctx, EVP_aes_256_wrap(), key->value, NULL, in.encrypt, NULL) == 1 &&
           EVP_CipherUpdate(ctx, out, &len, in.data, (int)in.size) == 1 && len > 0;
    EVP_CIPHER_CTX_free(ctx);
    *size = (CK_ULONG)len;
    return good ? CKR_OK : CKR_WRAPPED_KEY_INVALID;
}

CK_RV fake_ecdh(const struct fake_object *key, const CK_BYTE *point, CK_ULONG n, CK_BYTE *out)
{
    EVP_PKEY *peer = EVP_PKEY_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    size_t size = 32;
    bool good = EVP_PKEY_copy_parameters(peer, key->pkey) == 1 &&
                EVP_PKEY_set1_encoded_public_key(peer, point, n) == 1 &&
                EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                EVP_PKEY_derive(ctx, out, &size) == 1;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return good ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}
