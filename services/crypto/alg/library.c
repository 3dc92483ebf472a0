/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* OpenSSL as the process has it: the algorithms looked up once, memory, forks, pools. */
#include "services/crypto/alg/internal.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

static atomic_uint fork_generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add(&fork_generation, 1);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

uint32_t vd_alg_fork_generation(void)
{
    return atomic_load_explicit(&fork_generation, memory_order_relaxed);
}

void *vd_alg_pool_take(struct vd_alg_pool *pool)
{
    for (uint32_t i = 0; i < VD_ALG_POOL_SLOTS; i++) {
        void *item;
        if (atomic_load_explicit(&pool->slot[i], memory_order_relaxed) == NULL)
            continue;
        item = atomic_exchange_explicit(&pool->slot[i], NULL, memory_order_acquire);
        if (item != NULL)
            return item;
    }
    return NULL;
}

void vd_alg_pool_put(struct vd_alg_pool *pool, void *item, void (*done)(void *item))
{
    for (uint32_t i = 0; i < VD_ALG_POOL_SLOTS; i++) {
        void *empty = NULL;
        if (atomic_load_explicit(&pool->slot[i], memory_order_relaxed) != NULL)
            continue;
        if (atomic_compare_exchange_strong_explicit(&pool->slot[i], &empty, item,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    done(item);
}

void vd_alg_pool_done(struct vd_alg_pool *pool, void (*done)(void *item))
{
    void *item;

    while ((item = vd_alg_pool_take(pool)) != NULL)
        done(item);
}

static void mac_done(void *mac)
{
    EVP_MAC_CTX_free(mac);
}

void vd_alg_free(struct vd_alg *alg)
{
    if (alg == NULL)
        return;
    vd_alg_pool_done(&alg->macs, mac_done);
    EVP_MD_free(alg->sha256);
    EVP_MD_free(alg->sha3_256);
    EVP_MD_free(alg->shake256);
    EVP_CIPHER_free(alg->aes_256_gcm);
    EVP_CIPHER_free(alg->chacha20_poly1305);
    EVP_MAC_free(alg->hmac);
    EVP_SIGNATURE_free(alg->ed25519);
    EVP_SIGNATURE_free(alg->ml_dsa_65);
    if (alg->provider != NULL)
        (void)OSSL_PROVIDER_unload(alg->provider);
    OSSL_LIB_CTX_free(alg->lib);
    free(alg);
}

static bool fetch(struct vd_alg *alg)
{
    alg->lib = OSSL_LIB_CTX_new();
    if (alg->lib == NULL)
        return false;
    alg->provider = OSSL_PROVIDER_load(alg->lib, "default");
    alg->sha256 = EVP_MD_fetch(alg->lib, "SHA256", NULL);
    alg->sha3_256 = EVP_MD_fetch(alg->lib, "SHA3-256", NULL);
    alg->shake256 = EVP_MD_fetch(alg->lib, "SHAKE256", NULL);
    alg->aes_256_gcm = EVP_CIPHER_fetch(alg->lib, "AES-256-GCM", NULL);
    alg->chacha20_poly1305 = EVP_CIPHER_fetch(alg->lib, "ChaCha20-Poly1305", NULL);
    alg->hmac = EVP_MAC_fetch(alg->lib, "HMAC", NULL);
    alg->ed25519 = EVP_SIGNATURE_fetch(alg->lib, "ED25519", NULL);
    alg->ml_dsa_65 = EVP_SIGNATURE_fetch(alg->lib, "ML-DSA-65", NULL);
    return alg->provider != NULL && alg->sha256 != NULL && alg->sha3_256 != NULL &&
           alg->shake256 != NULL && alg->aes_256_gcm != NULL && alg->chacha20_poly1305 != NULL &&
           alg->hmac != NULL && alg->ed25519 != NULL && alg->ml_dsa_65 != NULL;
}

vd_status vd_alg_new(struct vd_alg **ret, struct vd_diag *diag)
{
    struct vd_alg *alg = calloc(1, sizeof(*alg));

    if (alg == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    (void)pthread_once(&fork_once, watch_forks);
    if (!fetch(alg)) {
        ERR_clear_error();
        vd_alg_free(alg);
        vd_diag_hint(diag, "OpenSSL 3.5 or newer is needed; `make setup` builds it");
        return vd_diagf(diag, VD_E_MISSING, "OpenSSL %s lacks an algorithm of the key service",
                        OpenSSL_version(OPENSSL_VERSION_STRING));
    }
    *ret = alg;
    return VD_OK;
}

vd_status vd_alg_random(struct vd_alg *alg, void *ret, size_t size, struct vd_diag *diag)
{
    if (RAND_priv_bytes_ex(alg->lib, ret, size, 256) != 1)
        return vd_alg_failed(diag, "no random numbers");
    return VD_OK;
}

/* What malloc really gave: what a caller wrote behind its size is wiped too. */
static void wiping_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    if (memory != NULL)
        vd_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

static void *wiping_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

/* realloc may leave the old bytes behind: always a new place. */
static void *wiping_realloc(void *memory, size_t size, const char *file, int line)
{
    size_t old = memory == NULL ? 0 : malloc_usable_size(memory);
    void *new;

    if (size == 0) {
        wiping_free(memory, file, line);
        return NULL;
    }
    new = malloc(size);
    if (new == NULL)
        return NULL;
    if (memory != NULL) {
        vd_copy(new, memory, old < size ? old : size);
        wiping_free(memory, file, line);
    }
    return new;
}

vd_status vd_alg_wipe_openssl(struct vd_diag *diag)
{
    if (CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free) != 1)
        return vd_diag_fail(diag, VD_E_BUSY,
                            "OpenSSL has taken memory already: too late to make it wipe");
    return VD_OK;
}

vd_status vd_alg_failed(struct vd_diag *diag, const char *what)
{
    ERR_clear_error();
    return vd_diag_fail(diag, VD_E_SYSTEM, what);
}

vd_status vd_alg_wrong_mechanism(const struct vd_alg_key *key, enum vd_alg_mechanism mechanism,
                                 struct vd_diag *diag)
{
    return vd_diagf(diag, VD_E_MECHANISM, "a key of the type %s has no mechanism %s for this",
                    key->info->name, vd_alg_mechanism_name(mechanism));
}

vd_status vd_alg_wrong_size(const char *what, size_t size, size_t expected, struct vd_diag *diag)
{
    return vd_diagf(diag, VD_E_SIZE, "%s of %zu bytes; expected %zu", what, size, expected);
}

vd_status vd_alg_room(struct vd_alg_buffer *out, size_t size, struct vd_diag *diag)
{
    out->size = size;
    if (out->room < size)
        return vd_diagf(diag, VD_E_NO_SPACE, "room for %zu bytes; %zu are needed", out->room, size);
    return VD_OK;
}

struct vd_alg_worker *vd_alg_worker_take(struct vd_alg_key *key)
{
    struct vd_alg_worker *worker = vd_alg_pool_take(&key->workers);

    return worker != NULL ? worker : calloc(1, sizeof(*worker));
}

void vd_alg_worker_done(void *arg)
{
    struct vd_alg_worker *worker = arg;

    EVP_MD_CTX_free(worker->digest);
    EVP_MAC_CTX_free(worker->mac);
    for (uint32_t i = 0; i < VD_ALG_OPS; i++)
        EVP_PKEY_CTX_free(worker->op[i]);
    free(worker);
}

void vd_alg_worker_put(struct vd_alg_key *key, struct vd_alg_worker *worker)
{
    vd_alg_pool_put(&key->workers, worker, vd_alg_worker_done);
}

bool vd_alg_sha256(struct vd_alg_key *key, struct vd_alg_worker *worker,
                   const struct vd_alg_bytes *data, uint8_t ret[VD_ALG_DIGEST_SIZE])
{
    if (worker->digest == NULL)
        worker->digest = EVP_MD_CTX_new();
    return worker->digest != NULL &&
           EVP_DigestInit_ex2(worker->digest, key->alg->sha256, NULL) == 1 &&
           EVP_DigestUpdate(worker->digest, data->data, data->size) == 1 &&
           EVP_DigestFinal_ex(worker->digest, ret, NULL) == 1;
}
