/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The root key: 32 random bytes from which every other key of the service is derived, kept in a
 * file (docs/formats/root-key.md) that is worthless without one of three things:
 *
 *   tpm         a TPM in the state of a policy (PCRs, or a state that a key approved)
 *   passphrase  a passphrase, through scrypt: for development
 *   hsm         a key in a PKCS#11 token
 *
 * and the counter of a TPM that tells an old store from the present one.
 *
 *     struct vd_root_options o = {.kind = VD_ROOT_TPM, .path = path, .pcrs = "7,11"};
 *     VD_TRY(vd_root_create(&o, &key, &root, diag));        or vd_root_open
 *     struct vd_kstore_counter c = {root, vd_root_counter_read, vd_root_counter_increment};
 *
 * What the file says outside the wrapped key is bound to it by a MAC under the key itself. A TPM
 * that goes away while the counter is used is looked for again; what cannot be finished then is an
 * error of that call, and the next call tries afresh.
 *
 * Threads: one at a time. Memory: the key in the caller's vd_secret alone.
 */
#ifndef VD_SERVICES_CRYPTO_ROOT_ROOT_H
#define VD_SERVICES_CRYPTO_ROOT_ROOT_H

#include "core/base/diag.h"
#include "lib/secret.h"

#define VD_ROOT_KEY_SIZE       32u
#define VD_ROOT_PASSPHRASE_MAX 1024u /* bytes; at least VD_ROOT_PASSPHRASE_MIN */
#define VD_ROOT_PASSPHRASE_MIN 8u
#define VD_ROOT_COUNTER        0x01800110u     /* NV index of the counter where none is named */
#define VD_ROOT_REFERENCE      "veridian-root" /* of approvals: policy sign --reference */
#define VD_ROOT_NO_COUNTER     UINT32_MAX
#define VD_ROOT_WRAPPED_MAX    1024u
#define VD_ROOT_TOKEN_MAX      64u
#define VD_ROOT_KEY_ID_MAX     64u

enum vd_root_kind {
    VD_ROOT_TPM = 1,
    VD_ROOT_HSM = 2,
    VD_ROOT_PASSPHRASE = 3,
};

/* "tpm", "hsm", "passphrase"; "?" for a value outside the list. */
const char *vd_root_kind_name(enum vd_root_kind kind);

/* The key as a token wrapped it, and what finds the wrapping key again. */
struct vd_root_wrapped {
    uint8_t token[VD_ROOT_TOKEN_MAX]; /* the token's label or serial number, no NUL needed */
    size_t token_size;                /* 1 to VD_ROOT_TOKEN_MAX */
    uint8_t key_id[VD_ROOT_KEY_ID_MAX];
    size_t key_id_size; /* 1 to VD_ROOT_KEY_ID_MAX */
    uint64_t mechanism; /* CK_MECHANISM_TYPE */
    uint8_t data[VD_ROOT_WRAPPED_MAX];
    size_t size; /* 1 to VD_ROOT_WRAPPED_MAX */
};

/* The way to a token. Both functions have VD_ROOT_KEY_SIZE bytes in `key`. */
struct vd_root_token {
    void *ctx;
    vd_status (*wrap)(void *ctx, const struct vd_secret *key, struct vd_root_wrapped *ret,
                      struct vd_diag *diag);
    /* `key` has its size already and is filled. VD_E_MISSING: the token or its key is not there;
     * VD_E_DENIED: it refuses. */
    vd_status (*unwrap)(void *ctx, const struct vd_root_wrapped *wrapped, struct vd_secret *key,
                        struct vd_diag *diag);
};

struct vd_root_options {
    enum vd_root_kind kind;
    const char *path; /* of the root file */
    /* TPM: for `tpm`, and for the counter. */
    const char *tpm;       /* as vd_tpm_open takes it; NULL: the machine's */
    const char *pcrs;      /* "7,11": as they are now; NULL without `authority`: "7" */
    const char *authority; /* PEM file, ECDSA P-256 public key: any state that it approved */
    const char *approval;  /* file of `veridian tpm policy sign --reference "veridian-root"`; to
                              open, with an authority */
    const struct vd_secret *pin; /* NULL, or what the TPM wants besides */
    uint32_t counter;            /* NV index; 0: VD_ROOT_COUNTER for `tpm`, none for the others;
                                    VD_ROOT_NO_COUNTER: none. Open takes it from the file. */
    const struct vd_secret *passphrase;
    uint32_t scrypt_log_n; /* 10 to 20; 0: 16 (64 MiB). Open takes it from the file. */
    const struct vd_root_token *token;
};

struct vd_root;

/*
 * Makes a root key, its file (which must not be there: VD_E_EXISTS) and, where there is one, the
 * counter. `ret_key` is empty before; the caller ends both. VD_E_USAGE: an option is missing or
 * does not fit; VD_E_MISSING: no TPM or token.
 */
vd_status vd_root_create(const struct vd_root_options *options, struct vd_secret *ret_key,
                         struct vd_root **ret, struct vd_diag *diag);

/*
 * Opens the file. VD_E_NOT_FOUND: there is none; VD_E_USAGE: it is of another kind than
 * options->kind; VD_E_DENIED: the TPM's state, passphrase, PIN or token is not the right one, the
 * text says which; VD_E_SIGNATURE: the file was changed; the reader's errors for a file that is
 * none, with the offset.
 */
vd_status vd_root_open(const struct vd_root_options *options, struct vd_secret *ret_key,
                       struct vd_root **ret, struct vd_diag *diag);

/*
 * Protects the same key otherwise: by another policy, PIN or passphrase, or another kind of
 * protection. The file is replaced whole: after a crash it is the old or the new one. The counter
 * stays unless `to` names another. `to->path` is ignored. On failure nothing has changed.
 */
vd_status vd_root_change(struct vd_root *root, const struct vd_root_options *to,
                         const struct vd_secret *key, struct vd_diag *diag);

/* Lets go of TPM and memory; NULL is fine. */
void vd_root_free(struct vd_root *root);

enum vd_root_kind vd_root_kind_of(const struct vd_root *root);

/* False: counter calls fail with VD_E_UNSUPPORTED, and a store goes without one. */
bool vd_root_has_counter(const struct vd_root *root);

/*
 * The counter, as struct vd_kstore_counter wants it (`root` is a struct vd_root *): reads it, or
 * adds exactly one and gives the new value. A TPM that was lost and is back is used again; an
 * increment whose answer was lost is looked up, never repeated blindly. VD_E_DIFFERS: the index is
 * no longer the counter of the file. VD_E_MISSING, VD_E_IO, VD_E_TIMEOUT: the TPM is away.
 */
vd_status vd_root_counter_read(void *root, uint64_t *ret, struct vd_diag *diag);
vd_status vd_root_counter_increment(void *root, uint64_t *ret, struct vd_diag *diag);

#endif
