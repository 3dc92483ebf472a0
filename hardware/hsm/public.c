/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/internal.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"
#include "lib/diagf.h"

#define POINT_SIZE    65u /* uncompressed, of P-256 */
#define RSA_MIN_BYTES 256u
#define RSA_MAX_BYTES 1024u
#define OCTET_STRING  0x04u

/* ANSI X9.62 prime256v1 (1.2.840.10045.3.1.7). */
const uint8_t hsm_p256_params[10] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

static EVP_PKEY *import(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *import_rsa(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (build != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params != NULL)
        key = import("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return key;
}

vd_status hsm_rsa_from(struct hsm_bytes modulus, struct hsm_bytes exponent, EVP_PKEY **ret,
                       struct vd_diag *diag)
{
    BIGNUM *n, *e;
    EVP_PKEY *key = NULL;

    while (modulus.size > 0 && modulus.data[0] == 0) {
        modulus.data++;
        modulus.size--;
    }
    if (modulus.size < RSA_MIN_BYTES || modulus.size > RSA_MAX_BYTES || exponent.size == 0 ||
        exponent.size > 8)
        return vd_diagf(diag, VD_E_INVALID,
                        "an RSA key of %zu and %zu bytes: expected %u to %u and at most 8",
                        modulus.size, exponent.size, RSA_MIN_BYTES, RSA_MAX_BYTES);
    n = BN_bin2bn(modulus.data, (int)modulus.size, NULL);
    e = BN_bin2bn(exponent.data, (int)exponent.size, NULL);
    if (n != NULL && e != NULL && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e))
        key = import_rsa(n, e);
    BN_free(n);
    BN_free(e);
    if (key == NULL)
        return vd_diag_fail(diag, VD_E_INVALID, "the module's RSA key is none");
    *ret = key;
    return VD_OK;
}

/* The point, from an OCTET STRING as the standard wants it, or bare as some modules give it. */
static vd_status read_point(struct hsm_bytes in, const uint8_t **ret)
{
    struct vd_reader r;
    uint8_t tag, size;

    vd_reader_init(&r, in.data, in.size);
    if (in.size == POINT_SIZE)
        return vd_read_bytes(&r, POINT_SIZE, ret);
    VD_TRY(vd_read_u8(&r, &tag));
    VD_TRY(vd_read_u8(&r, &size));
    if (tag != OCTET_STRING || size != POINT_SIZE)
        return VD_E_INVALID;
    VD_TRY(vd_read_bytes(&r, POINT_SIZE, ret));
    return vd_read_done(&r);
}

vd_status hsm_ec_from(struct hsm_bytes params, struct hsm_bytes point, EVP_PKEY **ret,
                      struct vd_diag *diag)
{
    char group[] = "P-256";
    const uint8_t *bytes;
    EVP_PKEY *key = NULL;

    if (params.size != sizeof(hsm_p256_params) ||
        memcmp(params.data, hsm_p256_params, params.size) != 0)
        return vd_diag_fail(diag, VD_E_UNSUPPORTED, "the key is on a curve other than P-256");
    if (read_point(point, &bytes) == VD_OK && bytes[0] == POINT_CONVERSION_UNCOMPRESSED) {
        OSSL_PARAM list[] = {
            OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
            OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)bytes, POINT_SIZE),
            OSSL_PARAM_END,
        };

        key = import("EC", list);
    }
    if (key == NULL)
        return vd_diag_fail(diag, VD_E_INVALID, "the module's EC key is no point of P-256");
    *ret = key;
    return VD_OK;
}

/* ---- From the token ---- */

static vd_status read_public(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, enum vd_hsm_kind kind,
                             EVP_PKEY **ret, struct vd_diag *diag)
{
    uint8_t first[VD_HSM_BLOCK_MAX + 1], second[VD_HSM_BLOCK_MAX];
    bool rsa = kind == VD_HSM_RSA;
    CK_ATTRIBUTE a = {.type = rsa ? CKA_MODULUS : CKA_EC_PARAMS, .pValue = first};
    CK_ATTRIBUTE b = {.type = rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT, .pValue = second};

    VD_TRY(hsm_get(hsm, object, &a, sizeof(first), diag));
    VD_TRY(hsm_get(hsm, object, &b, sizeof(second), diag));
    return (rsa ? hsm_rsa_from : hsm_ec_from)((struct hsm_bytes){first, a.ulValueLen},
                                              (struct hsm_bytes){second, b.ulValueLen}, ret, diag);
}

static bool is_same(const struct vd_hsm_key *a, const struct vd_hsm_key *b)
{
    return a->kind == b->kind && strcmp(a->label, b->label) == 0 && a->id_size == b->id_size &&
           memcmp(a->id, b->id, a->id_size) == 0;
}

static EVP_PKEY *remembered(const struct vd_hsm *hsm, const struct vd_hsm_key *key)
{
    for (uint32_t i = 0; i < HSM_PUBLIC_CACHE; i++) {
        const struct hsm_public *p = &hsm->public[i];

        if (p->pkey != NULL && is_same(&p->key, key))
            return p->pkey;
    }
    return NULL;
}

static void remember(struct vd_hsm *hsm, const struct vd_hsm_key *key, EVP_PKEY *pkey)
{
    struct hsm_public *p = &hsm->public[hsm->public_next++ % HSM_PUBLIC_CACHE];

    EVP_PKEY_free(p->pkey);
    p->key = *key;
    p->pkey = pkey;
}

void hsm_public_forget(struct vd_hsm *hsm)
{
    for (uint32_t i = 0; i < HSM_PUBLIC_CACHE; i++) {
        EVP_PKEY_free(hsm->public[i].pkey);
        hsm->public[i].pkey = NULL;
    }
}

vd_status hsm_public_key(struct vd_hsm *hsm, struct vd_hsm_key *key, EVP_PKEY **ret,
                         struct vd_diag *diag)
{
    EVP_PKEY *pkey = remembered(hsm, key);
    struct vd_hsm_key public = *key;
    CK_OBJECT_HANDLE object;
    struct vd_diag own = {};
    vd_status status;

    if (pkey != NULL) {
        *ret = pkey;
        return VD_OK;
    }
    if (key->kind != VD_HSM_RSA && key->kind != VD_HSM_EC)
        return vd_diag_fail(diag, VD_E_USAGE, "the key has no public half that is known here");
    public.class = VD_HSM_PUBLIC;
    public.opening = key->class == VD_HSM_PUBLIC ? key->opening : 0;
    status = hsm_handle(hsm, &public, &object, &own);
    if (status == VD_E_NOT_FOUND) /* many modules know it from the private key too */
        status = hsm_handle(hsm, key, &object, &own);
    if (status == VD_OK)
        status = read_public(hsm, object, key->kind, &pkey, &own);
    if (status != VD_OK) {
        if (diag != NULL && diag->status == VD_OK)
            *diag = own;
        return status;
    }
    remember(hsm, key, pkey);
    *ret = pkey;
    return VD_OK;
}

struct public_request {
    struct vd_hsm_key *key;
    struct vd_bytes *ret;
    bool pem;
};

static vd_status encode(EVP_PKEY *pkey, bool pem, struct vd_bytes *ret, struct vd_diag *diag)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    long size = 0;
    uint8_t *copy = NULL;

    if (out != NULL && (pem ? PEM_write_bio_PUBKEY(out, pkey) : i2d_PUBKEY_bio(out, pkey)) == 1)
        size = BIO_get_mem_data(out, &data);
    if (size > 0)
        copy = malloc((size_t)size + 1);
    if (copy != NULL) {
        vd_copy(copy, data, (size_t)size);
        copy[size] = 0;
        *ret = (struct vd_bytes){.data = copy, .size = (size_t)size};
    }
    BIO_free(out);
    return copy != NULL ? VD_OK : vd_diag_fail(diag, VD_E_NO_MEMORY, "cannot encode a public key");
}

static vd_status public_in(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag)
{
    struct public_request *request = ctx;
    EVP_PKEY *pkey;

    VD_TRY(hsm_public_key(hsm, request->key, &pkey, diag));
    return encode(pkey, request->pem, request->ret, diag);
}

vd_status vd_hsm_public_der(struct vd_hsm *hsm, struct vd_hsm_key *key, struct vd_bytes *ret,
                            struct vd_diag *diag)
{
    struct public_request request = {.key = key, .ret = ret};

    return hsm_run(hsm, public_in, &request, diag);
}

vd_status vd_hsm_public_pem(struct vd_hsm *hsm, struct vd_hsm_key *key, struct vd_bytes *ret,
                            struct vd_diag *diag)
{
    struct public_request request = {.key = key, .ret = ret, .pem = true};

    return hsm_run(hsm, public_in, &request, diag);
}
