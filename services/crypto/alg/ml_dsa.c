/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ML-DSA-65 (FIPS 204). The store keeps the seed xi, or sk where a key came without it. */
#include "services/crypto/alg/internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"
#include "services/crypto/alg/known.h"

#define SEED_SIZE      32u
#define EXPANDED_SIZE  4032u
#define PUBLIC_SIZE    1952u
#define SIGNATURE_SIZE 3309u

enum operation { SIGN, VERIFY };

static EVP_PKEY *assemble(struct vd_alg *alg, const char *param, const uint8_t *data, size_t size)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(param, (void *)(uintptr_t)data, size),
                           OSSL_PARAM_construct_end()};

    return vd_alg_pkey(alg, "ML-DSA-65",
                       size == PUBLIC_SIZE ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params);
}

static vd_status from_seed(struct vd_alg_key *key, const uint8_t *seed, struct vd_diag *diag)
{
    VD_TRY(vd_secret_set(&key->secret, seed, SEED_SIZE, diag));
    key->has_seed = true;
    key->pkey = assemble(key->alg, OSSL_PKEY_PARAM_ML_DSA_SEED, key->secret.data, SEED_SIZE);
    return key->pkey != NULL ? VD_OK : vd_alg_failed(diag, "OpenSSL does not take the seed");
}

static vd_status from_expanded(struct vd_alg_key *key, const uint8_t *sk, struct vd_diag *diag)
{
    VD_TRY(vd_secret_set(&key->secret, sk, EXPANDED_SIZE, diag));
    key->pkey = assemble(key->alg, OSSL_PKEY_PARAM_PRIV_KEY, key->secret.data, EXPANDED_SIZE);
    return key->pkey != NULL
               ? VD_OK
               : vd_diag_fail(diag, VD_E_INVALID, "the private key contradicts itself");
}

static vd_status from_public(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                             struct vd_diag *diag)
{
    if (from->size != PUBLIC_SIZE)
        return vd_alg_wrong_size("a public key", from->size, PUBLIC_SIZE, diag);
    key->pkey = assemble(key->alg, OSSL_PKEY_PARAM_PUB_KEY, from->data, PUBLIC_SIZE);
    return key->pkey != NULL ? VD_OK
                             : vd_diag_fail(diag, VD_E_POINT, "this is no ML-DSA public key");
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
    return vd_alg_wrong_size("a private key", from->size, EXPANDED_SIZE, diag);
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
    return vd_alg_pkcs8_write(VD_ALG_ML_DSA_65, &inside, ret, diag);
}

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
            return vd_alg_wrong_size("a private key", from->size, EXPANDED_SIZE, diag);
        return from_expanded(key, from->data, diag);
    case VD_ALG_FORM_PKCS8:
        VD_TRY(vd_alg_pkcs8_read(VD_ALG_ML_DSA_65, from, &private, diag));
        if (vd_reader_left(&private.public) != 0)
            return vd_diag_fail(diag, VD_E_ENCODING, "PrivateKeyInfo has more than a key in it");
        VD_TRY(vd_alg_lattice_read(&private.key, SEED_SIZE, EXPANDED_SIZE, &parts, diag));
        return from_both(key, &parts, diag);
    case VD_ALG_FORM_SPKI:
        VD_TRY(vd_alg_spki_read(VD_ALG_ML_DSA_65, from, &bits, diag));
        raw = (struct vd_alg_bytes){bits.pos, vd_reader_left(&bits)};
        return from_public(key, &raw, diag);
    default:
        return from_public(key, from, diag);
    }
}

static vd_status public_raw(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag)
{
    return vd_alg_pkey_public(key->pkey, out, PUBLIC_SIZE, diag);
}

static bool is_mu(enum vd_alg_mechanism mechanism)
{
    return mechanism == VD_ALG_ML_DSA_MU || mechanism == VD_ALG_ML_DSA_MU_DETERMINISTIC;
}

static bool is_deterministic(enum vd_alg_mechanism mechanism)
{
    return mechanism == VD_ALG_ML_DSA_DETERMINISTIC || mechanism == VD_ALG_ML_DSA_MU_DETERMINISTIC;
}

/* Everything that a call may vary is set at each one, so that none inherits from another. */
static bool configure(EVP_PKEY_CTX *ctx, const struct vd_alg_known_signing *what, bool sign)
{
    static const uint8_t none[1];
    const struct vd_alg_bytes *context = &what->signing.context;
    const void *text = context->size == 0 ? none : context->data;
    int encoding = what->internal ? 0 : 1, mu = is_mu(what->signing.mechanism);
    int deterministic = is_deterministic(what->signing.mechanism);
    OSSL_PARAM params[6], *p = params;

    *p++ = OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING,
                                             (void *)(uintptr_t)text, context->size);
    *p++ = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_MESSAGE_ENCODING, &encoding);
    *p++ = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_MU, &mu);
    if (sign)
        *p++ = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, &deterministic);
    if (what->random.size != 0)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_TEST_ENTROPY,
                                                 (void *)(uintptr_t)what->random.data,
                                                 what->random.size);
    *p = OSSL_PARAM_construct_end();
    return EVP_PKEY_CTX_set_params(ctx, params) == 1;
}

static struct vd_alg_worker *take(struct vd_alg_key *key, enum operation operation,
                                  const struct vd_alg_known_signing *what)
{
    struct vd_alg_worker *worker = vd_alg_worker_take(key);
    EVP_SIGNATURE *algorithm = key->alg->ml_dsa_65;
    EVP_PKEY_CTX *ctx;
    bool good = true;

    if (worker == NULL)
        return NULL;
    ctx = worker->op[operation];
    if (ctx == NULL) {
        ctx = worker->op[operation] = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, key->pkey, NULL);
        good = ctx != NULL &&
               (operation == SIGN ? EVP_PKEY_sign_message_init(ctx, algorithm, NULL)
                                  : EVP_PKEY_verify_message_init(ctx, algorithm, NULL)) == 1;
    }
    if (good && configure(ctx, what, operation == SIGN))
        return worker;
    vd_alg_worker_done(worker);
    return NULL;
}

vd_status vd_alg_known_sign(struct vd_alg_key *key, const struct vd_alg_known_signing *what,
                            struct vd_alg_buffer *out, struct vd_diag *diag)
{
    const struct vd_alg_bytes *message = &what->signing.message;
    struct vd_alg_worker *worker;
    size_t size = SIGNATURE_SIZE;
    bool good;

    if (key->info->type != VD_ALG_ML_DSA_65 || key->is_public)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "this is no private ML-DSA key");
    VD_TRY(vd_alg_room(out, SIGNATURE_SIZE, diag));
    worker = take(key, SIGN, what);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    good = EVP_PKEY_sign(worker->op[SIGN], out->data, &size, message->data, message->size) == 1 &&
           size == SIGNATURE_SIZE;
    /* Given randomness stays in the context: it is not used again. */
    if (what->random.size != 0 || !good)
        vd_alg_worker_done(worker);
    else
        vd_alg_worker_put(key, worker);
    return good ? VD_OK : vd_alg_failed(diag, "OpenSSL could not sign");
}

vd_status vd_alg_known_verify(struct vd_alg_key *key, const struct vd_alg_known_signing *what,
                              const struct vd_alg_bytes *signature, struct vd_diag *diag)
{
    const struct vd_alg_bytes *message = &what->signing.message;
    struct vd_alg_worker *worker;
    bool holds;

    if (key->info->type != VD_ALG_ML_DSA_65)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "this is no ML-DSA key");
    if (signature->size != SIGNATURE_SIZE)
        return vd_alg_wrong_size("a signature", signature->size, SIGNATURE_SIZE, diag);
    worker = take(key, VERIFY, what);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    holds = EVP_PKEY_verify(worker->op[VERIFY], signature->data, signature->size, message->data,
                            message->size) == 1;
    vd_alg_worker_put(key, worker);
    ERR_clear_error();
    return holds ? VD_OK : vd_diag_fail(diag, VD_E_SIGNATURE, "the signature does not hold");
}

static vd_status sign(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag)
{
    const struct vd_alg_known_signing known = {.signing = *what};

    return vd_alg_known_sign(key, &known, out, diag);
}

static vd_status verify(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag)
{
    const struct vd_alg_known_signing known = {.signing = *what};

    return vd_alg_known_verify(key, &known, signature, diag);
}

const struct vd_alg_family vd_alg_ml_dsa_family = {
    .generate = generate,
    .load = load,
    .import = import,
    .export = export,
    .public_raw = public_raw,
    .sign = sign,
    .verify = verify,
};
