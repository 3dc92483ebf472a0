/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * NIST's ACVP vectors for the classical algorithms. Where a signature is random, the published one
 * is verified.
 */
#include <string.h>

#include "tools/veridian/key/vector.h"

static vd_status passed_field(struct vd_vector *v, bool *ret)
{
    const json_t *passed = vd_vector_field(v, "testPassed");

    if (passed != NULL && !json_is_boolean(passed))
        return vd_vector_wrong(v, "testPassed", "true or false");
    *ret = passed == NULL || json_is_true(passed);
    return VD_OK;
}

/* Two fields side by side. */
static vd_status join(struct vd_vector *v, const char *first, const char *second,
                      struct vd_alg_bytes *ret)
{
    struct vd_alg_bytes a = {}, b = {};
    struct vd_alg_buffer both = {};

    VD_TRY(vd_vector_bytes(v, first, &a));
    VD_TRY(vd_vector_bytes(v, second, &b));
    VD_TRY(vd_vector_room(v, a.size + b.size, &both));
    memcpy(both.data, a.data, a.size);
    memcpy((uint8_t *)both.data + a.size, b.data, b.size);
    *ret = (struct vd_alg_bytes){both.data, a.size + b.size};
    return VD_OK;
}

static vd_status gcm_run(struct vd_vector *v)
{
    bool encrypt = strcmp(vd_vector_text(v, "direction"), "encrypt") == 0, valid = true;
    struct vd_alg_bytes key = {}, sealed = {}, text = {};
    struct vd_alg_message message = {};
    struct vd_alg_buffer out = {};
    vd_status status;

    VD_TRY(passed_field(v, &valid));
    VD_TRY(vd_vector_bytes(v, "key", &key));
    VD_TRY(vd_vector_bytes(v, "iv", &message.nonce));
    VD_TRY(vd_vector_bytes(v, "aad", &message.aad));
    VD_TRY(join(v, "ct", "tag", &sealed));
    if (valid)
        VD_TRY(vd_vector_bytes(v, "pt", &text));
    VD_TRY(vd_vector_room(v, sealed.size, &out));
    status = vd_vector_import(v, 0, VD_ALG_AES_256_GCM, VD_ALG_FORM_RAW, &key);
    message.text = encrypt ? text : sealed;
    if (status == VD_OK)
        status = encrypt ? vd_alg_encrypt_raw(v->key[0], &message, &out, NULL)
                         : vd_alg_decrypt_raw(v->key[0], &message, &out, NULL);
    if (!valid || status != VD_OK)
        return vd_vector_judged(v, valid, status);
    return vd_vector_is(v, vd_bytes_equal(encrypt ? &sealed : &text, out.data, out.size),
                        encrypt ? "another ciphertext" : "another text");
}

static vd_status gcm(struct vd_vector *v)
{
    if (vd_vector_number(v, "keyLen") != 256)
        return vd_vector_skipped(v, "AES-GCM with a key of %lld bits: not served",
                                 (long long)vd_vector_number(v, "keyLen"));
    if (vd_vector_number(v, "ivLen") != 96)
        return vd_vector_skipped(v, "AES-256-GCM with a nonce of other than 96 bits: not served");
    if (vd_vector_number(v, "tagLen") != 128)
        return vd_vector_skipped(v, "AES-256-GCM with a tag of other than 128 bits: not served");
    return gcm_run(v);
}

static vd_status hmac(struct vd_vector *v)
{
    struct vd_alg_signing what = {.mechanism = VD_ALG_HMAC};
    struct vd_alg_bytes key = {}, mac = {};
    struct vd_alg_buffer out = {};
    vd_status status;

    VD_TRY(vd_vector_bytes(v, "key", &key));
    VD_TRY(vd_vector_bytes(v, "msg", &what.message));
    VD_TRY(vd_vector_bytes(v, "mac", &mac));
    if (key.size < VD_ALG_SECRET_MIN || key.size > VD_ALG_SECRET_MAX)
        return vd_vector_skipped(v, "HMAC keys of other than %u to %u bytes: not served",
                                 VD_ALG_SECRET_MIN, VD_ALG_SECRET_MAX);
    VD_TRY(vd_vector_room(v, VD_ALG_DIGEST_SIZE, &out));
    status = vd_vector_import(v, 0, VD_ALG_HMAC_SHA256, VD_ALG_FORM_RAW, &key);
    if (status == VD_OK)
        status = vd_alg_sign(v->key[0], &what, &out, NULL);
    if (status != VD_OK)
        return vd_vector_judged(v, true, status);
    /* ACVP asks for MACs cut short too: ours is whole, and theirs its beginning. */
    return vd_vector_is(
        v, mac.size > 0 && mac.size <= out.size && memcmp(mac.data, out.data, mac.size) == 0,
        "another MAC");
}

/* `size` bytes, zeros before what is shorter; VD_E_SIZE for what is longer. */
static vd_status pad(struct vd_vector *v, const char *name, size_t size, uint8_t *ret)
{
    struct vd_alg_bytes bytes = {};
    const uint8_t *at;

    VD_TRY(vd_vector_bytes(v, name, &bytes));
    at = bytes.data;
    while (bytes.size > size && *at == 0) {
        at++;
        bytes.size--;
    }
    if (bytes.size > size)
        return vd_vector_wrong(v, name, "a number of the curve's or modulus' size");
    memset(ret, 0, size - bytes.size);
    memcpy(ret + size - bytes.size, at, bytes.size);
    return VD_OK;
}

static vd_status ec_point(struct vd_vector *v, uint32_t at, vd_status *ret)
{
    struct vd_alg_buffer point = {};
    struct vd_alg_bytes bytes;
    uint8_t *data;

    VD_TRY(vd_vector_room(v, VD_ALG_P256_POINT, &point));
    data = point.data;
    data[0] = 4;
    VD_TRY(pad(v, "qx", 32, data + 1));
    VD_TRY(pad(v, "qy", 32, data + 33));
    bytes = (struct vd_alg_bytes){data, VD_ALG_P256_POINT};
    *ret = vd_vector_import(v, at, VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW_PUBLIC, &bytes);
    return VD_OK;
}

static vd_status ecdsa_verify(struct vd_vector *v)
{
    bool component = json_is_true(vd_vector_field(v, "componentTest")), valid = true;
    struct vd_alg_signing what = {.mechanism = component ? VD_ALG_ECDSA_SHA256_RAW_DIGEST
                                                         : VD_ALG_ECDSA_SHA256_RAW};
    struct vd_alg_buffer raw = {};
    struct vd_alg_bytes signature;
    vd_status status = VD_OK;

    if (strcmp(vd_vector_text(v, "hashAlg"), "SHA2-256") != 0)
        return vd_vector_skipped(v, "ECDSA with %.32s: not served", vd_vector_text(v, "hashAlg"));
    VD_TRY(passed_field(v, &valid));
    VD_TRY(vd_vector_bytes(v, "message", &what.message));
    VD_TRY(vd_vector_room(v, 64, &raw));
    VD_TRY(pad(v, "r", 32, raw.data));
    VD_TRY(pad(v, "s", 32, (uint8_t *)raw.data + 32));
    signature = (struct vd_alg_bytes){raw.data, 64};
    VD_TRY(ec_point(v, 0, &status));
    if (status == VD_OK)
        status = vd_alg_verify(v->key[0], &what, &signature, NULL);
    return vd_vector_judged(v, valid, status);
}

static vd_status ecdsa_keygen(struct vd_vector *v)
{
    uint8_t scalar[32], own[VD_ALG_P256_POINT], given[VD_ALG_P256_POINT];
    struct vd_alg_buffer out = {.data = own, .room = sizeof(own)};
    struct vd_alg_buffer expected = {.data = given, .room = sizeof(given)};
    struct vd_alg_bytes bytes = {scalar, sizeof(scalar)};
    vd_status status = VD_OK, point = VD_OK;

    VD_TRY(pad(v, "d", sizeof(scalar), scalar));
    VD_TRY(ec_point(v, 1, &point));
    status = vd_vector_import(v, 0, VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW, &bytes);
    if (status != VD_OK || point != VD_OK)
        return vd_vector_judged(v, true, status != VD_OK ? status : point);
    return vd_vector_is(v,
                        vd_alg_key_public(v->key[0], VD_ALG_FORM_RAW_PUBLIC, &out, NULL) == VD_OK &&
                            vd_alg_key_public(v->key[1], VD_ALG_FORM_RAW_PUBLIC, &expected, NULL) ==
                                VD_OK &&
                            memcmp(own, given, sizeof(own)) == 0,
                        "another point");
}

static vd_status ecdsa_keyver(struct vd_vector *v)
{
    vd_status status = VD_OK;
    bool valid = true;

    VD_TRY(passed_field(v, &valid));
    /* A coordinate too long for the curve is no point either. */
    if (ec_point(v, 0, &status) != VD_OK) {
        *v->diag = (struct vd_diag){};
        status = VD_E_POINT;
    }
    return vd_vector_judged(v, valid, status);
}

static vd_status ecdsa(struct vd_vector *v, const char *mode)
{
    const char *curve = vd_vector_text(v, "curve");

    if (strcmp(curve, "P-256") != 0)
        return vd_vector_skipped(v, "ECDSA on the curve %.32s: not served", curve);
    if (strcmp(mode, "sigVer") == 0 || strcmp(mode, "sigGen") == 0)
        return ecdsa_verify(v);
    if (strcmp(mode, "keyGen") == 0)
        return ecdsa_keygen(v);
    if (strcmp(mode, "keyVer") == 0)
        return ecdsa_keyver(v);
    return vd_vector_skipped(v, "ECDSA %.32s: not served", mode);
}

static vd_status ed25519_verify(struct vd_vector *v)
{
    struct vd_alg_signing what = {.mechanism = VD_ALG_EDDSA};
    struct vd_alg_bytes q = {}, signature = {};
    bool valid = true;
    vd_status status;

    VD_TRY(passed_field(v, &valid));
    VD_TRY(vd_vector_bytes(v, "q", &q));
    VD_TRY(vd_vector_bytes(v, "message", &what.message));
    VD_TRY(vd_vector_bytes(v, "signature", &signature));
    status = vd_vector_import(v, 0, VD_ALG_ED25519, VD_ALG_FORM_RAW_PUBLIC, &q);
    if (status == VD_OK)
        status = vd_alg_verify(v->key[0], &what, &signature, NULL);
    return vd_vector_judged(v, valid, status);
}

static vd_status ed25519_keygen(struct vd_vector *v)
{
    struct vd_alg_bytes d = {}, q = {};
    struct vd_alg_buffer out = {};
    vd_status status;

    VD_TRY(vd_vector_bytes(v, "d", &d));
    VD_TRY(vd_vector_bytes(v, "q", &q));
    VD_TRY(vd_vector_room(v, 32, &out));
    status = vd_vector_import(v, 0, VD_ALG_ED25519, VD_ALG_FORM_RAW, &d);
    if (status == VD_OK)
        status = vd_alg_key_public(v->key[0], VD_ALG_FORM_RAW_PUBLIC, &out, NULL);
    if (status != VD_OK)
        return vd_vector_judged(v, true, status);
    return vd_vector_is(v, vd_bytes_equal(&q, out.data, out.size), "another public key");
}

static vd_status eddsa(struct vd_vector *v, const char *mode)
{
    const char *curve = vd_vector_text(v, "curve");
    struct vd_alg_bytes q = {};
    bool valid = true;

    if (strcmp(curve, "ED-25519") != 0)
        return vd_vector_skipped(v, "EdDSA on the curve %.32s: not served", curve);
    if (json_is_true(vd_vector_field(v, "preHash")))
        return vd_vector_skipped(v, "Ed25519ph: not served");
    if (strcmp(mode, "sigVer") == 0 || strcmp(mode, "sigGen") == 0)
        return ed25519_verify(v);
    if (strcmp(mode, "keyGen") == 0)
        return ed25519_keygen(v);
    if (strcmp(mode, "keyVer") != 0)
        return vd_vector_skipped(v, "EdDSA %.32s: not served", mode);
    VD_TRY(passed_field(v, &valid));
    VD_TRY(vd_vector_bytes(v, "q", &q));
    return vd_vector_judged(v, valid,
                            vd_vector_import(v, 0, VD_ALG_ED25519, VD_ALG_FORM_RAW_PUBLIC, &q));
}

/* SubjectPublicKeyInfo of n and e: the import takes no other form. */
static vd_status rsa_key(struct vd_vector *v, vd_status *ret)
{
    static const uint8_t head[] = {0x30, 0x82, 0x02, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a,
                                   0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
                                   0x00, 0x03, 0x82, 0x02, 0x0f, 0x00, 0x30, 0x82, 0x02,
                                   0x0a, 0x02, 0x82, 0x02, 0x01, 0x00};
    uint8_t der[sizeof(head) + 512 + 2 + 127];
    struct vd_alg_bytes e = {}, bytes = {der, sizeof(head) + 512};
    const uint8_t *at;
    size_t extra;

    memcpy(der, head, sizeof(head));
    VD_TRY(pad(v, "n", 512, der + sizeof(head)));
    VD_TRY(vd_vector_bytes(v, "e", &e));
    at = e.data;
    while (e.size > 0 && *at == 0) {
        at++;
        e.size--;
    }
    if (e.size == 0 || e.size > 8) {
        *ret = VD_E_MECHANISM;
        return VD_OK;
    }
    extra = at[0] >= 0x80;
    der[bytes.size++] = 2;
    der[bytes.size++] = (uint8_t)(e.size + extra);
    if (extra != 0)
        der[bytes.size++] = 0;
    memcpy(der + bytes.size, at, e.size);
    bytes.size += e.size;
    /* The three lengths that hold the exponent; 3 bytes are the head's. */
    for (size_t i = 0; i < 3; i++) {
        static const size_t places[] = {3, 22, 27};
        der[places[i]] = (uint8_t)(der[places[i]] + e.size + extra - 3);
    }
    *ret = vd_vector_import(v, 0, VD_ALG_RSA_4096, VD_ALG_FORM_SPKI, &bytes);
    return VD_OK;
}

static vd_status rsa(struct vd_vector *v, const char *mode)
{
    bool pss = strcmp(vd_vector_text(v, "sigType"), "pss") == 0, valid = true;
    struct vd_alg_signing what = {.mechanism =
                                      pss ? VD_ALG_RSA_PSS_SHA256 : VD_ALG_RSA_PKCS1_SHA256};
    struct vd_alg_bytes signature = {};
    vd_status status = VD_OK;

    if (strcmp(mode, "sigVer") != 0 && strcmp(mode, "sigGen") != 0)
        return vd_vector_skipped(v, "RSA %.32s: not served", mode);
    if (vd_vector_number(v, "modulo") != 4096)
        return vd_vector_skipped(v, "RSA with %lld bits: not served",
                                 (long long)vd_vector_number(v, "modulo"));
    if (strcmp(vd_vector_text(v, "hashAlg"), "SHA2-256") != 0)
        return vd_vector_skipped(v, "RSA with %.32s: not served", vd_vector_text(v, "hashAlg"));
    if (!pss && strcmp(vd_vector_text(v, "sigType"), "pkcs1v1.5") != 0)
        return vd_vector_skipped(v, "RSA %.32s: not served", vd_vector_text(v, "sigType"));
    if (pss && (vd_vector_number(v, "saltLen") != VD_ALG_DIGEST_SIZE ||
                (vd_vector_has(v, "maskFunction") &&
                 strcmp(vd_vector_text(v, "maskFunction"), "mgf1") != 0)))
        return vd_vector_skipped(v, "RSA-PSS with another salt or mask: not served");
    VD_TRY(passed_field(v, &valid));
    VD_TRY(rsa_key(v, &status));
    if (status == VD_E_MECHANISM)
        return vd_vector_skipped(v, "RSA exponents of more than 64 bits: not served");
    VD_TRY(vd_vector_bytes(v, "message", &what.message));
    VD_TRY(vd_vector_bytes(v, "signature", &signature));
    if (status == VD_OK)
        status = vd_alg_verify(v->key[0], &what, &signature, NULL);
    return vd_vector_judged(v, valid, status);
}

vd_status vd_acvp_classic(struct vd_vector *v, const char *algorithm, const char *mode)
{
    if (strcmp(algorithm, "ACVP-AES-GCM") == 0 || strcmp(algorithm, "AES-GCM") == 0)
        return gcm(v);
    if (strcmp(algorithm, "HMAC-SHA2-256") == 0)
        return hmac(v);
    if (strcmp(algorithm, "ECDSA") == 0)
        return ecdsa(v, mode);
    if (strcmp(algorithm, "EDDSA") == 0)
        return eddsa(v, mode);
    if (strcmp(algorithm, "RSA") == 0)
        return rsa(v, mode);
    return vd_vector_skipped(v, "%.40s %.32s: not served", algorithm, mode);
}
