/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the families of key pairs do alike with OpenSSL's keys. */
#include "services/crypto/alg/internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#define DERIVE (VD_ALG_OPS - 1) /* the operation's place in a worker */

EVP_PKEY *vd_alg_pkey(struct vd_alg *alg, const char *name, int selection, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(alg->lib, name, NULL);
    EVP_PKEY *pkey = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1) {
        ERR_clear_error();
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

vd_status vd_alg_pkey_secret(EVP_PKEY *pkey, const char *param, size_t size, struct vd_secret *ret,
                             struct vd_diag *diag)
{
    size_t found = 0;

    VD_TRY(vd_secret_init(ret, size, diag));
    if (EVP_PKEY_get_octet_string_param(pkey, param, ret->data, size, &found) == 1 && found == size)
        return VD_OK;
    vd_secret_done(ret);
    return vd_alg_failed(diag, "OpenSSL does not give the private key");
}

vd_status vd_alg_pkey_public(EVP_PKEY *pkey, uint8_t *ret, size_t size, struct vd_diag *diag)
{
    size_t found = 0;

    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, ret, size, &found) == 1 &&
        found == size)
        return VD_OK;
    return vd_alg_failed(diag, "OpenSSL does not give the public key");
}

vd_status vd_alg_derive(struct vd_alg_key *key, EVP_PKEY *own, EVP_PKEY *peer,
                        struct vd_secret *ret, struct vd_diag *diag)
{
    struct vd_alg_worker *worker = vd_alg_worker_take(key);
    size_t size = VD_ALG_SHARED_SIZE;
    vd_status status;
    bool good = true;

    if (worker == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = vd_secret_init(ret, size, diag);
    if (status == VD_OK && worker->op[DERIVE] == NULL) {
        worker->op[DERIVE] = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, own, NULL);
        good = worker->op[DERIVE] != NULL && EVP_PKEY_derive_init(worker->op[DERIVE]) == 1;
    }
    /* The peer's key was checked when it was made. */
    good = good && status == VD_OK &&
           EVP_PKEY_derive_set_peer_ex(worker->op[DERIVE], peer, 0) == 1 &&
           EVP_PKEY_derive(worker->op[DERIVE], ret->data, &size) == 1 && size == VD_ALG_SHARED_SIZE;
    if (good)
        vd_alg_worker_put(key, worker);
    else
        vd_alg_worker_done(worker);
    if (good || status != VD_OK)
        return status;
    vd_secret_done(ret);
    return vd_alg_failed(diag, "OpenSSL could not derive");
}
