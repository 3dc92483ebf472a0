/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ed25519 (RFC 8032) and X25519 (RFC 7748). */
#include "services/crypto/alg/internal.h"

#include <openssl/bn.h>
#include <openssl/err.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"

#define SIZE           32u
#define SIGNATURE_SIZE 64u
#define SMALL          7u

enum operation { SIGN, VERIFY };

/*
 * The u coordinates of order 1, 2, 4 and 8 on the curve and its twist, with those that are not
 * reduced; the highest bit is none of the number (RFC 7748, 6.1; curve25519's pages, "low order").
 */
static const uint8_t small_u[SMALL][SIZE] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, [1 ... 30] = 0xff, 0x7f},
    {0xed, [1 ... 30] = 0xff, 0x7f},
    {0xee, [1 ... 30] = 0xff, 0x7f},
};

/* The same for the y coordinates of Ed25519's points. */
static const uint8_t small_y[SMALL][SIZE] = {
    {0},
    {1},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, [1 ... 30] = 0xff, 0x7f},
    {0xed, [1 ... 30] = 0xff, 0x7f},
    {0xee, [1 ... 30] = 0xff, 0x7f},
};

/* Public bytes: nothing here needs constant time. */
static bool in_table(const uint8_t table[SMALL][SIZE], const uint8_t value[SIZE])
{
    uint8_t reduced[SIZE];

    vd_copy(reduced, value, SIZE);
    reduced[SIZE - 1] &= 0x7f;
    for (size_t i = 0; i < SMALL; i++)
        if (__builtin_memcmp(table[i], reduced, SIZE) == 0)
            return true;
    return false;
}

bool vd_alg_x25519_is_small(const uint8_t u[SIZE])
{
    return in_table(small_u, u);
}

/* y is below 2^255 - 19. */
static bool is_reduced(const uint8_t y[SIZE])
{
    if ((y[SIZE - 1] & 0x7f) != 0x7f || y[0] < 0xed)
        return true;
    for (size_t i = 1; i < SIZE - 1; i++)
        if (y[i] != 0xff)
            return true;
    return false;
}

static const char *openssl_name(const struct vd_alg_key *key)
{
    return key->info->type == VD_ALG_ED25519 ? "ED25519" : "X25519";
}

static vd_status from_private(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                              struct vd_diag *diag)
{
    if (from->size != SIZE)
        return vd_alg_wrong_size("a private key", from->size, SIZE, diag);
    VD_TRY(vd_secret_set(&key->secret, from->data, SIZE, diag));
    key->pkey = EVP_PKEY_new_raw_private_key_ex(key->alg->lib, openssl_name(key), NULL,
                                                key->secret.data, SIZE);
    return key->pkey != NULL ? VD_OK : vd_alg_failed(diag, "OpenSSL does not take the key");
}

/* d of the curve -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032, 5.1), and its field. */
static const char curve_d[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";
static const char field_p[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";

/*
 * There is an x for this y: (y^2 - 1) / (d y^2 + 1) is a square. OpenSSL finds that out at each
 * verification; here it is once, so that a wrong key is no wrong signature later.
 */
static bool on_curve(struct vd_alg *alg, const uint8_t encoded[SIZE])
{
    BN_CTX *ctx = BN_CTX_new_ex(alg->lib);
    BIGNUM *y, *p = NULL, *d = NULL, *u, *v;
    uint8_t bytes[SIZE];
    bool good = ctx != NULL && BN_hex2bn(&p, field_p) > 0 && BN_hex2bn(&d, curve_d) > 0;

    if (good) {
        BN_CTX_start(ctx);
        y = BN_CTX_get(ctx);
        u = BN_CTX_get(ctx);
        v = BN_CTX_get(ctx);
        vd_copy(bytes, encoded, SIZE);
        bytes[SIZE - 1] &= 0x7f;
        good = v != NULL && BN_lebin2bn(bytes, SIZE, y) != NULL && BN_mod_sqr(u, y, p, ctx) == 1 &&
               BN_mod_mul(v, u, d, p, ctx) == 1 && BN_add_word(v, 1) == 1 &&
               BN_sub_word(u, 1) == 1 && BN_mod_mul(u, u, v, p, ctx) == 1 &&
               BN_kronecker(u, p, ctx) == 1;
        BN_CTX_end(ctx);
    }
    BN_free(p);
    BN_free(d);
    BN_CTX_free(ctx);
    return good;
}

static vd_status from_public(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                             struct vd_diag *diag)
{
    bool edwards = key->info->type == VD_ALG_ED25519;

    if (from->size != SIZE)
        return vd_alg_wrong_size("a public key", from->size, SIZE, diag);
    if (in_table(edwards ? small_y : small_u, from->data))
        return vd_diag_fail(diag, VD_E_POINT, "the public key is a point of small order");
    if (edwards && !is_reduced(from->data))
        return vd_diag_fail(diag, VD_E_POINT, "the public key's coordinate is not reduced");
    if (edwards && !on_curve(key->alg, from->data))
        return vd_diag_fail(diag, VD_E_POINT, "the public key is no point of the curve");
    key->pkey =
        EVP_PKEY_new_raw_public_key_ex(key->alg->lib, openssl_name(key), NULL, from->data, SIZE);
    if (key->pkey == NULL)
        return vd_alg_failed(diag, "OpenSSL does not take the key");
    return VD_OK;
}

static vd_status generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret seed = {};
    struct vd_alg_bytes bytes;

    VD_TRY(vd_secret_init(&seed, SIZE, diag));
    VD_TRY(vd_alg_random(key->alg, seed.data, SIZE, diag));
    bytes = (struct vd_alg_bytes){seed.data, SIZE};
    return from_private(key, &bytes, diag);
}

static vd_status public_raw(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag)
{
    size_t size = SIZE;

    if (EVP_PKEY_get_raw_public_key(key->pkey, out, &size) != 1 || size != SIZE)
        return vd_alg_failed(diag, "OpenSSL does not give the public key");
    return VD_OK;
}

static vd_status from_pkcs8(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                            struct vd_diag *diag)
{
    struct vd_alg_private private;
    struct vd_alg_bytes bytes = {.size = SIZE};
    uint8_t public[SIZE];
    const uint8_t *seed = NULL;

    VD_TRY(vd_alg_pkcs8_read(key->info->type, from, &private, diag));
    if (vd_der_read_exact(&private.key, VD_DER_OCTETS, SIZE, &seed) != VD_OK ||
        vd_der_done(&private.key) != VD_OK)
        return vd_alg_bad_der("the private key", diag);
    bytes.data = seed;
    VD_TRY(from_private(key, &bytes, diag));
    if (vd_reader_left(&private.public) == 0)
        return VD_OK;
    VD_TRY(public_raw(key, public, diag));
    if (vd_reader_left(&private.public) != SIZE || !vd_ct_equal(private.public.pos, public, SIZE))
        return vd_diag_fail(diag, VD_E_INVALID,
                            "the public key does not belong to the private one");
    return VD_OK;
}

static vd_status import(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    struct vd_reader bits;
    struct vd_alg_bytes raw;

    switch (form) {
    case VD_ALG_FORM_RAW:
        return from_private(key, from, diag);
    case VD_ALG_FORM_PKCS8:
        return from_pkcs8(key, from, diag);
    case VD_ALG_FORM_SPKI:
        VD_TRY(vd_alg_spki_read(key->info->type, from, &bits, diag));
        raw = (struct vd_alg_bytes){bits.pos, vd_reader_left(&bits)};
        return from_public(key, &raw, diag);
    default:
        return from_public(key, from, diag);
    }
}

static vd_status export(const struct vd_alg_key *key, enum vd_alg_form form, struct vd_secret *ret,
                        struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret inside = {};

    if (form == VD_ALG_FORM_RAW)
        return vd_secret_set(ret, key->secret.data, SIZE, diag);
    VD_TRY(vd_alg_element(VD_DER_OCTETS, &key->secret, &inside, diag));
    return vd_alg_pkcs8_write(key->info->type, &inside, ret, diag);
}

static struct vd_alg_worker *take(struct vd_alg_key *key, enum operation operation)
{
    struct vd_alg_worker *worker = vd_alg_worker_take(key);
    EVP_SIGNATURE *algorithm = key->alg->ed25519;
    EVP_PKEY_CTX *ctx;

    if (worker == NULL || worker->op[operation] != NULL)
        return worker;
    ctx = worker->op[operation] = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, key->pkey, NULL);
    if (ctx != NULL &&
        (operation == SIGN ? EVP_PKEY_sign_message_init(ctx, algorithm, NULL)
                           : EVP_PKEY_verify_message_init(ctx, algorithm, NULL)) == 1)
        return worker;
    vd_alg_worker_done(worker);
    return NULL;
}

static vd_status sign(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag)
{
    struct vd_alg_worker *worker;
    size_t size = SIGNATURE_SIZE;
    bool good;

    VD_TRY(vd_alg_room(out, SIGNATURE_SIZE, diag));
    worker = take(key, SIGN);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    good = EVP_PKEY_sign(worker->op[SIGN], out->data, &size, what->message.data,
                         what->message.size) == 1 &&
           size == SIGNATURE_SIZE;
    vd_alg_worker_put(key, worker);
    return good ? VD_OK : vd_alg_failed(diag, "OpenSSL could not sign");
}

static vd_status verify(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag)
{
    struct vd_alg_worker *worker;
    bool holds;

    if (signature->size != SIGNATURE_SIZE)
        return vd_alg_wrong_size("a signature", signature->size, SIGNATURE_SIZE, diag);
    worker = take(key, VERIFY);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    holds = EVP_PKEY_verify(worker->op[VERIFY], signature->data, signature->size,
                            what->message.data, what->message.size) == 1;
    vd_alg_worker_put(key, worker);
    ERR_clear_error();
    return holds ? VD_OK : vd_diag_fail(diag, VD_E_SIGNATURE, "the signature does not hold");
}

static vd_status agree(struct vd_alg_key *key, const struct vd_alg_bytes *point,
                       struct vd_secret *ret, struct vd_diag *diag)
{
    EVP_PKEY *peer;
    vd_status status;

    if (vd_alg_x25519_is_small(point->data))
        return vd_diag_fail(diag, VD_E_POINT,
                            "the peer's key is of small order: the result would "
                            "be zero");
    peer = EVP_PKEY_new_raw_public_key_ex(key->alg->lib, "X25519", NULL, point->data, SIZE);
    if (peer == NULL)
        return vd_alg_failed(diag, "OpenSSL does not take the peer's key");
    status = vd_alg_derive(key, key->pkey, peer, ret, diag);
    EVP_PKEY_free(peer);
    return status;
}

const struct vd_alg_family vd_alg_ed25519_family = {
    .generate = generate,
    .import = import,
    .export = export,
    .public_raw = public_raw,
    .sign = sign,
    .verify = verify,
};

const struct vd_alg_family vd_alg_x25519_family = {
    .generate = generate,
    .import = import,
    .export = export,
    .public_raw = public_raw,
    .agree = agree,
};
