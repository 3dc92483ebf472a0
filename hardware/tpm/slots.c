/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/slots.h"

#include "hardware/tpm/capability.h"
#include "lib/diagf.h"

#define CAP_HANDLES     1u
#define CC_CONTEXT_SAVE 0x00000162u
#define FIRST_OBJECT    0x80000000u
#define FIRST_LOADED    0x02000000u
#define FIRST_SAVED     0x03000000u
#define HANDLE_TYPE     0xff000000u

static const uint32_t first_of[VD_TPM_SLOT_KINDS] = {FIRST_OBJECT, FIRST_LOADED, FIRST_SAVED};

vd_status vd_tpm_slots_list(struct vd_tpm *tpm, enum vd_tpm_slot_kind kind,
                            struct vd_tpm_slots *ret, struct vd_diag *diag)
{
    const struct vd_tpm_question question = {CAP_HANDLES, first_of[kind], VD_TPM_SLOTS_MAX};
    struct vd_tpm_response response;
    struct vd_tpm_slots slots = {};

    VD_TRY(vd_tpm_capability(tpm, &question, &response, NULL, diag));
    if (vd_read_be32(&response.parameters, &slots.count) != VD_OK || slots.count > VD_TPM_SLOTS_MAX)
        return vd_tpm_malformed(diag, "TPM2_GetCapability");
    for (uint32_t i = 0; i < slots.count; i++) {
        if (vd_read_be32(&response.parameters, &slots.handle[i]) != VD_OK)
            return vd_tpm_malformed(diag, "TPM2_GetCapability");
    }
    *ret = slots;
    return VD_OK;
}

void vd_tpm_slots_hint(struct vd_tpm *tpm, struct vd_diag *diag)
{
    struct vd_tpm_slots slots[VD_TPM_SLOT_KINDS] = {};

    for (uint32_t i = 0; i < VD_TPM_SLOT_KINDS; i++) {
        if (vd_tpm_slots_list(tpm, (enum vd_tpm_slot_kind)i, &slots[i], NULL) != VD_OK)
            return;
    }
    vd_diagf_hint(diag,
                  "others hold %u objects, %u loaded and %u saved sessions; /dev/tpmrm0 keeps "
                  "programs apart, tpm2_flushcontext -t, -l and -s drop them",
                  slots[0].count, slots[1].count, slots[2].count);
}

/* TPM2_ContextSave; a session leaves its slot by that, an object is flushed. */
static vd_status save(struct vd_tpm *tpm, uint32_t handle, struct vd_tpm_moved *ret,
                      struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    size_t size;

    vd_tpm_begin(&command, CC_CONTEXT_SAVE);
    vd_write_be32(&command.w, handle);
    VD_TRY(vd_tpm_run(tpm, &command, &response, diag));
    size = vd_reader_left(&response.parameters);
    if (size > sizeof(ret->context) ||
        vd_read_copy(&response.parameters, ret->context, size) != VD_OK)
        return vd_tpm_malformed(diag, "TPM2_ContextSave");
    ret->size = size;
    if ((handle & HANDLE_TYPE) == FIRST_OBJECT)
        VD_TRY(vd_tpm_flush(tpm, handle, diag));
    ret->handle = handle;
    return VD_OK;
}

vd_status vd_tpm_slots_move(struct vd_tpm *tpm, enum vd_tpm_slot_kind kind,
                            struct vd_tpm_moved *ret, struct vd_diag *diag)
{
    struct vd_tpm_slots slots;

    VD_TRY(vd_tpm_slots_list(tpm, kind, &slots, diag));
    if (slots.count == 0 || kind == VD_TPM_SLOT_SAVED_SESSION)
        return vd_diag_fail(diag, VD_E_BUSY, "nothing in the TPM can be moved out of the way");
    return save(tpm, slots.handle[slots.count - 1], ret, diag);
}

vd_status vd_tpm_slots_restore(struct vd_tpm *tpm, struct vd_tpm_moved *moved, struct vd_diag *diag)
{
    struct vd_tpm_response response;
    struct vd_tpm_command command;
    uint32_t handle = moved->handle;
    vd_status status;

    if (handle == 0)
        return VD_OK;
    moved->handle = 0;
    vd_tpm_begin(&command, VD_TPM_CC_CONTEXT_LOAD);
    vd_write_bytes(&command.w, moved->context, moved->size);
    status = vd_tpm_run(tpm, &command, &response, NULL);
    if (status == VD_OK && response.handle == handle)
        return VD_OK;
    return vd_diagf(diag, VD_E_BUSY, "what others had in the TPM at 0x%08x could not be put back",
                    handle);
}
