/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* P-256: ECDSA with SHA-256 (FIPS 186-5) and ECDH (SP 800-56A). */
#include "services/crypto/alg/internal.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"

#define SIZE    32u
#define POINT   VD_ALG_P256_POINT
#define DER_MAX 72u /* of a signature */

enum operation { SIGN, VERIFY };

/* `scalar` may be NULL; NULL if the point is not on the curve. */
static EVP_PKEY *assemble(struct vd_alg *alg, const uint8_t *point, const uint8_t *scalar)
{
    uint8_t native[SIZE], public[POINT];
    char group[] = "P-256";
    OSSL_PARAM params[4] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, POINT),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pkey;

    vd_copy(public, point, POINT);
    if (scalar != NULL) {
        for (size_t i = 0; i < SIZE; i++)
            native[i] = scalar[SIZE - 1 - i];
        params[2] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, SIZE);
    }
    pkey = vd_alg_pkey(alg, "EC", scalar != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
    vd_wipe(native, sizeof(native));
    return pkey;
}

/* The public point of a scalar; false: the scalar is 0 or not below the order. */
static bool multiply(struct vd_alg *alg, const uint8_t *scalar, uint8_t ret[POINT])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(alg->lib, NULL, NID_X9_62_prime256v1);
    EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
    BN_CTX *ctx = BN_CTX_secure_new_ex(alg->lib);
    BIGNUM *number = BN_secure_new();
    bool good = point != NULL && ctx != NULL && number != NULL &&
                BN_bin2bn(scalar, SIZE, number) != NULL && !BN_is_zero(number) &&
                BN_cmp(number, EC_GROUP_get0_order(group)) < 0;

    if (good)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    good =
        good && EC_POINT_mul(group, point, number, NULL, NULL, ctx) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret, POINT, ctx) == POINT;
    BN_clear_free(number);
    BN_CTX_free(ctx);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    ERR_clear_error();
    return good;
}

/* What the store keeps: the scalar, then its point, so that loading multiplies nothing. */
static vd_status keep(struct vd_alg_key *key, const uint8_t *scalar, const uint8_t *point,
                      struct vd_diag *diag)
{
    VD_TRY(vd_secret_init(&key->secret, SIZE + POINT, diag));
    vd_copy(key->secret.data, scalar, SIZE);
    vd_copy(key->secret.data + SIZE, point, POINT);
    key->pkey = assemble(key->alg, point, scalar);
    return key->pkey != NULL ? VD_OK : vd_diag_fail(diag, VD_E_INVALID, "this is no P-256 key");
}

static vd_status from_scalar(struct vd_alg_key *key, const uint8_t *scalar, struct vd_diag *diag)
{
    uint8_t point[POINT];

    if (!multiply(key->alg, scalar, point))
        return vd_diag_fail(diag, VD_E_INVALID, "the private scalar is 0 or not below the order");
    return keep(key, scalar, point, diag);
}

static vd_status generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(key->alg->lib, NULL, "EC", "P-256");
    uint8_t scalar[SIZE], point[POINT];
    BIGNUM *number = NULL;
    vd_status status = VD_E_SYSTEM;

    if (pkey != NULL && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 &&
        BN_bn2binpad(number, scalar, SIZE) == (int)SIZE)
        status = vd_alg_pkey_public(pkey, point, POINT, diag);
    if (status == VD_OK)
        status = keep(key, scalar, point, diag);
    vd_wipe(scalar, sizeof(scalar));
    BN_clear_free(number);
    EVP_PKEY_free(pkey);
    return status == VD_E_SYSTEM ? vd_alg_failed(diag, "OpenSSL could not make a P-256 key")
                                 : status;
}

static vd_status load(struct vd_alg_key *key, const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    const uint8_t *bytes = from->data;

    if (from->size != SIZE + POINT)
        return vd_alg_wrong_size("a P-256 key", from->size, SIZE + POINT, diag);
    return keep(key, bytes, bytes + SIZE, diag);
}

static vd_status from_point(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                            struct vd_diag *diag)
{
    const uint8_t *point = from->data;

    if (from->size != POINT)
        return vd_alg_wrong_size("a point", from->size, POINT, diag);
    if (point[0] != POINT_CONVERSION_UNCOMPRESSED)
        return vd_diag_fail(diag, VD_E_ENCODING, "the point is not uncompressed (04, x, y)");
    key->pkey = assemble(key->alg, point, NULL);
    return key->pkey != NULL
               ? VD_OK
               : vd_diag_fail(diag, VD_E_POINT, "the point is not on the curve P-256");
}

/* ECPrivateKey (RFC 5915). The point, where there is one, goes to `ret_point`. */
static vd_status read_private(struct vd_reader *from, const uint8_t **ret_scalar,
                              struct vd_reader *ret_point, struct vd_diag *diag)
{
    static const uint8_t curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    struct vd_reader r, wrap;
    uint8_t version = 0;

    if (vd_der_read(from, VD_DER_SEQUENCE, &r) != VD_OK || vd_der_done(from) != VD_OK ||
        vd_der_read_small(&r, &version) != VD_OK || version != 1 ||
        vd_der_read_exact(&r, VD_DER_OCTETS, SIZE, ret_scalar) != VD_OK)
        return vd_alg_bad_der("ECPrivateKey", diag);
    if (vd_der_peek(&r) == VD_DER_CONTEXT_SET) {
        if (vd_der_read(&r, VD_DER_CONTEXT_SET, &wrap) != VD_OK)
            return vd_alg_bad_der("ECPrivateKey", diag);
        if (vd_reader_left(&wrap) != sizeof(curve) ||
            __builtin_memcmp(wrap.pos, curve, sizeof(curve)) != 0)
            return vd_diag_fail(diag, VD_E_KEY_TYPE, "the key is of another curve than P-256");
    }
    vd_reader_init(ret_point, NULL, 0);
    if (vd_der_peek(&r) == VD_DER_CONTEXT_SET + 1 &&
        (vd_der_read(&r, VD_DER_CONTEXT_SET + 1, &wrap) != VD_OK ||
         vd_der_read_bits(&wrap, ret_point) != VD_OK || vd_der_done(&wrap) != VD_OK ||
         vd_reader_left(ret_point) != POINT))
        return vd_alg_bad_der("ECPrivateKey", diag);
    return vd_der_done(&r) == VD_OK ? VD_OK : vd_alg_bad_der("ECPrivateKey", diag);
}

static vd_status from_pkcs8(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                            struct vd_diag *diag)
{
    struct vd_alg_private private;
    struct vd_reader point;
    const uint8_t *scalar = NULL;

    VD_TRY(vd_alg_pkcs8_read(VD_ALG_ECDSA_P256, from, &private, diag));
    if (vd_reader_left(&private.public) != 0)
        return vd_diag_fail(diag, VD_E_ENCODING, "a P-256 key has its public part inside");
    VD_TRY(read_private(&private.key, &scalar, &point, diag));
    VD_TRY(from_scalar(key, scalar, diag));
    if (vd_reader_left(&point) != 0 && !vd_ct_equal(point.pos, key->secret.data + SIZE, POINT))
        return vd_diag_fail(diag, VD_E_INVALID, "the point does not belong to the private scalar");
    return VD_OK;
}

static vd_status import(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    struct vd_reader bits;
    struct vd_alg_bytes point;

    switch (form) {
    case VD_ALG_FORM_RAW:
        if (from->size != SIZE)
            return vd_alg_wrong_size("a private scalar", from->size, SIZE, diag);
        return from_scalar(key, from->data, diag);
    case VD_ALG_FORM_PKCS8:
        return from_pkcs8(key, from, diag);
    case VD_ALG_FORM_SPKI:
        VD_TRY(vd_alg_spki_read(VD_ALG_ECDSA_P256, from, &bits, diag));
        point = (struct vd_alg_bytes){bits.pos, vd_reader_left(&bits)};
        return from_point(key, &point, diag);
    default:
        return from_point(key, from, diag);
    }
}

static vd_status export(const struct vd_alg_key *key, enum vd_alg_form form, struct vd_secret *ret,
                        struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret inside = {};
    const size_t bits = vd_der_size(POINT + 1);
    const size_t size = 3 + vd_der_size(SIZE) + vd_der_size(bits);
    struct vd_writer w;

    if (form == VD_ALG_FORM_RAW)
        return vd_secret_set(ret, key->secret.data, SIZE, diag);
    VD_TRY(vd_secret_init(&inside, vd_der_size(size), diag));
    vd_writer_init(&w, inside.data, inside.size);
    vd_der_write(&w, VD_DER_SEQUENCE, size);
    vd_der_write_unsigned(&w, (const uint8_t *)"\x01", 1);
    vd_der_write(&w, VD_DER_OCTETS, SIZE);
    vd_write_bytes(&w, key->secret.data, SIZE);
    vd_der_write(&w, VD_DER_CONTEXT_SET + 1, bits);
    vd_der_write(&w, VD_DER_BITS, POINT + 1);
    vd_write_u8(&w, 0);
    vd_write_bytes(&w, key->secret.data + SIZE, POINT);
    VD_TRY(vd_write_done(&w));
    return vd_alg_pkcs8_write(VD_ALG_ECDSA_P256, &inside, ret, diag);
}

static vd_status public_raw(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag)
{
    if (!key->is_public) {
        vd_copy(out, key->secret.data + SIZE, POINT);
        return VD_OK;
    }
    return vd_alg_pkey_public(key->pkey, out, POINT, diag);
}

static bool is_raw(enum vd_alg_mechanism mechanism)
{
    return mechanism == VD_ALG_ECDSA_SHA256_RAW || mechanism == VD_ALG_ECDSA_SHA256_RAW_DIGEST;
}

/* DER to r and s; false: not in the one form of ECDSA-Sig-Value (RFC 3279). */
static bool read_signature(const uint8_t *data, size_t size, struct vd_reader *r,
                           struct vd_reader *s)
{
    struct vd_reader whole, inside;

    vd_reader_init(&whole, data, size);
    return vd_der_read(&whole, VD_DER_SEQUENCE, &inside) == VD_OK && vd_der_done(&whole) == VD_OK &&
           vd_der_read_unsigned(&inside, SIZE, r) == VD_OK &&
           vd_der_read_unsigned(&inside, SIZE, s) == VD_OK && vd_der_done(&inside) == VD_OK;
}

static struct vd_alg_worker *take(struct vd_alg_key *key, enum operation operation)
{
    struct vd_alg_worker *worker = vd_alg_worker_take(key);
    EVP_PKEY_CTX *ctx;

    if (worker == NULL || worker->op[operation] != NULL)
        return worker;
    ctx = worker->op[operation] = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, key->pkey, NULL);
    if (ctx != NULL &&
        (operation == SIGN ? EVP_PKEY_sign_init(ctx) : EVP_PKEY_verify_init(ctx)) == 1)
        return worker;
    vd_alg_worker_done(worker);
    return NULL;
}

static bool digest_of(struct vd_alg_key *key, struct vd_alg_worker *worker,
                      const struct vd_alg_signing *what, uint8_t ret[VD_ALG_DIGEST_SIZE])
{
    if (what->mechanism < VD_ALG_RSA_PSS_SHA256_DIGEST)
        return vd_alg_sha256(key, worker, &what->message, ret);
    vd_copy(ret, what->message.data, VD_ALG_DIGEST_SIZE);
    return true;
}

/* As the mechanism wants it: DER as it is, or both numbers at full length. */
static vd_status give(const struct vd_alg_signing *what, const uint8_t *der, size_t size,
                      struct vd_alg_buffer *out, struct vd_diag *diag)
{
    struct vd_reader r, s;
    uint8_t *raw = out->data;

    VD_TRY(vd_alg_room(out, is_raw(what->mechanism) ? 2 * SIZE : size, diag));
    if (!is_raw(what->mechanism)) {
        vd_copy(out->data, der, size);
        return VD_OK;
    }
    if (!read_signature(der, size, &r, &s))
        return vd_diag_fail(diag, VD_E_BUG, "OpenSSL's signature is not DER");
    for (size_t i = 0; i < 2 * SIZE; i++)
        raw[i] = 0;
    vd_copy(raw + SIZE - vd_reader_left(&r), r.pos, vd_reader_left(&r));
    vd_copy(raw + 2 * SIZE - vd_reader_left(&s), s.pos, vd_reader_left(&s));
    return VD_OK;
}

static vd_status sign(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag)
{
    uint8_t digest[VD_ALG_DIGEST_SIZE], der[DER_MAX];
    struct vd_alg_worker *worker = take(key, SIGN);
    size_t size = sizeof(der);
    bool good;

    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    good = digest_of(key, worker, what, digest) &&
           EVP_PKEY_sign(worker->op[SIGN], der, &size, digest, sizeof(digest)) == 1;
    vd_alg_worker_put(key, worker);
    if (!good)
        return vd_alg_failed(diag, "OpenSSL could not sign");
    return give(what, der, size, out, diag);
}

/* The signature as DER in `ret`. */
static vd_status take_signature(const struct vd_alg_signing *what,
                                const struct vd_alg_bytes *signature, uint8_t ret[DER_MAX],
                                size_t *ret_size, struct vd_diag *diag)
{
    const uint8_t *bytes = signature->data;
    struct vd_reader r, s;
    struct vd_writer w;

    if (!is_raw(what->mechanism)) {
        bool fits = signature->size <= DER_MAX;
        vd_copy(ret, bytes, fits ? signature->size : 0);
        if (!fits || !read_signature(ret, signature->size, &r, &s))
            return vd_diag_fail(diag, VD_E_ENCODING,
                                "the signature is not in the one form that "
                                "DER gives it");
        *ret_size = signature->size;
        return VD_OK;
    }
    if (signature->size != 2 * SIZE)
        return vd_alg_wrong_size("a signature", signature->size, 2 * SIZE, diag);
    vd_writer_init(&w, ret, DER_MAX);
    vd_der_write(&w, VD_DER_SEQUENCE,
                 vd_der_unsigned_size(bytes, SIZE) + vd_der_unsigned_size(bytes + SIZE, SIZE));
    vd_der_write_unsigned(&w, bytes, SIZE);
    vd_der_write_unsigned(&w, bytes + SIZE, SIZE);
    *ret_size = w.len;
    return vd_write_done(&w);
}

static vd_status verify(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag)
{
    uint8_t digest[VD_ALG_DIGEST_SIZE], der[DER_MAX];
    struct vd_alg_worker *worker;
    size_t size = 0;
    bool good, holds = false;

    VD_TRY(take_signature(what, signature, der, &size, diag));
    worker = take(key, VERIFY);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    good = digest_of(key, worker, what, digest);
    if (good)
        holds = EVP_PKEY_verify(worker->op[VERIFY], der, size, digest, sizeof(digest)) == 1;
    vd_alg_worker_put(key, worker);
    if (!good)
        return vd_alg_failed(diag, "OpenSSL could not hash");
    ERR_clear_error();
    return holds ? VD_OK : vd_diag_fail(diag, VD_E_SIGNATURE, "the signature does not hold");
}

static vd_status agree(struct vd_alg_key *key, const struct vd_alg_bytes *point,
                       struct vd_secret *ret, struct vd_diag *diag)
{
    const uint8_t *bytes = point->data;
    EVP_PKEY *peer;
    vd_status status;

    if (bytes[0] != POINT_CONVERSION_UNCOMPRESSED)
        return vd_diag_fail(diag, VD_E_ENCODING, "the point is not uncompressed (04, x, y)");
    peer = assemble(key->alg, bytes, NULL);
    if (peer == NULL)
        return vd_diag_fail(diag, VD_E_POINT, "the point is not on the curve P-256");
    status = vd_alg_derive(key, key->pkey, peer, ret, diag);
    EVP_PKEY_free(peer);
    return status;
}

const struct vd_alg_family vd_alg_p256_family = {
    .generate = generate,
    .load = load,
    .import = import,
    .export = export,
    .public_raw = public_raw,
    .sign = sign,
    .verify = verify,
    .agree = agree,
};
