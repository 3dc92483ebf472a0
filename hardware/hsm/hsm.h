/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys in a PKCS#11 token: a client for any module.
 *
 *     struct vd_hsm_where where = {.module = path, .uri = &uri, .pin = &pin};
 *     VD_TRY(vd_hsm_open(&where, &hsm, diag));
 *     VD_TRY(vd_hsm_find(hsm, &uri, VD_HSM_PRIVATE, &key, diag));
 *     VD_TRY(vd_hsm_sign(hsm, key, &message, &signature, diag));
 *
 * What a token can do is what its mechanism list says: an operation without its mechanism is
 * VD_E_UNSUPPORTED with the mechanism's name. A module's answers are checked: counts and sizes
 * have limits, attributes their sizes, a signature is verified before it is given out. A module is
 * code in this process all the same: what it does to memory cannot be checked.
 *
 * A session that was lost and a token that was taken out and put back are survived: the session
 * is opened and logged in once more, the key looked up again, the call repeated once. A token
 * that is gone is VD_E_MISSING; the next call looks for it again. It must be the same token (label,
 * serial number, manufacturer, model). A forked child opens one of its own (VD_E_USAGE). A PIN that the token refuses is never tried twice: tokens lock themselves.
 *
 * Failures: VD_E_MISSING no module, token or reader; VD_E_NOT_FOUND no such object;
 * VD_E_DENIED PIN, locked, or the key's attributes forbid it; VD_E_UNSUPPORTED;
 * VD_E_INVALID an answer that cannot be; VD_E_IO the rest, with the names of the call and of its
 * CKR_ value.
 *
 * Threads: one at a time for a struct vd_hsm; several of them may be used at once, in one process
 * a module is initialised once. Source: PKCS #11 Cryptographic Token Interface 2.40.
 */
#ifndef VD_HARDWARE_HSM_HSM_H
#define VD_HARDWARE_HSM_HSM_H

#include "core/base/diag.h"
#include "hardware/hsm/uri.h"
#include "lib/file.h"
#include "lib/secret.h"

#define VD_HSM_SLOTS_MAX      64u
#define VD_HSM_MECHANISMS_MAX 1024u
#define VD_HSM_OBJECTS_MAX    1024u
#define VD_HSM_ATTRIBUTE_MAX  4096u /* bytes of an attribute's value */
#define VD_HSM_PIN_MAX        256u
#define VD_HSM_BLOCK_MAX      1024u       /* bytes of a signature or of an RSA ciphertext */
#define VD_HSM_DATA_MAX       (64u << 10) /* bytes that a symmetric key takes in one call */
#define VD_HSM_MODULE_ENV     "VERIDIAN_PKCS11_MODULE"
#define VD_HSM_PIN_ENV        "VERIDIAN_PKCS11_PIN"
#define VD_HSM_GCM_OVERHEAD   28u /* nonce and tag */

/* ---- Modules, tokens ---- */

/* Text from the module: what is not printable ASCII has become `?`. */
struct vd_hsm_token {
    uint64_t slot;
    char slot_name[65];
    bool present;     /* what follows is filled */
    bool initialized; /* has a user PIN */
    bool login_required;
    bool pin_locked;
    bool pin_final_try;
    bool write_protected;
    bool pin_pad; /* the token asks for the PIN itself */
    char label[33];
    char manufacturer[33];
    char model[17];
    char serial[17];
};

struct vd_hsm_mechanism {
    uint64_t type;
    const char *name; /* "CKM_…"; NULL: none known here */
    uint64_t min_key; /* as the module says, bits or bytes */
    uint64_t max_key;
    uint64_t flags; /* CKF_… */
};

struct vd_hsm_module {
    char manufacturer[33];
    char description[33];
    uint8_t version[2];
    uint8_t cryptoki[2];
    uint32_t token_count;
    struct vd_hsm_token token[VD_HSM_SLOTS_MAX];
};

/* What the module at `path` is, and its slots; no PIN, no session. */
vd_status vd_hsm_module_info(const char *path, struct vd_hsm_module *ret, struct vd_diag *diag);

/* Where a token is. */
struct vd_hsm_where {
    const char *module; /* path; NULL: the URI's module-path, else $VERIDIAN_PKCS11_MODULE */
    const struct vd_hsm_uri *uri; /* NULL: the module's only token */
    const struct vd_secret *pin;  /* NULL: no login (public objects), or the token's own PIN pad */
    bool login;                   /* log in, with `pin` or by the PIN pad */
};

struct vd_hsm; /* opaque */

/* Opens a session on the one token that fits, and logs in. Ends with vd_hsm_close. */
vd_status vd_hsm_open(const struct vd_hsm_where *where, struct vd_hsm **ret, struct vd_diag *diag);

/* Logs out, wipes the PIN; NULL is fine. Keys found through it are invalid then. */
void vd_hsm_close(struct vd_hsm *hsm);

/* The token it stands for; lent. */
const struct vd_hsm_token *vd_hsm_token(const struct vd_hsm *hsm);

/* The token's mechanisms; `ret` has room for VD_HSM_MECHANISMS_MAX. */
vd_status vd_hsm_mechanisms(struct vd_hsm *hsm, struct vd_hsm_mechanism *ret, uint32_t *ret_count,
                            struct vd_diag *diag);

/*
 * A PIN: from `file` (its first line) where that is not NULL, else from $VERIDIAN_PKCS11_PIN,
 * else asked for on the terminal. `ret` is empty before. VD_E_MISSING: none of them is there.
 */
vd_status vd_hsm_pin_read(const char *file, struct vd_secret *ret, struct vd_diag *diag);

/* ---- Keys ---- */

enum vd_hsm_kind {
    VD_HSM_OTHER_KEY,
    VD_HSM_RSA,
    VD_HSM_EC, /* P-256 */
    VD_HSM_AES,
};

/* What a key may do. A new one does one thing, so that no use undoes another (wrap, then decrypt). */
enum vd_hsm_use {
    VD_HSM_TO_SIGN,    /* RSA, EC */
    VD_HSM_TO_DECRYPT, /* RSA; AES: encrypts and decrypts */
    VD_HSM_TO_DERIVE,  /* EC */
    VD_HSM_TO_WRAP,    /* AES */
    VD_HSM_USES,
};

/*
 * A key in the token: how it is found again. Handles die with their session: functions renew the
 * one in here, which is why they take it without const.
 */
struct vd_hsm_key {
    enum vd_hsm_class class;
    enum vd_hsm_kind kind;
    char label[VD_HSM_LABEL_MAX + 1]; /* as the token has it: any bytes */
    uint8_t id[VD_HSM_ID_MAX];
    size_t id_size;
    uint32_t bits; /* of the modulus, curve or key; 0: not said */
    bool sensitive, extractable, never_extractable;
    bool use[VD_HSM_USES];    /* of a private or secret key */
    bool always_authenticate; /* wants the PIN at each use */
    /* The module's own: valid for one opening of the session. */
    uint64_t handle;
    uint64_t opening;
};

/*
 * The objects that fit the URI's object, id and type; keys alone are described, others have their
 * class and label. `ret` has room for VD_HSM_OBJECTS_MAX; more are VD_E_LIMIT.
 */
vd_status vd_hsm_list(struct vd_hsm *hsm, const struct vd_hsm_uri *uri, struct vd_hsm_key *ret,
                      uint32_t *ret_count, struct vd_diag *diag);

/* The one key of this class that fits; VD_E_NOT_FOUND, VD_E_INVALID: several do. */
vd_status vd_hsm_find(struct vd_hsm *hsm, const struct vd_hsm_uri *uri, enum vd_hsm_class class,
                      struct vd_hsm_key *ret, struct vd_diag *diag);

struct vd_hsm_new_key {
    enum vd_hsm_kind kind;
    uint32_t bits; /* RSA 2048, 3072, 4096; EC 256; AES 256 */
    enum vd_hsm_use use;
    const char *label;
};

/*
 * Generates a key that stays in the token: sensitive, not extractable, which is read back; where
 * the token made another kind of key it is destroyed and VD_E_DIFFERS. Its id is random.
 * Tokens that make no RSA keys for one use alone make one for both; `use` says so. VD_E_EXISTS: a
 * key with that label is there. A pair's private key is given out.
 */
vd_status vd_hsm_generate(struct vd_hsm *hsm, const struct vd_hsm_new_key *request,
                          struct vd_hsm_key *ret, struct vd_diag *diag);

/* Destroys the key, and of a pair the public half too. */
vd_status vd_hsm_destroy(struct vd_hsm *hsm, struct vd_hsm_key *key, struct vd_diag *diag);

/* The public half of a pair, SubjectPublicKeyInfo in DER; the caller frees. */
vd_status vd_hsm_public_der(struct vd_hsm *hsm, struct vd_hsm_key *key, struct vd_bytes *ret,
                            struct vd_diag *diag);

/* The same as PEM. */
vd_status vd_hsm_public_pem(struct vd_hsm *hsm, struct vd_hsm_key *key, struct vd_bytes *ret,
                            struct vd_diag *diag);

/* ---- Operations ---- */

enum vd_hsm_scheme {
    VD_HSM_PKCS1,
    VD_HSM_PSS, /* salt as long as the digest, MGF1 with the same hash */
    VD_HSM_ECDSA,
};

/* Of RSA schemes and OAEP; values stand in files. */
enum vd_hsm_hash {
    VD_HSM_SHA256 = 0,
    VD_HSM_SHA384 = 1,
    VD_HSM_SHA512 = 2,
    VD_HSM_SHA1 = 3, /* OAEP alone, where its collisions do no harm */
};

/* What is signed: a message of up to VD_HSM_DATA_MAX bytes, or its digest. */
struct vd_hsm_message {
    enum vd_hsm_scheme scheme;
    enum vd_hsm_hash hash;
    const uint8_t *data;
    size_t size;
    bool is_digest;
};

struct vd_hsm_block {
    uint8_t data[VD_HSM_BLOCK_MAX];
    size_t size;
};

/* Signs; ECDSA signatures are DER. VD_E_SIGNATURE: what the token made does not hold. */
vd_status vd_hsm_sign(struct vd_hsm *hsm, struct vd_hsm_key *key,
                      const struct vd_hsm_message *message, struct vd_hsm_block *ret,
                      struct vd_diag *diag);

/* Verifies inside the token, with the public key of the pair. VD_E_SIGNATURE: it does not hold. */
vd_status vd_hsm_verify(struct vd_hsm *hsm, struct vd_hsm_key *key,
                        const struct vd_hsm_message *message, const struct vd_hsm_block *signature,
                        struct vd_diag *diag);

enum vd_hsm_cipher {
    VD_HSM_OAEP,    /* MGF1 with the same hash, no label */
    VD_HSM_AES_GCM, /* nonce 12 (random), ciphertext, tag 16 */
    VD_HSM_AES_CBC, /* initial value 16 (random), ciphertext, PKCS#7 padding: not authentic */
};

struct vd_hsm_crypt {
    enum vd_hsm_cipher cipher;
    enum vd_hsm_hash hash; /* OAEP */
    const uint8_t *aad;    /* GCM */
    size_t aad_size;
    const uint8_t *data;
    size_t size; /* of the plaintext at most VD_HSM_DATA_MAX */
};

/*
 * Encrypts with the token's key; OAEP with its public half, outside the token. `ret` is empty
 * before and owned by the caller. One AES key takes at most 2^32 messages with random nonces: whoever
 * encrypts more counts them.
 */
vd_status vd_hsm_encrypt(struct vd_hsm *hsm, struct vd_hsm_key *key,
                         const struct vd_hsm_crypt *request, struct vd_bytes *ret,
                         struct vd_diag *diag);

/* Decrypts; VD_E_DENIED: not made with this key, or changed. `ret` is empty before. */
vd_status vd_hsm_decrypt(struct vd_hsm *hsm, struct vd_hsm_key *key,
                         const struct vd_hsm_crypt *request, struct vd_secret *ret,
                         struct vd_diag *diag);

/* ECDH with an EC key and the peer's SubjectPublicKeyInfo (P-256): the x coordinate, 32 bytes. */
vd_status vd_hsm_derive(struct vd_hsm *hsm, struct vd_hsm_key *key, const struct vd_bytes *peer_der,
                        struct vd_secret *ret, struct vd_diag *diag);

/* ---- A secret of 32 bytes under a token's key (docs/formats/hsm-wrapped.md) ---- */

#define VD_HSM_WRAP_MAGIC   "VDHSMKEY" /* 8 bytes, no NUL */
#define VD_HSM_WRAP_VERSION 1u
#define VD_HSM_WRAP_MAX     1024u
#define VD_HSM_WRAP_SECRET  32u

enum vd_hsm_method {
    VD_HSM_BY_GCM = 1,
    VD_HSM_BY_KEY_WRAP = 2, /* AES key wrap, RFC 3394 */
    VD_HSM_BY_OAEP = 3,
};

/* A wrapped secret, opened up; nothing of it is trusted before it was unwrapped. */
struct vd_hsm_wrapped {
    enum vd_hsm_method method;
    enum vd_hsm_hash hash;   /* OAEP */
    struct vd_hsm_uri where; /* token label and serial, object label and id, class */
    const uint8_t *data;     /* borrowed */
    size_t size;
    size_t header_size;
};

/* "aes-gcm", "aes-key-wrap", "rsa-oaep"; "?" outside the list. */
const char *vd_hsm_method_name(enum vd_hsm_method method);

/* Its CK_MECHANISM_TYPE. */
uint64_t vd_hsm_method_mechanism(enum vd_hsm_method method);

/*
 * Wraps with what the key and the token have: AES-GCM, else AES key wrap, else RSA-OAEP with the
 * best hash. It is unwrapped again at once and compared, so that a token which can wrap only is
 * noticed now. `secret` has VD_HSM_WRAP_SECRET bytes.
 */
vd_status vd_hsm_wrap(struct vd_hsm *hsm, struct vd_hsm_key *key, const struct vd_secret *secret,
                      struct vd_hsm_block *ret, struct vd_diag *diag);

/* Reads a wrapped secret's header: the reader's errors with their offset. */
vd_status vd_hsm_wrapped_parse(const void *data, size_t size, struct vd_hsm_wrapped *ret,
                               struct vd_diag *diag);

/*
 * Unwraps with the key that the header names. VD_E_DENIED: another key, or a byte was changed.
 * `ret` is empty before.
 */
vd_status vd_hsm_unwrap(struct vd_hsm *hsm, const void *data, size_t size, struct vd_secret *ret,
                        struct vd_diag *diag);

#endif
