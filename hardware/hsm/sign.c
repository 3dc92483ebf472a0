/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/internal.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"

#define ECDSA_SIZE      64u /* r and s of P-256 */
#define ECDSA_HALF      32u
#define DIGEST_INFO_MAX 19u

/* DigestInfo in front of the digest: RFC 8017, 9.2, note 1. */
static const struct scheme_hash {
    const char *name;
    size_t size;
    CK_MECHANISM_TYPE hash, rsa, pss, ecdsa;
    CK_ULONG mgf;
    uint8_t prefix[DIGEST_INFO_MAX];
} hashes[] = {
    [VD_HSM_SHA256] = {"SHA256",
                       32,
                       CKM_SHA256,
                       CKM_SHA256_RSA_PKCS,
                       CKM_SHA256_RSA_PKCS_PSS,
                       CKM_ECDSA_SHA256,
                       CKG_MGF1_SHA256,
                       {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                        0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}},
    [VD_HSM_SHA384] = {"SHA384",
                       48,
                       CKM_SHA384,
                       CKM_SHA384_RSA_PKCS,
                       CKM_SHA384_RSA_PKCS_PSS,
                       CKM_ECDSA_SHA384,
                       CKG_MGF1_SHA384,
                       {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                        0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
    [VD_HSM_SHA512] = {"SHA512",
                       64,
                       CKM_SHA512,
                       CKM_SHA512_RSA_PKCS,
                       CKM_SHA512_RSA_PKCS_PSS,
                       CKM_ECDSA_SHA512,
                       CKG_MGF1_SHA512,
                       {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                        0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
    [VD_HSM_SHA1] = {"SHA1", 20, CKM_SHA_1, 0, 0, 0, CKG_MGF1_SHA1, {}},
};

CK_MECHANISM_TYPE hsm_hash_mechanism(enum vd_hsm_hash hash, CK_ULONG *ret_mgf)
{
    *ret_mgf = hashes[hash].mgf;
    return hashes[hash].hash;
}

const char *hsm_hash_name(enum vd_hsm_hash hash)
{
    return hashes[hash].name;
}

/* One signature or verification on its way. */
struct signing {
    struct vd_hsm_key *key;
    const struct vd_hsm_message *message;
    const struct scheme_hash *hash;
    uint8_t digest[VD_HASH_MAX_SIZE];
    uint8_t info[DIGEST_INFO_MAX + VD_HASH_MAX_SIZE];
    CK_RSA_PKCS_PSS_PARAMS pss;
    CK_MECHANISM mechanism;
    const uint8_t *data; /* what the mechanism takes */
    size_t size;
    struct vd_hsm_block *signature; /* as the module makes it */
};

static vd_status prepare(struct signing *s, struct vd_diag *diag)
{
    static const enum vd_hash_algorithm algorithms[] = {VD_HASH_SHA256, VD_HASH_SHA384,
                                                        VD_HASH_SHA512};
    const struct vd_hsm_message *m = s->message;

    if ((size_t)m->hash >= VD_COUNT(algorithms) ||
        (m->scheme == VD_HSM_ECDSA) != (s->key->kind == VD_HSM_EC) ||
        (m->scheme != VD_HSM_ECDSA) != (s->key->kind == VD_HSM_RSA))
        return vd_diag_fail(diag, VD_E_USAGE, "scheme, hash and key do not fit each other");
    if (s->key->class == VD_HSM_SECRET_KEY || m->size > VD_HSM_DATA_MAX)
        return vd_diagf(diag, VD_E_USAGE, "a pair signs messages of at most %u bytes, or digests",
                        VD_HSM_DATA_MAX);
    s->hash = &hashes[m->hash];
    if (!m->is_digest)
        return vd_hash(algorithms[m->hash], m->data, m->size, s->digest, diag);
    if (m->size != s->hash->size)
        return vd_diagf(diag, VD_E_USAGE, "a digest of %zu bytes; %s has %zu", m->size,
                        s->hash->name, s->hash->size);
    vd_copy(s->digest, m->data, m->size);
    return VD_OK;
}

/* The mechanism that takes the digest, else the one that hashes inside the token. */
static vd_status choose(const struct vd_hsm *hsm, struct signing *s, CK_FLAGS use,
                        struct vd_diag *diag)
{
    const struct scheme_hash *h = s->hash;
    bool pss = s->message->scheme == VD_HSM_PSS, rsa = s->message->scheme == VD_HSM_PKCS1;
    CK_MECHANISM_TYPE plain = pss ? CKM_RSA_PKCS_PSS : rsa ? CKM_RSA_PKCS : CKM_ECDSA;
    CK_MECHANISM_TYPE hashing = pss ? h->pss : rsa ? h->rsa : h->ecdsa;

    s->mechanism = (CK_MECHANISM){.mechanism = plain};
    if (pss) {
        s->pss = (CK_RSA_PKCS_PSS_PARAMS){h->hash, h->mgf, h->size};
        s->mechanism.pParameter = &s->pss;
        s->mechanism.ulParameterLen = sizeof(s->pss);
    }
    if (hsm_mechanism(hsm, plain, use) == NULL) {
        if (s->message->is_digest || hsm_mechanism(hsm, hashing, use) == NULL)
            return hsm_lacks(hsm, plain, diag);
        s->mechanism.mechanism = hashing;
        s->data = s->message->data;
        s->size = s->message->size;
        return VD_OK;
    }
    s->data = s->digest;
    s->size = h->size;
    if (rsa) {
        vd_copy(s->info, h->prefix, sizeof(h->prefix));
        vd_copy(s->info + sizeof(h->prefix), s->digest, h->size);
        s->data = s->info;
        s->size = sizeof(h->prefix) + h->size;
    } else if (!pss && s->size > ECDSA_HALF) {
        s->size = ECDSA_HALF; /* FIPS 186-5, 6.4.1: the leftmost bits */
    }
    return VD_OK;
}

/* ---- The two forms of an ECDSA signature ---- */

static vd_status ecdsa_to_der(struct vd_hsm_block *block, struct vd_diag *diag)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(block->data, ECDSA_HALF, NULL);
    BIGNUM *s = BN_bin2bn(block->data + ECDSA_HALF, ECDSA_HALF, NULL);
    uint8_t *out = block->data;
    int size = 0;

    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        size = i2d_ECDSA_SIG(sig, &out);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    if (size <= 0)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "cannot encode a signature");
    block->size = (size_t)size;
    return VD_OK;
}

static vd_status ecdsa_from_der(const struct vd_hsm_block *der, struct vd_hsm_block *ret,
                                struct vd_diag *diag)
{
    const uint8_t *in = der->data;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &in, (long)der->size);
    bool good = sig != NULL && in == der->data + der->size;

    good = good && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret->data, ECDSA_HALF) == ECDSA_HALF &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret->data + ECDSA_HALF, ECDSA_HALF) == ECDSA_HALF;
    ECDSA_SIG_free(sig);
    if (!good)
        return vd_diag_fail(diag, VD_E_SIGNATURE, "this is no ECDSA signature in DER");
    ret->size = ECDSA_SIZE;
    return VD_OK;
}

/* ---- Signing ---- */

/* Whether the signature holds: a token's fault would otherwise give the key away, or a forgery. */
static bool holds(EVP_PKEY *pkey, const struct signing *s, const struct vd_hsm_block *signature)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    EVP_MD *md = EVP_MD_fetch(NULL, s->hash->name, NULL);
    bool good = ctx != NULL && md != NULL && EVP_PKEY_verify_init(ctx) == 1;

    if (s->message->scheme != VD_HSM_ECDSA) {
        bool pss = s->message->scheme == VD_HSM_PSS;

        good = good && EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING
                                                             : RSA_PKCS1_PADDING) == 1;
        good = good && EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
        good = good && (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)s->hash->size) == 1);
    }
    good = good &&
           EVP_PKEY_verify(ctx, signature->data, signature->size, s->digest, s->hash->size) == 1;
    EVP_MD_free(md);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static vd_status sign_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct signing *s = ctx;
    CK_FUNCTION_LIST *f = hsm->module.f;
    struct vd_hsm_block made;
    CK_OBJECT_HANDLE object;
    CK_ULONG size = sizeof(made.data);
    EVP_PKEY *pkey;

    VD_TRY(choose(hsm, s, CKF_SIGN, diag));
    VD_TRY(hsm_public_key(hsm, s->key, &pkey, diag));
    VD_TRY(hsm_handle(hsm, s->key, &object, diag));
    VD_TRY(hsm_check(hsm, "C_SignInit", f->C_SignInit(hsm->session, &s->mechanism, object), diag));
    VD_TRY(hsm_authenticate(hsm, s->key, diag));
    VD_TRY(hsm_check(hsm, "C_Sign",
                     f->C_Sign(hsm->session, (CK_BYTE *)s->data, s->size, made.data, &size), diag));
    if (size > sizeof(made.data) ||
        size != (s->key->kind == VD_HSM_EC ? ECDSA_SIZE : (CK_ULONG)EVP_PKEY_get_size(pkey)))
        return vd_diagf(diag, VD_E_INVALID, "C_Sign made a signature of %lu bytes", size);
    made.size = size;
    if (s->key->kind == VD_HSM_EC)
        VD_TRY(ecdsa_to_der(&made, diag));
    if (!holds(pkey, s, &made))
        return vd_diagf(diag, VD_E_SIGNATURE,
                        "what token \"%s\" signed does not hold under the key's public half",
                        hsm->token.label);
    *s->signature = made;
    return VD_OK;
}

vd_status vd_hsm_sign(struct vd_hsm *hsm, struct vd_hsm_key *key,
                      const struct vd_hsm_message *message, struct vd_hsm_block *ret,
                      struct vd_diag *diag)
{
    struct signing s = {.key = key, .message = message, .signature = ret};

    VD_TRY(prepare(&s, diag));
    return hsm_run(hsm, sign_in, &s, diag);
}

static vd_status verify_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct signing *s = ctx;
    CK_FUNCTION_LIST *f = hsm->module.f;
    struct vd_hsm_key public = *s->key;
    CK_OBJECT_HANDLE object;

    VD_TRY(choose(hsm, s, CKF_VERIFY, diag));
    public.class = VD_HSM_PUBLIC;
    public.opening = 0;
    VD_TRY(hsm_handle(hsm, &public, &object, diag));
    VD_TRY(
        hsm_check(hsm, "C_VerifyInit", f->C_VerifyInit(hsm->session, &s->mechanism, object), diag));
    return hsm_check(hsm, "C_Verify",
                     f->C_Verify(hsm->session, (CK_BYTE *)s->data, s->size, s->signature->data,
                                 s->signature->size),
                     diag);
}

vd_status vd_hsm_verify(struct vd_hsm *hsm, struct vd_hsm_key *key,
                        const struct vd_hsm_message *message, const struct vd_hsm_block *signature,
                        struct vd_diag *diag)
{
    struct vd_hsm_block bytes = *signature;
    struct signing s = {.key = key, .message = message, .signature = &bytes};

    VD_TRY(prepare(&s, diag));
    if (message->scheme == VD_HSM_ECDSA)
        VD_TRY(ecdsa_from_der(signature, &bytes, diag));
    return hsm_run(hsm, verify_in, &s, diag);
}
