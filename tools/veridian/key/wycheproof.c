/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The test types of Wycheproof's v1 schemas whose algorithms are served. */
#include <string.h>

#include "tools/veridian/key/vector.h"

/* "valid", "invalid" or "acceptable": then either answer is right where it is the known one. */
static vd_status read_result(struct vd_vector *v, bool *ret_valid, bool *ret_acceptable)
{
    const char *result = vd_vector_text(v, "result");

    *ret_acceptable = strcmp(result, "acceptable") == 0;
    *ret_valid = strcmp(result, "valid") == 0;
    if (!*ret_valid && !*ret_acceptable && strcmp(result, "invalid") != 0)
        return vd_vector_wrong(v, "result", "valid, invalid or acceptable");
    return VD_OK;
}

static bool has_flag(const struct vd_vector *v, const char *flag)
{
    const json_t *flags = json_object_get(v->test, "flags");
    size_t count = json_array_size(flags);

    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(flags, i));
        if (text != NULL && strcmp(text, flag) == 0)
            return true;
    }
    return false;
}

static bool is_algorithm(const struct vd_vector *v, const char *name)
{
    const char *text = json_string_value(json_object_get(v->root, "algorithm"));

    return text != NULL && strcmp(text, name) == 0;
}

static vd_status not_served(struct vd_vector *v)
{
    const char *text = json_string_value(json_object_get(v->root, "algorithm"));

    return vd_vector_skipped(v, "%s, %s: not served", text != NULL ? text : "?",
                             vd_vector_text(v, "type"));
}

/* Both ways: the ciphertext made is the one given, and it opens to the text. */
static vd_status aead_both(struct vd_vector *v, const struct vd_alg_message *message,
                           const struct vd_alg_bytes *sealed, bool valid)
{
    struct vd_alg_message opened = *message;
    struct vd_alg_buffer out = {}, plain = {};
    vd_status status;

    VD_TRY(vd_vector_room(v, message->text.size + VD_ALG_TAG_SIZE, &out));
    VD_TRY(vd_vector_room(v, sealed->size, &plain));
    opened.text = *sealed;
    status = vd_alg_decrypt_raw(v->key[0], &opened, &plain, NULL);
    if (!valid || status != VD_OK)
        return vd_vector_judged(v, valid, status);
    if (!vd_bytes_equal(&message->text, plain.data, plain.size))
        return vd_vector_failed(v, "opens to another text");
    status = vd_alg_encrypt_raw(v->key[0], message, &out, NULL);
    return vd_vector_is(v, status == VD_OK && vd_bytes_equal(sealed, out.data, out.size),
                        "encrypts to another ciphertext");
}

static vd_status test_aead(struct vd_vector *v)
{
    bool aes = is_algorithm(v, "AES-GCM"), valid = false, acceptable = false;
    struct vd_alg_message message = {};
    struct vd_alg_bytes key = {}, ct = {}, tag = {}, sealed;
    struct vd_alg_buffer whole = {};
    vd_status status;

    if (!aes && !is_algorithm(v, "CHACHA20-POLY1305"))
        return not_served(v);
    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, "key", &key));
    VD_TRY(vd_vector_bytes(v, "iv", &message.nonce));
    VD_TRY(vd_vector_bytes(v, "aad", &message.aad));
    VD_TRY(vd_vector_bytes(v, "msg", &message.text));
    VD_TRY(vd_vector_bytes(v, "ct", &ct));
    VD_TRY(vd_vector_bytes(v, "tag", &tag));
    if (aes && key.size != VD_ALG_KEY_SIZE)
        return vd_vector_skipped(v, "AES-GCM with a key of %zu bits: not served", key.size * 8);
    if (valid && message.nonce.size != VD_ALG_NONCE_SIZE)
        return vd_vector_skipped(v, "%.32s with a nonce of other than 96 bits: not served",
                                 aes ? "AES-GCM" : "ChaCha20-Poly1305");
    if (valid && tag.size != VD_ALG_TAG_SIZE)
        return vd_vector_skipped(v, "%.32s with a tag of other than 128 bits: not served",
                                 aes ? "AES-GCM" : "ChaCha20-Poly1305");
    status = vd_vector_import(v, 0, aes ? VD_ALG_AES_256_GCM : VD_ALG_CHACHA20_POLY1305,
                              VD_ALG_FORM_RAW, &key);
    if (status != VD_OK)
        return vd_vector_judged(v, valid, status);
    VD_TRY(vd_vector_room(v, ct.size + tag.size, &whole));
    memcpy(whole.data, ct.data, ct.size);
    memcpy((uint8_t *)whole.data + ct.size, tag.data, tag.size);
    sealed = (struct vd_alg_bytes){whole.data, ct.size + tag.size};
    return aead_both(v, &message, &sealed, valid);
}

/* A signature that holds, or one that must not. */
static vd_status verify(struct vd_vector *v, enum vd_alg_mechanism mechanism)
{
    struct vd_alg_signing what = {.mechanism = mechanism};
    struct vd_alg_bytes signature = {};
    bool valid = false, acceptable = false;

    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, "msg", &what.message));
    VD_TRY(vd_vector_bytes(v, "sig", &signature));
    if (vd_vector_has(v, "ctx"))
        VD_TRY(vd_vector_bytes(v, "ctx", &what.context));
    if (acceptable)
        return vd_vector_skipped(v, "either answer is acceptable");
    return vd_vector_judged(v, valid, vd_alg_verify(v->key[0], &what, &signature, NULL));
}

/* The group's public key; a refused one refuses every signature. */
static vd_status verify_with(struct vd_vector *v, enum vd_alg_type type,
                             enum vd_alg_mechanism mechanism)
{
    bool lattice = type == VD_ALG_ML_DSA_65, valid = false, acceptable = false;
    struct vd_alg_bytes key = {};
    vd_status status;

    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes_in(v, v->group, lattice ? "publicKey" : "publicKeyDer", &key));
    status =
        vd_vector_import(v, 0, type, lattice ? VD_ALG_FORM_RAW_PUBLIC : VD_ALG_FORM_SPKI, &key);
    if (status != VD_OK)
        return vd_vector_judged(v, valid, status);
    return verify(v, mechanism);
}

static vd_status test_ecdsa(struct vd_vector *v)
{
    bool raw = strcmp(vd_vector_text(v, "type"), "EcdsaP1363Verify") == 0;
    const char *curve =
        json_string_value(json_object_get(json_object_get(v->group, "publicKey"), "curve"));

    if (curve == NULL || strcmp(curve, "secp256r1") != 0)
        return vd_vector_skipped(v, "ECDSA on the curve %.32s: not served",
                                 curve != NULL ? curve : "?");
    if (strcmp(vd_vector_text(v, "sha"), "SHA-256") != 0)
        return vd_vector_skipped(v, "ECDSA with %.32s: not served", vd_vector_text(v, "sha"));
    return verify_with(v, VD_ALG_ECDSA_P256, raw ? VD_ALG_ECDSA_SHA256_RAW : VD_ALG_ECDSA_SHA256);
}

static vd_status test_eddsa(struct vd_vector *v)
{
    const char *curve =
        json_string_value(json_object_get(json_object_get(v->group, "publicKey"), "curve"));

    if (curve == NULL || strcmp(curve, "edwards25519") != 0)
        return vd_vector_skipped(v, "EdDSA on the curve %.32s: not served",
                                 curve != NULL ? curve : "?");
    return verify_with(v, VD_ALG_ED25519, VD_ALG_EDDSA);
}

static vd_status test_rsa(struct vd_vector *v)
{
    bool pss = strcmp(vd_vector_text(v, "type"), "RsassaPssVerify") == 0;

    if (vd_vector_number(v, "keySize") != 4096)
        return vd_vector_skipped(v, "RSA with %lld bits: not served",
                                 (long long)vd_vector_number(v, "keySize"));
    if (strcmp(vd_vector_text(v, "sha"), "SHA-256") != 0 ||
        (pss && strcmp(vd_vector_text(v, "mgfSha"), "SHA-256") != 0))
        return vd_vector_skipped(v, "RSA with %.32s: not served", vd_vector_text(v, "sha"));
    if (pss && vd_vector_number(v, "sLen") != VD_ALG_DIGEST_SIZE)
        return vd_vector_skipped(v, "RSA-PSS with a salt of other than 32 bytes: not served");
    return verify_with(v, VD_ALG_RSA_4096, pss ? VD_ALG_RSA_PSS_SHA256 : VD_ALG_RSA_PKCS1_SHA256);
}

static vd_status test_ml_dsa_verify(struct vd_vector *v)
{
    if (!is_algorithm(v, "ML-DSA-65"))
        return not_served(v);
    return verify_with(v, VD_ALG_ML_DSA_65, VD_ALG_ML_DSA);
}

/* A private key and the deterministic signature it gives. */
static vd_status test_ml_dsa_sign(struct vd_vector *v)
{
    bool seed = vd_vector_has(v, "privateSeed"), valid = false, acceptable = false;
    struct vd_alg_signing what = {.mechanism = VD_ALG_ML_DSA_DETERMINISTIC};
    struct vd_alg_bytes key = {}, signature = {};
    struct vd_alg_buffer out = {};
    vd_status status;

    if (!is_algorithm(v, "ML-DSA-65"))
        return not_served(v);
    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes_in(v, v->group, seed ? "privateSeed" : "privateKey", &key));
    VD_TRY(vd_vector_bytes(v, "sig", &signature));
    if (vd_vector_has(v, "ctx"))
        VD_TRY(vd_vector_bytes(v, "ctx", &what.context));
    if (!vd_vector_has(v, "msg")) {
        VD_TRY(vd_vector_bytes(v, "mu", &what.message));
        what.mechanism = VD_ALG_ML_DSA_MU_DETERMINISTIC;
    } else {
        VD_TRY(vd_vector_bytes(v, "msg", &what.message));
    }
    status = vd_vector_import(v, 0, VD_ALG_ML_DSA_65,
                              seed ? VD_ALG_FORM_SEED : VD_ALG_FORM_EXPANDED, &key);
    VD_TRY(vd_vector_room(v, VD_ALG_SIGNATURE_MAX, &out));
    if (status == VD_OK)
        status = vd_alg_sign(v->key[0], &what, &out, NULL);
    if (!valid || status != VD_OK)
        return vd_vector_judged(v, valid, status);
    return vd_vector_is(v, vd_bytes_equal(&signature, out.data, out.size), "another signature");
}

static vd_status test_hkdf(struct vd_vector *v)
{
    struct vd_alg_bytes ikm = {}, okm = {};
    struct vd_alg_kdf kdf = {};
    bool valid = false, acceptable = false;
    json_int_t size = vd_vector_number(v, "size");
    vd_status status;

    if (!is_algorithm(v, "HKDF-SHA-256"))
        return not_served(v);
    if (size < 0)
        return vd_vector_wrong(v, "size", "a number of bytes");
    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, "ikm", &ikm));
    VD_TRY(vd_vector_bytes(v, "salt", &kdf.salt));
    VD_TRY(vd_vector_bytes(v, "info", &kdf.info));
    VD_TRY(vd_vector_bytes(v, "okm", &okm));
    kdf.size = (size_t)size;
    status = vd_vector_import(v, 0, VD_ALG_HKDF_SHA256, VD_ALG_FORM_RAW, &ikm);
    if (status == VD_OK)
        status = vd_alg_hkdf(v->key[0], &kdf, &v->secret, NULL);
    if (!valid || status != VD_OK)
        return vd_vector_judged(v, valid, status);
    return vd_vector_is(v, vd_bytes_equal(&okm, v->secret.data, v->secret.size), "other bytes");
}

static vd_status test_mac(struct vd_vector *v)
{
    struct vd_alg_signing what = {.mechanism = VD_ALG_HMAC};
    struct vd_alg_bytes key = {}, tag = {};
    bool valid = false, acceptable = false;
    vd_status status;

    if (!is_algorithm(v, "HMACSHA256"))
        return not_served(v);
    if (vd_vector_number(v, "tagSize") != 256)
        return vd_vector_skipped(v, "HMAC cut short: not served");
    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, "key", &key));
    VD_TRY(vd_vector_bytes(v, "msg", &what.message));
    VD_TRY(vd_vector_bytes(v, "tag", &tag));
    if (key.size < VD_ALG_SECRET_MIN)
        return vd_vector_skipped(v, "HMAC keys below 128 bits: not served");
    status = vd_vector_import(v, 0, VD_ALG_HMAC_SHA256, VD_ALG_FORM_RAW, &key);
    if (status == VD_OK)
        status = vd_alg_verify(v->key[0], &what, &tag, NULL);
    return vd_vector_judged(v, valid, status);
}

/* The shared secret of one's private and another's public key. */
static vd_status agree(struct vd_vector *v, enum vd_alg_form form, bool refuse)
{
    struct vd_alg_bytes public = {}, shared = {};
    bool valid = false, acceptable = false;
    vd_status status;

    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, "public", &public));
    VD_TRY(vd_vector_bytes(v, "shared", &shared));
    status = vd_alg_agree(v->key[0], form, &public, &v->secret, NULL);
    if (refuse)
        return vd_vector_judged(v, false, status);
    if (status != VD_OK || !valid)
        return acceptable && status != VD_OK ? vd_vector_passed(v)
               : acceptable
                   ? vd_vector_is(v, vd_bytes_equal(&shared, v->secret.data, v->secret.size),
                                  "another secret")
                   : vd_vector_judged(v, valid, status);
    return vd_vector_is(v, vd_bytes_equal(&shared, v->secret.data, v->secret.size),
                        "another secret");
}

static vd_status test_xdh(struct vd_vector *v)
{
    struct vd_alg_bytes private = {};

    if (strcmp(vd_vector_text(v, "type"), "XdhComp") != 0 ||
        strcmp(vd_vector_text(v, "curve"), "curve25519") != 0)
        return vd_vector_skipped(v, "%.32s on %.32s: not served", vd_vector_text(v, "type"),
                                 vd_vector_text(v, "curve"));
    VD_TRY(vd_vector_bytes(v, "private", &private));
    if (vd_vector_import(v, 0, VD_ALG_X25519, VD_ALG_FORM_RAW, &private) != VD_OK)
        return vd_vector_failed(v, "the private key is refused");
    /* An all-zero result is refused here, which Wycheproof allows. */
    return agree(v, VD_ALG_FORM_RAW_PUBLIC, has_flag(v, "ZeroSharedSecret"));
}

static vd_status test_ecdh(struct vd_vector *v)
{
    struct vd_alg_bytes private = {};
    struct vd_alg_buffer scalar = {};
    const uint8_t *bytes;

    if (strcmp(vd_vector_text(v, "curve"), "secp256r1") != 0)
        return vd_vector_skipped(v, "ECDH on the curve %.32s: not served",
                                 vd_vector_text(v, "curve"));
    VD_TRY(vd_vector_bytes(v, "private", &private));
    VD_TRY(vd_vector_room(v, VD_ALG_KEY_SIZE, &scalar));
    bytes = private.data;
    while (private.size > VD_ALG_KEY_SIZE && *bytes == 0) {
        bytes++;
        private.size--;
    }
    if (private.size > VD_ALG_KEY_SIZE)
        return vd_vector_failed(v, "the private key is too long");
    memset(scalar.data, 0, VD_ALG_KEY_SIZE);
    memcpy((uint8_t *)scalar.data + VD_ALG_KEY_SIZE - private.size, bytes, private.size);
    private = (struct vd_alg_bytes){scalar.data, VD_ALG_KEY_SIZE};
    if (vd_vector_import(v, 0, VD_ALG_ECDSA_P256, VD_ALG_FORM_RAW, &private) != VD_OK)
        return vd_vector_failed(v, "the private key is refused");
    return agree(v,
                 strcmp(vd_vector_text(v, "encoding"), "ecpoint") == 0 ? VD_ALG_FORM_RAW_PUBLIC
                                                                       : VD_ALG_FORM_SPKI,
                 false);
}

/* The encapsulation key that belongs to v->key[0] is the one given. */
static vd_status same_public(struct vd_vector *v, const char *name, bool *ret)
{
    struct vd_alg_bytes given = {};
    struct vd_alg_buffer out = {};

    VD_TRY(vd_vector_bytes(v, name, &given));
    VD_TRY(vd_vector_room(v, VD_ALG_PUBLIC_DER_MAX, &out));
    *ret = vd_alg_key_public(v->key[0], VD_ALG_FORM_RAW_PUBLIC, &out, NULL) == VD_OK &&
           vd_bytes_equal(&given, out.data, out.size);
    return VD_OK;
}

static bool is_768(const struct vd_vector *v)
{
    return strcmp(vd_vector_text(v, "parameterSet"), "ML-KEM-768") == 0;
}

static vd_status other_set(struct vd_vector *v)
{
    return vd_vector_skipped(v, "%.32s: not served", vd_vector_text(v, "parameterSet"));
}

static vd_status test_ml_kem_keygen(struct vd_vector *v)
{
    struct vd_alg_bytes seed = {}, dk = {};
    bool valid = false, acceptable = false, same = false;
    vd_status status;

    if (!is_768(v))
        return other_set(v);
    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, "seed", &seed));
    status = vd_vector_import(v, 0, VD_ALG_ML_KEM_768, VD_ALG_FORM_SEED, &seed);
    if (!valid || status != VD_OK)
        return vd_vector_judged(v, valid, status);
    VD_TRY(vd_vector_bytes(v, "dk", &dk));
    VD_TRY(same_public(v, "ek", &same));
    status = vd_alg_key_export(v->key[0], VD_ALG_FORM_EXPANDED, &v->secret, NULL);
    return vd_vector_is(
        v, same && status == VD_OK && vd_bytes_equal(&dk, v->secret.data, v->secret.size),
        "another key");
}

/* Decapsulation with a key made of its seed, or of dk itself. */
static vd_status test_ml_kem(struct vd_vector *v)
{
    bool seed = vd_vector_has(v, "seed"), valid = false, acceptable = false, same = true;
    struct vd_alg_bytes key = {}, c = {}, k = {};
    vd_status status;

    if (!is_768(v))
        return other_set(v);
    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, seed ? "seed" : "dk", &key));
    VD_TRY(vd_vector_bytes(v, "c", &c));
    status = vd_vector_import(v, 0, VD_ALG_ML_KEM_768,
                              seed ? VD_ALG_FORM_SEED : VD_ALG_FORM_EXPANDED, &key);
    if (status == VD_OK)
        status = vd_alg_decapsulate(v->key[0], &c, &v->secret, NULL);
    if (!valid || status != VD_OK)
        return vd_vector_judged(v, valid, status);
    if (seed && vd_vector_has(v, "ek"))
        VD_TRY(same_public(v, "ek", &same));
    if (!vd_vector_has(v, "K"))
        return vd_vector_passed(v);
    VD_TRY(vd_vector_bytes(v, "K", &k));
    return vd_vector_is(v, same && vd_bytes_equal(&k, v->secret.data, v->secret.size),
                        same ? "another secret" : "another key");
}

/* An encapsulation key, taken or refused. */
static vd_status test_ml_kem_encaps(struct vd_vector *v)
{
    bool valid = false, acceptable = false;
    struct vd_alg_bytes ek = {};

    if (!is_768(v))
        return other_set(v);
    VD_TRY(read_result(v, &valid, &acceptable));
    VD_TRY(vd_vector_bytes(v, "ek", &ek));
    if (valid)
        return vd_vector_skipped(v, "encapsulation with given randomness in this schema");
    return vd_vector_judged(v, false,
                            vd_vector_import(v, 0, VD_ALG_ML_KEM_768, VD_ALG_FORM_RAW_PUBLIC, &ek));
}

static const struct {
    const char *type;
    vd_status (*test)(struct vd_vector *v);
} types[] = {
    {"AeadTest", test_aead},
    {"EcdsaVerify", test_ecdsa},
    {"EcdsaP1363Verify", test_ecdsa},
    {"EddsaVerify", test_eddsa},
    {"RsassaPssVerify", test_rsa},
    {"RsassaPkcs1Verify", test_rsa},
    {"MlDsaVerify", test_ml_dsa_verify},
    {"MlDsaSign", test_ml_dsa_sign},
    {"HkdfTest", test_hkdf},
    {"MacTest", test_mac},
    {"XdhComp", test_xdh},
    {"EcdhTest", test_ecdh},
    {"EcdhEcpointTest", test_ecdh},
    {"MLKEMKeyGen", test_ml_kem_keygen},
    {"MLKEMTest", test_ml_kem},
    {"MLKEMDecapsValidationTest", test_ml_kem},
    {"MLKEMEncapsTest", test_ml_kem_encaps},
};

vd_status vd_wycheproof_test(struct vd_vector *v)
{
    const char *type = vd_vector_text(v, "type");

    if (*type == '\0')
        return vd_vector_wrong(v, "type", "the group's type of test");
    for (size_t i = 0; i < VD_COUNT(types); i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].test(v);
    return not_served(v);
}
