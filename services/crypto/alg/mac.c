/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* HMAC-SHA256 (RFC 2104, FIPS 198-1) and HKDF-SHA256 (RFC 5869) over it. */
#include "services/crypto/alg/internal.h"

#include <openssl/core_names.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define MAC_SIZE 32u

static const uint8_t zero[MAC_SIZE];

static EVP_MAC_CTX *mac_new(struct vd_alg *alg)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_END};
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(alg->hmac);

    if (mac != NULL && EVP_MAC_CTX_set_params(mac, params) == 1)
        return mac;
    EVP_MAC_CTX_free(mac);
    return NULL;
}

static void mac_done(void *mac)
{
    EVP_MAC_CTX_free(mac);
}

static bool mac_init(EVP_MAC_CTX *mac, const struct vd_alg_bytes *key)
{
    /* A key of no bytes is one of zeros; OpenSSL would take it for the last one again. */
    return key->size == 0 ? EVP_MAC_init(mac, zero, MAC_SIZE, NULL) == 1
                          : EVP_MAC_init(mac, key->data, key->size, NULL) == 1;
}

static bool mac_final(EVP_MAC_CTX *mac, uint8_t ret[MAC_SIZE])
{
    size_t size = 0;

    return EVP_MAC_final(mac, ret, &size, MAC_SIZE) == 1 && size == MAC_SIZE;
}

/* Extract, then expand straight into `out`. */
static bool hkdf(EVP_MAC_CTX *mac, const struct vd_alg_bytes *from, const struct vd_alg_kdf *kdf,
                 uint8_t *out)
{
    uint8_t prk[MAC_SIZE], block[MAC_SIZE];
    const struct vd_alg_bytes key = {prk, sizeof(prk)};
    bool good = mac_init(mac, &kdf->salt) && EVP_MAC_update(mac, from->data, from->size) == 1 &&
                mac_final(mac, prk);
    uint8_t number = 1;

    for (size_t at = 0; good && at < kdf->size; at += MAC_SIZE, number++) {
        size_t left = kdf->size - at;
        good = mac_init(mac, &key) && (at == 0 || EVP_MAC_update(mac, block, sizeof(block)) == 1) &&
               (kdf->info.size == 0 || EVP_MAC_update(mac, kdf->info.data, kdf->info.size) == 1) &&
               EVP_MAC_update(mac, &number, 1) == 1 && mac_final(mac, block);
        if (good)
            vd_copy(out + at, block, left < MAC_SIZE ? left : MAC_SIZE);
    }
    vd_wipe(prk, sizeof(prk));
    vd_wipe(block, sizeof(block));
    return good;
}

vd_status vd_alg_hkdf_bytes(struct vd_alg *alg, const struct vd_alg_bytes *from,
                            const struct vd_alg_kdf *kdf, struct vd_secret *ret,
                            struct vd_diag *diag)
{
    const struct vd_alg_bytes none = {};
    EVP_MAC_CTX *mac;
    bool good;

    if (kdf->size == 0 || kdf->size > 255u * MAC_SIZE)
        return vd_diagf(diag, VD_E_SIZE, "%zu bytes are asked for; HKDF-SHA256 gives 1 to %u",
                        kdf->size, 255u * MAC_SIZE);
    if (kdf->salt.size > VD_ALG_AAD_MAX || kdf->info.size > VD_ALG_AAD_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "salt or info of more than %u bytes", VD_ALG_AAD_MAX);
    VD_TRY(vd_secret_init(ret, kdf->size, diag));
    mac = vd_alg_pool_take(&alg->macs);
    if (mac == NULL)
        mac = mac_new(alg);
    good = mac != NULL && hkdf(mac, from, kdf, ret->data);
    /* The context goes back without a secret in it. */
    if (mac != NULL && mac_init(mac, &none))
        vd_alg_pool_put(&alg->macs, mac, mac_done);
    else
        mac_done(mac);
    if (good)
        return VD_OK;
    vd_secret_done(ret);
    return vd_alg_failed(diag, "OpenSSL could not derive");
}

vd_status vd_alg_hkdf_secret(struct vd_alg *alg, const struct vd_secret *from,
                             const struct vd_alg_kdf *kdf, struct vd_secret *ret,
                             struct vd_diag *diag)
{
    const struct vd_alg_bytes bytes = {from->data, from->size};

    return vd_alg_hkdf_bytes(alg, &bytes, kdf, ret, diag);
}

vd_status vd_alg_hkdf(struct vd_alg_key *key, const struct vd_alg_kdf *kdf, struct vd_secret *ret,
                      struct vd_diag *diag)
{
    if (key->family != &vd_alg_hkdf_family)
        return vd_diagf(diag, VD_E_KEY_TYPE, "a key of the type %s is no secret to derive from",
                        key->info->name);
    return vd_alg_hkdf_secret(key->alg, &key->secret, kdf, ret, diag);
}

void vd_alg_info_add(struct vd_alg_info_text *info, const void *data, size_t size)
{
    /* Every caller's pieces are constants that fit; what does not would change the key. */
    if (size > 255 || size + 1 > sizeof(info->bytes) - info->size)
        __builtin_trap();
    info->bytes[info->size++] = (uint8_t)size;
    vd_copy(info->bytes + info->size, data, size);
    info->size += size;
}

static vd_status mac(struct vd_alg_key *key, const struct vd_alg_bytes *message,
                     uint8_t ret[MAC_SIZE], struct vd_diag *diag)
{
    const struct vd_alg_bytes secret = {key->secret.data, key->secret.size};
    struct vd_alg_worker *worker = vd_alg_worker_take(key);
    bool good;

    if (worker == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    if (worker->mac == NULL) {
        worker->mac = mac_new(key->alg);
        good = worker->mac != NULL && mac_init(worker->mac, &secret);
    } else {
        good = EVP_MAC_init(worker->mac, NULL, 0, NULL) == 1; /* the same key again */
    }
    good = good &&
           (message->size == 0 || EVP_MAC_update(worker->mac, message->data, message->size) == 1);
    good = good && mac_final(worker->mac, ret);
    if (good)
        vd_alg_worker_put(key, worker);
    else
        vd_alg_worker_done(worker);
    return good ? VD_OK : vd_alg_failed(diag, "OpenSSL could not make a MAC");
}

static vd_status sign(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag)
{
    VD_TRY(vd_alg_room(out, MAC_SIZE, diag));
    return mac(key, &what->message, out->data, diag);
}

static vd_status verify(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag)
{
    uint8_t right[MAC_SIZE];
    bool equal;

    if (signature->size != MAC_SIZE)
        return vd_alg_wrong_size("a MAC", signature->size, MAC_SIZE, diag);
    VD_TRY(mac(key, &what->message, right, diag));
    equal = vd_ct_equal(right, signature->data, MAC_SIZE);
    vd_wipe(right, sizeof(right));
    return equal ? VD_OK : vd_diag_fail(diag, VD_E_SIGNATURE, "the MAC does not fit the message");
}

static vd_status generate(struct vd_alg_key *key, struct vd_diag *diag)
{
    VD_TRY(vd_secret_init(&key->secret, VD_ALG_KEY_SIZE, diag));
    return vd_alg_random(key->alg, key->secret.data, VD_ALG_KEY_SIZE, diag);
}

static vd_status import(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag)
{
    if (from->size < VD_ALG_SECRET_MIN || from->size > VD_ALG_SECRET_MAX)
        return vd_diagf(diag, VD_E_SIZE, "a secret of %zu bytes; expected %u to %u", from->size,
                        VD_ALG_SECRET_MIN, VD_ALG_SECRET_MAX);
    return vd_secret_set(&key->secret, from->data, from->size, diag);
}

const struct vd_alg_family vd_alg_hmac_family = {
    .generate = generate, .import = import, .sign = sign, .verify = verify};
const struct vd_alg_family vd_alg_hkdf_family = {.generate = generate, .import = import};
