/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What keys of ML-KEM and ML-DSA have in common: a seed that they come from, or the expanded
 * private key where one was imported without it (FIPS 203, FIPS 204; RFC 9935, RFC 9881).
 */
#include "services/crypto/alg/lattice.h"

#include <openssl/core_names.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"

static const struct kind {
    enum vd_alg_type type;
    const char *name;              /* OpenSSL's */
    const char *seed_param;        /* likewise */
    size_t seed, expanded, public; /* bytes */
} kinds[] = {
    {VD_ALG_ML_KEM_768, "ML-KEM-768", OSSL_PKEY_PARAM_ML_KEM_SEED, 64, 2400, 1184},
    {VD_ALG_ML_DSA_65, "ML-DSA-65", OSSL_PKEY_PARAM_ML_DSA_SEED, 32, 4032, 1952},
};

static const struct kind *kind_of(const struct vd_alg_key *key)
{
    return key->info->type == VD_ALG_ML_DSA_65 ? &kinds[1] : &kinds[0];
}

/* A key pair or public key of OpenSSL's from one parameter. */
static EVP_PKEY *assemble(struct vd_alg *alg, const struct kind *kind, const char *param,
                          const struct vd_alg_bytes *from)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(param, (void *)(uintptr_t)from->data, from->size),
        OSSL_PARAM_construct_end()};

    return vd_alg_pkey(alg, kind->name,
                       from->size == kind->public ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params);
}

EVP_PKEY *vd_alg_ml_kem_pkey(struct vd_alg *alg, const char *param, const uint8_t *data,
                             size_t size)
{
    const struct vd_alg_bytes from = {data, size};

    return assemble(alg, &kinds[0], param, &from);
}

static vd_status from_seed(struct vd_alg_key *key, const uint8_t *seed, struct vd_diag *diag)
{
    const struct kind *kind = kind_of(key);
    struct vd_alg_bytes bytes;

    VD_TRY(vd_secret_set(&key->secret, seed, kind->seed, diag));
    key->has_seed = true;
    bytes = (struct vd_alg_bytes){key->secret.data, key->secret.size};
    key->pkey = assemble(key->alg, kind, kind->seed_param, &bytes);
    return key->pkey != NULL ? VD_OK : vd_alg_failed(diag, "OpenSSL does not take the seed");
}

static vd_status from_expanded(struct vd_alg_key *key, const uint8_t *expanded,
                               struct vd_diag *diag)
{
    const struct kind *kind = kind_of(key);
    struct vd_alg_bytes bytes;

    VD_TRY(vd_secret_set(&key->secret, expanded, kind->expanded, diag));
    bytes = (struct vd_alg_bytes){key->secret.data, key->secret.size};
    key->pkey = assemble(key->alg, kind, OSSL_PKEY_PARAM_PRIV_KEY, &bytes);
    return key->pkey != NULL
               ? VD_OK
               : vd_diag_fail(diag, VD_E_INVALID, "the private key contradicts itself");
}

static vd_status from_public(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                             struct vd_diag *diag)
{
    const struct kind *kind = kind_of(key);

    if (from->size != kind->public)
        return vd_alg_wrong_size("a public key", from->size, kind->public, diag);
    key->pkey = assemble(key->alg, kind, OSSL_PKEY_PARAM_PUB_KEY, from);
    return key->pkey != NULL
               ? VD_OK
               : vd_diagf(diag, VD_E_POINT, "this is no public key of %s", kind->name);
}

vd_status vd_alg_lattice_generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret seed = {};

    VD_TRY(vd_secret_init(&seed, kind_of(key)->seed, diag));
    VD_TRY(vd_alg_random(key->alg, seed.data, seed.size, diag));
    return from_seed(key, seed.data, diag);
}

vd_status vd_alg_lattice_load(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                              struct vd_diag *diag)
{
    const struct kind *kind = kind_of(key);

    if (from->size == kind->seed)
        return from_seed(key, from->data, diag);
    if (from->size == kind->expanded)
        return from_expanded(key, from->data, diag);
    return vd_alg_wrong_size("a private key", from->size, kind->expanded, diag);
}

vd_status vd_alg_lattice_export(const struct vd_alg_key *key, enum vd_alg_form form,
                                struct vd_secret *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret inside = {};

    if (form == VD_ALG_FORM_EXPANDED)
        return vd_alg_pkey_secret(key->pkey, OSSL_PKEY_PARAM_PRIV_KEY, kind_of(key)->expanded, ret,
                                  diag);
    if (form == VD_ALG_FORM_SEED) {
        if (!key->has_seed)
            return vd_diag_fail(diag, VD_E_NOT_FOUND, "the key was imported without its seed");
        return vd_secret_set(ret, key->secret.data, key->secret.size, diag);
    }
    VD_TRY(vd_alg_element(key->has_seed ? VD_DER_CONTEXT : VD_DER_OCTETS, &key->secret, &inside,
                          diag));
    return vd_alg_pkcs8_write(key->info->type, &inside, ret, diag);
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
    VD_TRY(vd_alg_lattice_export(key, VD_ALG_FORM_EXPANDED, &own, diag));
    if (!vd_ct_equal(own.data, parts->expanded, own.size))
        return vd_diag_fail(diag, VD_E_INVALID, "the expanded key does not belong to the seed");
    return VD_OK;
}

vd_status vd_alg_lattice_import(struct vd_alg_key *key, enum vd_alg_form form,
                                const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    const struct kind *kind = kind_of(key);
    struct vd_alg_private private;
    struct vd_alg_lattice parts = {};
    struct vd_reader bits;
    struct vd_alg_bytes raw;

    switch (form) {
    case VD_ALG_FORM_SEED:
        if (from->size != kind->seed)
            return vd_alg_wrong_size("a seed", from->size, kind->seed, diag);
        return from_seed(key, from->data, diag);
    case VD_ALG_FORM_EXPANDED:
        if (from->size != kind->expanded)
            return vd_alg_wrong_size("a private key", from->size, kind->expanded, diag);
        return from_expanded(key, from->data, diag);
    case VD_ALG_FORM_PKCS8:
        VD_TRY(vd_alg_pkcs8_read(kind->type, from, &private, diag));
        if (vd_reader_left(&private.public) != 0)
            return vd_diag_fail(diag, VD_E_ENCODING, "PrivateKeyInfo has more than a key in it");
        VD_TRY(vd_alg_lattice_read(&private.key, kind->seed, kind->expanded, &parts, diag));
        return from_both(key, &parts, diag);
    case VD_ALG_FORM_SPKI:
        VD_TRY(vd_alg_spki_read(kind->type, from, &bits, diag));
        raw = (struct vd_alg_bytes){bits.pos, vd_reader_left(&bits)};
        return from_public(key, &raw, diag);
    default:
        return from_public(key, from, diag);
    }
}

vd_status vd_alg_lattice_public(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag)
{
    return vd_alg_pkey_public(key->pkey, out, kind_of(key)->public, diag);
}
