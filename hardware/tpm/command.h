/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TPM 2.0 commands: building one, running it, reading its response.
 *
 *     struct vd_tpm_command c;
 *     vd_tpm_begin(&c, VD_TPM_CC_PCR_READ);
 *     vd_write_…(&c.w, …);                            parameters
 *     VD_TRY(vd_tpm_run(tpm, &c, &response, diag));   response.parameters, bounded
 *
 * A command with authorisation names its handles first, then one empty-password
 * session for each, which is what a hierarchy or key without a password needs.
 * Numbers are big-endian. Source: TCG TPM 2.0 Library 1.59, parts 1 to 3.
 */
#ifndef VD_HARDWARE_TPM_COMMAND_H
#define VD_HARDWARE_TPM_COMMAND_H

#include "core/base/reader.h"
#include "core/base/writer.h"
#include "hardware/tpm/transport.h"

#define VD_TPM_ST_NO_SESSIONS 0x8001u
#define VD_TPM_ST_SESSIONS    0x8002u

#define VD_TPM_CC_SELF_TEST          0x00000143u
#define VD_TPM_CC_STARTUP            0x00000144u
#define VD_TPM_CC_NV_READ            0x0000014eu
#define VD_TPM_CC_CREATE_PRIMARY     0x00000131u
#define VD_TPM_CC_LOAD_EXTERNAL      0x00000167u
#define VD_TPM_CC_LOAD               0x00000157u
#define VD_TPM_CC_CONTEXT_LOAD       0x00000161u
#define VD_TPM_CC_QUOTE              0x00000158u
#define VD_TPM_CC_FLUSH_CONTEXT      0x00000165u
#define VD_TPM_CC_GET_CAPABILITY     0x0000017au
#define VD_TPM_CC_START_AUTH_SESSION 0x00000176u
#define VD_TPM_CC_PCR_EXTEND         0x00000182u
#define VD_TPM_CC_PCR_READ           0x0000017eu

#define VD_TPM_RS_PW          0x40000009u
#define VD_TPM_RH_ENDORSEMENT 0x4000000bu

#define VD_TPM_RC_SUCCESS    0x000u
#define VD_TPM_RC_INITIALIZE 0x100u
#define VD_TPM_RC_NEEDS_TEST 0x153u
#define VD_TPM_RC_YIELDED    0x908u
#define VD_TPM_RC_TESTING    0x90au
#define VD_TPM_RC_RETRY      0x922u

#define VD_TPM_DIGEST_MAX 64u

struct vd_tpm_command {
    struct vd_writer w;
    uint8_t bytes[VD_TPM_MAX_BYTES];
};

struct vd_tpm_response {
    /* What the command was. */
    bool sessions;       /* it had a session */
    bool returns_handle; /* it makes an object or session */
    /* What came back. */
    uint32_t code;                   /* with another one than 0 there is nothing else */
    uint32_t handle;                 /* 0: the command returns none */
    struct vd_reader parameters;     /* borrows the message, as the next */
    struct vd_reader authorisations; /* what the sessions answer; empty without */
    struct vd_tpm_message message;
};

/* Starts a command without authorisation. */
void vd_tpm_begin(struct vd_tpm_command *command, uint32_t code);

/* Starts a command with one handle that is authorised by the empty password. */
void vd_tpm_begin_authorised(struct vd_tpm_command *command, uint32_t code, uint32_t handle);

/* Appends a TPM2B: u16 size and the bytes. */
void vd_tpm_write_2b(struct vd_writer *w, const void *data, size_t size);

/* Reads a TPM2B of at most `max` bytes; VD_E_LIMIT beyond. */
vd_status vd_tpm_read_2b(struct vd_reader *r, size_t max, const uint8_t **ret, size_t *ret_size);

/*
 * Sends the command and reads the response's head. A TPM that was not started
 * is started, one that wants its self test gets it, and "retry" is retried;
 * every other response code fails with its text (VD_E_SYSTEM; VD_E_DENIED for
 * authorisation and policy; VD_E_UNSUPPORTED for what this TPM cannot do).
 */
vd_status vd_tpm_run(struct vd_tpm *tpm, struct vd_tpm_command *command,
                     struct vd_tpm_response *ret, struct vd_diag *diag);

#define VD_TPM_EXPECTED 4u

/*
 * The same, but the response codes in `expected` (unused ones 0) are no failure: VD_OK, and
 * `ret->code` has it.
 */
vd_status vd_tpm_run_expecting(struct vd_tpm *tpm, struct vd_tpm_command *command,
                               const uint32_t expected[VD_TPM_EXPECTED],
                               struct vd_tpm_response *ret, struct vd_diag *diag);

/*
 * Reads `response->message`: exact size, response code, handle, and with
 * sessions the parameter size and what the sessions answer after them.
 */
vd_status vd_tpm_parse_response(struct vd_tpm_response *response, struct vd_diag *diag);

/* Drops an object or session from the TPM. */
vd_status vd_tpm_flush(struct vd_tpm *tpm, uint32_t handle, struct vd_diag *diag);

/* A clear text for a response code; "unknown" ones get one for their group. */
const char *vd_tpm_rc_text(uint32_t code);

/* Fails with "WHAT: the response is malformed". */
vd_status vd_tpm_malformed(struct vd_diag *diag, const char *what);

#endif
