/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ML-KEM-768 (FIPS 203). The store keeps the seed d ‖ z, or dk where a key came without it. */
#include "services/crypto/alg/internal.h"

#include <openssl/core_names.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"

#define SEED_SIZE     64u
#define EXPANDED_SIZE 2400u
#define PUBLIC_SIZE   1184u
#define SHARED_SIZE   32u
#define CIPHER_SIZE   1088u

enum operation { ENCAPSULATE, DECAPSULATE };

EVP_PKEY *vd_alg_ml_kem_pkey(struct vd_alg *alg, const char *param, const uint8_t *data,
                             size_t size)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(param, (void *)(uintptr_t)data, size),
                           OSSL_PARAM_construct_end()};
    bool public = size == PUBLIC_SIZE;

    return vd_alg_pkey(alg, "ML-KEM-768", public ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params);
}

static vd_status from_seed(struct vd_alg_key *key, const uint8_t *seed, struct vd_diag *diag)
{
    VD_TRY(vd_secret_set(&key->secret, seed, SEED_SIZE, diag));
    key->has_seed = true;
    key->pkey =
        vd_alg_ml_kem_pkey(key->alg, OSSL_PKEY_PARAM_ML_KEM_SEED, key->secret.data, SEED_SIZE);
    return key->pkey != NULL ? VD_OK : vd_alg_failed(diag, "OpenSSL does not take the seed");
}

static vd_status from_expanded(struct vd_alg_key *key, const uint8_t *dk, struct vd_diag *diag)
{
    VD_TRY(vd_secret_set(&key->secret, dk, EXPANDED_SIZE, diag));
    key->pkey =
        vd_alg_ml_kem_pkey(key->alg, OSSL_PKEY_PARAM_PRIV_KEY, key->secret.data, EXPANDED_SIZE);
    return key->pkey != NULL
               ? VD_OK
               : vd_diag_fail(diag, VD_E_INVALID, "the decapsulation key contradicts itself");
}

static vd_status from_public(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                             struct vd_diag *diag)
{
    if (from->size != PUBLIC_SIZE)
        return vd_alg_wrong_size("an encapsulation key", from->size, PUBLIC_SIZE, diag);
    key->pkey = vd_alg_ml_kem_pkey(key->alg, OSSL_PKEY_PARAM_PUB_KEY, from->data, PUBLIC_SIZE);
    return key->pkey != NULL ? VD_OK
                             : vd_diag_fail(diag, VD_E_POINT,
                                            "the encapsulation key has a coefficient out of range");
}

static vd_status generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret seed = {};

    VD_TRY(vd_secret_init(&seed, SEED_SIZE, diag));
    VD_TRY(vd_alg_random(key->alg, seed.data, SEED_SIZE, diag));
    return from_seed(key, seed.data, diag);
}

static vd_status load(struct vd_alg_key *key, const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    if (from->size == SEED_SIZE)
        return from_seed(key, from->data, diag);
    if (from->size == EXPANDED_SIZE)
        return from_expanded(key, from->data, diag);
    return vd_alg_wrong_size("a decapsulation key", from->size, EXPANDED_SIZE, diag);
}

static vd_status export(const struct vd_alg_key *key, enum vd_alg_form form, struct vd_secret *ret,
                        struct vd_diag *diag);

/* A seed with the expanded key beside it: that must be the seed's. */
static vd_status from_both(struct vd_alg_key *key, const struct vd_alg_lattice *parts,
                           struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret own = {};

    if (parts->seed == NULL)
        return from_expanded(key, parts->expanded, diag);
    VD_TRY(from_seed(key, parts->seed, diag));
    if (parts->expanded == NULL)
        return VD_OK;
    VD_TRY(export(key, VD_ALG_FORM_EXPANDED, &own, diag));
    if (!vd_ct_equal(own.data, parts->expanded, EXPANDED_SIZE))
        return vd_diag_fail(diag, VD_E_INVALID, "the expanded key does not belong to the seed");
    return VD_OK;
}

static vd_status import(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    struct vd_alg_private private;
    struct vd_alg_lattice parts = {};
    struct vd_reader bits;
    struct vd_alg_bytes raw;

    switch (form) {
    case VD_ALG_FORM_SEED:
        if (from->size != SEED_SIZE)
            return vd_alg_wrong_size("a seed", from->size, SEED_SIZE, diag);
        return from_seed(key, from->data, diag);
    case VD_ALG_FORM_EXPANDED:
        if (from->size != EXPANDED_SIZE)
            return vd_alg_wrong_size("a decapsulation key", from->size, EXPANDED_SIZE, diag);
        return from_expanded(key, from->data, diag);
    case VD_ALG_FORM_PKCS8:
        VD_TRY(vd_alg_pkcs8_read(VD_ALG_ML_KEM_768, from, &private, diag));
        if (vd_reader_left(&private.public) != 0)
            return vd_diag_fail(diag, VD_E_ENCODING, "PrivateKeyInfo has more than a key in it");
        VD_TRY(vd_alg_lattice_read(&private.key, SEED_SIZE, EXPANDED_SIZE, &parts, diag));
        return from_both(key, &parts, diag);
    case VD_ALG_FORM_SPKI:
        VD_TRY(vd_alg_spki_read(VD_ALG_ML_KEM_768, from, &bits, diag));
        raw = (struct vd_alg_bytes){bits.pos, vd_reader_left(&bits)};
        return from_public(key, &raw, diag);
    default:
        return from_public(key, from, diag);
    }
}

static vd_status export(const struct vd_alg_key *key, enum vd_alg_form form, struct vd_secret *ret,
                        struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret inside = {};

    if (form == VD_ALG_FORM_EXPANDED)
        return vd_alg_pkey_secret(key->pkey, OSSL_PKEY_PARAM_PRIV_KEY, EXPANDED_SIZE, ret, diag);
    if (form == VD_ALG_FORM_SEED) {
        if (!key->has_seed)
            return vd_diag_fail(diag, VD_E_NOT_FOUND, "the key was imported without its seed");
        return vd_secret_set(ret, key->secret.data, SEED_SIZE, diag);
    }
    VD_TRY(vd_alg_element(key->has_seed ? VD_DER_CONTEXT : VD_DER_OCTETS, &key->secret, &inside,
                          diag));
    return vd_alg_pkcs8_write(VD_ALG_ML_KEM_768, &inside, ret, diag);
}

static vd_status public_raw(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag)
{
    return vd_alg_pkey_public(key->pkey, out, PUBLIC_SIZE, diag);
}

static bool prepare(struct vd_alg_worker *worker, struct vd_alg_key *key, enum operation operation)
{
    EVP_PKEY_CTX *ctx = worker->op[operation];

    if (ctx != NULL)
        return true;
    ctx = worker->op[operation] = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, key->pkey, NULL);
    return ctx != NULL && (operation == ENCAPSULATE ? EVP_PKEY_encapsulate_init(ctx, NULL)
                                                    : EVP_PKEY_decapsulate_init(ctx, NULL)) == 1;
}

/* With the 32 bytes m of `random` in a context of its own, which no later call finds. */
static bool encapsulate_with(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                             uint8_t *out, uint8_t ret[SHARED_SIZE])
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(
                               OSSL_KEM_PARAM_IKME, (void *)(uintptr_t)random->data, random->size),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, key->pkey, NULL);
    size_t size = CIPHER_SIZE, shared = SHARED_SIZE;
    bool good = ctx != NULL && EVP_PKEY_encapsulate_init(ctx, params) == 1 &&
                EVP_PKEY_encapsulate(ctx, out, &size, ret, &shared) == 1 && size == CIPHER_SIZE &&
                shared == SHARED_SIZE;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

bool vd_alg_ml_kem_encapsulate(struct vd_alg_worker *worker, struct vd_alg_key *key,
                               const struct vd_alg_bytes *random, uint8_t *out,
                               uint8_t ret[SHARED_SIZE])
{
    size_t size = CIPHER_SIZE, shared = SHARED_SIZE;

    if (random != NULL)
        return encapsulate_with(key, random, out, ret);
    return prepare(worker, key, ENCAPSULATE) &&
           EVP_PKEY_encapsulate(worker->op[ENCAPSULATE], out, &size, ret, &shared) == 1 &&
           size == CIPHER_SIZE && shared == SHARED_SIZE;
}

bool vd_alg_ml_kem_decapsulate(struct vd_alg_worker *worker, struct vd_alg_key *key,
                               const uint8_t *encapsulated, uint8_t ret[SHARED_SIZE])
{
    size_t shared = SHARED_SIZE;

    return prepare(worker, key, DECAPSULATE) &&
           EVP_PKEY_decapsulate(worker->op[DECAPSULATE], ret, &shared, encapsulated, CIPHER_SIZE) ==
               1 &&
           shared == SHARED_SIZE;
}

/* Exactly one of `out` (to encapsulate) and `in` is set. */
static vd_status run(struct vd_alg_key *key, const struct vd_alg_bytes *random, uint8_t *out,
                     const uint8_t *in, struct vd_secret *ret)
{
    struct vd_alg_worker *worker;
    bool good;

    if (random != NULL && random->size != SHARED_SIZE)
        return VD_E_SIZE;
    VD_TRY(vd_secret_init(ret, SHARED_SIZE, NULL));
    worker = vd_alg_worker_take(key);
    good = worker != NULL &&
           (out != NULL ? vd_alg_ml_kem_encapsulate(worker, key, random, out, ret->data)
                        : vd_alg_ml_kem_decapsulate(worker, key, in, ret->data));
    if (good)
        vd_alg_worker_put(key, worker);
    else if (worker != NULL)
        vd_alg_worker_done(worker);
    if (good)
        return VD_OK;
    vd_secret_done(ret);
    return vd_alg_failed(NULL, "");
}

static vd_status encapsulate(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                             uint8_t *out, struct vd_secret *ret, struct vd_diag *diag)
{
    vd_status status = run(key, random, out, NULL, ret);

    return status == VD_OK ? VD_OK : vd_diag_fail(diag, status, "ML-KEM could not encapsulate");
}

static vd_status decapsulate(struct vd_alg_key *key, const uint8_t *encapsulated,
                             struct vd_secret *ret, struct vd_diag *diag)
{
    vd_status status = run(key, NULL, NULL, encapsulated, ret);

    return status == VD_OK ? VD_OK : vd_diag_fail(diag, status, "ML-KEM could not decapsulate");
}

const struct vd_alg_family vd_alg_ml_kem_family = {
    .generate = generate,
    .load = load,
    .import = import,
    .export = export,
    .public_raw = public_raw,
    .encapsulate = encapsulate,
    .decapsulate = decapsulate,
};
