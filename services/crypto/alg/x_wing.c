/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * X-Wing (draft-connolly-cfrg-xwing-kem, 06 and later): ML-KEM-768 and X25519 together. A secret
 * holds as long as one of both does.
 */
#include "services/crypto/alg/internal.h"

#include <openssl/core_names.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"
#include "services/crypto/alg/known.h"

#define SEED_SIZE     32u
#define ML_KEM_PUBLIC 1184u
#define ML_KEM_CIPHER 1088u
#define X_SIZE        32u
#define PUBLIC_SIZE   (ML_KEM_PUBLIC + X_SIZE)
#define RANDOM_SIZE   64u /* eseed */
#define EXPANDED_SIZE 96u /* d ‖ z, then X25519's scalar */

static const uint8_t label[6] = {'\\', '.', '/', '/', '^', '\\'};

static bool expand(struct vd_alg *alg, const uint8_t seed[SEED_SIZE], uint8_t ret[EXPANDED_SIZE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex2(ctx, alg->shake256, NULL) == 1 &&
                EVP_DigestUpdate(ctx, seed, SEED_SIZE) == 1 &&
                EVP_DigestFinalXOF(ctx, ret, EXPANDED_SIZE) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

static bool x_public(EVP_PKEY *pkey, uint8_t ret[X_SIZE])
{
    size_t size = X_SIZE;

    return EVP_PKEY_get_raw_public_key(pkey, ret, &size) == 1 && size == X_SIZE;
}

static vd_status from_seed(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                           struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret expanded = {};

    if (from->size != SEED_SIZE)
        return vd_alg_wrong_size("a seed", from->size, SEED_SIZE, diag);
    VD_TRY(vd_secret_set(&key->secret, from->data, SEED_SIZE, diag));
    VD_TRY(vd_secret_init(&expanded, EXPANDED_SIZE, diag));
    if (!expand(key->alg, key->secret.data, expanded.data))
        return vd_alg_failed(diag, "OpenSSL could not expand the seed");
    key->pkey = vd_alg_ml_kem_pkey(key->alg, OSSL_PKEY_PARAM_ML_KEM_SEED, expanded.data, 64);
    key->second =
        EVP_PKEY_new_raw_private_key_ex(key->alg->lib, "X25519", NULL, expanded.data + 64, X_SIZE);
    if (key->pkey == NULL || key->second == NULL || !x_public(key->second, key->second_public))
        return vd_alg_failed(diag, "OpenSSL does not take the seed");
    return VD_OK;
}

static vd_status from_public(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                             struct vd_diag *diag)
{
    const uint8_t *bytes = from->data;

    if (from->size != PUBLIC_SIZE)
        return vd_alg_wrong_size("a public key", from->size, PUBLIC_SIZE, diag);
    if (vd_alg_x25519_is_small(bytes + ML_KEM_PUBLIC))
        return vd_diag_fail(diag, VD_E_POINT, "the X25519 part is a point of small order");
    key->pkey = vd_alg_ml_kem_pkey(key->alg, OSSL_PKEY_PARAM_PUB_KEY, bytes, ML_KEM_PUBLIC);
    if (key->pkey == NULL)
        return vd_diag_fail(diag, VD_E_POINT, "the ML-KEM part has a coefficient out of range");
    key->second = EVP_PKEY_new_raw_public_key_ex(key->alg->lib, "X25519", NULL,
                                                 bytes + ML_KEM_PUBLIC, X_SIZE);
    vd_copy(key->second_public, bytes + ML_KEM_PUBLIC, X_SIZE);
    return key->second != NULL ? VD_OK : vd_alg_failed(diag, "OpenSSL does not take the key");
}

static vd_status generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret seed = {};
    struct vd_alg_bytes bytes;

    VD_TRY(vd_secret_init(&seed, SEED_SIZE, diag));
    VD_TRY(vd_alg_random(key->alg, seed.data, SEED_SIZE, diag));
    bytes = (struct vd_alg_bytes){seed.data, SEED_SIZE};
    return from_seed(key, &bytes, diag);
}

static vd_status load(struct vd_alg_key *key, const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    return from_seed(key, from, diag);
}

static vd_status import(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    struct vd_alg_private private;
    struct vd_reader bits;
    struct vd_alg_bytes raw;

    switch (form) {
    case VD_ALG_FORM_SEED:
        return from_seed(key, from, diag);
    case VD_ALG_FORM_PKCS8:
        VD_TRY(vd_alg_pkcs8_read(VD_ALG_X_WING, from, &private, diag));
        if (vd_reader_left(&private.public) != 0)
            return vd_diag_fail(diag, VD_E_ENCODING, "PrivateKeyInfo has more than a key in it");
        raw = (struct vd_alg_bytes){private.key.pos, vd_reader_left(&private.key)};
        return from_seed(key, &raw, diag);
    case VD_ALG_FORM_SPKI:
        VD_TRY(vd_alg_spki_read(VD_ALG_X_WING, from, &bits, diag));
        raw = (struct vd_alg_bytes){bits.pos, vd_reader_left(&bits)};
        return from_public(key, &raw, diag);
    default:
        return from_public(key, from, diag);
    }
}

static vd_status export(const struct vd_alg_key *key, enum vd_alg_form form, struct vd_secret *ret,
                        struct vd_diag *diag)
{
    if (form == VD_ALG_FORM_PKCS8)
        return vd_alg_pkcs8_write(VD_ALG_X_WING, &key->secret, ret, diag);
    return vd_secret_set(ret, key->secret.data, SEED_SIZE, diag);
}

static vd_status public_raw(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag)
{
    VD_TRY(vd_alg_pkey_public(key->pkey, out, ML_KEM_PUBLIC, diag));
    vd_copy(out + ML_KEM_PUBLIC, key->second_public, X_SIZE);
    return VD_OK;
}

/* What the combination hashes, side by side: both secrets, ct_X, pk_X. */
struct shares {
    uint8_t ml_kem[32];
    uint8_t x[32];
    uint8_t cipher_x[X_SIZE];
    uint8_t public_x[X_SIZE];
};

static bool combine(struct vd_alg_key *key, struct vd_alg_worker *worker, struct shares *shares,
                    uint8_t ret[32])
{
    if (worker->digest == NULL)
        worker->digest = EVP_MD_CTX_new();
    vd_copy(shares->public_x, key->second_public, X_SIZE);
    return worker->digest != NULL &&
           EVP_DigestInit_ex2(worker->digest, key->alg->sha3_256, NULL) == 1 &&
           EVP_DigestUpdate(worker->digest, shares, sizeof(*shares)) == 1 &&
           EVP_DigestUpdate(worker->digest, label, sizeof(label)) == 1 &&
           EVP_DigestFinal_ex(worker->digest, ret, NULL) == 1;
}

/* One exchange; a peer of small order gives zeros, as the draft's X25519 does. */
static bool exchange(struct vd_alg *alg, EVP_PKEY *own, const uint8_t peer_public[X_SIZE],
                     uint8_t ret[32])
{
    EVP_PKEY *peer;
    EVP_PKEY_CTX *ctx;
    size_t size = 32;
    bool good;

    if (vd_alg_x25519_is_small(peer_public)) {
        vd_wipe(ret, 32);
        return true;
    }
    peer = EVP_PKEY_new_raw_public_key_ex(alg->lib, "X25519", NULL, peer_public, X_SIZE);
    ctx = EVP_PKEY_CTX_new_from_pkey(alg->lib, own, NULL);
    good = peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
           EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
           EVP_PKEY_derive(ctx, ret, &size) == 1 && size == 32;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return good;
}

/* ML-KEM's m and X25519's ephemeral scalar of `random`; the encapsulation goes to `out`. */
static bool make(struct vd_alg_key *key, struct vd_alg_worker *worker, const uint8_t *random,
                 uint8_t *out, struct shares *shares)
{
    const struct vd_alg_bytes m = {random, 32};
    EVP_PKEY *ephemeral =
        EVP_PKEY_new_raw_private_key_ex(key->alg->lib, "X25519", NULL, random + 32, X_SIZE);
    bool good = ephemeral != NULL && x_public(ephemeral, out + ML_KEM_CIPHER) &&
                vd_alg_ml_kem_encapsulate(worker, key, &m, out, shares->ml_kem) &&
                exchange(key->alg, ephemeral, key->second_public, shares->x);

    vd_copy(shares->cipher_x, out + ML_KEM_CIPHER, X_SIZE);
    EVP_PKEY_free(ephemeral);
    return good;
}

/* The shares of a call, in secret memory, and the worker that it uses. */
struct call {
    struct vd_secret memory; /* struct shares, then eseed */
    struct vd_alg_worker *worker;
};

static vd_status begin(struct vd_alg_key *key, struct call *call, struct vd_secret *ret,
                       struct vd_diag *diag)
{
    VD_TRY(vd_secret_init(&call->memory, sizeof(struct shares) + RANDOM_SIZE, diag));
    call->worker = vd_alg_worker_take(key);
    if (call->worker == NULL) {
        vd_secret_done(&call->memory);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    }
    vd_status status = vd_secret_init(ret, VD_ALG_SHARED_SIZE, diag);
    if (status != VD_OK) {
        vd_secret_done(&call->memory);
        vd_alg_worker_put(key, call->worker);
    }
    return status;
}

/* The hash's context is emptied of what it hashed by starting it anew. */
static vd_status end(struct vd_alg_key *key, struct call *call, bool good, struct vd_secret *ret,
                     struct vd_diag *diag)
{
    vd_secret_done(&call->memory);
    if (good && EVP_DigestInit_ex2(call->worker->digest, key->alg->sha3_256, NULL) == 1)
        vd_alg_worker_put(key, call->worker);
    else
        vd_alg_worker_done(call->worker);
    if (good)
        return VD_OK;
    vd_secret_done(ret);
    return vd_alg_failed(diag, "X-Wing could not be computed");
}

static vd_status encapsulate(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                             uint8_t *out, struct vd_secret *ret, struct vd_diag *diag)
{
    struct call call = {};
    struct shares *shares;
    uint8_t *eseed;
    bool good = true;

    if (random != NULL && random->size != RANDOM_SIZE)
        return vd_alg_wrong_size("the randomness", random->size, RANDOM_SIZE, diag);
    VD_TRY(begin(key, &call, ret, diag));
    shares = (void *)call.memory.data;
    eseed = call.memory.data + sizeof(*shares);
    if (random != NULL)
        vd_copy(eseed, random->data, RANDOM_SIZE);
    else
        good = vd_alg_random(key->alg, eseed, RANDOM_SIZE, NULL) == VD_OK;
    good = good && make(key, call.worker, eseed, out, shares) &&
           combine(key, call.worker, shares, ret->data);
    return end(key, &call, good, ret, diag);
}

static vd_status decapsulate(struct vd_alg_key *key, const uint8_t *encapsulated,
                             struct vd_secret *ret, struct vd_diag *diag)
{
    struct call call = {};
    struct shares *shares;
    bool good;

    VD_TRY(begin(key, &call, ret, diag));
    shares = (void *)call.memory.data;
    vd_copy(shares->cipher_x, encapsulated + ML_KEM_CIPHER, X_SIZE);
    good = vd_alg_ml_kem_decapsulate(call.worker, key, encapsulated, shares->ml_kem) &&
           exchange(key->alg, key->second, shares->cipher_x, shares->x) &&
           combine(key, call.worker, shares, ret->data);
    return end(key, &call, good, ret, diag);
}

vd_status vd_alg_known_encapsulate(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                                   struct vd_alg_buffer *out, struct vd_secret *ret,
                                   struct vd_diag *diag)
{
    return vd_alg_encapsulate_with(key, random, out, ret, diag);
}

const struct vd_alg_family vd_alg_x_wing_family = {
    .generate = generate,
    .load = load,
    .import = import,
    .export = export,
    .public_raw = public_raw,
    .encapsulate = encapsulate,
    .decapsulate = decapsulate,
};
