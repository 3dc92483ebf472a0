/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the key service and its clients say to each other: types of keys, what can be
 * done with them, verbs and their payloads in frames of core/abi/ipc.h
 * (docs/formats/key-service.md). Numbers are stored and sent: they never change.
 */
#ifndef VD_CORE_ABI_CRYPTO_H
#define VD_CORE_ABI_CRYPTO_H

#include "core/base/types.h"

/* X(number, NAME, text): the types of keys. */
#define VD_ALG_TYPE_TABLE(X)                                                 \
    X(1, AES_256_GCM, "aes-256-gcm")                                         \
    X(2, CHACHA20_POLY1305, "chacha20-poly1305")                             \
    X(3, RSA_4096, "rsa-4096")                                               \
    X(4, ECDSA_P256, "ecdsa-p256") /* and ECDH, where the usage allows it */ \
    X(5, ED25519, "ed25519")                                                 \
    X(6, X25519, "x25519")                                                   \
    X(7, HMAC_SHA256, "hmac-sha256")                                         \
    X(8, ML_KEM_768, "ml-kem-768")                                           \
    X(9, ML_DSA_65, "ml-dsa-65")                                             \
    X(10, X_WING, "x-wing")                                                  \
    X(11, HKDF_SHA256, "hkdf-sha256") /* a master secret to derive from */

enum vd_alg_type {
#define VD_ALG_TYPE_(number, name, text) VD_ALG_##name = number,
    VD_ALG_TYPE_TABLE(VD_ALG_TYPE_)
#undef VD_ALG_TYPE_
        VD_ALG_TYPE_COUNT,
};

/* X(bit, NAME, text): what a key may be used for, bits of a set. */
#define VD_ALG_USAGE_TABLE(X)                              \
    X(0, ENCRYPT, "encrypt")                               \
    X(1, DECRYPT, "decrypt")                               \
    X(2, SIGN, "sign")                                     \
    X(3, VERIFY, "verify")                                 \
    X(4, DERIVE, "derive") /* ECDH, HKDF */                \
    X(5, ENCAPSULATE, "encapsulate")                       \
    X(6, DECAPSULATE, "decapsulate")                       \
    X(7, WRAP, "wrap")                                     \
    X(8, UNWRAP, "unwrap")                                 \
    /* the caller answers for never using a nonce twice */ \
    X(9, ENCRYPT_OWN_NONCE, "encrypt-own-nonce")           \
    X(10, CERTIFY, "certify") /* sign certificates and revocation lists */

enum vd_alg_usage {
#define VD_ALG_USAGE_(bit, name, text) VD_ALG_##name = 1 << bit,
    VD_ALG_USAGE_TABLE(VD_ALG_USAGE_)
#undef VD_ALG_USAGE_
        VD_ALG_USAGE_ALL = (1 << 11) - 1,
};

/*
 * X(number, NAME, text): how. 0 stands for a type's own choice. From 20 the message is
 * its digest (SHA-256 where the name says no other), or for ML-DSA its mu (64 bytes).
 */
#define VD_ALG_MECHANISM_TABLE(X)                                                              \
    X(0, MECHANISM_DEFAULT, "default")                                                         \
    X(1, AEAD, "aead")                         /* the formats of docs/formats/ciphertext.md */ \
    X(2, AEAD_RAW, "aead-raw")                 /* the caller's nonce; ciphertext, then tag */  \
    X(3, RSA_OAEP_SHA256, "rsa-oaep-sha256")   /* MGF1 with SHA-256 */                         \
    X(4, RSA_PSS_SHA256, "rsa-pss-sha256")     /* salt of 32 bytes, MGF1 with SHA-256 */       \
    X(5, RSA_PKCS1_SHA256, "rsa-pkcs1-sha256") /* RSASSA-PKCS1-v1_5 */                         \
    X(6, ECDSA_SHA256, "ecdsa-sha256")         /* DER */                                       \
    X(7, ECDSA_SHA256_RAW, "ecdsa-sha256-raw") /* r ‖ s, 64 bytes (IEEE P1363) */            \
    X(8, EDDSA, "eddsa")                       /* Ed25519 without prehash */                   \
    X(9, HMAC, "hmac")                         /* the whole 32 bytes */                        \
    X(10, ML_DSA, "ml-dsa")                    /* hedged, context of up to 255 bytes */        \
    X(11, ML_DSA_DETERMINISTIC, "ml-dsa-deterministic")                                        \
    X(12, ECDH, "ecdh")                                                                        \
    X(13, HKDF, "hkdf")                                                                        \
    X(14, KEM, "kem")                                                                          \
    X(20, RSA_PSS_SHA256_DIGEST, "rsa-pss-sha256-digest")                                      \
    X(21, RSA_PKCS1_SHA256_DIGEST, "rsa-pkcs1-sha256-digest")                                  \
    X(22, ECDSA_SHA256_DIGEST, "ecdsa-sha256-digest")                                          \
    X(23, ECDSA_SHA256_RAW_DIGEST, "ecdsa-sha256-raw-digest")                                  \
    X(24, ML_DSA_MU, "ml-dsa-mu")                                                              \
    X(25, ML_DSA_MU_DETERMINISTIC, "ml-dsa-mu-deterministic")                                  \
    X(26, RSA_PKCS1_RAW, "rsa-pkcs1-raw") /* the caller's own DigestInfo, up to 501 bytes */   \
    X(27, RSA_PSS_SHA384_DIGEST, "rsa-pss-sha384-digest")                                      \
    X(28, RSA_PSS_SHA512_DIGEST, "rsa-pss-sha512-digest")

enum vd_alg_mechanism {
#define VD_ALG_MECHANISM_(number, name, text) VD_ALG_##name = number,
    VD_ALG_MECHANISM_TABLE(VD_ALG_MECHANISM_)
#undef VD_ALG_MECHANISM_
        VD_ALG_MECHANISM_COUNT,
};

/* How key material is written. */
enum vd_alg_form {
    VD_ALG_FORM_RAW = 1, /* symmetric bytes; scalar; Ed25519's and X25519's 32 bytes; public key */
    VD_ALG_FORM_PKCS8 = 2,      /* PrivateKeyInfo, DER, not encrypted */
    VD_ALG_FORM_SPKI = 3,       /* SubjectPublicKeyInfo, DER: a public key alone */
    VD_ALG_FORM_SEED = 4,       /* ML-KEM d ‖ z (64), ML-DSA xi (32), X-Wing (32) */
    VD_ALG_FORM_EXPANDED = 5,   /* ML-KEM dk (2400), ML-DSA sk (4032) */
    VD_ALG_FORM_RAW_PUBLIC = 6, /* point 04 ‖ x ‖ y, 32 bytes, ML-KEM ek, ML-DSA pk, X-Wing pk */
    VD_ALG_FORM_COUNT,
};

/* Flags of a key. */
#define VD_KEY_NON_EXPORTABLE (1u << 0) /* never leaves, wrapped or not; cannot be taken back */
#define VD_KEY_FIXED          (1u << 1) /* attributes cannot be changed any more */
#define VD_KEY_FLAGS_ALL      (VD_KEY_NON_EXPORTABLE | VD_KEY_FIXED)

enum vd_key_state {
    VD_KEY_ACTIVE = 1,
    VD_KEY_DOOMED = 2,    /* destroyed when its grace period ends; of no use until taken back */
    VD_KEY_DESTROYED = 3, /* its material is gone; the name stays taken */
};

#define VD_KEY_PROTOCOL        1u
#define VD_KEY_SOCKET          "/run/veridian/crypto.sock"
#define VD_KEY_ID_SIZE         16u
#define VD_KEY_NAME_MAX        128u /* bytes: letters, digits, . _ - / */
#define VD_KEY_DOMAIN_MAX      64u  /* bytes of a domain's or service's name, of the same letters */
#define VD_KEY_LABEL_MAX       255u /* bytes of a context */
#define VD_KEY_VERSIONS_MAX    4096u
#define VD_KEY_ATTACHMENT_NAME 64u    /* bytes: letters, digits, . _ - / : */
#define VD_KEY_ATTACHMENT_MAX  60000u /* bytes of a value */
#define VD_KEY_ATTACH_MAX      16u    /* attachments of one request */
#define VD_KEY_BATCH_MAX       1024u
#define VD_KEY_LIST_MAX        256u /* keys of one answer */
#define VD_KEY_HANDLES_MAX     65536u
#define VD_KEY_STREAMS_MAX     16u
#define VD_KEY_BUFFERS_MAX     16u
#define VD_KEY_BUFFER_BYTES    (64u << 20) /* of one shared buffer, at most */
#define VD_KEY_RANDOM_MAX      32768u
#define VD_KEY_GRACE_STANDARD  (7u * 86400u) /* seconds */
#define VD_KEY_GRACE_MAX       (366u * 86400u)

/* Kinds of attachments. */
enum vd_key_attachment {
    VD_KEY_ATTACH_CERTIFICATE = 1, /* X.509, DER, of the key itself; name: which one */
    VD_KEY_ATTACH_ISSUED = 2,      /* certificate that the key signed, DER; name: serial in hex */
    VD_KEY_ATTACH_REVOKED = 3,     /* name: serial in hex; value: docs/formats/certificates.md */
    VD_KEY_ATTACH_CA = 4,          /* a certificate authority's state; same page */
    VD_KEY_ATTACH_PKCS11 = 5,      /* attributes of a PKCS#11 object */
    VD_KEY_ATTACH_USER = 6,        /* what a user likes */
    VD_KEY_ATTACH_COUNT,
};

/*
 * X(NAME, text, right, kind): verbs from 1. `right` is the permission of class key that
 * the caller's context needs for the key's label; empty: none. kind: FREE nothing is
 * recorded; DATA recorded, and counted against the key's limit; MANAGE on the audit
 * log's disk before the answer leaves.
 */
#define VD_KEY_VERB_TABLE(X)                           \
    X(HELLO, "hello", "", FREE)                        \
    X(CREATE, "create", "create", MANAGE)              \
    X(IMPORT, "import", "import", MANAGE)              \
    X(OPEN, "open", "view", FREE)                      \
    X(CLOSE, "close", "", FREE)                        \
    X(LIST, "list", "view", FREE)                      \
    X(SHOW, "show", "view", FREE)                      \
    X(PUBLIC, "public", "view", FREE)                  \
    X(ENCRYPT, "encrypt", "encrypt", DATA)             \
    X(DECRYPT, "decrypt", "decrypt", DATA)             \
    X(SIGN, "sign", "sign", DATA)                      \
    X(VERIFY, "verify", "verify", DATA)                \
    X(ENCAPSULATE, "encapsulate", "encapsulate", DATA) \
    X(DECAPSULATE, "decapsulate", "decapsulate", DATA) \
    X(DERIVE, "derive", "derive", DATA)                \
    X(REWRAP, "rewrap", "decrypt", DATA)               \
    X(WRAP, "wrap", "wrap", MANAGE)                    \
    X(UNWRAP, "unwrap", "unwrap", MANAGE)              \
    X(ROTATE, "rotate", "rotate", MANAGE)              \
    X(SET, "set", "setattr", MANAGE)                   \
    X(DESTROY, "destroy", "destroy", MANAGE)           \
    X(RESTORE, "restore", "destroy", MANAGE)           \
    X(ATTACH, "attach", "manage", MANAGE)              \
    X(ATTACHED, "attached", "view", FREE)              \
    X(ATTACHMENTS, "attachments", "view", FREE)        \
    X(STREAM_SEAL, "stream-seal", "encrypt", DATA)     \
    X(STREAM_OPEN, "stream-open", "decrypt", DATA)     \
    X(STREAM_NEXT, "stream-next", "", FREE)            \
    X(STREAM_END, "stream-end", "", FREE)              \
    X(BUFFER, "buffer", "", FREE)                      \
    X(BATCH, "batch", "", FREE)                        \
    X(RANDOM, "random", "", FREE)                      \
    X(STATUS, "status", "", FREE)                      \
    X(ADOPT, "adopt", "", FREE)                        \
    X(LANE, "lane", "", FREE)

enum vd_key_verb {
    VD_KEY_VERB_NONE,
#define VD_KEY_VERB_(name, text, right, kind) VD_KEY_##name,
    VD_KEY_VERB_TABLE(VD_KEY_VERB_)
#undef VD_KEY_VERB_
        VD_KEY_VERB_COUNT,
};

/* What VD_KEY_SET changes: bits of a set. */
#define VD_KEY_SET_LABEL       (1u << 0)
#define VD_KEY_SET_USAGES      (1u << 1)
#define VD_KEY_SET_FLAGS       (1u << 2)
#define VD_KEY_SET_NOT_BEFORE  (1u << 3)
#define VD_KEY_SET_NOT_AFTER   (1u << 4)
#define VD_KEY_SET_USAGE_LIMIT (1u << 5)
#define VD_KEY_SET_MIN_DECRYPT (1u << 6)
#define VD_KEY_SET_ALL         ((1u << 7) - 1)

/* What VD_KEY_ATTACH does with an attachment. */
enum vd_key_attach_action {
    VD_KEY_ATTACH_PUT = 1,    /* make or replace */
    VD_KEY_ATTACH_ADD = 2,    /* make; VD_E_EXISTS if it is there */
    VD_KEY_ATTACH_REMOVE = 3, /* VD_E_NOT_FOUND if it is not */
};

/* X(NAME, text): what VD_KEY_STATUS answers, u64 each, in this order. */
#define VD_KEY_STATUS_TABLE(X)             \
    X(KEYS, "keys")                        \
    X(GENERATION, "store generation")      \
    X(COUNTER, "rollback counter")         \
    X(RESTORED, "older stores accepted")   \
    X(STORE_FAILED, "store failed")        \
    X(ROOT, "root key")                    \
    X(MAC, "access decided by the policy") \
    X(AUDIT, "operations recorded")        \
    X(CLIENTS, "clients")                  \
    X(REFUSED_CLIENTS, "clients refused")  \
    X(REQUESTS, "requests")                \
    X(FAILURES, "requests refused")        \
    X(OPERATIONS, "operations with keys")  \
    X(DENIALS, "denials")                  \
    X(CACHED, "keys in memory")            \
    X(CACHE_HITS, "cache hits")            \
    X(CACHE_MISSES, "cache misses")        \
    X(EXPIRED, "keys wiped when their time ended")

enum vd_key_status {
#define VD_KEY_STATUS_(name, text) VD_KEY_STAT_##name,
    VD_KEY_STATUS_TABLE(VD_KEY_STATUS_)
#undef VD_KEY_STATUS_
        VD_KEY_STATUS_COUNT,
};

/* What VD_KEY_STAT_ROOT says. */
enum vd_key_root {
    VD_KEY_ROOT_PASSPHRASE = 1, /* for development */
    VD_KEY_ROOT_TPM = 2,
    VD_KEY_ROOT_HSM = 3,
};

#endif
