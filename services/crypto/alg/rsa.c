/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* RSA with 4096 bits (RFC 8017): PSS, PKCS #1 v1.5 signatures, OAEP. */
#include "services/crypto/alg/internal.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "services/crypto/alg/container.h"

#define MODULUS_BITS  4096u
#define EXPONENT_MAX  8u /* bytes of e */
#define PRIVATE_PARTS 8u /* n e d p q dp dq qinv */

/* How something is signed: a number of `schemes`; its operations in a worker are 2 * i and 2 * i + 1. */
enum scheme { PSS_256, PSS_384, PSS_512, PKCS1_256, PKCS1_RAW, SCHEMES };
enum operation { ENCRYPT = 2 * SCHEMES, DECRYPT, OPERATIONS };
_Static_assert(OPERATIONS <= VD_ALG_OPS, "a worker has room for all");

static const struct {
    const char *digest; /* NULL: none, the message is padded as it is */
    int size;           /* of the digest, and of PSS's salt */
    bool pss;
} schemes[SCHEMES] = {
    [PSS_256] = {"SHA256", 32, true}, [PSS_384] = {"SHA384", 48, true},
    [PSS_512] = {"SHA512", 64, true}, [PKCS1_256] = {"SHA256", 32, false},
    [PKCS1_RAW] = {NULL, 0, false},
};

#define RAW_MAX (VD_ALG_RSA_SIZE - 11u) /* RFC 8017, 9.2 */

static const struct {
    const char *name;
    size_t max; /* bytes */
} parts[PRIVATE_PARTS] = {
    {OSSL_PKEY_PARAM_RSA_N, 512},         {OSSL_PKEY_PARAM_RSA_E, EXPONENT_MAX},
    {OSSL_PKEY_PARAM_RSA_D, 512},         {OSSL_PKEY_PARAM_RSA_FACTOR1, 256},
    {OSSL_PKEY_PARAM_RSA_FACTOR2, 256},   {OSSL_PKEY_PARAM_RSA_EXPONENT1, 256},
    {OSSL_PKEY_PARAM_RSA_EXPONENT2, 256}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 256},
};

static vd_status generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    key->pkey = EVP_PKEY_Q_keygen(key->alg->lib, NULL, "RSA", (size_t)MODULUS_BITS);
    return key->pkey != NULL ? VD_OK : vd_alg_failed(diag, "OpenSSL could not make an RSA key");
}

/* The modulus and public exponent are of the one kind served. */
static vd_status check_public(const struct vd_reader *part, struct vd_diag *diag)
{
    size_t n = vd_reader_left(&part[0]), e = vd_reader_left(&part[1]);

    if (n != VD_ALG_RSA_SIZE || part[0].pos[0] < 0x80)
        return vd_diagf(diag, VD_E_SIZE, "an RSA modulus of other than %u bits", MODULUS_BITS);
    if ((part[0].pos[n - 1] & 1) == 0)
        return vd_diag_fail(diag, VD_E_POINT, "an even RSA modulus");
    if (e < 3 || (e == 3 && part[1].pos[0] == 0) || (part[1].pos[e - 1] & 1) == 0)
        return vd_diag_fail(diag, VD_E_POINT, "a public exponent that is even or below 65537");
    return VD_OK;
}

/* OpenSSL's key of `count` integers. */
static EVP_PKEY *assemble(struct vd_alg *alg, const struct vd_reader *part, uint32_t count)
{
    OSSL_PARAM params[PRIVATE_PARTS + 1] = {};
    VD_AUTO(vd_secret_done) struct vd_secret native = {};
    EVP_PKEY *pkey = NULL;

    /* OSSL_PARAM wants the machine's byte order. */
    if (vd_secret_init(&native, PRIVATE_PARTS * 512u, NULL) != VD_OK)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = native.data + i * 512u;
        size_t size = vd_reader_left(&part[i]);
        for (size_t n = 0; n < size; n++)
            at[n] = part[i].pos[size - 1 - n];
        params[i] = OSSL_PARAM_construct_BN(parts[i].name, at, size);
    }
    params[count] = OSSL_PARAM_construct_end();
    pkey = vd_alg_pkey(alg, "RSA", count == 2 ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params);
    return pkey;
}

static vd_status read_parts(struct vd_reader *r, struct vd_reader *part, uint32_t count,
                            struct vd_diag *diag)
{
    for (uint32_t i = 0; i < count; i++) {
        /* n may be of another size, which has an error of its own. */
        size_t max = i == 0 ? 4096 : parts[i].max;
        if (vd_der_read_unsigned(r, max, &part[i]) != VD_OK)
            return vd_alg_bad_der("the RSA key", diag);
    }
    return vd_der_done(r) == VD_OK ? VD_OK : vd_alg_bad_der("the RSA key", diag);
}

static vd_status import_public(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                               struct vd_diag *diag)
{
    struct vd_reader bits, r, part[2];

    VD_TRY(vd_alg_spki_read(VD_ALG_RSA_4096, from, &bits, diag));
    if (vd_der_read(&bits, VD_DER_SEQUENCE, &r) != VD_OK || vd_der_done(&bits) != VD_OK)
        return vd_alg_bad_der("the RSA key", diag);
    VD_TRY(read_parts(&r, part, 2, diag));
    VD_TRY(check_public(part, diag));
    key->pkey = assemble(key->alg, part, 2);
    return key->pkey != NULL ? VD_OK
                             : vd_diag_fail(diag, VD_E_POINT, "this is no valid RSA public key");
}

/* RSAPrivateKey: what the store keeps, and what PKCS #8 has inside. */
static vd_status load(struct vd_alg_key *key, const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    struct vd_reader whole, r, part[PRIVATE_PARTS];
    uint8_t version = 1;

    vd_reader_init(&whole, from->data, from->size);
    if (vd_der_read(&whole, VD_DER_SEQUENCE, &r) != VD_OK || vd_der_done(&whole) != VD_OK ||
        vd_der_read_small(&r, &version) != VD_OK || version != 0)
        return vd_alg_bad_der("the RSA key", diag);
    VD_TRY(read_parts(&r, part, PRIVATE_PARTS, diag));
    VD_TRY(check_public(part, diag));
    key->pkey = assemble(key->alg, part, PRIVATE_PARTS);
    return key->pkey != NULL ? VD_OK : vd_diag_fail(diag, VD_E_INVALID, "this is no valid RSA key");
}

/* Primes, exponents and coefficient belong together. */
static bool consistent(struct vd_alg_key *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, key->pkey, NULL);
    bool good = ctx != NULL && EVP_PKEY_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

static vd_status import(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    struct vd_alg_private private;
    struct vd_alg_bytes inside;

    if (form == VD_ALG_FORM_SPKI)
        return import_public(key, from, diag);
    VD_TRY(vd_alg_pkcs8_read(VD_ALG_RSA_4096, from, &private, diag));
    if (vd_reader_left(&private.public) != 0)
        return vd_diag_fail(diag, VD_E_ENCODING, "an RSA key has its public part inside");
    inside = (struct vd_alg_bytes){private.key.pos, vd_reader_left(&private.key)};
    VD_TRY(load(key, &inside, diag));
    if (!consistent(key))
        return vd_diag_fail(diag, VD_E_INVALID, "the parts of the RSA key contradict each other");
    return VD_OK;
}

/* The parts, each big-endian at its place in `ret`. */
static bool take_parts(const struct vd_alg_key *key, uint8_t *ret, size_t size[PRIVATE_PARTS],
                       uint32_t count)
{
    bool good = true;

    for (uint32_t i = 0; good && i < count; i++) {
        BIGNUM *number = NULL;
        good = EVP_PKEY_get_bn_param(key->pkey, parts[i].name, &number) == 1;
        size[i] = good ? (size_t)BN_num_bytes(number) : 0;
        good = good && size[i] <= parts[i].max && BN_bn2bin(number, ret + i * 512u) == (int)size[i];
        BN_clear_free(number);
    }
    return good;
}

static size_t parts_size(const uint8_t *from, const size_t size[PRIVATE_PARTS], uint32_t count)
{
    size_t ret = 0;

    for (uint32_t i = 0; i < count; i++)
        ret += vd_der_unsigned_size(from + i * 512u, size[i]);
    return ret;
}

vd_status vd_alg_rsa_public(const struct vd_alg_key *key, uint8_t *ret, size_t room,
                            size_t *ret_size, struct vd_diag *diag)
{
    uint8_t native[2 * 512u];
    size_t size[PRIVATE_PARTS];
    struct vd_writer w;

    if (!take_parts(key, native, size, 2))
        return vd_alg_failed(diag, "OpenSSL does not give the public key");
    vd_writer_init(&w, ret, room);
    vd_der_write(&w, VD_DER_SEQUENCE, parts_size(native, size, 2));
    for (uint32_t i = 0; i < 2; i++)
        vd_der_write_unsigned(&w, native + i * 512u, size[i]);
    *ret_size = w.len;
    return vd_write_done(&w);
}

static vd_status secret(const struct vd_alg_key *key, struct vd_secret *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret native = {};
    size_t size[PRIVATE_PARTS], inside;
    struct vd_writer w;

    VD_TRY(vd_secret_init(&native, PRIVATE_PARTS * 512u, diag));
    if (!take_parts(key, native.data, size, PRIVATE_PARTS))
        return vd_alg_failed(diag, "OpenSSL does not give the private key");
    inside = 3 + parts_size(native.data, size, PRIVATE_PARTS);
    VD_TRY(vd_secret_init(ret, vd_der_size(inside), diag));
    vd_writer_init(&w, ret->data, ret->size);
    vd_der_write(&w, VD_DER_SEQUENCE, inside);
    vd_der_write_unsigned(&w, (const uint8_t *)"", 1);
    for (uint32_t i = 0; i < PRIVATE_PARTS; i++)
        vd_der_write_unsigned(&w, native.data + i * 512u, size[i]);
    return vd_write_done(&w);
}

static vd_status export(const struct vd_alg_key *key, enum vd_alg_form form, struct vd_secret *ret,
                        struct vd_diag *diag)
{
    VD_AUTO(vd_secret_done) struct vd_secret inside = {};

    VD_TRY(secret(key, &inside, diag));
    return vd_alg_pkcs8_write(VD_ALG_RSA_4096, &inside, ret, diag);
}

static bool prepare_signing(EVP_PKEY_CTX *ctx, enum scheme scheme, bool verify)
{
    char pss[] = OSSL_PKEY_RSA_PAD_MODE_PSS, pkcs1[] = OSSL_PKEY_RSA_PAD_MODE_PKCSV15;
    char *digest = (char *)(uintptr_t)schemes[scheme].digest;
    int salt = schemes[scheme].size;
    OSSL_PARAM list[5], *p = list;

    *p++ = schemes[scheme].pss
               ? OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, pss, 0)
               : OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, pkcs1, 0);
    if (digest != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, digest, 0);
    if (schemes[scheme].pss) {
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, digest, 0);
        *p++ = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, &salt);
    }
    *p = OSSL_PARAM_construct_end();
    return (verify ? EVP_PKEY_verify_init_ex(ctx, list) : EVP_PKEY_sign_init_ex(ctx, list)) == 1;
}

static bool prepare(EVP_PKEY_CTX *ctx, unsigned operation)
{
    char digest[] = "SHA256", oaep[] = OSSL_PKEY_RSA_PAD_MODE_OAEP;
    const OSSL_PARAM of_oaep[] = {
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, oaep, sizeof(oaep) - 1),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, digest, sizeof(digest) - 1),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, digest, sizeof(digest) - 1),
        OSSL_PARAM_END,
    };

    if (operation == ENCRYPT)
        return EVP_PKEY_encrypt_init_ex(ctx, of_oaep) == 1;
    if (operation == DECRYPT)
        return EVP_PKEY_decrypt_init_ex(ctx, of_oaep) == 1;
    return prepare_signing(ctx, operation / 2, operation % 2 != 0);
}

/* A worker with this operation ready; NULL: no memory, or OpenSSL refuses. */
static struct vd_alg_worker *take(struct vd_alg_key *key, unsigned operation)
{
    struct vd_alg_worker *worker = vd_alg_worker_take(key);

    if (worker == NULL || worker->op[operation] != NULL)
        return worker;
    worker->op[operation] = EVP_PKEY_CTX_new_from_pkey(key->alg->lib, key->pkey, NULL);
    if (worker->op[operation] != NULL && prepare(worker->op[operation], operation))
        return worker;
    vd_alg_worker_done(worker);
    return NULL;
}

static enum scheme scheme_of(enum vd_alg_mechanism mechanism)
{
    switch (mechanism) {
    case VD_ALG_RSA_PSS_SHA256:
    case VD_ALG_RSA_PSS_SHA256_DIGEST:
        return PSS_256;
    case VD_ALG_RSA_PSS_SHA384_DIGEST:
        return PSS_384;
    case VD_ALG_RSA_PSS_SHA512_DIGEST:
        return PSS_512;
    case VD_ALG_RSA_PKCS1_RAW:
        return PKCS1_RAW;
    default:
        return PKCS1_256;
    }
}

/*
 * What goes into the padding: the message's digest, made here or given, or the message. Given
 * bytes are copied, so that one that changes meanwhile is the same for every look at it.
 */
static bool digest_of(struct vd_alg_key *key, struct vd_alg_worker *worker,
                      const struct vd_alg_signing *what, struct vd_alg_buffer *ret)
{
    if (what->mechanism < VD_ALG_RSA_PSS_SHA256_DIGEST) {
        ret->size = VD_ALG_DIGEST_SIZE;
        return vd_alg_sha256(key, worker, &what->message, ret->data);
    }
    ret->size = what->message.size;
    if (ret->size != 0)
        vd_copy(ret->data, what->message.data, ret->size);
    return true;
}

static vd_status check_raw(const struct vd_alg_signing *what, struct vd_diag *diag)
{
    if (what->mechanism != VD_ALG_RSA_PKCS1_RAW || what->message.size <= RAW_MAX)
        return VD_OK;
    return vd_diagf(diag, VD_E_SIZE, "%zu bytes to be padded; at most %u", what->message.size,
                    RAW_MAX);
}

static vd_status sign(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag)
{
    unsigned operation = 2 * scheme_of(what->mechanism);
    uint8_t bytes[RAW_MAX];
    struct vd_alg_buffer digest = {bytes, sizeof(bytes), 0};
    struct vd_alg_worker *worker;
    size_t size = VD_ALG_RSA_SIZE;
    bool good;

    VD_TRY(check_raw(what, diag));
    VD_TRY(vd_alg_room(out, VD_ALG_RSA_SIZE, diag));
    worker = take(key, operation);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    good = digest_of(key, worker, what, &digest) &&
           EVP_PKEY_sign(worker->op[operation], out->data, &size, bytes, digest.size) == 1 &&
           size == VD_ALG_RSA_SIZE;
    vd_alg_worker_put(key, worker);
    return good ? VD_OK : vd_alg_failed(diag, "OpenSSL could not sign");
}

static vd_status verify(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag)
{
    unsigned operation = 2 * scheme_of(what->mechanism) + 1;
    uint8_t bytes[RAW_MAX];
    struct vd_alg_buffer digest = {bytes, sizeof(bytes), 0};
    struct vd_alg_worker *worker;
    bool good, holds = false;

    VD_TRY(check_raw(what, diag));
    if (signature->size != VD_ALG_RSA_SIZE)
        return vd_alg_wrong_size("a signature", signature->size, VD_ALG_RSA_SIZE, diag);
    worker = take(key, operation);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare a signature");
    good = digest_of(key, worker, what, &digest);
    if (good)
        holds = EVP_PKEY_verify(worker->op[operation], signature->data, signature->size, bytes,
                                digest.size) == 1;
    vd_alg_worker_put(key, worker);
    if (!good)
        return vd_alg_failed(diag, "OpenSSL could not hash");
    ERR_clear_error();
    return holds ? VD_OK : vd_diag_fail(diag, VD_E_SIGNATURE, "the signature does not hold");
}

static bool set_label(EVP_PKEY_CTX *ctx, const struct vd_alg_bytes *label)
{
    uint8_t none[1] = {0};
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL,
                                label->size == 0 ? (void *)none : (void *)label->data, label->size),
        OSSL_PARAM_END};

    return EVP_PKEY_CTX_set_params(ctx, params) == 1;
}

static vd_status check_oaep(const struct vd_alg_key *key, const struct vd_alg_message *message,
                            struct vd_diag *diag)
{
    if (key->info->type != VD_ALG_RSA_4096)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s has no OAEP", key->info->name);
    if (message->nonce.size != 0)
        return vd_diag_fail(diag, VD_E_MECHANISM, "OAEP takes no nonce");
    if (message->aad.size > VD_ALG_AAD_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a label of %zu bytes; at most %u", message->aad.size,
                        VD_ALG_AAD_MAX);
    return VD_OK;
}

vd_status vd_alg_oaep_encrypt(struct vd_alg_key *key, const struct vd_alg_message *message,
                              struct vd_alg_buffer *out, struct vd_diag *diag)
{
    static const uint8_t none[1];
    const void *text = message->text.size == 0 ? none : message->text.data;
    struct vd_alg_worker *worker;
    size_t size = VD_ALG_RSA_SIZE;
    bool good;

    VD_TRY(check_oaep(key, message, diag));
    if (message->text.size > VD_ALG_OAEP_MAX)
        return vd_diagf(diag, VD_E_SIZE, "a text of %zu bytes; OAEP takes at most %u",
                        message->text.size, VD_ALG_OAEP_MAX);
    VD_TRY(vd_alg_room(out, VD_ALG_RSA_SIZE, diag));
    worker = take(key, ENCRYPT);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare OAEP");
    good = set_label(worker->op[ENCRYPT], &message->aad) &&
           EVP_PKEY_encrypt(worker->op[ENCRYPT], out->data, &size, text, message->text.size) == 1 &&
           size == VD_ALG_RSA_SIZE;
    vd_alg_worker_put(key, worker);
    return good ? VD_OK : vd_alg_failed(diag, "OpenSSL could not encrypt");
}

vd_status vd_alg_oaep_decrypt(struct vd_alg_key *key, const struct vd_alg_message *message,
                              struct vd_alg_buffer *out, struct vd_diag *diag)
{
    uint8_t plain[VD_ALG_RSA_SIZE];
    size_t size = sizeof(plain);
    struct vd_alg_worker *worker;
    vd_status status;
    bool good;

    VD_TRY(check_oaep(key, message, diag));
    if (key->is_public)
        return vd_diag_fail(diag, VD_E_KEY_TYPE, "this is a public key alone");
    if (message->text.size != VD_ALG_RSA_SIZE)
        return vd_alg_wrong_size("an OAEP ciphertext", message->text.size, VD_ALG_RSA_SIZE, diag);
    worker = take(key, DECRYPT);
    if (worker == NULL)
        return vd_alg_failed(diag, "OpenSSL could not prepare OAEP");
    good = set_label(worker->op[DECRYPT], &message->aad) &&
           EVP_PKEY_decrypt(worker->op[DECRYPT], plain, &size, message->text.data,
                            message->text.size) == 1;
    vd_alg_worker_put(key, worker);
    ERR_clear_error();
    status = good ? vd_alg_room(out, size, diag)
                  : vd_diag_fail(diag, VD_E_TAG,
                                 "the ciphertext or its label was changed, or the "
                                 "key is another");
    if (status == VD_OK)
        vd_copy(out->data, plain, size);
    vd_wipe(plain, sizeof(plain));
    return status;
}

const struct vd_alg_family vd_alg_rsa_family = {
    .generate = generate,
    .load = load,
    .import = import,
    .secret = secret,
    .export = export,
    .sign = sign,
    .verify = verify,
};
