/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/session.h"

#include "core/base/mem.h"
#include "core/boot/eventlog.h"
#include "lib/diagf.h"
#include "lib/hash.h"

#define ALG_AES 0x0006u
#define ALG_CFB 0x0043u
#define RH_NULL 0x40000007u

#define SESSION_CONTINUE 0x01u
#define SESSION_DECRYPT  0x20u /* by the TPM: the command's first parameter */
#define SESSION_ENCRYPT  0x40u

vd_status vd_tpm_auth_from(const void *password, size_t size, struct vd_tpm_auth *ret,
                           struct vd_diag *diag)
{
    if (size > VD_TPM_PASSWORD_MAX)
        return vd_diagf(diag, VD_E_USAGE, "a password has at most %u bytes", VD_TPM_PASSWORD_MAX);
    if (size > sizeof(ret->bytes)) {
        VD_TRY(vd_hash(VD_HASH_SHA256, password, size, ret->bytes, diag));
        size = sizeof(ret->bytes);
    } else {
        vd_copy(ret->bytes, password, size);
    }
    while (size > 0 && ret->bytes[size - 1] == 0)
        size--;
    ret->size = size;
    return size > 0 ? VD_OK : vd_diag_fail(diag, VD_E_USAGE, "the password is empty");
}

void vd_tpm_call_begin(struct vd_tpm_call *call, uint32_t code)
{
    call->code = code;
    call->handle_count = call->authorised = 0;
    call->session = call->extra = NULL;
    call->auth = NULL;
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
    return (uint8_t)((session->last ? 0 : SESSION_CONTINUE) |
                     (session->encrypt_command ? SESSION_DECRYPT : 0) |
                     (session->encrypt_response ? SESSION_ENCRYPT : 0));
}

/* A session in a call: its key is followed by the password of the object that it authorises. */
struct part {
    struct vd_tpm_session *session;
    uint8_t key[VD_TPM_HASH_SIZE + sizeof(((struct vd_tpm_auth *)NULL)->bytes)];
    size_t key_size;
};

/* The call's sessions; `ret` has room for two and is wiped by the caller. */
static uint32_t parts_of(const struct vd_tpm_call *call, struct part ret[2])
{
    struct vd_tpm_session *const sessions[] = {call->session, call->extra};
    uint32_t count = 0;

    for (uint32_t i = 0; i < VD_COUNT(sessions); i++) {
        struct part *part = &ret[count];
        struct vd_writer w;

        if (sessions[i] == NULL)
            continue;
        vd_writer_init(&w, part->key, sizeof(part->key));
        if (sessions[i]->salted)
            vd_write_bytes(&w, sessions[i]->key, sizeof(sessions[i]->key));
        if (i == 0 && call->auth != NULL)
            vd_write_bytes(&w, call->auth->bytes, call->auth->size);
        part->session = sessions[i];
        part->key_size = w.len;
        count++;
    }
    return count;
}

/* En- or decrypts a first parameter; `newer` and `older` are the nonces as KDFa wants them. */
static vd_status crypt(struct vd_tpm_crypto *crypto, const struct part *part, bool command,
                       uint8_t *data, size_t size)
{
    const struct vd_tpm_session *session = part->session;
    const struct vd_tpm_piece caller = {session->nonce_caller, sizeof(session->nonce_caller)};
    const struct vd_tpm_piece tpm = {session->nonce_tpm, sizeof(session->nonce_tpm)};
    const struct vd_tpm_kdf kdf = {.key = {part->key, part->key_size},
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
static vd_status authenticate(struct vd_tpm_crypto *crypto, const struct part *part,
                              const uint8_t *hash, bool command, uint8_t ret[VD_TPM_HASH_SIZE])
{
    const struct vd_tpm_session *session = part->session;
    const struct vd_tpm_piece caller = {session->nonce_caller, sizeof(session->nonce_caller)};
    const struct vd_tpm_piece tpm = {session->nonce_tpm, sizeof(session->nonce_tpm)};
    const uint8_t attributes = attributes_of(session);
    const struct vd_tpm_piece key = {part->key, part->key_size};
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

/* A session as it goes into a command, with its nonce and, if it has a key, the HMAC. */
static vd_status write_session(struct vd_tpm_crypto *crypto, const struct part *part,
                               const uint8_t *hash, struct vd_writer *w)
{
    const struct vd_tpm_session *session = part->session;
    uint8_t mac[VD_TPM_HASH_SIZE];

    vd_write_be32(w, session->handle);
    vd_tpm_write_2b(w, session->nonce_caller, sizeof(session->nonce_caller));
    vd_write_u8(w, attributes_of(session));
    if (part->key_size == 0) {
        vd_write_be16(w, 0);
        return VD_OK;
    }
    VD_TRY(authenticate(crypto, part, hash, true, mac));
    vd_tpm_write_2b(w, mac, sizeof(mac));
    return VD_OK;
}

/* Fresh nonces, the first parameter encrypted if a session is to, and the sessions into `w`. */
static vd_status write_sessions(struct vd_tpm_crypto *crypto, struct vd_tpm_call *call,
                                struct part *parts, uint32_t count, struct vd_writer *w)
{
    uint8_t hash[VD_TPM_HASH_SIZE], *secret;
    size_t size;

    for (uint32_t i = 0; i < count; i++) {
        struct vd_tpm_session *session = parts[i].session;

        VD_TRY(vd_tpm_random(session->nonce_caller, sizeof(session->nonce_caller)));
        if (!session->encrypt_command)
            continue;
        if (!first_parameter(call->bytes, call->parameters.len, &secret, &size))
            return VD_E_BUG;
        VD_TRY(crypt(crypto, &parts[i], true, secret, size));
    }
    if (count > 0)
        VD_TRY(command_hash(crypto, call, hash));
    if (count > 0 && call->session != NULL)
        VD_TRY(write_session(crypto, &parts[0], hash, w));
    for (uint32_t i = call->session != NULL ? 1 : 0; i < call->authorised; i++)
        write_password(w);
    if (call->extra != NULL)
        VD_TRY(write_session(crypto, &parts[count - 1], hash, w));
    return vd_write_done(w);
}

/* Handles, authorisations and parameters of the call as one command. */
static vd_status assemble(struct vd_tpm_crypto *crypto, struct vd_tpm_call *call,
                          struct part *parts, struct vd_tpm_command *command, struct vd_diag *diag)
{
    uint32_t count = parts_of(call, parts);
    bool sessions = call->authorised > 0 || count > 0;
    struct vd_writer w;
    uint8_t auth[512];

    if (vd_write_done(&call->parameters) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the command is larger than a TPM takes");
    vd_writer_init(&w, auth, sizeof(auth));
    if (write_sessions(crypto, call, parts, count, &w) != VD_OK)
        return vd_diag_fail(diag, VD_E_SYSTEM, "the command's sessions cannot be computed");
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

/* One session of a response: nonce, attributes, and the HMAC if it has a key. */
static vd_status accept_session(struct vd_tpm_crypto *crypto, const struct part *part,
                                const uint8_t *hash, struct vd_reader *r, struct vd_diag *diag)
{
    size_t nonce_size, given_size, mac_size = part->key_size > 0 ? VD_TPM_HASH_SIZE : 0;
    struct vd_tpm_session *session = part->session;
    uint8_t mac[VD_TPM_HASH_SIZE], attributes;
    const uint8_t *nonce, *given;

    if (vd_tpm_read_2b(r, VD_TPM_HASH_SIZE, &nonce, &nonce_size) != VD_OK ||
        vd_read_u8(r, &attributes) != VD_OK ||
        vd_tpm_read_2b(r, VD_TPM_HASH_SIZE, &given, &given_size) != VD_OK ||
        nonce_size != VD_TPM_HASH_SIZE || given_size != mac_size)
        return tampered(diag);
    vd_copy(session->nonce_tpm, nonce, nonce_size);
    if (mac_size == 0)
        return VD_OK;
    VD_TRY(authenticate(crypto, part, hash, false, mac));
    if (!vd_ct_equal(mac, given, sizeof(mac)) || attributes != attributes_of(session))
        return tampered(diag);
    return VD_OK;
}

/* What the response's sessions say; then the first parameter in clear. */
static vd_status accept(struct vd_tpm_crypto *crypto, const struct vd_tpm_call *call,
                        const struct part parts[2], struct vd_tpm_response *response,
                        struct vd_diag *diag)
{
    size_t size, left = vd_reader_left(&response->parameters);
    struct vd_reader *r = &response->authorisations;
    const struct part *extra = &parts[call->session != NULL ? 1 : 0];
    const struct part *hider = NULL;
    uint8_t hash[VD_TPM_HASH_SIZE], *secret;

    VD_TRY(response_hash(crypto, call->code, response, hash));
    if (call->session != NULL)
        VD_TRY(accept_session(crypto, &parts[0], hash, r, diag));
    for (uint32_t i = call->session != NULL ? 1 : 0; i < call->authorised; i++) {
        if (vd_read_skip(r, 2 + 1 + 2) != VD_OK) /* of an empty password */
            return tampered(diag);
    }
    if (call->extra != NULL)
        VD_TRY(accept_session(crypto, extra, hash, r, diag));
    if (call->session != NULL && call->session->encrypt_response)
        hider = &parts[0];
    if (call->extra != NULL && call->extra->encrypt_response)
        hider = extra;
    if (hider == NULL)
        return VD_OK;
    /* The parameters lie in the response's own message, which is ours to change. */
    if (!first_parameter(response->message.bytes +
                             (response->parameters.pos - response->message.bytes),
                         left, &secret, &size))
        return tampered(diag);
    return crypt(crypto, hider, false, secret, size);
}

/* What held for this call alone ends with it. */
static void settle(struct vd_tpm_session *session, bool done)
{
    if (session == NULL)
        return;
    session->encrypt_command = session->encrypt_response = false;
    if (session->last && done)
        session->handle = 0;
    session->last = false;
}

vd_status vd_tpm_call_run(const struct vd_tpm_link *link, struct vd_tpm_call *call,
                          struct vd_tpm_response *ret, struct vd_diag *diag)
{
    bool has_sessions = call->session != NULL || call->extra != NULL, done = false;
    struct vd_tpm_command command;
    struct part parts[2] = {};
    vd_status status = assemble(link->crypto, call, parts, &command, diag);

    if (status == VD_OK)
        status = vd_tpm_run_expecting(link->tpm, &command, call->expected, ret, diag);
    if (status == VD_OK && ret->code == VD_TPM_RC_SUCCESS && has_sessions) {
        status = accept(link->crypto, call, parts, ret, diag);
        done = status == VD_OK;
    }
    vd_wipe(parts, sizeof(parts));
    settle(call->session, done);
    settle(call->extra, done);
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
    vd_write_be32(&command.w, key != NULL ? key->handle : RH_NULL);
    vd_write_be32(&command.w, RH_NULL); /* not bound */
    vd_tpm_write_2b(&command.w, session->nonce_caller, sizeof(session->nonce_caller));
    vd_write_be16(&command.w, key != NULL ? 2 * (2 + VD_TPM_P256_SIZE) : 0);
    if (key != NULL) {
        vd_tpm_write_2b(&command.w, point->x, sizeof(point->x));
        vd_tpm_write_2b(&command.w, point->y, sizeof(point->y));
    }
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

static void prepare_salt(void *ctx)
{
    vd_tpm_salt_prepare(ctx);
}

/* The salt, computed while the TPM computes it, too. */
struct salting {
    struct vd_tpm_crypto *crypto;
    const struct vd_tpm_point *key;
    uint8_t salt[VD_TPM_HASH_SIZE];
    vd_status status;
};

static void finish_salt(void *ctx)
{
    struct salting *salting = ctx;

    salting->status = vd_tpm_salt_finish(salting->crypto, salting->key, salting->salt);
}

/* Starts the session, and on this side its salt with it. */
static vd_status start_salted(const struct vd_tpm_link *link, const struct vd_tpm_storage_key *key,
                              struct vd_tpm_session *session, struct vd_diag *diag)
{
    struct salting salting = {.crypto = link->crypto, .key = &key->point, .status = VD_E_SYSTEM};
    struct vd_tpm_point point;
    vd_status status = vd_tpm_salt_begin(link->crypto, &point);

    if (status != VD_OK)
        return vd_diag_fail(diag, status, "OpenSSL makes no key on P-256");
    link->tpm->meanwhile = finish_salt;
    link->tpm->meanwhile_ctx = &salting;
    status = start(link->tpm, key, &point, session, diag);
    link->tpm->meanwhile = NULL;
    if (status == VD_OK && salting.status != VD_OK)
        status = vd_diag_fail(diag, salting.status,
                              "the storage key's public part is no point of P-256");
    if (status == VD_OK)
        status = set_key(link->crypto, salting.salt, session);
    vd_wipe(&salting, sizeof(salting));
    return status;
}

vd_status vd_tpm_session_start(const struct vd_tpm_link *link, enum vd_tpm_session_kind kind,
                               const struct vd_tpm_storage_key *key, struct vd_tpm_session *ret,
                               struct vd_diag *diag)
{
    struct vd_tpm_session session = {.kind = kind, .salted = key != NULL};
    vd_status status = vd_tpm_random(session.nonce_caller, sizeof(session.nonce_caller));

    if (status == VD_OK)
        status = key != NULL ? start_salted(link, key, &session, diag)
                             : start(link->tpm, NULL, NULL, &session, diag);
    if (status == VD_OK)
        *ret = session;
    else
        vd_tpm_session_end(link, &session);
    return status;
}

void vd_tpm_prepare_session(const struct vd_tpm_link *link)
{
    link->tpm->meanwhile = prepare_salt;
    link->tpm->meanwhile_ctx = link->crypto;
}

void vd_tpm_session_end(const struct vd_tpm_link *link, struct vd_tpm_session *session)
{
    if (session->handle != 0)
        (void)!vd_tpm_flush(link->tpm, session->handle, NULL);
    vd_wipe(session, sizeof(*session));
}
