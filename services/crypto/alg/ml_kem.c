/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ML-KEM-768 (FIPS 203). The store keeps the seed d ‖ z, or dk where a key came without it. */
#include "services/crypto/alg/lattice.h"

#include <openssl/core_names.h>

#include "lib/diagf.h"

#define SHARED_SIZE 32u
#define CIPHER_SIZE 1088u

enum operation { ENCAPSULATE, DECAPSULATE };

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
    .generate = vd_alg_lattice_generate,
    .load = vd_alg_lattice_load,
    .import = vd_alg_lattice_import,
    .export = vd_alg_lattice_export,
    .public_raw = vd_alg_lattice_public,
    .encapsulate = encapsulate,
    .decapsulate = decapsulate,
};
