/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/seal.h"

#include "core/base/mem.h"
#include "hardware/tpm/capability.h"
#include "hardware/tpm/policy_codes.h"
#include "lib/diagf.h"

#define CC_EVICT_CONTROL 0x00000120u
#define CC_CREATE        0x00000153u
#define CC_UNSEAL        0x0000015eu
#define CC_READ_PUBLIC   0x00000173u
#define RH_OWNER         0x40000001u
#define RC_HANDLE_1      0x18bu /* there is nothing at the handle */

#define RC_AUTH_FAIL_1 0x98eu /* of the first session */
#define RC_BAD_AUTH_1  0x9a2u
#define RC_LOCKOUT     0x921u

#define ALG_ECC       0x0023u
#define ALG_KEYEDHASH 0x0008u
#define ALG_NULL      0x0010u
#define ALG_AES       0x0006u
#define ALG_CFB       0x0043u
#define CURVE_256     0x0003u
/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, decrypt */
#define SRK_ATTRIBUTES 0x00030472u
/* fixedTPM, fixedParent, noDA: only the policy opens it */
#define SEALED_ATTRIBUTES 0x00000412u

#define ATTRIBUTES_NO_DA 0x00000400u /* differs between tools' templates; means nothing here */

/* The SRK's template up to the point (Provisioning Guidance, 7.5.1: ECC). */
static void write_srk_template(struct vd_writer *w)
{
    vd_write_be16(w, ALG_ECC);
    vd_write_be16(w, VD_TPM_ALG_SHA256);
    vd_write_be32(w, SRK_ATTRIBUTES);
    vd_write_be16(w, 0); /* no policy */
    vd_write_be16(w, ALG_AES);
    vd_write_be16(w, 128);
    vd_write_be16(w, ALG_CFB);
    vd_write_be16(w, ALG_NULL); /* no scheme */
    vd_write_be16(w, CURVE_256);
    vd_write_be16(w, ALG_NULL); /* no key derivation */
}

/* The name of a public area: the hash's number and the hash. */
static vd_status name_of(struct vd_tpm_crypto *crypto, const uint8_t *area, size_t size,
                         struct vd_tpm_name *ret)
{
    const struct vd_tpm_piece piece = {area, size};

    ret->bytes[0] = VD_TPM_ALG_SHA256 >> 8;
    ret->bytes[1] = VD_TPM_ALG_SHA256 & 0xff;
    return vd_tpm_hash(crypto, &piece, 1, ret->bytes + 2);
}

/* A public area must be the template's, whatever it says of lockouts, with a point. */
static vd_status read_srk(struct vd_tpm_crypto *crypto, const uint8_t *data, size_t size,
                          struct vd_tpm_storage_key *key)
{
    uint8_t expected[64], found[64];
    const uint8_t *head, *x, *y;
    size_t x_size, y_size;
    struct vd_writer w;
    struct vd_reader r;

    vd_writer_init(&w, expected, sizeof(expected));
    write_srk_template(&w);
    vd_reader_init(&r, data, size);
    VD_TRY(vd_read_bytes(&r, w.len, &head));
    vd_copy(found, head, w.len);
    found[6] |= ATTRIBUTES_NO_DA >> 8;
    if (!vd_ct_equal(found, expected, w.len))
        return VD_E_INVALID;
    VD_TRY(vd_tpm_read_2b(&r, VD_TPM_P256_SIZE, &x, &x_size));
    VD_TRY(vd_tpm_read_2b(&r, VD_TPM_P256_SIZE, &y, &y_size));
    VD_TRY(vd_read_done(&r));
    key->point = (struct vd_tpm_point){};
    vd_copy(key->point.x + VD_TPM_P256_SIZE - x_size, x, x_size);
    vd_copy(key->point.y + VD_TPM_P256_SIZE - y_size, y, y_size);
    return name_of(crypto, data, size, &key->name);
}

static vd_status make_primary(struct vd_tpm *tpm, uint32_t *ret, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    struct vd_writer template;
    uint8_t bytes[64];

    vd_writer_init(&template, bytes, sizeof(bytes));
    write_srk_template(&template);
    vd_write_be32(&template, 0); /* unique: empty x and y */
    vd_tpm_begin_authorised(&command, VD_TPM_CC_CREATE_PRIMARY, RH_OWNER);
    vd_write_be16(&command.w, 4); /* sensitive: empty password, no data */
    vd_write_be32(&command.w, 0);
    vd_tpm_write_2b(&command.w, bytes, template.len);
    vd_write_be16(&command.w, 0); /* no outside information */
    vd_write_be32(&command.w, 0); /* no creation PCRs */
    VD_TRY(vd_tpm_run(tpm, &command, &response, diag));
    *ret = response.handle;
    return VD_OK;
}

/* Makes the SRK and stores it in the TPM. */
static vd_status make_srk(const struct vd_tpm_link *link, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_call call;
    uint32_t transient;
    vd_status status;

    VD_TRY(make_primary(link->tpm, &transient, diag));
    vd_tpm_call_begin(&call, CC_EVICT_CONTROL);
    vd_tpm_call_authorised(&call, RH_OWNER, NULL, NULL);
    vd_tpm_call_handle(&call, transient, NULL);
    vd_write_be32(&call.parameters, VD_TPM_SRK);
    status = vd_tpm_call_run(link, &call, &response, diag);
    (void)!vd_tpm_flush(link->tpm, transient, NULL);
    return status;
}

/* TPM2_ReadPublic of the SRK's handle; the code says whether there is something. */
static vd_status read_public(struct vd_tpm *tpm, struct vd_tpm_response *ret, struct vd_diag *diag)
{
    static const uint32_t expected[VD_TPM_EXPECTED] = {RC_HANDLE_1};
    struct vd_tpm_command command;

    vd_tpm_begin(&command, CC_READ_PUBLIC);
    vd_write_be32(&command.w, VD_TPM_SRK);
    return vd_tpm_run_expecting(tpm, &command, expected, ret, diag);
}

vd_status vd_tpm_srk(const struct vd_tpm_link *link, struct vd_tpm_storage_key *ret,
                     struct vd_diag *diag)
{
    struct vd_tpm_storage_key key = {.handle = VD_TPM_SRK};
    struct vd_tpm_response response;
    const uint8_t *area;
    size_t size;

    vd_tpm_prepare_session(link);
    VD_TRY(read_public(link->tpm, &response, diag));
    if (response.code == RC_HANDLE_1) {
        VD_TRY(make_srk(link, diag));
        VD_TRY(read_public(link->tpm, &response, diag));
    }
    if (response.code != VD_TPM_RC_SUCCESS ||
        vd_tpm_read_2b(&response.parameters, VD_TPM_OBJECT_MAX, &area, &size) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_ReadPublic");
    if (read_srk(link->crypto, area, size, &key) != VD_OK) {
        vd_diag_hint(diag, "only an ECC P-256 storage root key is taken; tpm2_evictcontrol -c "
                           "0x81000001 removes the other, and everything sealed under it");
        return vd_diag_fail(diag, VD_E_MISSING,
                            "the TPM's storage root key (0x81000001) is of another kind");
    }
    *ret = key;
    return VD_OK;
}

vd_status vd_tpm_srk_check(const struct vd_tpm_link *link,
                           const struct vd_tpm_storage_key *expected, struct vd_diag *diag)
{
    struct vd_tpm_storage_key key = {.handle = VD_TPM_SRK};
    struct vd_tpm_response response;
    const uint8_t *area;
    size_t size;

    VD_TRY(read_public(link->tpm, &response, diag));
    if (response.code == VD_TPM_RC_SUCCESS &&
        vd_tpm_read_2b(&response.parameters, VD_TPM_OBJECT_MAX, &area, &size) == VD_OK &&
        read_srk(link->crypto, area, size, &key) == VD_OK &&
        vd_ct_equal(key.name.bytes, expected->name.bytes, VD_TPM_NAME_SIZE))
        return VD_OK;
    return vd_diag_fail(diag, VD_E_DENIED,
                        "this TPM's storage root key is not the one it was sealed under: another "
                        "TPM, or it was cleared since");
}

vd_status vd_tpm_pcr_digest(struct vd_tpm_crypto *crypto, const struct vd_pcr_bank *bank,
                            uint32_t pcrs, uint8_t ret[VD_TPM_HASH_SIZE])
{
    struct vd_tpm_piece pieces[VD_PCR_COUNT];
    size_t count = 0;

    for (uint32_t i = 0; i < VD_PCR_COUNT; i++) {
        if ((pcrs >> i & 1) != 0)
            pieces[count++] = (struct vd_tpm_piece){bank->value[i], bank->digest_size};
    }
    return vd_tpm_hash(crypto, pieces, count, ret);
}

vd_status vd_tpm_policy_pcr_digest(struct vd_tpm_crypto *crypto,
                                   const struct vd_tpm_selection *selection,
                                   const uint8_t *pcr_digest, uint8_t digest[VD_TPM_HASH_SIZE])
{
    uint8_t head[VD_TPM_HASH_SIZE + 4 + 4 + VD_TPM_BANKS_MAX * 6];
    struct vd_tpm_piece pieces[2] = {{.data = head}, {pcr_digest, VD_TPM_HASH_SIZE}};
    struct vd_writer w;

    vd_writer_init(&w, head, sizeof(head));
    vd_write_bytes(&w, digest, VD_TPM_HASH_SIZE);
    vd_write_be32(&w, CC_POLICY_PCR);
    vd_tpm_selection_write(&w, selection);
    VD_TRY(vd_write_done(&w));
    pieces[0].size = w.len;
    return vd_tpm_hash(crypto, pieces, VD_COUNT(pieces), digest);
}

/* A TPM2B, kept whole with its size. */
static vd_status keep_2b(struct vd_reader *r, size_t max, uint8_t *ret, size_t *ret_size)
{
    const uint8_t *data;
    struct vd_writer w;
    size_t size;

    VD_TRY(vd_tpm_read_2b(r, max - 2, &data, &size));
    vd_writer_init(&w, ret, max);
    vd_tpm_write_2b(&w, data, size);
    *ret_size = w.len;
    return vd_write_done(&w);
}

vd_status vd_tpm_seal(const struct vd_tpm_link *link, struct vd_tpm_session *session,
                      const struct vd_tpm_seal_request *request, struct vd_tpm_sealed *ret,
                      struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_call call;
    size_t auth_size = request->auth != NULL ? request->auth->size : 0;
    vd_status status;

    if (request->secret->size == 0 || request->secret->size > VD_TPM_SEAL_MAX)
        return vd_diagf(diag, VD_E_LIMIT, "a sealed secret has 1 to %u bytes, not %zu",
                        VD_TPM_SEAL_MAX, request->secret->size);
    vd_tpm_call_begin(&call, CC_CREATE);
    vd_tpm_call_authorised(&call, request->parent->handle, &request->parent->name, session);
    vd_write_be16(&call.parameters, (uint16_t)(4 + auth_size + request->secret->size));
    vd_tpm_write_2b(&call.parameters, request->auth != NULL ? request->auth->bytes : NULL,
                    auth_size);
    vd_tpm_write_2b(&call.parameters, request->secret->bytes, request->secret->size);
    vd_write_be16(&call.parameters, 2 + 2 + 4 + 2 + VD_TPM_HASH_SIZE + 2 + 2);
    vd_write_be16(&call.parameters, ALG_KEYEDHASH);
    vd_write_be16(&call.parameters, VD_TPM_ALG_SHA256);
    vd_write_be32(&call.parameters, SEALED_ATTRIBUTES & ~(auth_size > 0 ? ATTRIBUTES_NO_DA : 0));
    vd_tpm_write_2b(&call.parameters, request->policy, VD_TPM_HASH_SIZE);
    vd_write_be16(&call.parameters, ALG_NULL); /* data, not a key */
    vd_write_be16(&call.parameters, 0);
    vd_write_be16(&call.parameters, 0); /* no outside information */
    vd_write_be32(&call.parameters, 0); /* no creation PCRs */
    session->encrypt_command = true;
    status = vd_tpm_call_run(link, &call, &response, diag);
    vd_wipe(&call, sizeof(call));
    VD_TRY(status);
    if (keep_2b(&response.parameters, sizeof(ret->private_area), ret->private_area,
                &ret->private_size) != VD_OK ||
        keep_2b(&response.parameters, sizeof(ret->public_area), ret->public_area,
                &ret->public_size) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_Create");
    return VD_OK;
}

/* The public area must be a sealed object's; its name is what the TPM must call it. */
static vd_status check_sealed(struct vd_tpm_crypto *crypto, const struct vd_tpm_sealed *sealed,
                              struct vd_tpm_name *ret, struct vd_diag *diag)
{
    const uint8_t *area;
    uint16_t type, hash;
    struct vd_reader r, in;
    size_t size;

    vd_reader_init(&r, sealed->public_area, sealed->public_size);
    if (vd_tpm_read_2b(&r, VD_TPM_OBJECT_MAX, &area, &size) != VD_OK || vd_read_done(&r) != VD_OK)
        return vd_diag_fail(diag, VD_E_INVALID, "the public area is no TPM2B_PUBLIC");
    vd_reader_init(&in, area, size);
    if (vd_read_be16(&in, &type) != VD_OK || vd_read_be16(&in, &hash) != VD_OK ||
        type != ALG_KEYEDHASH || hash != VD_TPM_ALG_SHA256)
        return vd_diag_fail(diag, VD_E_INVALID,
                            "the public area is not a sealed object's with a SHA-256 name");
    return name_of(crypto, area, size, ret);
}

vd_status vd_tpm_load(const struct vd_tpm_link *link, const struct vd_tpm_storage_key *parent,
                      const struct vd_tpm_sealed *sealed, struct vd_tpm_object *ret,
                      struct vd_diag *diag)
{
    struct vd_tpm_object object = {};
    struct vd_tpm_response response;
    struct vd_tpm_call call;
    const uint8_t *name;
    size_t size;

    VD_TRY(check_sealed(link->crypto, sealed, &object.name, diag));
    vd_tpm_call_begin(&call, VD_TPM_CC_LOAD);
    /* No parent; the private part's integrity, or a form or size that no TPM makes. */
    call.expected[0] = RC_HANDLE_1;
    call.expected[1] = 0x1df;
    call.expected[2] = 0x1d5;
    call.expected[3] = 0x1c4;
    vd_tpm_call_authorised(&call, parent->handle, &parent->name, NULL);
    vd_write_bytes(&call.parameters, sealed->private_area, sealed->private_size);
    vd_write_bytes(&call.parameters, sealed->public_area, sealed->public_size);
    VD_TRY(vd_tpm_call_run(link, &call, &response, diag));
    if (response.code != VD_TPM_RC_SUCCESS) {
        VD_TRY(vd_tpm_srk_check(link, parent, diag));
        return vd_diag_fail(diag, VD_E_DENIED,
                            "the object was sealed by another TPM or under another key, or its "
                            "bytes were changed");
    }
    object.handle = response.handle;
    if (vd_tpm_read_2b(&response.parameters, VD_TPM_NAME_SIZE, &name, &size) != VD_OK ||
        size != VD_TPM_NAME_SIZE || !vd_ct_equal(name, object.name.bytes, size)) {
        (void)!vd_tpm_flush(link->tpm, object.handle, NULL);
        return vd_tpm_malformed(diag, "TPM2_Load");
    }
    *ret = object;
    return VD_OK;
}

/* Says for how long: a try more is allowed after that time. */
static vd_status locked(struct vd_tpm *tpm, struct vd_diag *diag)
{
    struct vd_tpm_lockout lockout;

    if (vd_tpm_lockout(tpm, &lockout, NULL) != VD_OK)
        return vd_diag_fail(diag, VD_E_DENIED, "the TPM is locked after too many wrong passwords");
    vd_diag_hint(diag, "tpm2_dictionarylockout --clear-lockout unlocks it for who has the lockout "
                       "password");
    return vd_diagf(diag, VD_E_DENIED,
                    "the TPM is locked after %u wrong passwords (of %u): it takes another try in "
                    "%u seconds at most",
                    lockout.failed, lockout.allowed, lockout.interval_s);
}

static vd_status unseal_refused(const struct vd_tpm_link *link, uint32_t code, struct vd_diag *diag)
{
    if (code == RC_LOCKOUT)
        return locked(link->tpm, diag);
    return vd_diag_fail(diag, VD_E_DENIED,
                        "the password is wrong: the TPM counts the try, and locks itself after "
                        "too many");
}

vd_status vd_tpm_unseal(const struct vd_tpm_link *link, const struct vd_tpm_opening *opening,
                        const struct vd_tpm_object *object, struct vd_tpm_secret *ret,
                        struct vd_diag *diag)
{
    struct vd_tpm_session *hider = opening->hider != NULL ? opening->hider : opening->policy;
    struct vd_tpm_response response;
    struct vd_tpm_call call;
    const uint8_t *data;
    vd_status status;

    vd_tpm_call_begin(&call, CC_UNSEAL);
    call.expected[0] = RC_AUTH_FAIL_1;
    call.expected[1] = RC_BAD_AUTH_1;
    call.expected[2] = RC_LOCKOUT;
    vd_tpm_call_authorised(&call, object->handle, &object->name, opening->policy);
    call.extra = opening->hider;
    call.auth = opening->auth;
    hider->encrypt_response = true;
    status = vd_tpm_call_run(link, &call, &response, diag);
    if (status == VD_OK && response.code != VD_TPM_RC_SUCCESS)
        status = unseal_refused(link, response.code, diag);
    if (status == VD_OK) {
        status = vd_tpm_read_2b(&response.parameters, VD_TPM_SEAL_MAX, &data, &ret->size);
        if (status == VD_OK)
            vd_copy(ret->bytes, data, ret->size);
        else
            status = vd_tpm_malformed(diag, "TPM2_Unseal");
    }
    vd_wipe(&response, sizeof(response));
    return status;
}
