/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of this folder share. A family is a table of functions over one kind of key;
 * key.c checks the call and asks the family. Functions of a family find `key->info` set and get
 * sizes that are not yet checked.
 *
 * Pools: contexts of OpenSSL that are ready for a key. A thread takes one by an atomic exchange
 * and puts it back; where none is there, it makes one.
 */
#ifndef VD_SERVICES_CRYPTO_ALG_INTERNAL_H
#define VD_SERVICES_CRYPTO_ALG_INTERNAL_H

#include "services/crypto/alg/alg.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdatomic.h>

#define VD_ALG_POOL_SLOTS 8u
#define VD_ALG_OPS        12u /* prepared operations in a worker */
#define VD_ALG_EPOCHS     4u  /* of other processes, kept ready with a key */
#define VD_ALG_SALT_SIZE  16u /* of an epoch */

struct vd_alg_pool {
    _Atomic(void *) slot[VD_ALG_POOL_SLOTS];
};

/* NULL: none is there. */
void *vd_alg_pool_take(struct vd_alg_pool *pool);

/* Puts it back, or ends it where the pool is full. */
void vd_alg_pool_put(struct vd_alg_pool *pool, void *item, void (*done)(void *item));

/* When no thread uses the pool any more. */
void vd_alg_pool_done(struct vd_alg_pool *pool, void (*done)(void *item));

struct vd_alg {
    OSSL_LIB_CTX *lib; /* of our own: no configuration file changes what is behind a name */
    OSSL_PROVIDER *provider;
    EVP_MD *sha256;
    EVP_MD *sha3_256;
    EVP_MD *shake256;
    EVP_CIPHER *aes_256_gcm;
    EVP_CIPHER *chacha20_poly1305;
    EVP_MAC *hmac;
    EVP_SIGNATURE *ed25519;
    EVP_SIGNATURE *ml_dsa_65;
    struct vd_alg_pool macs; /* HMAC contexts without a key, for HKDF */
};

/* What one thread at a time uses of a key. */
struct vd_alg_worker {
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
    EVP_PKEY_CTX *op[VD_ALG_OPS]; /* a family's own numbers */
};

/* A salt, the subkey it gives, and ciphers ready with that. */
struct vd_alg_epoch {
    uint8_t salt[VD_ALG_SALT_SIZE];
    struct vd_secret subkey;
    struct vd_alg_pool ciphers;
    _Atomic uint64_t messages;
    _Atomic uint64_t bytes;
    uint32_t fork_generation;
    uint32_t users;            /* under the key's lock; epochs of others alone */
    struct vd_alg_epoch *next; /* own: those that ended; others: by age */
};

struct vd_alg_family;

struct vd_alg_key {
    struct vd_alg *alg;
    const struct vd_alg_info *info;
    const struct vd_alg_family *family;
    atomic_uint references;
    bool is_public;
    bool has_seed;           /* ML-KEM, ML-DSA: `secret` is the seed, else the expanded key */
    struct vd_secret secret; /* in the store's form; empty for RSA and public keys */
    EVP_PKEY *pkey;
    EVP_PKEY *second;          /* X-Wing's X25519 */
    uint8_t second_public[32]; /* X-Wing's, for the combination */
    struct vd_alg_pool workers;
    struct vd_alg_pool ciphers; /* with the key itself, for the caller's nonces */
    pthread_mutex_t lock;       /* of making and finding epochs */
    _Atomic(struct vd_alg_epoch *) own;
    struct vd_alg_epoch *others;
};

struct vd_alg_family {
    vd_status (*generate)(struct vd_alg_key *key, struct vd_diag *diag);
    /* The store's form. NULL: import RAW does it. */
    vd_status (*load)(struct vd_alg_key *key, const struct vd_alg_bytes *from,
                      struct vd_diag *diag);
    vd_status (*import)(struct vd_alg_key *key, enum vd_alg_form form,
                        const struct vd_alg_bytes *from, struct vd_diag *diag);
    /* NULL: `secret` as it is. */
    vd_status (*secret)(const struct vd_alg_key *key, struct vd_secret *ret, struct vd_diag *diag);
    vd_status (*export)(const struct vd_alg_key *key, enum vd_alg_form form, struct vd_secret *ret,
                        struct vd_diag *diag);
    /* NULL: has no public part. `out` has room for info->public_size. */
    vd_status (*public_raw)(const struct vd_alg_key *key, uint8_t *out, struct vd_diag *diag);
    vd_status (*sign)(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag);
    vd_status (*verify)(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag);
    /* `out` has room; `random` (NULL: the library's) fixes the result for known answers. */
    vd_status (*encapsulate)(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                             uint8_t *out, struct vd_secret *ret, struct vd_diag *diag);
    vd_status (*decapsulate)(struct vd_alg_key *key, const uint8_t *encapsulated,
                             struct vd_secret *ret, struct vd_diag *diag);
    vd_status (*agree)(struct vd_alg_key *key, const struct vd_alg_bytes *point,
                       struct vd_secret *ret, struct vd_diag *diag);
};

extern const struct vd_alg_family vd_alg_aead_family, vd_alg_rsa_family, vd_alg_p256_family,
    vd_alg_ed25519_family, vd_alg_x25519_family, vd_alg_hmac_family, vd_alg_ml_kem_family,
    vd_alg_ml_dsa_family, vd_alg_x_wing_family, vd_alg_hkdf_family;

/* VD_E_SYSTEM with a text; empties OpenSSL's queue of errors. */
vd_status vd_alg_failed(struct vd_diag *diag, const char *what);

/* VD_E_MECHANISM and VD_E_SIZE with the name of the type and the sizes. */
vd_status vd_alg_wrong_mechanism(const struct vd_alg_key *key, enum vd_alg_mechanism mechanism,
                                 struct vd_diag *diag);
vd_status vd_alg_wrong_size(const char *what, size_t size, size_t expected, struct vd_diag *diag);

/* VD_E_NO_SPACE, and out->size says what is needed. */
vd_status vd_alg_room(struct vd_alg_buffer *out, size_t size, struct vd_diag *diag);

/* Counts up in each forked child. */
uint32_t vd_alg_fork_generation(void);

/* A worker of the key; put back after use. NULL: no memory. */
struct vd_alg_worker *vd_alg_worker_take(struct vd_alg_key *key);
void vd_alg_worker_put(struct vd_alg_key *key, struct vd_alg_worker *worker);
void vd_alg_worker_done(void *worker);

/* SHA-256 with the worker's context. */
bool vd_alg_sha256(struct vd_alg_key *key, struct vd_alg_worker *worker,
                   const struct vd_alg_bytes *data, uint8_t ret[VD_ALG_DIGEST_SIZE]);

/* OpenSSL's key of raw parts; NULL: it refused them. */
EVP_PKEY *vd_alg_pkey(struct vd_alg *alg, const char *name, int selection, OSSL_PARAM *params);

/* An octet string of a key into a new secret. */
vd_status vd_alg_pkey_secret(EVP_PKEY *pkey, const char *param, size_t size, struct vd_secret *ret,
                             struct vd_diag *diag);

/* The raw public key of `pkey`, exactly `size` bytes. */
vd_status vd_alg_pkey_public(EVP_PKEY *pkey, uint8_t *ret, size_t size, struct vd_diag *diag);

/* EVP_PKEY_derive into a new secret of 32 bytes. */
vd_status vd_alg_derive(struct vd_alg_key *key, EVP_PKEY *own, EVP_PKEY *peer,
                        struct vd_secret *ret, struct vd_diag *diag);

/* One piece of HKDF's input after another, each behind its length in a byte: no two runs meet. */
struct vd_alg_info_text {
    uint8_t bytes[160];
    size_t size;
};
void vd_alg_info_add(struct vd_alg_info_text *info, const void *data, size_t size);

/* HKDF-SHA256 of `from`. */
vd_status vd_alg_hkdf_bytes(struct vd_alg *alg, const struct vd_alg_bytes *from,
                            const struct vd_alg_kdf *kdf, struct vd_secret *ret,
                            struct vd_diag *diag);

/* aead.c: a cipher with a key in it, out of the pool or new; and one message through it. */
EVP_CIPHER_CTX *vd_alg_cipher_take(const struct vd_alg_key *key, struct vd_alg_pool *pool,
                                   const struct vd_secret *secret);
void vd_alg_cipher_done(void *cipher);
bool vd_alg_seal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[VD_ALG_NONCE_SIZE],
                 const struct vd_alg_message *message, uint8_t *out);
/* VD_E_TAG or VD_E_SYSTEM; then the output is wiped. */
vd_status vd_alg_unseal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[VD_ALG_NONCE_SIZE],
                        const struct vd_alg_message *message, uint8_t *out, struct vd_diag *diag);

/* message.c: ends every epoch of the key. */
void vd_alg_epochs_done(struct vd_alg_key *key);

/* rsa.c: RSAPublicKey. */
vd_status vd_alg_rsa_public(const struct vd_alg_key *key, uint8_t *ret, size_t room,
                            size_t *ret_size, struct vd_diag *diag);

/* key.c: as vd_alg_encapsulate, with the randomness given. */
vd_status vd_alg_encapsulate_with(struct vd_alg_key *key, const struct vd_alg_bytes *random,
                                  struct vd_alg_buffer *out, struct vd_secret *ret,
                                  struct vd_diag *diag);

/* curve25519.c: true for the u coordinates whose products are zero, whatever the scalar. */
bool vd_alg_x25519_is_small(const uint8_t u[32]);

/* ml_kem.c: an ML-KEM key of d ‖ z, dk or ek. NULL: refused. */
EVP_PKEY *vd_alg_ml_kem_pkey(struct vd_alg *alg, const char *param, const uint8_t *data,
                             size_t size);
bool vd_alg_ml_kem_encapsulate(struct vd_alg_worker *worker, struct vd_alg_key *key,
                               const struct vd_alg_bytes *random, uint8_t *out, uint8_t ret[32]);
bool vd_alg_ml_kem_decapsulate(struct vd_alg_worker *worker, struct vd_alg_key *key,
                               const uint8_t *encapsulated, uint8_t ret[32]);

#endif
