/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The PKCS#11 module's state. One slot, one token: the key service.
 *
 * Locks, in this order: a session's own is held while a function works in it; `refresh` while the
 * list of keys is read; `lock` guards the tables of sessions and objects and is never held during
 * a request to the service. Sessions, objects and keys are counted references. An object or key
 * that others can see is not changed but replaced: who has the old one goes on with it.
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
#define VD_P11_DATA_MAX     (31u << 20) /* bytes of one operation, its parts together */

struct vd_keyclient_key;

/* What an application may say of a key that it makes; attached to the key. */
enum vd_p11_said {
    VD_P11_SAID_LABEL,      /* CKA_LABEL, instead of the name */
    VD_P11_SAID_ID,         /* CKA_ID, instead of the id */
    VD_P11_SAID_MECHANISMS, /* CKA_ALLOWED_MECHANISMS, as applications pass it */
    VD_P11_SAID,
};

/* A key of the service; private and public objects share it. */
struct vd_p11_key {
    uint32_t refs; /* atomic */
    uint32_t seen; /* the listing that last had it; under vd_p11.lock */
    uint8_t id[VD_KEY_ID_SIZE];
    uint16_t type; /* enum vd_alg_type */
    uint32_t usages, flags;
    uint32_t attached; /* as the service says, like: */
    uint64_t revision; /* 0: it is to be asked again */
    uint64_t not_before, not_after;
    char *name; /* owned */
    struct {
        uint8_t *data; /* owned; NULL: not said */
        size_t size;
    } said[VD_P11_SAID];             /* by an application that made the key */
    pthread_mutex_t lock;            /* of what follows */
    struct vd_keyclient_key *handle; /* NULL: not opened so far */
    uint8_t *spki;                   /* owned; NULL: not asked for so far, else it stays */
    size_t spki_size;
    uint8_t point[72]; /* CKA_EC_POINT, once it was asked for; then it stays */
    size_t point_size;
};

struct vd_p11_object {
    uint32_t refs; /* atomic */
    CK_OBJECT_HANDLE handle;
    CK_OBJECT_CLASS class;
    CK_SESSION_HANDLE session;             /* 0: of the token */
    struct vd_p11_object *next, *previous; /* of a session's, or to be let go; under vd_p11.lock */
    struct vd_p11_key *key;                /* NULL: none */
    /* Of certificates, and of what an application made for its session. */
    uint8_t *value;
    size_t value_size;
    char *attachment; /* a certificate's name at its key */
    CK_KEY_TYPE key_type;
    bool sensitive, extractable;
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
    struct vd_p11_buffer signature; /* C_VerifySignatureInit */
};

struct vd_p11_session {
    uint32_t refs; /* under vd_p11.lock */
    bool closed;
    CK_SESSION_HANDLE handle;
    CK_FLAGS flags;
    pthread_mutex_t lock;
    struct vd_p11_operation *op[VD_P11_KINDS]; /* NULL: none is active */
};

/* A place in the table of objects. */
struct vd_p11_place {
    struct vd_p11_object *object; /* NULL: free */
    uint32_t serial;              /* how many objects had it before */
    uint32_t next_free;           /* place + 1; 0: none */
};

/* State of the module between C_Initialize and C_Finalize. */
struct vd_p11_state {
    bool initialized; /* atomic */
    bool ending;      /* C_Finalize waits for those who work */
    uint32_t working; /* calls that are under way */
    pthread_mutex_t lock, refresh;
    pthread_cond_t idle;              /* nobody works, or the end has come */
    struct vd_p11_session **sessions; /* by index; NULL: free */
    uint32_t session_room, session_count;
    uint32_t session_serial;
    uint32_t free_hint;
    bool logged_in;
    struct vd_p11_place *places;
    uint32_t place_room, place_count; /* used so far, free ones among them */
    uint32_t free_place;              /* place + 1; 0: none */
    struct vd_p11_object *session_objects;
    struct vd_p11_index *index; /* of token objects by key id and class */
    uint32_t listing;
    struct vd_keyclient *client;
    /* Under `refresh`: of the store when its keys were listed. 0: they are to be. */
    uint64_t generation, restored;
};
extern struct vd_p11_state vd_p11;

/* --- module.c */
CK_RV vd_p11_rv(vd_status status);
bool vd_p11_ready(void); /* between C_Initialize and C_Finalize */
/* What works outside a session and needs that it stays so; false: it is not so. */
bool vd_p11_work(void);
void vd_p11_rest(void);
void vd_p11_rest_locked(void); /* under vd_p11.lock */

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
/* Room for `size` bytes behind what is there. */
CK_RV vd_p11_buffer_reserve(struct vd_p11_buffer *buffer, size_t size);
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
/* Every object that there is now, with a reference each; the list is the caller's to free. */
CK_RV vd_p11_objects_all(struct vd_p11_object ***ret, size_t *ret_count);
/*
 * Under vd_p11.lock. Objects that end are put at `dead`, to be let go without it. `publish` takes
 * `object` over when it succeeds: it takes the place of one that mirrors the same.
 */
struct vd_p11_object *vd_p11_object_look_up(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class,
                                            const char *name);
CK_RV vd_p11_object_publish(struct vd_p11_object *object, struct vd_p11_object **dead);
void vd_p11_objects_sweep(struct vd_p11_object **dead); /* what the last listing did not have */
void vd_p11_objects_let_go(struct vd_p11_object *dead);
/* A token object by what it mirrors. */
CK_RV vd_p11_object_find(const uint8_t id[VD_KEY_ID_SIZE], CK_OBJECT_CLASS class, const char *name,
                         CK_OBJECT_HANDLE *ret);

/* --- mirror.c */
CK_RV vd_p11_objects_refresh(void);
/* The objects of one key just made; either handle may be NULL. */
CK_RV vd_p11_objects_of_key(struct vd_p11_key *key, CK_OBJECT_HANDLE *ret_secret,
                            CK_OBJECT_HANDLE *ret_public);

/* --- key.c */
/* Asks the service for nothing. */
struct vd_p11_key *vd_p11_key_new(const struct vd_key_info *info);
/* Was the key made by this module (so that label and id can be set)? */
bool vd_p11_key_made_here(const struct vd_p11_key *key);
struct vd_p11_key *vd_p11_key_hold(struct vd_p11_key *key);
void vd_p11_key_put(struct vd_p11_key *key);
/* Takes what is attached to a key that nobody else sees. */
void vd_p11_key_take(struct vd_p11_key *key, const char *name, const uint8_t *value, size_t size);
/* Attaches what the template says of the key: label, id, allowed mechanisms. */
struct vd_p11_template;
CK_RV vd_p11_key_describe(struct vd_p11_key *key, const struct vd_p11_template *t);
/* A key just made, which only the caller sees, says so at once; the next listing reads it again. */
void vd_p11_key_call(struct vd_p11_key *key, const struct vd_p11_template *t);
/* May the key be used with that mechanism? Who made it may have said with which alone. */
bool vd_p11_key_allows(const struct vd_p11_key *key, CK_MECHANISM_TYPE mechanism);
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
