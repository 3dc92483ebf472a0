/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/command.h"

#include <poll.h>

#include "core/base/mem.h"
#include "lib/diagf.h"

#define SIZE_OFFSET 2u /* of the command's size in its header */
#define RETRIES     200
#define RETRY_MS    10
#define FORMAT_ONE  0x080u
#define WARNING     0x900u

static void begin(struct vd_tpm_command *command, uint16_t tag, uint32_t code)
{
    vd_writer_init(&command->w, command->bytes, sizeof(command->bytes));
    vd_write_be16(&command->w, tag);
    vd_write_be32(&command->w, 0);
    vd_write_be32(&command->w, code);
}

void vd_tpm_begin(struct vd_tpm_command *command, uint32_t code)
{
    begin(command, VD_TPM_ST_NO_SESSIONS, code);
}

void vd_tpm_begin_authorised(struct vd_tpm_command *command, uint32_t code, uint32_t handle)
{
    begin(command, VD_TPM_ST_SESSIONS, code);
    vd_write_be32(&command->w, handle);
    vd_write_be32(&command->w, 9); /* size of the session below */
    vd_write_be32(&command->w, VD_TPM_RS_PW);
    vd_write_be16(&command->w, 0); /* no nonce */
    vd_write_u8(&command->w, 0);   /* no attributes */
    vd_write_be16(&command->w, 0); /* empty password */
}

void vd_tpm_write_2b(struct vd_writer *w, const void *data, size_t size)
{
    vd_write_be16(w, (uint16_t)size);
    vd_write_bytes(w, data, size);
}

vd_status vd_tpm_read_2b(struct vd_reader *r, size_t max, const uint8_t **ret, size_t *ret_size)
{
    struct vd_reader next = *r;
    uint16_t size;

    VD_TRY(vd_read_be16(&next, &size));
    if (size > max)
        return VD_E_LIMIT;
    VD_TRY(vd_read_bytes(&next, size, ret));
    *ret_size = size;
    *r = next;
    return VD_OK;
}

vd_status vd_tpm_malformed(struct vd_diag *diag, const char *what)
{
    return vd_diagf(diag, VD_E_INVALID, "%s: the TPM's response is malformed", what);
}

/* Codes with their format bits as in part 2, table 17; format one ones without their place. */
static const struct {
    uint32_t code;
    const char *text;
} texts[] = {
    {0x000, "success"},
    {0x01e, "this is a TPM 1.2, not a TPM 2.0"},
    {0x100, "the TPM was not started"},
    {0x101, "the TPM failed its self test: it answers nothing until it is reset"},
    {0x120, "the command is disabled"},
    {0x125, "the command needs an authorisation"},
    {0x124, "the authorisation is of a kind that the object does not allow"},
    {0x126, "a comparison of the policy does not hold"},
    {0x128, "a PCR changed since the policy session saw it"},
    {0x12d, "an upgrade of the TPM is under way"},
    {0x142, "the command's size is wrong"},
    {0x143, "this TPM does not have the command"},
    {0x14a, "nothing was written to the index yet"},
    {0x14c, "the index is defined already"},
    {0x149, "the object's non-volatile memory has no room"},
    {0x153, "the TPM wants its self test first"},
    {0x081, "the asymmetric algorithm is not supported"},
    {0x082, "an attribute of the object does not allow this"},
    {0x083, "the hash algorithm is not supported"},
    {0x084, "a value is out of range or not correct in its context"},
    {0x085, "the hierarchy is disabled or not the right one"},
    {0x087, "the key's size is not supported"},
    {0x08b, "the handle is not correct for the command"},
    {0x08e, "the authorisation failed: a password is set, or it is wrong; the TPM counts the try"},
    {0x08f, "the nonce does not fit"},
    {0x092, "the scheme is not supported"},
    {0x095, "a structure has a wrong size"},
    {0x099, "the policy is not fulfilled"},
    {0x09a, "the command's end came too early"},
    {0x09d, "the policy is not fulfilled"},
    {0x0a2, "the authorisation failed: a password is set, or it is wrong"},
    {0x0a6, "the elliptic curve is not supported"},
    {0x09b, "the signature does not hold"},
    {0x901, "the oldest saved session keeps the TPM from making another: it must be loaded or "
            "flushed"},
    {0x902, "the TPM has no slot for another object"},
    {0x903, "the TPM has no slot for another loaded session"},
    {0x905, "the TPM has no handle for another session"},
    {0x910, "the object or session is not in the TPM"},
    {0x918, "the session is not in the TPM"},
    {0x908, "the TPM wants the command again"},
    {0x90a, "the TPM tests itself"},
    {0x920, "the TPM limits writes to its memory: try later"},
    {0x921, "the TPM is locked after too many wrong passwords"},
    {0x922, "the TPM wants the command again"},
    {0x923, "the TPM's memory is not available now"},
};

/* The code without the number of the parameter, handle or session it speaks of. */
static uint32_t base_code(uint32_t code)
{
    return (code & FORMAT_ONE) != 0 ? code & (FORMAT_ONE | 0x3f) : code;
}

const char *vd_tpm_rc_text(uint32_t code)
{
    for (size_t i = 0; i < VD_COUNT(texts); i++) {
        if (texts[i].code == base_code(code))
            return texts[i].text;
    }
    if ((code & FORMAT_ONE) != 0)
        return "a parameter, handle or session of the command is refused";
    return (code & WARNING) == WARNING ? "the TPM cannot do this now"
                                       : "the TPM refuses the command";
}

static vd_status rc_status(uint32_t code)
{
    switch (base_code(code)) {
    case 0x08e:
    case 0x099:
    case 0x09d:
    case 0x0a2:
    case 0x126:
    case 0x128:
    case 0x921:
        return VD_E_DENIED;
    case 0x901:
    case 0x902:
    case 0x903:
    case 0x905:
        return VD_E_BUSY;
    case 0x081:
    case 0x083:
    case 0x092:
    case 0x0a6:
    case 0x143:
    case 0x01e:
        return VD_E_UNSUPPORTED;
    default:
        return VD_E_SYSTEM;
    }
}

static vd_status parse_tail(struct vd_reader *r, struct vd_tpm_response *response)
{
    uint32_t size;

    response->handle = 0;
    if (response->returns_handle)
        VD_TRY(vd_read_be32(r, &response->handle));
    if (!response->sessions) {
        VD_TRY(vd_read_sub(r, vd_reader_left(r), &response->parameters));
        return vd_read_sub(r, 0, &response->authorisations);
    }
    VD_TRY(vd_read_be32(r, &size));
    VD_TRY(vd_read_sub(r, size, &response->parameters));
    /* The shortest is a password's: empty nonce, attributes, empty HMAC. */
    if (vd_reader_left(r) < 5)
        return VD_E_TRUNCATED;
    return vd_read_sub(r, vd_reader_left(r), &response->authorisations);
}

vd_status vd_tpm_parse_response(struct vd_tpm_response *response, struct vd_diag *diag)
{
    size_t size = response->message.size;
    struct vd_reader r;
    uint32_t total;
    uint16_t tag;

    vd_reader_init(&r, response->message.bytes, size);
    if (vd_read_be16(&r, &tag) != VD_OK || vd_read_be32(&r, &total) != VD_OK ||
        vd_read_be32(&r, &response->code) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_TRUNCATED, size, "the response ends within its header");
    if (total != size)
        return vd_diag_fail_at(diag, VD_E_INVALID, 2,
                               "the response's size is not the number of its bytes");
    if (response->code != VD_TPM_RC_SUCCESS)
        return vd_read_done(&r) == VD_OK
                   ? VD_OK
                   : vd_diag_fail_at(diag, VD_E_TRAILING, 10, "bytes follow a response code");
    if (tag != (response->sessions ? VD_TPM_ST_SESSIONS : VD_TPM_ST_NO_SESSIONS))
        return vd_diag_fail_at(diag, VD_E_INVALID, 0, "the response's tag is not the command's");
    if (parse_tail(&r, response) != VD_OK)
        return vd_diag_fail_at(diag, VD_E_INVALID, vd_reader_offset(&r),
                               "handle, parameters or session do not fill the response");
    return VD_OK;
}

static uint16_t tag_of(const struct vd_tpm_command *command)
{
    return (uint16_t)(command->bytes[0] << 8 | command->bytes[1]);
}

static bool returns_handle(const struct vd_tpm_command *command)
{
    static const uint32_t codes[] = {VD_TPM_CC_CREATE_PRIMARY, VD_TPM_CC_LOAD,
                                     VD_TPM_CC_LOAD_EXTERNAL, VD_TPM_CC_CONTEXT_LOAD,
                                     VD_TPM_CC_START_AUTH_SESSION};
    uint32_t code = (uint32_t)command->bytes[8] << 8 | command->bytes[9];

    for (size_t i = 0; i < VD_COUNT(codes); i++) {
        if (codes[i] == code)
            return true;
    }
    return false;
}

static vd_status run_once(struct vd_tpm *tpm, const struct vd_tpm_command *command,
                          struct vd_tpm_response *ret, struct vd_diag *diag)
{
    ret->sessions = tag_of(command) == VD_TPM_ST_SESSIONS;
    ret->returns_handle = returns_handle(command);
    VD_TRY(vd_tpm_transmit(tpm, command->bytes, command->w.len, &ret->message, diag));
    return vd_tpm_parse_response(ret, diag);
}

/* TPM2_Startup(CLEAR), TPM2_SelfTest(not full): both have a one-value body and no parameters back. */
static vd_status prepare(struct vd_tpm *tpm, uint32_t code, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;

    vd_tpm_begin(&command, code);
    if (code == VD_TPM_CC_STARTUP)
        vd_write_be16(&command.w, 0);
    else
        vd_write_u8(&command.w, 0);
    command.bytes[SIZE_OFFSET + 3] = (uint8_t)command.w.len;
    VD_TRY(run_once(tpm, &command, &response, diag));
    if (response.code != VD_TPM_RC_SUCCESS && response.code != VD_TPM_RC_TESTING)
        return vd_diagf(diag, VD_E_SYSTEM, "the TPM cannot be started: %s (0x%03x)",
                        vd_tpm_rc_text(response.code), response.code);
    return VD_OK;
}

/* The command's size goes into its header once it is known. */
static vd_status seal_size(struct vd_tpm_command *command, struct vd_diag *diag)
{
    struct vd_writer w;

    if (vd_write_done(&command->w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the command is larger than a TPM takes");
    vd_writer_init(&w, command->bytes + SIZE_OFFSET, 4);
    vd_write_be32(&w, (uint32_t)command->w.len);
    return vd_write_done(&w);
}

static bool is_expected(uint32_t code, const uint32_t expected[VD_TPM_EXPECTED])
{
    for (size_t i = 0; i < VD_TPM_EXPECTED; i++) {
        if (expected[i] == code)
            return true;
    }
    return false;
}

vd_status vd_tpm_run_expecting(struct vd_tpm *tpm, struct vd_tpm_command *command,
                               const uint32_t expected[VD_TPM_EXPECTED],
                               struct vd_tpm_response *ret, struct vd_diag *diag)
{
    VD_TRY(seal_size(command, diag));
    for (int i = 0; i < RETRIES; i++) {
        VD_TRY(run_once(tpm, command, ret, diag));
        switch (ret->code) {
        case VD_TPM_RC_SUCCESS:
            return VD_OK;
        case VD_TPM_RC_INITIALIZE:
            VD_TRY(prepare(tpm, VD_TPM_CC_STARTUP, diag));
            break;
        case VD_TPM_RC_NEEDS_TEST:
            VD_TRY(prepare(tpm, VD_TPM_CC_SELF_TEST, diag));
            break;
        case VD_TPM_RC_YIELDED:
        case VD_TPM_RC_TESTING:
        case VD_TPM_RC_RETRY:
            poll(NULL, 0, RETRY_MS);
            break;
        default:
            if (is_expected(ret->code, expected))
                return VD_OK;
            return vd_diagf(diag, rc_status(ret->code), "the TPM refuses: %s (0x%03x)",
                            vd_tpm_rc_text(ret->code), ret->code);
        }
    }
    return vd_diagf(diag, VD_E_TIMEOUT, "the TPM does not get ready: %s (0x%03x)",
                    vd_tpm_rc_text(ret->code), ret->code);
}

vd_status vd_tpm_run(struct vd_tpm *tpm, struct vd_tpm_command *command,
                     struct vd_tpm_response *ret, struct vd_diag *diag)
{
    static const uint32_t none[VD_TPM_EXPECTED];

    return vd_tpm_run_expecting(tpm, command, none, ret, diag);
}

vd_status vd_tpm_flush(struct vd_tpm *tpm, uint32_t handle, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;

    vd_tpm_begin(&command, VD_TPM_CC_FLUSH_CONTEXT);
    vd_write_be32(&command.w, handle);
    return vd_tpm_run(tpm, &command, &response, diag);
}
