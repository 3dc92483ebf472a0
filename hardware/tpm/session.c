/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/session.h"

#include "core/base/mem.h"
#include "core/boot/eventlog.h"
#include "lib/diagf.h"

#define ALG_AES 0x0006u
#define ALG_CFB 0x0043u
#define RH_NULL 0x40000007u

#define SESSION_CONTINUE 0x01u
#define SESSION_DECRYPT  0x20u /* by the TPM: the command's first parameter */
#define SESSION_ENCRYPT  0x40u

void vd_tpm_call_begin(struct vd_tpm_call *call, uint32_t code)
{
    call->code = code;
    call->handle_count = call->authorised = 0;
    call->session = NULL;
    for (size_t i = 0; i < VD_TPM_EXPECTED; i++)
        call->expected[i] = VD_TPM_RC_SUCCESS;
    vd_writer_init(&call->parameters, call->bytes, sizeof(call->bytes));
}

void vd_tpm_call_handle(struct vd_tpm_call *call, uint32_t handle, const struct vd_tpm_name *name)
{
    uint32_t i = call->handle_count++;
    struct vd_writer w;

    call->handle[i] = handle;
    vd_writer_init(&w, call->name[i], sizeof(call->name[i]));
    if (name != NULL)
        vd_write_bytes(&w, name->bytes, sizeof(name->bytes));
    else
        vd_write_be32(&w, handle);
    call->name_size[i] = w.len;
}

void vd_tpm_call_authorised(struct vd_tpm_call *call, uint32_t handle,
                            const struct vd_tpm_name *name, struct vd_tpm_session *session)
{
    vd_tpm_call_handle(call, handle, name);
    call->authorised++;
    if (session != NULL)
        call->session = session;
}

static uint8_t attributes_of(const struct vd_tpm_session *session)
{
    return (uint8_t)(SESSION_CONTINUE | (session->encrypt_command ? SESSION_DECRYPT : 0) |
                     (session->encrypt_response ? SESSION_ENCRYPT : 0));
}

/* En- or decrypts a first parameter; `newer` and `older` are the nonces as KDFa wants them. */
static vd_status crypt(struct vd_tpm_crypto *crypto, const struct vd_tpm_session *session,
                       bool command, uint8_t *data, size_t size)
{
    const struct vd_tpm_piece caller = {session->nonce_caller, sizeof(session->nonce_caller)};
    const struct vd_tpm_piece tpm = {session->nonce_tpm, sizeof(session->nonce_tpm)};
    const struct vd_tpm_kdf kdf = {.key = {session->key, sizeof(session->key)},
                                   .label = "CFB",
                                   .u = command ? caller : tpm,
                                   .v = command ? tpm : caller};
    uint8_t key_iv[VD_TPM_HASH_SIZE];
    vd_status status = vd_tpm_kdfa(crypto, &kdf, key_iv);

    if (status == VD_OK)
        status = vd_tpm_cfb(crypto, command, key_iv, data, size);
    vd_wipe(key_iv, sizeof(key_iv));
    return status;
}

/* The content of the TPM2B at `at` bytes of the parameters; false if there is none. */
static bool first_parameter(uint8_t *bytes, size_t size, uint8_t **ret, size_t *ret_size)
{
    size_t len;

    if (size < 2)
        return false;
    len = (size_t)bytes[0] << 8 | bytes[1];
    if (len > size - 2)
        return false;
    *ret = bytes + 2;
    *ret_size = len;
    return true;
}

/* HMAC of a command or response whose parameter hash is `hash`. */
static vd_status authenticate(struct vd_tpm_crypto *crypto, const struct vd_tpm_session *session,
                              const uint8_t *hash, bool command, uint8_t ret[VD_TPM_HASH_SIZE])
{
    const struct vd_tpm_piece caller = {session->nonce_caller, sizeof(session->nonce_caller)};
    const struct vd_tpm_piece tpm = {session->nonce_tpm, sizeof(session->nonce_tpm)};
    const uint8_t attributes = attributes_of(session);
    const struct vd_tpm_piece key = {session->key, sizeof(session->key)};
    const struct vd_tpm_piece pieces[] = {
        {hash, VD_TPM_HASH_SIZE}, command ? caller : tpm, command ? tpm : caller, {&attributes, 1}};

    return vd_tpm_hmac(crypto, &key, pieces, VD_COUNT(pieces), ret);
}

/* cpHash: code, names and parameters. */
static vd_status command_hash(struct vd_tpm_crypto *crypto, const struct vd_tpm_call *call,
                              uint8_t ret[VD_TPM_HASH_SIZE])
{
    struct vd_tpm_piece pieces[VD_TPM_CALL_HANDLES + 2];
    uint8_t code[4];
    struct vd_writer w;
    size_t count = 0;

    vd_writer_init(&w, code, sizeof(code));
    vd_write_be32(&w, call->code);
    pieces[count++] = (struct vd_tpm_piece){code, sizeof(code)};
    for (uint32_t i = 0; i < call->handle_count; i++)
        pieces[count++] = (struct vd_tpm_piece){call->name[i], call->name_size[i]};
    pieces[count++] = (struct vd_tpm_piece){call->bytes, call->parameters.len};
    return vd_tpm_hash(crypto, pieces, count, ret);
}

/* rpHash: response code 0, command code, parameters. */
static vd_status response_hash(struct vd_tpm_crypto *crypto, uint32_t code,
                               const struct vd_tpm_response *response,
                               uint8_t ret[VD_TPM_HASH_SIZE])
{
    const struct vd_reader *p = &response->parameters;
    uint8_t codes[8];
    struct vd_writer w;
    const struct vd_tpm_piece pieces[] = {{codes, sizeof(codes)}, {p->pos, vd_reader_left(p)}};

    vd_writer_init(&w, codes, sizeof(codes));
    vd_write_be32(&w, VD_TPM_RC_SUCCESS);
    vd_write_be32(&w, code);
    return vd_tpm_hash(crypto, pieces, VD_COUNT(pieces), ret);
}

static void write_password(struct vd_writer *w)
{
    vd_write_be32(w, VD_TPM_RS_PW);
    vd_write_be16(w, 0);
    vd_write_u8(w, 0);
    vd_write_be16(w, 0);
}

/* The session as it goes into a command, with a fresh nonce and the HMAC. */
static vd_status write_session(struct vd_tpm_crypto *crypto, const struct vd_tpm_call *call,
                               struct vd_writer *w)
{
    const struct vd_tpm_session *session = call->session;
    uint8_t hash[VD_TPM_HASH_SIZE], mac[VD_TPM_HASH_SIZE];

    VD_TRY(command_hash(crypto, call, hash));
    VD_TRY(authenticate(crypto, session, hash, true, mac));
    vd_write_be32(w, session->handle);
    vd_tpm_write_2b(w, session->nonce_caller, sizeof(session->nonce_caller));
    vd_write_u8(w, attributes_of(session));
    vd_tpm_write_2b(w, mac, sizeof(mac));
    return VD_OK;
}

/* Handles, authorisations and parameters of the call as one command. */
static vd_status assemble(struct vd_tpm_crypto *crypto, struct vd_tpm_call *call,
                          struct vd_tpm_command *command, struct vd_diag *diag)
{
    bool sessions = call->authorised > 0 || call->session != NULL;
    uint8_t auth[512], *secret;
    struct vd_writer w;
    size_t size;

    if (vd_write_done(&call->parameters) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the command is larger than a TPM takes");
    vd_writer_init(&w, auth, sizeof(auth));
    if (call->session != NULL) {
        VD_TRY(vd_tpm_random(call->session->nonce_caller, sizeof(call->session->nonce_caller)));
        if (call->session->encrypt_command) {
            if (!first_parameter(call->bytes, call->parameters.len, &secret, &size))
                return vd_diag_fail(diag, VD_E_BUG, "the command has no parameter to encrypt");
            VD_TRY(crypt(crypto, call->session, true, secret, size));
        }
        VD_TRY(write_session(crypto, call, &w));
    }
    for (uint32_t i = call->session != NULL ? 1 : 0; i < call->authorised; i++)
        write_password(&w);
    VD_TRY(vd_write_done(&w));
    vd_tpm_begin(command, call->code);
    command->bytes[1] = sessions ? VD_TPM_ST_SESSIONS & 0xff : VD_TPM_ST_NO_SESSIONS & 0xff;
    for (uint32_t i = 0; i < call->handle_count; i++)
        vd_write_be32(&command->w, call->handle[i]);
    if (sessions) {
        vd_write_be32(&command->w, (uint32_t)w.len);
        vd_write_bytes(&command->w, auth, w.len);
    }
    vd_write_bytes(&command->w, call->bytes, call->parameters.len);
    return VD_OK;
}

static vd_status tampered(struct vd_diag *diag)
{
    return vd_diag_fail(diag, VD_E_DENIED,
                        "the TPM's response fails its authentication: it was changed on the way");
}

/* The response's session: nonce, attributes, HMAC; then the first parameter in clear. */
static vd_status accept(struct vd_tpm_crypto *crypto, struct vd_tpm_call *call,
                        struct vd_tpm_response *response, struct vd_diag *diag)
{
    struct vd_tpm_session *session = call->session;
    struct vd_reader *r = &response->authorisations;
    uint8_t hash[VD_TPM_HASH_SIZE], mac[VD_TPM_HASH_SIZE], attributes, *secret;
    const uint8_t *nonce, *given;
    size_t nonce_size, given_size, size, left = vd_reader_left(&response->parameters);

    if (vd_tpm_read_2b(r, VD_TPM_HASH_SIZE, &nonce, &nonce_size) != VD_OK ||
        vd_read_u8(r, &attributes) != VD_OK ||
        vd_tpm_read_2b(r, VD_TPM_HASH_SIZE, &given, &given_size) != VD_OK ||
        nonce_size != VD_TPM_HASH_SIZE || given_size != VD_TPM_HASH_SIZE)
        return tampered(diag);
    vd_copy(session->nonce_tpm, nonce, nonce_size);
    VD_TRY(response_hash(crypto, call->code, response, hash));
    VD_TRY(authenticate(crypto, session, hash, false, mac));
    if (!vd_ct_equal(mac, given, sizeof(mac)) || attributes != attributes_of(session))
        return tampered(diag);
    if (!session->encrypt_response)
        return VD_OK;
    /* The parameters lie in the response's own message, which is ours to change. */
    if (!first_parameter(response->message.bytes +
                             (response->parameters.pos - response->message.bytes),
                         left, &secret, &size))
        return tampered(diag);
    return crypt(crypto, session, false, secret, size);
}

vd_status vd_tpm_call_run(const struct vd_tpm_link *link, struct vd_tpm_call *call,
                          struct vd_tpm_response *ret, struct vd_diag *diag)
{
    struct vd_tpm_command command;
    vd_status status = assemble(link->crypto, call, &command, diag);

    if (status == VD_OK)
        status = vd_tpm_run_expecting(link->tpm, &command, call->expected, ret, diag);
    if (status == VD_OK && ret->code == VD_TPM_RC_SUCCESS && call->session != NULL)
        status = accept(link->crypto, call, ret, diag);
    if (call->session != NULL)
        call->session->encrypt_command = call->session->encrypt_response = false;
    return status;
}

static vd_status set_key(struct vd_tpm_crypto *crypto, const uint8_t salt[VD_TPM_HASH_SIZE],
                         struct vd_tpm_session *session)
{
    const struct vd_tpm_kdf kdf = {.key = {salt, VD_TPM_HASH_SIZE},
                                   .label = "ATH",
                                   .u = {session->nonce_tpm, sizeof(session->nonce_tpm)},
                                   .v = {session->nonce_caller, sizeof(session->nonce_caller)}};

    return vd_tpm_kdfa(crypto, &kdf, session->key);
}

/* TPM2_StartAuthSession; the salt's public point is in `point`. */
static vd_status start(struct vd_tpm *tpm, const struct vd_tpm_storage_key *key,
                       const struct vd_tpm_point *point, struct vd_tpm_session *session,
                       struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    const uint8_t *nonce;
    size_t size;

    vd_tpm_begin(&command, VD_TPM_CC_START_AUTH_SESSION);
    vd_write_be32(&command.w, key->handle);
    vd_write_be32(&command.w, RH_NULL); /* not bound */
    vd_tpm_write_2b(&command.w, session->nonce_caller, sizeof(session->nonce_caller));
    vd_write_be16(&command.w, 2 * (2 + VD_TPM_P256_SIZE));
    vd_tpm_write_2b(&command.w, point->x, sizeof(point->x));
    vd_tpm_write_2b(&command.w, point->y, sizeof(point->y));
    vd_write_u8(&command.w, (uint8_t)session->kind);
    vd_write_be16(&command.w, ALG_AES);
    vd_write_be16(&command.w, 128);
    vd_write_be16(&command.w, ALG_CFB);
    vd_write_be16(&command.w, VD_TPM_ALG_SHA256);
    VD_TRY(vd_tpm_run(tpm, &command, &response, diag));
    session->handle = response.handle;
    if (vd_tpm_read_2b(&response.parameters, VD_TPM_HASH_SIZE, &nonce, &size) != VD_OK ||
        size != VD_TPM_HASH_SIZE || vd_read_done(&response.parameters) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_StartAuthSession");
    vd_copy(session->nonce_tpm, nonce, size);
    return VD_OK;
}

vd_status vd_tpm_session_start(const struct vd_tpm_link *link, enum vd_tpm_session_kind kind,
                               const struct vd_tpm_storage_key *key, struct vd_tpm_session *ret,
                               struct vd_diag *diag)
{
    struct vd_tpm_session session = {.kind = kind};
    uint8_t salt[VD_TPM_HASH_SIZE];
    struct vd_tpm_point point;
    vd_status status = vd_tpm_salt(link->crypto, &key->point, &point, salt);

    if (status != VD_OK)
        return vd_diag_fail(diag, status, "the storage key's public part is no point of P-256");
    status = vd_tpm_random(session.nonce_caller, sizeof(session.nonce_caller));
    if (status == VD_OK)
        status = start(link->tpm, key, &point, &session, diag);
    if (status == VD_OK)
        status = set_key(link->crypto, salt, &session);
    vd_wipe(salt, sizeof(salt));
    if (status == VD_OK)
        *ret = session;
    else
        vd_tpm_session_end(link, &session);
    return status;
}

void vd_tpm_session_end(const struct vd_tpm_link *link, struct vd_tpm_session *session)
{
    if (session->handle != 0)
        (void)!vd_tpm_flush(link->tpm, session->handle, NULL);
    vd_wipe(session, sizeof(*session));
}
