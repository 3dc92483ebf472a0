/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The PKCS#11 module's state. One slot, one token: the key service.
 *
 * Locks: `vd_p11.lock` guards the tables of sessions, objects and keys; a session's own lock is
 * held while a function works in it. The first is never held during a request to the service,
 * but where the list of keys is read. Sessions, objects and keys are counted references.
 */
#ifndef VD_LIB_PKCS11_INTERNAL_H
#define VD_LIB_PKCS11_INTERNAL_H

#include "core/abi/crypto.h"
#include "core/base/diag.h"
#include "lib/keyclient/wire.h"
#include "lib/pkcs11/cryptoki.h"

#include <pthread.h>

#define VD_P11_NAMES        "pkcs11/" /* what names of keys made here begin with */
#define VD_P11_SLOT         1ul
#define VD_P11_SESSIONS_MAX 65536u
#define VD_P11_OBJECTS_MAX  4000000u
#define VD_P11_VALUE_MAX    65536u      /* bytes of an attribute from a template */
#define VD_P11_ATTRS_MAX    256u        /* attributes of a template */
#define VD_P11_DATA_MAX     (64u << 20) /* bytes of one operation, its parts together */

struct vd_keyclient_key;

/* A key of the service; private and public objects share it. */
struct vd_p11_key {
    uint32_t refs; /* atomic */
    uint8_t id[VD_KEY_ID_SIZE];
    uint16_t type; /* enum vd_alg_type */
    uint32_t usages, flags;
    uint32_t versions;
    uint64_t created, not_before, not_after;
    char *name;              /* owned */
    uint8_t *label, *p11_id; /* owned; what an application set; NULL: name and id */
    size_t label_size, p11_id_size;
    pthread_mutex_t lock;            /* of what follows */
    struct vd_keyclient_key *handle; /* NULL: not opened so far */
    uint8_t *spki;                   /* owned; NULL: not asked for so far */
    size_t spki_size;
};

struct vd_p11_object {
    uint32_t refs; /* atomic */
    CK_OBJECT_HANDLE handle;
    CK_OBJECT_CLASS class;
    CK_SESSION_HANDLE session; /* 0: of the token */
    uint32_t seen;             /* the listing that last had it */
    struct vd_p11_key *key;    /* NULL: none */
    /* Of certificates, and of what an application made for its session. */
    uint8_t *value;
    size_t value_size;
    char *attachment; /* a certificate's name at its key */
    CK_KEY_TYPE key_type;
    bool sensitive, extractable;
    uint8_t point[72]; /* CKA_EC_POINT, once it was asked for */
    uint8_t *label, *id;
    size_t label_size, id_size;
};

/* Grows up to VD_P11_DATA_MAX; wiped when it is let go. */
struct vd_p11_buffer {
    uint8_t *bytes;
    size_t size, room;
};

enum vd_p11_kind {
    VD_P11_ENCRYPT,
    VD_P11_DECRYPT,
    VD_P11_SIGN,
    VD_P11_VERIFY,
    VD_P11_DIGEST,
    VD_P11_FIND,
    VD_P11_MESSAGE_ENCRYPT,
    VD_P11_MESSAGE_DECRYPT,
    VD_P11_KINDS,
};

/* A mechanism with its parameters, checked and copied. */
struct vd_p11_mechanism {
    CK_MECHANISM_TYPE type;
    enum vd_alg_mechanism alg;
    const struct vd_p11_hash *hash; /* the module hashes; NULL: the service takes the message */
    size_t digest_size; /* what comes is a digest of so many bytes, or of more; 0: it is not */
    bool digest_info;   /* the digest goes inside a DigestInfo */
    uint8_t aux[1024];  /* additional data, context, label */
    size_t aux_size;
    uint8_t nonce[16];
    size_t nonce_size;
};

struct vd_p11_operation {
    struct vd_p11_mechanism mechanism;
    struct vd_p11_object *object; /* a reference; NULL: digest */
    bool updated;                 /* a part came: single-part functions are out */
    void *hash;                   /* EVP_MD_CTX */
    struct vd_p11_buffer data;
    bool done; /* `result` is there: the caller's room was too small */
    struct vd_p11_buffer result;
    CK_OBJECT_HANDLE *found; /* of a search */
    size_t found_count, found_at;
    uint8_t signature[8192]; /* C_VerifySignatureInit */
    size_t signature_size;
};

struct vd_p11_session {
    uint32_t refs; /* under vd_p11.lock */
    bool closed;
    CK_SESSION_HANDLE handle;
    CK_FLAGS flags;
    pthread_mutex_t lock;
    struct vd_p11_operation *op[VD_P11_KINDS]; /* NULL: none is active */
};

/* State of the module between C_Initialize and C_Finalize. */
struct vd_p11_state {
    bool initialized;
    pthread_mutex_t lock;
    struct vd_p11_session **sessions; /* by index; NULL: free */
    uint32_t session_room, session_count;
    uint32_t session_serial;
    uint32_t free_hint;
    bool logged_in;
    CK_USER_TYPE user;
    struct vd_p11_object **objects; /* by handle - 1; NULL: gone */
    size_t object_room, object_count, session_objects;
    struct vd_p11_index *index; /* of token objects by key id and class */
    uint32_t listing;
    struct vd_keyclient *client;
    uint64_t generation; /* of the store when its keys were listed; 0: they are to be */
};
extern struct vd_p11_state vd_p11;

/* --- module.c */
CK_RV vd_p11_rv(vd_status status);

/* --- session.c */
CK_RV vd_p11_enter(CK_SESSION_HANDLE handle, struct vd_p11_session **ret);
CK_RV vd_p11_leave(struct vd_p11_session *session, CK_RV rv);
void vd_p11_session_end_all(void);
void vd_p11_sessions_done(void); /* under vd_p11.lock, after the former */

/* --- operation.c */
CK_RV vd_p11_op_new(struct vd_p11_session *session, enum vd_p11_kind kind,
                    struct vd_p11_operation **ret);
void vd_p11_op_end(struct vd_p11_session *session, enum vd_p11_kind kind);
CK_RV vd_p11_buffer_add(struct vd_p11_buffer *buffer, const void *data, size_t size);
void vd_p11_buffer_done(struct vd_p11_buffer *buffer);

/*
 * Gives a result whose size is known only when it has been made: where the room is too small the
 * operation goes on (`*ret_active`), and the result is given the next time.
 */
CK_RV vd_p11_give(const struct vd_p11_buffer *result, CK_BYTE *out, CK_ULONG *out_len,
                  bool *ret_active);

/* --- hash.c */
const struct vd_p11_hash *vd_p11_hash_find(CK_MECHANISM_TYPE digest);
size_t vd_p11_hash_size(const struct vd_p11_hash *hash);
CK_RV vd_p11_hash_start(const struct vd_p11_hash *hash, void **ret);
CK_RV vd_p11_hash_update(void *ctx, const void *data, size_t size);
CK_RV vd_p11_hash_end(void *ctx, uint8_t *ret, size_t *ret_size);
void vd_p11_hash_free(void *ctx);
/* The digest inside a DigestInfo (RFC 8017, 9.2), up to VD_P11_DIGEST_INFO bytes: its size. */
#define VD_P11_DIGEST_INFO 83u
size_t vd_p11_digest_info(const struct vd_p11_hash *hash, const uint8_t *digest, uint8_t *ret);

/* --- object.c */
CK_RV vd_p11_object_get(CK_OBJECT_HANDLE handle, struct vd_p11_object **ret);
void vd_p11_object_put(struct vd_p11_object *object);
CK_RV vd_p11_object_add(struct vd_p11_object *object, CK_OBJECT_HANDLE *ret);
void vd_p11_object_remove(struct vd_p11_object *object);
void vd_p11_objects_of_session(CK_SESSION_HANDLE session); /* removes them */
void vd_p11_objects_done(void);
struct vd_p11_object *vd_p11_object_new(CK_OBJECT_CLASS class);
CK_RV vd_p11_objects_refresh(void);
/* A token object by what it mirrors. */
CK_RV vd_p11_object_find(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class, const char *name,
                         CK_OBJECT_HANDLE *ret);
/* The objects of one key just made; either handle may be NULL. */
CK_RV vd_p11_objects_of_key(const struct vd_key_info *info, CK_OBJECT_HANDLE *ret_secret,
                            CK_OBJECT_HANDLE *ret_public);

/* --- key.c */
struct vd_p11_key *vd_p11_key_new(const struct vd_key_info *info);
bool vd_p11_key_same(const struct vd_p11_key *key, const struct vd_key_info *info);
/* Was the key made by this module (so that label and id can be set)? */
bool vd_p11_key_made_here(const struct vd_p11_key *key);
struct vd_p11_key *vd_p11_key_hold(struct vd_p11_key *key);
void vd_p11_key_put(struct vd_p11_key *key);
/* Stores a label and an id (either may be NULL) in place of the key's name and id. */
CK_RV vd_p11_key_describe(struct vd_p11_key *key, const CK_ATTRIBUTE *label,
                          const CK_ATTRIBUTE *id);
/* The public key as SubjectPublicKeyInfo; borrows the key. */
CK_RV vd_p11_key_public(struct vd_p11_key *key, const uint8_t **ret, size_t *ret_size);

/* --- attribute.c */
struct vd_p11_value {
    const void *data;
    size_t size;
    bool withheld; /* it is there, but not to be read */
    uint8_t scratch[32];
};
CK_RV vd_p11_attribute(struct vd_p11_object *object, CK_ATTRIBUTE_TYPE type,
                       struct vd_p11_value *ret);
bool vd_p11_matches(struct vd_p11_object *object, const CK_ATTRIBUTE *template, CK_ULONG count);

/* --- template.c */
struct vd_p11_template {
    const CK_ATTRIBUTE *list;
    CK_ULONG count;
};
CK_RV vd_p11_template_check(const struct vd_p11_template *t);
const CK_ATTRIBUTE *vd_p11_template_find(const struct vd_p11_template *t, CK_ATTRIBUTE_TYPE type);
CK_RV vd_p11_template_bool(const struct vd_p11_template *t, CK_ATTRIBUTE_TYPE type,
                           CK_BBOOL standard, CK_BBOOL *ret);
CK_RV vd_p11_template_ulong(const struct vd_p11_template *t, CK_ATTRIBUTE_TYPE type,
                            CK_ULONG standard, CK_ULONG *ret);

#endif
