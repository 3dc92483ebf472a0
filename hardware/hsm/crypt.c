/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/internal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define NONCE_SIZE  12u
#define TAG_SIZE    16u
#define IV_SIZE     16u
#define POINT_SIZE  65u
#define SHARED_SIZE 32u

/* One encryption or decryption with the mechanism's parameters. */
struct crypting {
    struct vd_hsm_key *key;
    const struct vd_hsm_crypt *request;
    uint8_t iv[IV_SIZE];
    CK_GCM_PARAMS gcm;
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    CK_MECHANISM mechanism;
    struct vd_bytes *ciphertext;
    struct vd_secret *plaintext;
};

static size_t iv_size(enum vd_hsm_cipher cipher)
{
    return cipher == VD_HSM_AES_GCM ? NONCE_SIZE : cipher == VD_HSM_AES_CBC ? IV_SIZE : 0;
}

static vd_status prepare(struct crypting *c, struct vd_diag *diag)
{
    const struct vd_hsm_crypt *r = c->request;
    bool rsa = r->cipher == VD_HSM_OAEP;
    CK_ULONG mgf;

    if (rsa != (c->key->kind == VD_HSM_RSA) || !rsa != (c->key->kind == VD_HSM_AES) ||
        r->size > VD_HSM_DATA_MAX + IV_SIZE + TAG_SIZE || r->aad_size > VD_HSM_DATA_MAX)
        return vd_diagf(diag, VD_E_USAGE,
                        "the cipher does not fit the key, or there are more than %u bytes",
                        VD_HSM_DATA_MAX);
    if (r->aad_size > 0 && r->cipher != VD_HSM_AES_GCM)
        return vd_diag_fail(diag, VD_E_USAGE, "only AES-GCM takes associated data");
    if (rsa) {
        c->oaep.hashAlg = hsm_hash_mechanism(r->hash, &mgf);
        c->oaep.mgf = mgf;
        c->oaep.source = CKZ_DATA_SPECIFIED;
        c->mechanism = (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &c->oaep, sizeof(c->oaep)};
    } else if (r->cipher == VD_HSM_AES_CBC) {
        c->mechanism = (CK_MECHANISM){CKM_AES_CBC_PAD, c->iv, IV_SIZE};
    } else {
        c->gcm = (CK_GCM_PARAMS){.pIv = c->iv,
                                 .ulIvLen = NONCE_SIZE,
                                 .ulIvBits = NONCE_SIZE * 8,
                                 .pAAD = (CK_BYTE *)r->aad,
                                 .ulAADLen = r->aad_size,
                                 .ulTagBits = TAG_SIZE * 8};
        c->mechanism = (CK_MECHANISM){CKM_AES_GCM, &c->gcm, sizeof(c->gcm)};
    }
    return VD_OK;
}

/* ---- Encryption ---- */

static vd_status oaep_encrypt(struct crypting *c, EVP_PKEY *pkey, struct vd_diag *diag)
{
    const struct vd_hsm_crypt *r = c->request;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    EVP_MD *md = EVP_MD_fetch(NULL, hsm_hash_name(r->hash), NULL);
    size_t size = (size_t)EVP_PKEY_get_size(pkey);
    uint8_t *out = malloc(size + 1);
    bool good = ctx != NULL && md != NULL && out != NULL && EVP_PKEY_encrypt_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
                EVP_PKEY_encrypt(ctx, out, &size, r->data, r->size) == 1;

    EVP_MD_free(md);
    EVP_PKEY_CTX_free(ctx);
    if (!good) {
        free(out);
        return vd_diagf(diag, VD_E_LIMIT, "cannot encrypt %zu bytes: RSA-OAEP takes few", r->size);
    }
    *c->ciphertext = (struct vd_bytes){.data = out, .size = size};
    return VD_OK;
}

static vd_status token_encrypt(struct vd_hsm *hsm, struct crypting *c, uint8_t *out, size_t *size,
                               struct vd_diag *diag)
{
    CK_FUNCTION_LIST *f = hsm->module.f;
    size_t n = iv_size(c->request->cipher), expected;
    CK_OBJECT_HANDLE object;
    CK_ULONG made = *size - n;

    if (RAND_bytes(c->iv, (int)n) != 1)
        return vd_diag_fail(diag, VD_E_SYSTEM, "no random bytes");
    vd_copy(out, c->iv, n);
    VD_TRY(hsm_handle(hsm, c->key, &object, diag));
    VD_TRY(hsm_check(hsm, "C_EncryptInit", f->C_EncryptInit(hsm->session, &c->mechanism, object),
                     diag));
    VD_TRY(hsm_check(
        hsm, "C_Encrypt",
        f->C_Encrypt(hsm->session, (CK_BYTE *)c->request->data, c->request->size, out + n, &made),
        diag));
    expected = c->request->cipher == VD_HSM_AES_GCM ? c->request->size + TAG_SIZE
                                                    : (c->request->size / IV_SIZE + 1) * IV_SIZE;
    if (made != expected)
        return vd_diagf(diag, VD_E_INVALID, "C_Encrypt made %lu bytes of %zu", made,
                        c->request->size);
    *size = n + made;
    return VD_OK;
}

static vd_status encrypt_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct crypting *c = ctx;
    size_t size = c->request->size + IV_SIZE + TAG_SIZE;
    EVP_PKEY *pkey;
    uint8_t *out;
    vd_status status;

    if (c->request->cipher == VD_HSM_OAEP) {
        VD_TRY(hsm_public_key(hsm, c->key, &pkey, diag));
        return oaep_encrypt(c, pkey, diag);
    }
    if (hsm_mechanism(hsm, c->mechanism.mechanism, CKF_ENCRYPT) == NULL)
        return hsm_lacks(hsm, c->mechanism.mechanism, diag);
    out = calloc(1, size + 1);
    if (out == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = token_encrypt(hsm, c, out, &size, diag);
    if (status != VD_OK) {
        free(out);
        return status;
    }
    *c->ciphertext = (struct vd_bytes){.data = out, .size = size};
    return VD_OK;
}

vd_status vd_hsm_encrypt(struct vd_hsm *hsm, struct vd_hsm_key *key,
                         const struct vd_hsm_crypt *request, struct vd_bytes *ret,
                         struct vd_diag *diag)
{
    struct crypting c = {.key = key, .request = request, .ciphertext = ret};

    if (request->size > VD_HSM_DATA_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "at most %u bytes are encrypted at once",
                        VD_HSM_DATA_MAX);
    VD_TRY(prepare(&c, diag));
    return hsm_run(hsm, encrypt_in, &c, diag);
}

/* ---- Decryption ---- */

/* Modules disagree on what they say of a ciphertext that is not theirs. */
static vd_status decrypted(struct vd_hsm *hsm, CK_RV rv, struct vd_diag *diag)
{
    switch (rv) {
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
    case CKR_DATA_INVALID:
    case CKR_DATA_LEN_RANGE:
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED:
        return vd_diagf(diag, VD_E_DENIED,
                        "token \"%s\" does not decrypt this: made with another key, or changed "
                        "(C_Decrypt: %s)",
                        hsm->token.label, hsm_result_name(rv));
    default:
        return hsm_check(hsm, "C_Decrypt", rv, diag);
    }
}

static vd_status token_decrypt(struct vd_hsm *hsm, struct crypting *c, struct vd_secret *out,
                               struct vd_diag *diag)
{
    CK_FUNCTION_LIST *f = hsm->module.f;
    size_t n = iv_size(c->request->cipher);
    CK_ULONG made = out->size;
    CK_OBJECT_HANDLE object;
    CK_RV rv;

    vd_copy(c->iv, c->request->data, n);
    VD_TRY(hsm_handle(hsm, c->key, &object, diag));
    rv = f->C_DecryptInit(hsm->session, &c->mechanism, object);
    if (rv == CKR_ARGUMENTS_BAD && c->request->cipher == VD_HSM_OAEP)
        return vd_diagf(diag, VD_E_UNSUPPORTED,
                        "token \"%s\" does not have CKM_RSA_PKCS_OAEP with %s", hsm->token.label,
                        hsm_hash_name(c->request->hash));
    VD_TRY(hsm_check(hsm, "C_DecryptInit", rv, diag));
    VD_TRY(hsm_authenticate(hsm, c->key, diag));
    rv = f->C_Decrypt(hsm->session, (CK_BYTE *)c->request->data + n, c->request->size - n,
                      out->data, &made);
    VD_TRY(decrypted(hsm, rv, diag));
    if (made > out->size || made > c->request->size)
        return vd_diagf(diag, VD_E_INVALID, "C_Decrypt made %lu bytes of %zu", made,
                        c->request->size);
    return vd_secret_cut(out, made);
}

static vd_status decrypt_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct crypting *c = ctx;
    struct vd_secret out = {};
    vd_status status;

    if (hsm_mechanism(hsm, c->mechanism.mechanism, CKF_DECRYPT) == NULL)
        return hsm_lacks(hsm, c->mechanism.mechanism, diag);
    /* Room as for the ciphertext: some modules write the padding or tag before they cut it off. */
    VD_TRY(vd_secret_init(&out, c->request->size + TAG_SIZE, diag));
    status = token_decrypt(hsm, c, &out, diag);
    if (status != VD_OK) {
        vd_secret_done(&out);
        return status;
    }
    *c->plaintext = out;
    return VD_OK;
}

vd_status vd_hsm_decrypt(struct vd_hsm *hsm, struct vd_hsm_key *key,
                         const struct vd_hsm_crypt *request, struct vd_secret *ret,
                         struct vd_diag *diag)
{
    struct crypting c = {.key = key, .request = request, .plaintext = ret};
    size_t least = request->cipher == VD_HSM_AES_GCM   ? VD_HSM_GCM_OVERHEAD
                   : request->cipher == VD_HSM_AES_CBC ? 2 * IV_SIZE
                                                       : key->bits / 8;

    if (request->size < least)
        return vd_diagf(diag, VD_E_TRUNCATED, "a ciphertext of %zu bytes: expected at least %zu",
                        request->size, least);
    VD_TRY(prepare(&c, diag));
    return hsm_run(hsm, decrypt_in, &c, diag);
}

/* ---- Derivation ---- */

vd_status hsm_take_value(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, size_t size,
                         struct vd_secret *ret, struct vd_diag *diag)
{
    struct vd_secret out = {};
    CK_ATTRIBUTE ask = {.type = CKA_VALUE};
    vd_status status = vd_secret_init(&out, size, diag);

    ask.pValue = out.data;
    if (status == VD_OK)
        status = hsm_get(hsm, object, &ask, size, diag);
    if (status == VD_OK && ask.ulValueLen != size)
        status = vd_diagf(diag, VD_E_INVALID, "the module's secret has %lu bytes, expected %zu",
                          ask.ulValueLen, size);
    (void)hsm->module.f->C_DestroyObject(hsm->session, object);
    if (status != VD_OK) {
        vd_secret_done(&out);
        return status;
    }
    *ret = out;
    return VD_OK;
}

struct derivation {
    struct vd_hsm_key *key;
    uint8_t point[POINT_SIZE];
    struct vd_secret *ret;
};

static vd_status derive_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct derivation *d = ctx;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ULONG size = SHARED_SIZE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},   {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &no, sizeof(no)},         {CKA_SENSITIVE, &no, sizeof(no)},
        {CKA_EXTRACTABLE, &yes, sizeof(yes)}, {CKA_VALUE_LEN, &size, sizeof(size)},
    };
    CK_ECDH1_DERIVE_PARAMS params = {
        .kdf = CKD_NULL, .ulPublicDataLen = POINT_SIZE, .pPublicData = d->point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
    CK_OBJECT_HANDLE object, made = 0;

    if (hsm_mechanism(hsm, CKM_ECDH1_DERIVE, CKF_DERIVE) == NULL)
        return hsm_lacks(hsm, CKM_ECDH1_DERIVE, diag);
    VD_TRY(hsm_handle(hsm, d->key, &object, diag));
    VD_TRY(hsm_check(hsm, "C_DeriveKey",
                     hsm->module.f->C_DeriveKey(hsm->session, &mechanism, object, template,
                                                VD_COUNT(template), &made),
                     diag));
    return hsm_take_value(hsm, made, SHARED_SIZE, d->ret, diag);
}

vd_status vd_hsm_derive(struct vd_hsm *hsm, struct vd_hsm_key *key, const struct vd_bytes *peer_der,
                        struct vd_secret *ret, struct vd_diag *diag)
{
    struct derivation d = {.key = key, .ret = ret};
    const uint8_t *in = peer_der->data;
    EVP_PKEY *peer = d2i_PUBKEY(NULL, &in, (long)peer_der->size);
    uint8_t *point = NULL;
    char group[32];
    size_t size = 0;

    /* d2i checks that the point is on its curve. */
    if (peer != NULL && in == peer_der->data + peer_der->size && EVP_PKEY_is_a(peer, "EC") &&
        EVP_PKEY_get_group_name(peer, group, sizeof(group), NULL) == 1 &&
        strcmp(group, "prime256v1") == 0)
        size = EVP_PKEY_get1_encoded_public_key(peer, &point);
    if (size == POINT_SIZE)
        vd_copy(d.point, point, POINT_SIZE);
    OPENSSL_free(point);
    EVP_PKEY_free(peer);
    if (size != POINT_SIZE || d.point[0] != POINT_CONVERSION_UNCOMPRESSED ||
        key->kind != VD_HSM_EC || key->class != VD_HSM_PRIVATE)
        return vd_diag_fail(diag, VD_E_INVALID, "expected P-256 keys of both sides");
    return hsm_run(hsm, derive_in, &d, diag);
}
