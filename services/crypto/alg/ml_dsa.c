/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ML-DSA-65 (FIPS 204). The store keeps the seed xi, or sk where a key came without it. */
#include "services/crypto/alg/lattice.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/known.h"

#define SIGNATURE_SIZE 3309u

enum operation { SIGN, VERIFY };

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
    .generate = vd_alg_lattice_generate,
    .load = vd_alg_lattice_load,
    .import = vd_alg_lattice_import,
    .export = vd_alg_lattice_export,
    .public_raw = vd_alg_lattice_public,
    .sign = sign,
    .verify = verify,
};
