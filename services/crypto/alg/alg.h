/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The algorithms of the key service over OpenSSL: what each type of key can do, loaded keys, and
 * the operations. Nothing here knows names, owners, permissions or disks.
 *
 *     VD_TRY(vd_alg_new(&alg, diag));                            once in a process
 *     VD_TRY(vd_alg_key_generate(alg, VD_ALG_AES_256_GCM, &key, diag));
 *     VD_TRY(vd_alg_encrypt(key, version, &text, &out, diag));   from any thread
 *     vd_alg_key_free(key);
 *     vd_alg_free(alg);
 *
 * Threads. `struct vd_alg` does not change after vd_alg_new. A `struct vd_alg_key` may be used by
 * any number of threads at once: its material does not change, the cipher contexts kept with it
 * are taken and put back by an atomic exchange, and the nonce counter is atomic. They stand in
 * the key and not with the thread, so that freeing a key wipes every schedule made of it. The
 * references are counted: vd_alg_key_free drops one. A stream belongs to one thread at a time.
 *
 * Cost. Nothing is looked up or allocated in a symmetric operation, a signature or a
 * decapsulation once a key has served as many threads before; operations with somebody else's
 * public key make OpenSSL's object of it each time.
 *
 * Errors, beside those of each function:
 *   VD_E_KEY_TYPE   a key of this type, or a public key alone, does not do this
 *   VD_E_MECHANISM  the type has no such mechanism
 *   VD_E_SIZE       a nonce, digest, key, point or signature has another size than the type's
 *   VD_E_NO_SPACE   the output does not fit: `size` then says the size that is needed
 *   VD_E_SYSTEM     OpenSSL failed for no reason of the caller's
 *
 * Buffers. Inputs are borrowed for the call. Inputs and output may not overlap unless a function
 * says so. An output's bytes are undefined after a failure, except that plaintext whose tag is
 * wrong is wiped. Headers, nonces, tags, digests and points are copied before they are judged; a text
 * may be read twice, so that who changes shared memory during the call gets garbage or a refusal.
 */
#ifndef VD_SERVICES_CRYPTO_ALG_ALG_H
#define VD_SERVICES_CRYPTO_ALG_ALG_H

#include "core/abi/crypto.h"
#include "core/base/diag.h"
#include "lib/secret.h"

#define VD_ALG_KEY_SIZE \
    32u /* AES, ChaCha20, Ed25519, X25519, P-256 scalar, generated HMAC and HKDF */
#define VD_ALG_SECRET_MIN     16u /* imported HMAC and HKDF secrets */
#define VD_ALG_SECRET_MAX     1024u
#define VD_ALG_NONCE_SIZE     12u
#define VD_ALG_TAG_SIZE       16u
#define VD_ALG_DIGEST_SIZE    32u
#define VD_ALG_MU_SIZE        64u
#define VD_ALG_CONTEXT_MAX    255u /* of ML-DSA */
#define VD_ALG_SHARED_SIZE    32u  /* what ECDH and every KEM give */
#define VD_ALG_RSA_SIZE       512u /* modulus, signature and OAEP ciphertext in bytes */
#define VD_ALG_OAEP_MAX       446u /* 512 - 2 * 32 - 2 */
#define VD_ALG_P256_POINT     65u
#define VD_ALG_SIGNATURE_MAX  3309u /* ML-DSA-65's, the largest */
#define VD_ALG_PUBLIC_DER_MAX 2048u /* room enough for any vd_alg_key_public */
#define VD_ALG_PKCS8_MAX      8192u /* accepted by import */

#define VD_ALG_HEADER_SIZE       40u /* before the ciphertext of vd_alg_encrypt */
#define VD_ALG_OVERHEAD          (VD_ALG_HEADER_SIZE + VD_ALG_TAG_SIZE)
#define VD_ALG_TEXT_MAX          (1u << 30) /* bytes in one call; more goes through a stream */
#define VD_ALG_AAD_MAX           (1u << 20)
#define VD_ALG_EPOCH_MESSAGES    (1ull << 32) /* then a new salt is drawn */
#define VD_ALG_EPOCH_BYTES       (1ull << 38)
#define VD_ALG_STREAM_HEADER     48u
#define VD_ALG_STREAM_CHUNK_MIN  (64u << 10)
#define VD_ALG_STREAM_CHUNK_MAX  (1u << 20)
#define VD_ALG_STREAM_CHUNKS_MAX (1ull << 32)

/* One row a type. Sizes in bytes, 0 where there is no such thing. */
struct vd_alg_info {
    enum vd_alg_type type;
    const char *name;               /* "aes-256-gcm" */
    uint32_t usages;                /* those a key of this type can have */
    uint32_t mechanisms;            /* bit 1 << enum vd_alg_mechanism */
    uint32_t import_forms;          /* bit 1 << enum vd_alg_form */
    enum vd_alg_mechanism standard; /* the one that DEFAULT means to sign, encrypt or derive */
    bool has_public;
    uint32_t secret_max;  /* of vd_alg_key_secret */
    uint32_t public_size; /* of VD_ALG_FORM_RAW_PUBLIC */
    uint32_t signature_max;
    uint32_t encapsulated_size;
};

/* The row; NULL for a number outside the table. */
const struct vd_alg_info *vd_alg_info(enum vd_alg_type type);

/* By name; NULL: none of that name. */
const struct vd_alg_info *vd_alg_find(const char *name);

/* "rsa-pss-sha256", …; "?" outside the table. */
const char *vd_alg_mechanism_name(enum vd_alg_mechanism mechanism);

/* By name; VD_ALG_MECHANISM_COUNT: none of that name. */
enum vd_alg_mechanism vd_alg_mechanism_find(const char *name);

/* "encrypt", …, for one bit; "?" for another value. */
const char *vd_alg_usage_name(uint32_t usage);

/* The bit by name; 0: none of that name. */
uint32_t vd_alg_usage_find(const char *name);

/* The algorithms as looked up in OpenSSL. */
struct vd_alg;

/* VD_E_NO_MEMORY; VD_E_MISSING if OpenSSL lacks an algorithm (older than 3.5). */
vd_status vd_alg_new(struct vd_alg **ret, struct vd_diag *diag);

/* After every key is gone; NULL is fine. */
void vd_alg_free(struct vd_alg *alg);

/*
 * From then on OpenSSL wipes whatever memory it lets go. To be called before anything else of
 * OpenSSL in the process, or it is VD_E_BUSY.
 */
vd_status vd_alg_wipe_openssl(struct vd_diag *diag);

/* Random bytes of OpenSSL's generator. */
vd_status vd_alg_random(struct vd_alg *alg, void *ret, size_t size, struct vd_diag *diag);

/* Bytes of the caller's. `data` may be NULL if size is 0. */
struct vd_alg_bytes {
    const void *data;
    size_t size;
};

/* Where an output goes: the caller sets data and room, the function size. */
struct vd_alg_buffer {
    void *data;
    size_t room;
    size_t size;
};

/* A key ready to be used. */
struct vd_alg_key;

/* A new key of the library's randomness. RSA takes seconds; the rest less than a millisecond. */
vd_status vd_alg_key_generate(struct vd_alg *alg, enum vd_alg_type type, struct vd_alg_key **ret,
                              struct vd_diag *diag);

/*
 * Loads what vd_alg_key_secret gave. The bytes are trusted to be ours (the store authenticates
 * them) but read with bounds: VD_E_INVALID, VD_E_SIZE or VD_E_ENCODING if they are no such key.
 */
vd_status vd_alg_key_load(struct vd_alg *alg, enum vd_alg_type type, const struct vd_secret *secret,
                          struct vd_alg_key **ret, struct vd_diag *diag);

struct vd_alg_import {
    enum vd_alg_type type;
    enum vd_alg_form form;
    struct vd_alg_bytes material;
};

/*
 * A key from outside, checked whole: VD_E_ENCODING for DER that is not canonical or has more or
 * other than what the form says, VD_E_POINT for a public key that is none (not on the curve,
 * coefficients out of range, small order), VD_E_KEY_TYPE for a key of another algorithm or curve,
 * VD_E_SIZE for an RSA modulus of other than 4096 bits or another wrong size, VD_E_INVALID for a
 * private key whose parts contradict each other, VD_E_MECHANISM for a form the type does not have.
 * A PKCS#8 or expanded ML-KEM or ML-DSA key without its seed is taken and stays without.
 */
vd_status vd_alg_key_import(struct vd_alg *alg, const struct vd_alg_import *from,
                            struct vd_alg_key **ret, struct vd_diag *diag);

/* One more reference; returns `key`. */
struct vd_alg_key *vd_alg_key_hold(struct vd_alg_key *key);

/* Drops a reference; the last one wipes everything. NULL is fine. */
void vd_alg_key_free(struct vd_alg_key *key);

const struct vd_alg_info *vd_alg_key_info(const struct vd_alg_key *key);

/* True if the key has no secret part: it verifies, encrypts (OAEP) or encapsulates only. */
bool vd_alg_key_is_public(const struct vd_alg_key *key);

/*
 * The bytes the store keeps (`ret` empty before): one form a type, small where there is a choice
 * (a seed). vd_alg_key_load reads them.
 */
vd_status vd_alg_key_secret(const struct vd_alg_key *key, struct vd_secret *ret,
                            struct vd_diag *diag);

/*
 * The secret in a form for others: RAW, SEED (VD_E_NOT_FOUND for a key imported without it),
 * EXPANDED or PKCS8 as the type has them, VD_E_MECHANISM otherwise. Whether a key may be
 * exported is the caller's question.
 */
vd_status vd_alg_key_export(const struct vd_alg_key *key, enum vd_alg_form form,
                            struct vd_secret *ret, struct vd_diag *diag);

/*
 * The public part: SPKI or RAW_PUBLIC. X-Wing's SPKI has the OID 1.3.6.1.4.1.62253.25722 of
 * draft-connolly-cfrg-xwing-kem and the raw key as its bit string.
 */
vd_status vd_alg_key_public(const struct vd_alg_key *key, enum vd_alg_form form,
                            struct vd_alg_buffer *out, struct vd_diag *diag);

/* A message for an AEAD or OAEP (whose label is `aad`). `nonce` serves the raw calls alone. */
struct vd_alg_message {
    struct vd_alg_bytes text; /* plaintext, or ciphertext and tag */
    struct vd_alg_bytes aad;
    struct vd_alg_bytes nonce;
};

/*
 * Encrypts in the project's format with a nonce of its own: text.size + VD_ALG_OVERHEAD bytes.
 * `version` is the key version noted in the header. The text may stand exactly at
 * out->data + VD_ALG_HEADER_SIZE. VD_E_LIMIT beyond VD_ALG_TEXT_MAX or VD_ALG_AAD_MAX.
 * Types: AES-256-GCM, ChaCha20-Poly1305.
 */
vd_status vd_alg_encrypt(struct vd_alg_key *key, uint32_t version,
                         const struct vd_alg_message *message, struct vd_alg_buffer *out,
                         struct vd_diag *diag);

/* What the header of a ciphertext says, before a key is chosen. */
struct vd_alg_ciphertext {
    enum vd_alg_type type;
    uint32_t version; /* of the key */
    bool stream;
};

/* VD_E_TRUNCATED (short tag too), VD_E_MAGIC, VD_E_VERSION, VD_E_RESERVED, VD_E_KEY_TYPE. */
vd_status vd_alg_ciphertext_parse(const struct vd_alg_bytes *text, struct vd_alg_ciphertext *ret,
                                  struct vd_diag *diag);

/*
 * Opens what vd_alg_encrypt made, with the errors of vd_alg_ciphertext_parse and VD_E_TAG: the
 * ciphertext, its additional data or its tag was changed, or the key is another. Nothing of the
 * plaintext is left in `out` then. The output may stand exactly at the ciphertext.
 */
vd_status vd_alg_decrypt(struct vd_alg_key *key, const struct vd_alg_message *message,
                         struct vd_alg_buffer *out, struct vd_diag *diag);

/* The AEAD as its specification has it, with the nonce given: ciphertext, then tag. In place works. */
vd_status vd_alg_encrypt_raw(struct vd_alg_key *key, const struct vd_alg_message *message,
                             struct vd_alg_buffer *out, struct vd_diag *diag);

/* VD_E_TRUNCATED: shorter than a tag; VD_E_TAG as above. In place works. */
vd_status vd_alg_decrypt_raw(struct vd_alg_key *key, const struct vd_alg_message *message,
                             struct vd_alg_buffer *out, struct vd_diag *diag);

/* RSA-OAEP with SHA-256. At most VD_ALG_OAEP_MAX bytes (VD_E_SIZE). */
vd_status vd_alg_oaep_encrypt(struct vd_alg_key *key, const struct vd_alg_message *message,
                              struct vd_alg_buffer *out, struct vd_diag *diag);

/* VD_E_TAG whatever was wrong inside: more would be an oracle. */
vd_status vd_alg_oaep_decrypt(struct vd_alg_key *key, const struct vd_alg_message *message,
                              struct vd_alg_buffer *out, struct vd_diag *diag);

struct vd_alg_signing {
    enum vd_alg_mechanism mechanism;
    struct vd_alg_bytes message;
    struct vd_alg_bytes context; /* ML-DSA's; else empty, or VD_E_MECHANISM */
};

/* A signature or MAC. */
vd_status vd_alg_sign(struct vd_alg_key *key, const struct vd_alg_signing *what,
                      struct vd_alg_buffer *out, struct vd_diag *diag);

/*
 * VD_OK: it holds. VD_E_SIGNATURE: it does not. VD_E_ENCODING: an ECDSA signature in other than
 * DER's one form; VD_E_SIZE: a signature of another size than the type's.
 */
vd_status vd_alg_verify(struct vd_alg_key *key, const struct vd_alg_signing *what,
                        const struct vd_alg_bytes *signature, struct vd_diag *diag);

/* A fresh shared secret (32 bytes; `ret` empty before) and its encapsulation for the key's owner. */
vd_status vd_alg_encapsulate(struct vd_alg_key *key, struct vd_alg_buffer *out,
                             struct vd_secret *ret, struct vd_diag *diag);

/*
 * The shared secret of an encapsulation. One that was not made for this key gives another secret
 * and no error (implicit rejection), except where its size is wrong.
 */
vd_status vd_alg_decapsulate(struct vd_alg_key *key, const struct vd_alg_bytes *encapsulated,
                             struct vd_secret *ret, struct vd_diag *diag);

/*
 * ECDH with the peer's public key, RAW_PUBLIC or SPKI: the x coordinate or X25519's output, to be
 * put through a KDF. VD_E_POINT: no point of the curve, or an all-zero result.
 */
vd_status vd_alg_agree(struct vd_alg_key *key, enum vd_alg_form form,
                       const struct vd_alg_bytes *peer, struct vd_secret *ret,
                       struct vd_diag *diag);

struct vd_alg_kdf {
    struct vd_alg_bytes salt; /* up to VD_ALG_AAD_MAX */
    struct vd_alg_bytes info;
    size_t size; /* 1 to 255 * 32, else VD_E_SIZE */
};

/* HKDF-SHA256 (RFC 5869), extract and expand, from a key of the type hkdf-sha256. */
vd_status vd_alg_hkdf(struct vd_alg_key *key, const struct vd_alg_kdf *kdf, struct vd_secret *ret,
                      struct vd_diag *diag);

/* The same from a secret that is no key: the hierarchy and the result of ECDH. */
vd_status vd_alg_hkdf_secret(struct vd_alg *alg, const struct vd_secret *from,
                             const struct vd_alg_kdf *kdf, struct vd_secret *ret,
                             struct vd_diag *diag);

/*
 * Data too large for one call: chunks of one size, the last one smaller or equal, each under its
 * own tag, order and end authenticated (STREAM, Hoang, Reyhanitabar, Rogaway, Vizár 2015). The
 * additional data go into the stream's key.
 */
struct vd_alg_stream;

struct vd_alg_stream_setup {
    uint32_t version;    /* of the key */
    uint32_t chunk_size; /* of plaintext, a power of two between the CHUNK_MIN and CHUNK_MAX */
    struct vd_alg_bytes aad;
};

/* Starts one; `out` gets the header of VD_ALG_STREAM_HEADER bytes. Holds a reference to the key. */
vd_status vd_alg_stream_seal(struct vd_alg_key *key, const struct vd_alg_stream_setup *setup,
                             struct vd_alg_buffer *out, struct vd_alg_stream **ret,
                             struct vd_diag *diag);

/* Starts reading one from its header; message->text is the header, message->aad the same as then. */
vd_status vd_alg_stream_open(struct vd_alg_key *key, const struct vd_alg_message *message,
                             struct vd_alg_stream **ret, struct vd_diag *diag);

/* Plaintext in a chunk; in the ciphertext it is VD_ALG_TAG_SIZE longer. */
uint32_t vd_alg_stream_chunk_size(const struct vd_alg_stream *stream);

/*
 * The next chunk, encrypted or opened as the stream was started. Every chunk but the last has
 * exactly the chunk's size (VD_E_SIZE); the last may be empty only where it is the only one.
 * VD_E_TAG: changed, moved, or the wrong one is called last; the stream is spent then
 * (VD_E_USAGE), as it is after the last. VD_E_LIMIT beyond VD_ALG_STREAM_CHUNKS_MAX.
 */
vd_status vd_alg_stream_next(struct vd_alg_stream *stream, const struct vd_alg_bytes *in, bool last,
                             struct vd_alg_buffer *out, struct vd_diag *diag);

/* True once the last chunk went through: what was opened is whole. */
bool vd_alg_stream_ended(const struct vd_alg_stream *stream);

/* Wipes; NULL is fine. */
void vd_alg_stream_free(struct vd_alg_stream *stream);

#endif
