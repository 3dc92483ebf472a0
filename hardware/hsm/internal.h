/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of hardware/hsm share: the module, the session, checked answers.
 *
 * An operation is a function that hsm_run calls with an open session. Each call to the module
 * goes through hsm_check, which notes a lost session; hsm_run then opens afresh and calls the
 * operation once more.
 */
#ifndef VD_HARDWARE_HSM_INTERNAL_H
#define VD_HARDWARE_HSM_INTERNAL_H

#include <p11-kit/pkcs11.h>
#include <sys/types.h>

#include "hardware/hsm/hsm.h"

#define HSM_TEMPLATE_MAX 24u
#define HSM_PUBLIC_CACHE 8u

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* A public key that was read before: a token that comes back must sign under the same. */
struct hsm_public {
    struct vd_hsm_key key;
    struct evp_pkey_st *pkey;
};

struct hsm_module {
    void *library;
    CK_FUNCTION_LIST *f;
};

struct vd_hsm {
    struct hsm_module module;
    char path[VD_HSM_PATH_MAX];
    struct vd_hsm_uri uri;     /* which token; after the first opening exactly that one */
    struct vd_hsm_token token; /* as at the last opening */
    struct vd_secret pin;
    bool login;
    bool pin_refused; /* never tried again */
    bool open;
    bool lost; /* the last call said that the session or token is gone */
    CK_SESSION_HANDLE session;
    uint64_t opening; /* counts them; handles of an earlier one are void */
    pid_t pid;
    uint32_t mechanism_count;
    struct vd_hsm_mechanism mechanism[VD_HSM_MECHANISMS_MAX];
    uint32_t public_next;
    struct hsm_public public[HSM_PUBLIC_CACHE];
};

/* ---- names.c ---- */
const char *hsm_result_name(CK_RV rv);
const char *hsm_mechanism_name(CK_MECHANISM_TYPE type); /* NULL: none known */

/* ---- module.c ---- */

/* Notes "CALL: CKR_NAME" with a status that fits the result; VD_OK for CKR_OK. */
vd_status hsm_result(struct vd_diag *diag, const char *call, CK_RV rv);

/* Loads and initialises; ends with hsm_module_close, which finalises with the last user. */
vd_status hsm_module_open(struct hsm_module *ret, const char *path, struct vd_diag *diag);
void hsm_module_close(struct hsm_module *module);
/* Initialises again where the module has forgotten that it was. */
vd_status hsm_module_again(const struct hsm_module *module, struct vd_diag *diag);

/* The slots, bounded; with what stands in them. */
vd_status hsm_slots(const struct hsm_module *module, struct vd_hsm_token *ret, uint32_t *ret_count,
                    struct vd_diag *diag);

/* Text of a fixed field, without padding; what is not printable ASCII becomes `?`. */
void hsm_text(char *ret, const void *field, size_t size);

/* ---- session.c ---- */
typedef vd_status hsm_op(struct vd_hsm *hsm, void *ctx, struct vd_diag *diag);

vd_status hsm_run(struct vd_hsm *hsm, hsm_op *op, void *ctx, struct vd_diag *diag);

/* As hsm_result; notes a lost session. */
vd_status hsm_check(struct vd_hsm *hsm, const char *call, CK_RV rv, struct vd_diag *diag);

/* The mechanism's row, NULL: the token does not have it with all of `flags`. */
const struct vd_hsm_mechanism *hsm_mechanism(const struct vd_hsm *hsm, CK_MECHANISM_TYPE type,
                                             CK_FLAGS flags);

/* VD_E_UNSUPPORTED that names the mechanism. */
vd_status hsm_lacks(const struct vd_hsm *hsm, CK_MECHANISM_TYPE type, struct vd_diag *diag);

/* Logs in for one use of a key that wants it, after …Init. */
vd_status hsm_authenticate(struct vd_hsm *hsm, const struct vd_hsm_key *key, struct vd_diag *diag);

/* ---- object.c ---- */

/* An attribute of at most `max` bytes; VD_E_NOT_FOUND: the object has none; VD_E_DENIED: secret. */
vd_status hsm_get(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attribute, size_t max,
                  struct vd_diag *diag);
vd_status hsm_get_ulong(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                        CK_ULONG *ret, struct vd_diag *diag);

/* The handles that fit the template; at most `max`, more are VD_E_LIMIT. */
struct hsm_search {
    CK_ATTRIBUTE *template;
    CK_ULONG template_count;
    CK_OBJECT_HANDLE *found;
    uint32_t max, count;
};
vd_status hsm_search(struct vd_hsm *hsm, struct hsm_search *search, struct vd_diag *diag);

/* The key's handle in this opening; looks it up where it is from an earlier one. */
vd_status hsm_handle(struct vd_hsm *hsm, struct vd_hsm_key *key, CK_OBJECT_HANDLE *ret,
                     struct vd_diag *diag);

/* The one key of `uri`, inside an operation. */
vd_status hsm_find_key(struct vd_hsm *hsm, const struct vd_hsm_uri *uri, struct vd_hsm_key *ret,
                       struct vd_diag *diag);

/* What a key is; `ret` has its class. */
vd_status hsm_describe(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, struct vd_hsm_key *ret,
                       struct vd_diag *diag);

/* ---- public.c ---- */

/* The pair's public key, lent; inside an operation. */
vd_status hsm_public_key(struct vd_hsm *hsm, struct vd_hsm_key *key, struct evp_pkey_st **ret,
                         struct vd_diag *diag);
void hsm_public_forget(struct vd_hsm *hsm);

/* Public keys from attributes' bytes; the caller frees. VD_E_INVALID: they are none. */
struct hsm_bytes {
    const uint8_t *data;
    size_t size;
};
vd_status hsm_rsa_from(struct hsm_bytes modulus, struct hsm_bytes exponent,
                       struct evp_pkey_st **ret, struct vd_diag *diag);
vd_status hsm_ec_from(struct hsm_bytes params, struct hsm_bytes point, struct evp_pkey_st **ret,
                      struct vd_diag *diag);

extern const uint8_t hsm_p256_params[10]; /* the curve's object identifier in DER */

/* ---- sign.c ---- */
CK_MECHANISM_TYPE hsm_hash_mechanism(enum vd_hsm_hash hash, CK_ULONG *ret_mgf);
const char *hsm_hash_name(enum vd_hsm_hash hash); /* OpenSSL's */

/* ---- crypt.c ---- */

/* A session key, read out and destroyed again: what was unwrapped or derived. */
vd_status hsm_take_value(struct vd_hsm *hsm, CK_OBJECT_HANDLE object, size_t size,
                         struct vd_secret *ret, struct vd_diag *diag);

#endif
