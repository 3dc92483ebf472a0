/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sessions: authorisation by HMAC or policy, and secrets encrypted on the bus.
 *
 *     VD_TRY(vd_tpm_session_start(&link, VD_TPM_SESSION_HMAC, &key, &session, diag));
 *     vd_tpm_call_begin(&call, CC_CREATE);
 *     vd_tpm_call_authorised(&call, key.handle, &key.name, &session);
 *     vd_tpm_write_2b(&call.parameters, …);
 *     VD_TRY(vd_tpm_call_run(&link, &call, &response, diag));
 *
 * A session is salted for a key of the TPM whose public point the caller trusts. Who sits on
 * the bus can then neither read what is encrypted nor change a command or response unseen:
 * each carries an HMAC over its content and fresh nonces. The same session serves many
 * commands; it is lost when the TPM restarts.
 *
 * Source: TCG TPM 2.0 Library 1.59, part 1, 17 to 21; part 3, 11.1.
 */
#ifndef VD_HARDWARE_TPM_SESSION_H
#define VD_HARDWARE_TPM_SESSION_H

#include "hardware/tpm/command.h"
#include "hardware/tpm/crypto.h"

#define VD_TPM_NAME_SIZE 34u /* SHA-256: algorithm and digest */

/* A TPM and the cryptography to talk to it; both borrowed. */
struct vd_tpm_link {
    struct vd_tpm *tpm;
    struct vd_tpm_crypto *crypto;
};

/* The name of an object: what a command's HMAC binds it to. */
struct vd_tpm_name {
    uint8_t bytes[VD_TPM_NAME_SIZE];
};

enum vd_tpm_session_kind {
    VD_TPM_SESSION_HMAC = 0,
    VD_TPM_SESSION_POLICY = 1,
    VD_TPM_SESSION_TRIAL = 3,
};

struct vd_tpm_session {
    uint32_t handle; /* 0: there is none */
    enum vd_tpm_session_kind kind;
    bool encrypt_command;  /* the first parameter of the command, */
    bool encrypt_response; /* of the response; both hold for the next call */
    bool last;             /* the next call that succeeds ends the session */
    bool salted;           /* it has a key: without, it neither authenticates nor encrypts */
    uint8_t nonce_caller[VD_TPM_HASH_SIZE];
    uint8_t nonce_tpm[VD_TPM_HASH_SIZE];
    uint8_t key[VD_TPM_HASH_SIZE];
};

/* A key of the TPM that sessions are salted for, and under which objects are made. */
struct vd_tpm_storage_key {
    uint32_t handle;
    struct vd_tpm_point point;
    struct vd_tpm_name name;
};

/* A password of an object, without zeros at its end. */
struct vd_tpm_auth {
    uint8_t bytes[VD_TPM_HASH_SIZE];
    size_t size;
};

#define VD_TPM_PASSWORD_MAX 1024u

/*
 * A password as the TPM takes it: the bytes themselves, as tpm2-tools has them; of more than
 * VD_TPM_HASH_SIZE bytes their SHA-256. VD_E_USAGE: it is empty or too long.
 */
vd_status vd_tpm_auth_from(const void *password, size_t size, struct vd_tpm_auth *ret,
                           struct vd_diag *diag);

/*
 * Starts a session salted for `key`. Ends with vd_tpm_session_end. VD_E_INVALID if the key's
 * point is not on the curve. Without a key (NULL) it costs no elliptic curve and serves policies
 * whose command has an `extra` session.
 */
vd_status vd_tpm_session_start(const struct vd_tpm_link *link, enum vd_tpm_session_kind kind,
                               const struct vd_tpm_storage_key *key, struct vd_tpm_session *ret,
                               struct vd_diag *diag);

/* A salted session will be started after the next command: its key pair is made meanwhile. */
void vd_tpm_prepare_session(const struct vd_tpm_link *link);

/* Flushes the session and wipes its key; one that was never started is fine. */
void vd_tpm_session_end(const struct vd_tpm_link *link, struct vd_tpm_session *session);

#define VD_TPM_CALL_HANDLES 3u

struct vd_tpm_call {
    uint32_t code;
    uint32_t handle_count;
    uint32_t handle[VD_TPM_CALL_HANDLES];
    uint8_t name[VD_TPM_CALL_HANDLES][VD_TPM_NAME_SIZE];
    size_t name_size[VD_TPM_CALL_HANDLES];
    struct vd_tpm_session *session;     /* borrowed; NULL: the empty password */
    struct vd_tpm_session *extra;       /* borrowed; NULL, or one that authorises nothing */
    const struct vd_tpm_auth *auth;     /* borrowed; NULL, or what `session` proves besides */
    uint32_t authorised;                /* handles that need an authorisation, the first ones */
    uint32_t expected[VD_TPM_EXPECTED]; /* as in vd_tpm_run_expecting; none at the start */
    struct vd_writer parameters;
    uint8_t bytes[VD_TPM_MAX_BYTES];
};

/* Starts a call without handles. */
void vd_tpm_call_begin(struct vd_tpm_call *call, uint32_t code);

/* Adds a handle whose name is the handle itself (hierarchy, PCR, session) or `name`. */
void vd_tpm_call_handle(struct vd_tpm_call *call, uint32_t handle, const struct vd_tpm_name *name);

/*
 * Adds a handle that `session` authorises; NULL: the empty password. At most one handle of a
 * call has a session.
 */
void vd_tpm_call_authorised(struct vd_tpm_call *call, uint32_t handle,
                            const struct vd_tpm_name *name, struct vd_tpm_session *session);

/*
 * Runs the call as vd_tpm_run_expecting does. With a session the response is refused (VD_E_DENIED) if
 * its HMAC is wrong; an encrypted first parameter comes back in clear.
 */
vd_status vd_tpm_call_run(const struct vd_tpm_link *link, struct vd_tpm_call *call,
                          struct vd_tpm_response *ret, struct vd_diag *diag);

#endif
