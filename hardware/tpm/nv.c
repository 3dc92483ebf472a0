/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/nv.h"

#include "core/base/mem.h"
#include "core/boot/eventlog.h"
#include "hardware/tpm/capability.h"
#include "lib/diagf.h"

#define CC_NV_UNDEFINE    0x00000122u
#define CC_NV_DEFINE      0x0000012au
#define CC_NV_INCREMENT   0x00000134u
#define CC_NV_WRITE       0x00000137u
#define CC_NV_READ_PUBLIC 0x00000169u
#define CAP_HANDLES       1u
#define RH_OWNER          0x40000001u

#define OWNER_WRITE (1u << 1)
#define AUTH_WRITE  (1u << 2)
#define OWNER_READ  (1u << 17)
#define AUTH_READ   (1u << 18)
#define NO_DA       (1u << 25)

#define OURS (OWNER_WRITE | AUTH_WRITE | OWNER_READ | AUTH_READ | NO_DA)

#define RC_NV_DEFINED 0x14cu
#define RC_NV_UNSET   0x14au /* TPM_RC_NV_UNINITIALIZED: never written */
#define RC_HANDLE     0x18bu /* of handle 1: no such index */
#define CHUNK         512u   /* bytes in one command: every TPM takes so many */

vd_status vd_tpm_nv_list(struct vd_tpm *tpm, uint32_t *ret, uint32_t *ret_count,
                         struct vd_diag *diag)
{
    const struct vd_tpm_question question = {
        .capability = CAP_HANDLES, .property = VD_TPM_NV_FIRST, .count = VD_TPM_NV_LIST_MAX};
    struct vd_tpm_response response;
    uint32_t count;

    VD_TRY(vd_tpm_capability(tpm, &question, &response, NULL, diag));
    if (vd_read_be32(&response.parameters, &count) != VD_OK || count > VD_TPM_NV_LIST_MAX)
        return vd_tpm_malformed(diag, "TPM2_GetCapability");
    *ret_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (vd_read_be32(&response.parameters, &ret[*ret_count]) != VD_OK)
            return vd_tpm_malformed(diag, "TPM2_GetCapability");
        if (ret[*ret_count] >= VD_TPM_NV_FIRST && ret[*ret_count] <= VD_TPM_NV_LAST)
            (*ret_count)++;
    }
    return VD_OK;
}

/* TPMS_NV_PUBLIC; the name is computed here, not believed. */
static vd_status read_public(const struct vd_tpm_link *link, const uint8_t *data, size_t size,
                             struct vd_tpm_nv *nv)
{
    const struct vd_tpm_piece piece = {data, size};
    struct vd_reader r;
    const uint8_t *policy;
    size_t policy_size;
    uint16_t hash;

    vd_reader_init(&r, data, size);
    VD_TRY(vd_read_be32(&r, &nv->index));
    VD_TRY(vd_read_be16(&r, &hash));
    VD_TRY(vd_read_be32(&r, &nv->attributes));
    VD_TRY(vd_tpm_read_2b(&r, VD_TPM_DIGEST_MAX, &policy, &policy_size));
    VD_TRY(vd_read_be16(&r, &nv->size));
    VD_TRY(vd_read_done(&r));
    if (hash != VD_TPM_ALG_SHA256)
        return VD_E_UNSUPPORTED;
    nv->name.bytes[0] = VD_TPM_ALG_SHA256 >> 8;
    nv->name.bytes[1] = VD_TPM_ALG_SHA256 & 0xff;
    return vd_tpm_hash(link->crypto, &piece, 1, nv->name.bytes + 2);
}

vd_status vd_tpm_nv_public(const struct vd_tpm_link *link, uint32_t index, struct vd_tpm_nv *ret,
                           struct vd_diag *diag)
{
    static const uint32_t expected[VD_TPM_EXPECTED] = {RC_HANDLE};
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    struct vd_tpm_nv nv = {};
    const uint8_t *data;
    vd_status status;
    size_t size;

    vd_tpm_begin(&command, CC_NV_READ_PUBLIC);
    vd_write_be32(&command.w, index);
    VD_TRY(vd_tpm_run_expecting(link->tpm, &command, expected, &response, diag));
    if (response.code == RC_HANDLE)
        return vd_diagf(diag, VD_E_NOT_FOUND, "the TPM has no index 0x%08x", index);
    if (vd_tpm_read_2b(&response.parameters, VD_TPM_MAX_BYTES, &data, &size) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_NV_ReadPublic");
    status = read_public(link, data, size, &nv);
    if (status == VD_E_UNSUPPORTED)
        return vd_diagf(diag, status, "index 0x%08x is not named with SHA-256", index);
    if (status != VD_OK || nv.index != index)
        return vd_tpm_malformed(diag, "TPM2_NV_ReadPublic");
    *ret = nv;
    return VD_OK;
}

vd_status vd_tpm_nv_counter_public(struct vd_tpm_crypto *crypto, uint32_t index,
                                   struct vd_tpm_nv *ret)
{
    struct vd_tpm_nv nv = {.index = index, .attributes = VD_TPM_NV_OUR_COUNTER, .size = 8};
    uint8_t bytes[14];
    const struct vd_tpm_piece piece = {bytes, sizeof(bytes)};
    struct vd_writer w;

    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_write_be32(&w, index);
    vd_write_be16(&w, VD_TPM_ALG_SHA256);
    vd_write_be32(&w, nv.attributes);
    vd_write_be16(&w, 0); /* no policy */
    vd_write_be16(&w, nv.size);
    nv.name.bytes[0] = VD_TPM_ALG_SHA256 >> 8;
    nv.name.bytes[1] = VD_TPM_ALG_SHA256 & 0xff;
    VD_TRY(vd_tpm_hash(crypto, &piece, 1, nv.name.bytes + 2));
    *ret = nv;
    return VD_OK;
}

/* Who lets it be used: an index of our making itself, so that an owner's password does not matter. */
static void authorise(struct vd_tpm_call *call, const struct vd_tpm_nv *nv,
                      struct vd_tpm_session *session)
{
    bool own = (nv->attributes & OURS) == OURS;

    vd_tpm_call_authorised(call, own ? nv->index : RH_OWNER, own ? &nv->name : NULL, session);
    vd_tpm_call_handle(call, nv->index, &nv->name);
}

vd_status vd_tpm_nv_define(const struct vd_tpm_link *link, uint32_t index, uint16_t size,
                           bool counter, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_call call;

    vd_tpm_call_begin(&call, CC_NV_DEFINE);
    call.expected[0] = RC_NV_DEFINED;
    vd_tpm_call_authorised(&call, RH_OWNER, NULL, NULL);
    vd_write_be16(&call.parameters, 0); /* no password */
    vd_write_be16(&call.parameters, 4 + 2 + 4 + 2 + 2);
    vd_write_be32(&call.parameters, index);
    vd_write_be16(&call.parameters, VD_TPM_ALG_SHA256);
    vd_write_be32(&call.parameters, OURS | (counter ? VD_TPM_NV_COUNTER : 0));
    vd_write_be16(&call.parameters, 0); /* no policy */
    vd_write_be16(&call.parameters, counter ? 8 : size);
    VD_TRY(vd_tpm_call_run(link, &call, &response, diag));
    if (response.code == RC_NV_DEFINED)
        return vd_diagf(diag, VD_E_EXISTS, "the TPM has an index 0x%08x already", index);
    return VD_OK;
}

vd_status vd_tpm_nv_undefine(const struct vd_tpm_link *link, const struct vd_tpm_nv *nv,
                             struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_call call;

    vd_tpm_call_begin(&call, CC_NV_UNDEFINE);
    vd_tpm_call_authorised(&call, RH_OWNER, NULL, NULL);
    vd_tpm_call_handle(&call, nv->index, &nv->name);
    return vd_tpm_call_run(link, &call, &response, diag);
}

vd_status vd_tpm_nv_write(const struct vd_tpm_link *link, const struct vd_tpm_nv *nv,
                          const uint8_t *data, size_t size, struct vd_diag *diag)
{
    if (size > nv->size)
        return vd_diagf(diag, VD_E_LIMIT, "index 0x%08x holds %u bytes, not %zu", nv->index,
                        nv->size, size);
    for (size_t at = 0; at < size; at += CHUNK) {
        size_t piece = size - at < CHUNK ? size - at : CHUNK;
        struct vd_tpm_response response;
        struct vd_tpm_call call;

        vd_tpm_call_begin(&call, CC_NV_WRITE);
        authorise(&call, nv, NULL);
        vd_tpm_write_2b(&call.parameters, data + at, piece);
        vd_write_be16(&call.parameters, (uint16_t)at);
        VD_TRY(vd_tpm_call_run(link, &call, &response, diag));
    }
    return VD_OK;
}

vd_status vd_tpm_nv_increment(const struct vd_tpm_link *link, const struct vd_tpm_nv *nv,
                              struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_call call;

    if ((nv->attributes & VD_TPM_NV_TYPE) != VD_TPM_NV_COUNTER)
        return vd_diagf(diag, VD_E_INVALID, "index 0x%08x is not a counter", nv->index);
    vd_tpm_call_begin(&call, CC_NV_INCREMENT);
    authorise(&call, nv, NULL);
    return vd_tpm_call_run(link, &call, &response, diag);
}

vd_status vd_tpm_nv_read(const struct vd_tpm_link *link, struct vd_tpm_session *session,
                         const struct vd_tpm_nv *nv, uint8_t *ret, struct vd_diag *diag)
{
    for (size_t at = 0; at < nv->size; at += CHUNK) {
        size_t piece = nv->size - at < CHUNK ? nv->size - at : CHUNK, size;
        struct vd_tpm_response response;
        struct vd_tpm_call call;
        const uint8_t *data;

        vd_tpm_call_begin(&call, VD_TPM_CC_NV_READ);
        call.expected[0] = RC_NV_UNSET;
        authorise(&call, nv, session);
        vd_write_be16(&call.parameters, (uint16_t)piece);
        vd_write_be16(&call.parameters, (uint16_t)at);
        session->encrypt_response = true;
        VD_TRY(vd_tpm_call_run(link, &call, &response, diag));
        if (response.code == RC_NV_UNSET)
            return vd_diagf(diag, VD_E_NOT_FOUND, "nothing was written to index 0x%08x yet",
                            nv->index);
        if (vd_tpm_read_2b(&response.parameters, piece, &data, &size) != VD_OK || size != piece)
            return vd_tpm_malformed(diag, "TPM2_NV_Read");
        vd_copy(ret + at, data, piece);
    }
    return VD_OK;
}
