/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keys as the service sees them: checks of the call, then the family of the key's type. */
#include "services/crypto/alg/internal.h"

#include <stdlib.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"

#define STACK_WIPED 32768u /* more than OpenSSL's deepest call here takes */

static const struct vd_alg_family *const families[VD_ALG_TYPE_COUNT] = {
    [VD_ALG_AES_256_GCM] = &vd_alg_aead_family, [VD_ALG_CHACHA20_POLY1305] = &vd_alg_aead_family,
    [VD_ALG_RSA_4096] = &vd_alg_rsa_family,     [VD_ALG_ECDSA_P256] = &vd_alg_p256_family,
    [VD_ALG_ED25519] = &vd_alg_ed25519_family,  [VD_ALG_X25519] = &vd_alg_x25519_family,
    [VD_ALG_HMAC_SHA256] = &vd_alg_hmac_family, [VD_ALG_ML_KEM_768] = &vd_alg_ml_kem_family,
    [VD_ALG_ML_DSA_65] = &vd_alg_ml_dsa_family, [VD_ALG_X_WING] = &vd_alg_x_wing_family,
    [VD_ALG_HKDF_SHA256] = &vd_alg_hkdf_family,
};

static vd_status key_new(struct vd_alg *alg, enum vd_alg_type type, struct vd_alg_key **ret,
                         struct vd_diag *diag)
{
    const struct vd_alg_info *info = vd_alg_info(type);
    struct vd_alg_key *key;

    if (info == NULL)
        return vd_diagf(diag, VD_E_KEY_TYPE, "there is no type of key with the number %u",
                        (unsigned)type);
    key = calloc(1, sizeof(*key));
    if (key == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    key->alg = alg;
    key->info = info;
    key->family = families[type];
    atomic_init(&key->references, 1);
    (void)pthread_mutex_init(&key->lock, NULL);
    *ret = key;
    return VD_OK;
}

struct vd_alg_key *vd_alg_key_hold(struct vd_alg_key *key)
{
    atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    return key;
}

void vd_alg_key_free(struct vd_alg_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
        return;
    vd_alg_pool_done(&key->workers, vd_alg_worker_done);
    vd_alg_pool_done(&key->ciphers, vd_alg_cipher_done);
    vd_alg_epochs_done(key);
    vd_secret_done(&key->secret);
    EVP_PKEY_free(key->pkey);
    EVP_PKEY_free(key->second);
    (void)pthread_mutex_destroy(&key->lock);
    free(key);
}

/*
 * OpenSSL leaves copies of secrets in its stack frames (ML-KEM's d, for one). They lie below the
 * caller's frame: whatever is called next from there covers them.
 */
static __attribute__((noinline)) void wipe_stack(void)
{
    uint8_t below[STACK_WIPED];

    vd_wipe(below, sizeof(below));
}

static vd_status finish(struct vd_alg_key *key, vd_status status, struct vd_alg_key **ret)
{
    wipe_stack();
    if (status == VD_OK)
        *ret = key;
    else
        vd_alg_key_free(key);
    return status;
}

vd_status vd_alg_key_generate(struct vd_alg *alg, enum vd_alg_type type, struct vd_alg_key **ret,
                              struct vd_diag *diag)
{
    struct vd_alg_key *key = NULL;

    VD_TRY(key_new(alg, type, &key, diag));
    return finish(key, key->family->generate(key, diag), ret);
}

vd_status vd_alg_key_load(struct vd_alg *alg, enum vd_alg_type type, const struct vd_secret *secret,
                          struct vd_alg_key **ret, struct vd_diag *diag)
{
    const struct vd_alg_bytes from = {secret->data, secret->size};
    struct vd_alg_key *key = NULL;

    VD_TRY(key_new(alg, type, &key, diag));
    if (key->family->load != NULL)
        return finish(key, key->family->load(key, &from, diag), ret);
    return finish(key, key->family->import(key, VD_ALG_FORM_RAW, &from, diag), ret);
}

vd_status vd_alg_key_import(struct vd_alg *alg, const struct vd_alg_import *from,
                            struct vd_alg_key **ret, struct vd_diag *diag)
{
    const struct vd_alg_info *info = vd_alg_info(from->type);
    struct vd_alg_key *key = NULL;

    if (info != NULL &&
        ((unsigned)from->form >= VD_ALG_FORM_COUNT || (info->import_forms >> from->form & 1) == 0))
        return vd_diagf(diag, VD_E_MECHANISM, "a key of the type %s has no such form", info->name);
    VD_TRY(key_new(alg, from->type, &key, diag));
    key->is_public = from->form == VD_ALG_FORM_SPKI || from->form == VD_ALG_FORM_RAW_PUBLIC;
    return finish(key, key->family->import(key, from->form, &from->material, diag), ret);
}

const struct vd_alg_info *vd_alg_key_info(const struct vd_alg_key *key)
{
    return key->info;
}

bool vd_alg_key_is_public(const struct vd_alg_key *key)
{
    return key->is_public;
}

static vd_status has_secret(const struct vd_alg_key *key, struct vd_diag *diag)
{
    if (key->is_public)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "this is a public key alone");
    return VD_OK;
}

vd_status vd_alg_key_secret(const struct vd_alg_key *key, struct vd_secret *ret,
                            struct vd_diag *diag)
{
    VD_TRY(has_secret(key, diag));
    if (key->family->secret != NULL) {
        vd_status status = key->family->secret(key, ret, diag);
        wipe_stack();
        return status;
    }
    return vd_secret_set(ret, key->secret.data, key->secret.size, diag);
}

vd_status vd_alg_key_export(const struct vd_alg_key *key, enum vd_alg_form form,
                            struct vd_secret *ret, struct vd_diag *diag)
{
    bool known = form == VD_ALG_FORM_RAW || form == VD_ALG_FORM_PKCS8 || form == VD_ALG_FORM_SEED ||
                 form == VD_ALG_FORM_EXPANDED;

    VD_TRY(has_secret(key, diag));
    if (!known || (key->info->import_forms >> form & 1) == 0)
        return vd_diagf(diag, VD_E_MECHANISM, "a key of the type %s has no such form",
                        key->info->name);
    if (key->family->export != NULL) {
        vd_status status = key->family->export(key, form, ret, diag);
        wipe_stack();
        return status;
    }
    return vd_secret_set(ret, key->secret.data, key->secret.size, diag);
}

/* Asked for a public key, OpenSSL writes the seed out beside it. */
static vd_status public_raw(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag)
{
    vd_status status = key->family->public_raw(key, out, diag);

    wipe_stack();
    return status;
}

vd_status vd_alg_key_public(const struct vd_alg_key *key, enum vd_alg_form form,
                            struct vd_alg_buffer *out, struct vd_diag *diag)
{
    uint8_t raw[VD_ALG_PUBLIC_DER_MAX];
    struct vd_alg_bytes bytes = {raw, key->info->public_size};

    if (!key->info->has_public)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s has no public part",
                        key->info->name);
    if (form != VD_ALG_FORM_SPKI && (form != VD_ALG_FORM_RAW_PUBLIC || bytes.size == 0))
        return vd_diagf(diag, VD_E_MECHANISM, "the public part of %s has no such form",
                        key->info->name);
    if (key->info->type == VD_ALG_RSA_4096) {
        VD_TRY(vd_alg_rsa_public(key, raw, sizeof(raw), &bytes.size, diag));
        return vd_alg_spki_write(key->info->type, &bytes, out, diag);
    }
    if (form == VD_ALG_FORM_RAW_PUBLIC) {
        VD_TRY(vd_alg_room(out, bytes.size, diag));
        return public_raw(key, out->data, diag);
    }
    VD_TRY(public_raw(key, raw, diag));
    return vd_alg_spki_write(key->info->type, &bytes, out, diag);
}

/* Bytes of the digest or mu that the mechanism takes for the message; 0: it takes the message. */
static size_t digest_size(const struct vd_alg_key *key, enum vd_alg_mechanism mechanism)
{
    if (mechanism < VD_ALG_RSA_PSS_SHA256_DIGEST || mechanism == VD_ALG_RSA_PKCS1_RAW)
        return 0;
    if (mechanism == VD_ALG_RSA_PSS_SHA384_DIGEST)
        return 48;
    return key->info->type == VD_ALG_ML_DSA_65 || mechanism == VD_ALG_RSA_PSS_SHA512_DIGEST
               ? VD_ALG_MU_SIZE
               : VD_ALG_DIGEST_SIZE;
}

/* Mechanism, context and size of what is signed or verified. */
static vd_status check_signing(const struct vd_alg_key *key, struct vd_alg_signing *what,
                               struct vd_diag *diag)
{
    bool lattice = key->info->type == VD_ALG_ML_DSA_65;
    size_t size;

    if (key->family->sign == NULL)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s signs nothing", key->info->name);
    if (what->mechanism == VD_ALG_MECHANISM_DEFAULT)
        what->mechanism = key->info->standard;
    if ((unsigned)what->mechanism >= VD_ALG_MECHANISM_COUNT ||
        (key->info->mechanisms >> what->mechanism & 1) == 0 || what->mechanism == VD_ALG_ECDH ||
        what->mechanism == VD_ALG_RSA_OAEP_SHA256)
        return vd_alg_wrong_mechanism(key, what->mechanism, diag);
    size = digest_size(key, what->mechanism);
    if (size != 0 && what->message.size != size)
        return vd_alg_wrong_size(lattice ? "a mu" : "a digest", what->message.size, size, diag);
    if (what->context.size != 0 && what->mechanism != VD_ALG_ML_DSA &&
        what->mechanism != VD_ALG_ML_DSA_DETERMINISTIC)
        return vd_diag_fail(diag, VD_E_MECHANISM, "only ML-DSA of a message takes a context");
    if (what->context.size > VD_ALG_CONTEXT_MAX)
        return vd_diagf(diag, VD_E_SIZE, "a context of %zu bytes; at most %u", what->context.size,
                        VD_ALG_CONTEXT_MAX);
    return VD_OK;
}

vd_status vd_alg_sign(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag)
{
    struct vd_alg_signing checked = *what;

    VD_TRY(check_signing(key, &checked, diag));
    VD_TRY(has_secret(key, diag));
    return key->family->sign(key, &checked, out, diag);
}

vd_status vd_alg_verify(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag)
{
    struct vd_alg_signing checked = *what;

    VD_TRY(check_signing(key, &checked, diag));
    return key->family->verify(key, &checked, signature, diag);
}

vd_status vd_alg_encapsulate_with(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                                  struct vd_alg_buffer *out, struct vd_secret *ret,
                                  struct vd_diag *diag)
{
    vd_status status;

    if (key->family->encapsulate == NULL)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s encapsulates nothing",
                        key->info->name);
    VD_TRY(vd_alg_room(out, key->info->encapsulated_size, diag));
    status = key->family->encapsulate(key, random, out->data, ret, diag);
    wipe_stack();
    return status;
}

vd_status vd_alg_encapsulate(struct vd_alg_key *key, struct vd_alg_buffer *out,
                             struct vd_secret *ret, struct vd_diag *diag)
{
    return vd_alg_encapsulate_with(key, NULL, out, ret, diag);
}

vd_status vd_alg_decapsulate(struct vd_alg_key *key, const struct vd_alg_bytes *encapsulated,
                             struct vd_secret *ret, struct vd_diag *diag)
{
    vd_status status;

    if (key->family->decapsulate == NULL)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s encapsulates nothing",
                        key->info->name);
    VD_TRY(has_secret(key, diag));
    if (encapsulated->size != key->info->encapsulated_size)
        return vd_alg_wrong_size("an encapsulated secret", encapsulated->size,
                                 key->info->encapsulated_size, diag);
    status = key->family->decapsulate(key, encapsulated->data, ret, diag);
    wipe_stack();
    return status;
}

vd_status vd_alg_agree(struct vd_alg_key *key, enum vd_alg_form form,
                       const struct vd_alg_bytes *peer, struct vd_secret *ret, struct vd_diag *diag)
{
    struct vd_alg_bytes point = *peer;
    uint8_t own[VD_ALG_P256_POINT];

    if (key->family->agree == NULL)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s agrees on nothing",
                        key->info->name);
    VD_TRY(has_secret(key, diag));
    if (form == VD_ALG_FORM_SPKI) {
        struct vd_reader r;
        VD_TRY(vd_alg_spki_read(key->info->type, peer, &r, diag));
        point = (struct vd_alg_bytes){r.pos, vd_reader_left(&r)};
    } else if (form != VD_ALG_FORM_RAW_PUBLIC) {
        return vd_diag_fail(diag, VD_E_MECHANISM, "a peer's key is raw-public or spki");
    }
    if (point.size != key->info->public_size)
        return vd_alg_wrong_size("a public key", point.size, key->info->public_size, diag);
    vd_copy(own, point.data, point.size);
    point.data = own;
    return key->family->agree(key, &point, ret, diag);
}
