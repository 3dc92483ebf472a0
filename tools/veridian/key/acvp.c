/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * NIST's ACVP vectors for ML-KEM (draft-celi-acvp-ml-kem) and ML-DSA (draft-celi-acvp-ml-dsa).
 * A group of ML-DSA without `signatureInterface` means FIPS 204's internal interface.
 */
#include <string.h>

#include "services/crypto/alg/known.h"
#include "tools/veridian/key/vector.h"

static vd_status public_is(struct vd_vector *v, const char *name, bool *ret)
{
    struct vd_alg_bytes given = {};
    struct vd_alg_buffer out = {};

    VD_TRY(vd_vector_bytes(v, name, &given));
    VD_TRY(vd_vector_room(v, VD_ALG_PUBLIC_DER_MAX, &out));
    *ret = vd_alg_key_public(v->key[0], VD_ALG_FORM_RAW_PUBLIC, &out, NULL) == VD_OK &&
           vd_bytes_equal(&given, out.data, out.size);
    return VD_OK;
}

/* A key of `seed`, whose public and expanded forms the test gives. */
static vd_status keygen(struct vd_vector *v, enum vd_alg_type type, const struct vd_alg_bytes *seed)
{
    bool kem = type == VD_ALG_ML_KEM_768, same = false;
    struct vd_alg_bytes expanded = {};
    vd_status status = vd_vector_import(v, 0, type, VD_ALG_FORM_SEED, seed);

    if (status != VD_OK)
        return vd_vector_judged(v, true, status);
    VD_TRY(public_is(v, kem ? "ek" : "pk", &same));
    VD_TRY(vd_vector_bytes(v, kem ? "dk" : "sk", &expanded));
    status = vd_alg_key_export(v->key[0], VD_ALG_FORM_EXPANDED, &v->secret, NULL);
    return vd_vector_is(
        v, same && status == VD_OK && vd_bytes_equal(&expanded, v->secret.data, v->secret.size),
        "another key");
}

static vd_status kem_keygen(struct vd_vector *v)
{
    struct vd_alg_bytes d = {}, z = {}, seed;
    struct vd_alg_buffer both = {};

    VD_TRY(vd_vector_bytes(v, "d", &d));
    VD_TRY(vd_vector_bytes(v, "z", &z));
    VD_TRY(vd_vector_room(v, d.size + z.size, &both));
    memcpy(both.data, d.data, d.size);
    memcpy((uint8_t *)both.data + d.size, z.data, z.size);
    seed = (struct vd_alg_bytes){both.data, d.size + z.size};
    return keygen(v, VD_ALG_ML_KEM_768, &seed);
}

static vd_status kem_encapsulate(struct vd_vector *v)
{
    struct vd_alg_bytes ek = {}, m = {}, c = {}, k = {};
    struct vd_alg_buffer out = {};
    vd_status status;

    VD_TRY(vd_vector_bytes(v, "ek", &ek));
    VD_TRY(vd_vector_bytes(v, "m", &m));
    VD_TRY(vd_vector_bytes(v, "c", &c));
    VD_TRY(vd_vector_bytes(v, "k", &k));
    VD_TRY(vd_vector_room(v, c.size, &out));
    status = vd_vector_import(v, 0, VD_ALG_ML_KEM_768, VD_ALG_FORM_RAW_PUBLIC, &ek);
    if (status == VD_OK)
        status = vd_alg_known_encapsulate(v->key[0], &m, &out, &v->secret, NULL);
    if (status != VD_OK)
        return vd_vector_judged(v, true, status);
    return vd_vector_is(v,
                        vd_bytes_equal(&c, out.data, out.size) &&
                            vd_bytes_equal(&k, v->secret.data, v->secret.size),
                        "another encapsulation");
}

static vd_status kem_decapsulate(struct vd_vector *v)
{
    struct vd_alg_bytes dk = {}, c = {}, k = {};
    vd_status status;

    VD_TRY(vd_vector_bytes(v, "dk", &dk));
    VD_TRY(vd_vector_bytes(v, "c", &c));
    VD_TRY(vd_vector_bytes(v, "k", &k));
    status = vd_vector_import(v, 0, VD_ALG_ML_KEM_768, VD_ALG_FORM_EXPANDED, &dk);
    if (status == VD_OK)
        status = vd_alg_decapsulate(v->key[0], &c, &v->secret, NULL);
    if (status != VD_OK)
        return vd_vector_judged(v, true, status);
    return vd_vector_is(v, vd_bytes_equal(&k, v->secret.data, v->secret.size), "another secret");
}

/* A key that is to be taken or refused. */
static vd_status key_check(struct vd_vector *v, enum vd_alg_form form, const char *name)
{
    const json_t *passed = vd_vector_field(v, "testPassed");
    struct vd_alg_bytes key = {};

    if (!json_is_boolean(passed))
        return vd_vector_wrong(v, "testPassed", "true or false");
    VD_TRY(vd_vector_bytes(v, name, &key));
    return vd_vector_judged(v, json_is_true(passed),
                            vd_vector_import(v, 0, VD_ALG_ML_KEM_768, form, &key));
}

static vd_status ml_kem(struct vd_vector *v, const char *mode)
{
    const char *set = vd_vector_text(v, "parameterSet"), *function = vd_vector_text(v, "function");

    if (strcmp(set, "ML-KEM-768") != 0)
        return vd_vector_skipped(v, "%.32s: not served", set);
    if (strcmp(mode, "keyGen") == 0)
        return kem_keygen(v);
    if (strcmp(function, "encapsulation") == 0)
        return kem_encapsulate(v);
    if (strcmp(function, "decapsulation") == 0)
        return kem_decapsulate(v);
    if (strcmp(function, "encapsulationKeyCheck") == 0)
        return key_check(v, VD_ALG_FORM_RAW_PUBLIC, "ek");
    if (strcmp(function, "decapsulationKeyCheck") == 0)
        return key_check(v, VD_ALG_FORM_EXPANDED, "dk");
    return vd_vector_skipped(v, "ML-KEM %.32s %.32s: not served", mode, function);
}

/* The message, mu or context of a test, by the interface its group names. */
static vd_status read_signing(struct vd_vector *v, struct vd_alg_known_signing *ret)
{
    const char *interface = vd_vector_text(v, "signatureInterface");
    bool mu = json_is_true(vd_vector_field(v, "externalMu"));

    ret->internal = strcmp(interface, "external") != 0;
    ret->signing.mechanism = mu ? VD_ALG_ML_DSA_MU : VD_ALG_ML_DSA;
    VD_TRY(vd_vector_bytes(v, mu ? "mu" : "message", &ret->signing.message));
    if (!ret->internal && vd_vector_has(v, "context"))
        VD_TRY(vd_vector_bytes(v, "context", &ret->signing.context));
    return VD_OK;
}

static vd_status dsa_sign(struct vd_vector *v)
{
    struct vd_alg_known_signing what = {};
    struct vd_alg_bytes sk = {}, signature = {};
    struct vd_alg_buffer out = {};
    vd_status status;

    VD_TRY(read_signing(v, &what));
    VD_TRY(vd_vector_bytes(v, "sk", &sk));
    VD_TRY(vd_vector_bytes(v, "signature", &signature));
    if (json_is_false(vd_vector_field(v, "deterministic")))
        VD_TRY(vd_vector_bytes(v, "rnd", &what.random));
    else
        what.signing.mechanism = what.signing.mechanism == VD_ALG_ML_DSA_MU
                                     ? VD_ALG_ML_DSA_MU_DETERMINISTIC
                                     : VD_ALG_ML_DSA_DETERMINISTIC;
    VD_TRY(vd_vector_room(v, VD_ALG_SIGNATURE_MAX, &out));
    status = vd_vector_import(v, 0, VD_ALG_ML_DSA_65, VD_ALG_FORM_EXPANDED, &sk);
    if (status == VD_OK)
        status = vd_alg_known_sign(v->key[0], &what, &out, NULL);
    if (status != VD_OK)
        return vd_vector_judged(v, true, status);
    return vd_vector_is(v, vd_bytes_equal(&signature, out.data, out.size), "another signature");
}

static vd_status dsa_verify(struct vd_vector *v)
{
    const json_t *passed = vd_vector_field(v, "testPassed");
    struct vd_alg_known_signing what = {};
    struct vd_alg_bytes pk = {}, signature = {};
    vd_status status;

    if (!json_is_boolean(passed))
        return vd_vector_wrong(v, "testPassed", "true or false");
    VD_TRY(read_signing(v, &what));
    VD_TRY(vd_vector_bytes(v, "pk", &pk));
    VD_TRY(vd_vector_bytes(v, "signature", &signature));
    status = vd_vector_import(v, 0, VD_ALG_ML_DSA_65, VD_ALG_FORM_RAW_PUBLIC, &pk);
    if (status == VD_OK)
        status = vd_alg_known_verify(v->key[0], &what, &signature, NULL);
    return vd_vector_judged(v, json_is_true(passed), status);
}

static vd_status ml_dsa(struct vd_vector *v, const char *mode)
{
    const char *set = vd_vector_text(v, "parameterSet");
    struct vd_alg_bytes seed = {};

    if (strcmp(set, "ML-DSA-65") != 0)
        return vd_vector_skipped(v, "%.32s: not served", set);
    if (strcmp(vd_vector_text(v, "preHash"), "preHash") == 0)
        return vd_vector_skipped(v, "HashML-DSA-65 (preHash): not served");
    if (strcmp(mode, "sigGen") == 0)
        return dsa_sign(v);
    if (strcmp(mode, "sigVer") == 0)
        return dsa_verify(v);
    if (strcmp(mode, "keyGen") != 0)
        return vd_vector_skipped(v, "ML-DSA %.32s: not served", mode);
    VD_TRY(vd_vector_bytes(v, "seed", &seed));
    return keygen(v, VD_ALG_ML_DSA_65, &seed);
}

vd_status vd_acvp_test(struct vd_vector *v)
{
    const char *algorithm = json_string_value(json_object_get(v->root, "algorithm"));
    const char *mode = json_string_value(json_object_get(v->root, "mode"));

    mode = mode != NULL ? mode : "";
    if (strcmp(algorithm, "ML-KEM") == 0)
        return ml_kem(v, mode);
    if (strcmp(algorithm, "ML-DSA") == 0)
        return ml_dsa(v, mode);
    return vd_acvp_classic(v, algorithm, mode);
}
