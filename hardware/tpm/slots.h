/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Room in a TPM that others left full. A TPM holds few objects and sessions; where no resource
 * manager stands between, a program that ended without flushing takes them from everybody.
 *
 * What occupies a slot is saved (TPM2_ContextSave), the slot used, and the content put back where
 * it was, so that its owner never notices. A TPM that refuses sessions since the oldest saved one
 * is too old (TPM_RC_CONTEXT_GAP) can only be helped by that one's owner, or by flushing it.
 *
 * Source: TCG TPM 2.0 Library 1.59, part 1, 30; part 3, 28.
 */
#ifndef VD_HARDWARE_TPM_SLOTS_H
#define VD_HARDWARE_TPM_SLOTS_H

#include "hardware/tpm/command.h"

#define VD_TPM_SLOTS_MAX   64u
#define VD_TPM_CONTEXT_MAX 3072u

enum vd_tpm_slot_kind {
    VD_TPM_SLOT_OBJECT,
    VD_TPM_SLOT_LOADED_SESSION,
    VD_TPM_SLOT_SAVED_SESSION,
    VD_TPM_SLOT_KINDS,
};

struct vd_tpm_slots {
    uint32_t count;
    uint32_t handle[VD_TPM_SLOTS_MAX];
};

/* What of one kind is in the TPM (behind a resource manager: what is ours). */
vd_status vd_tpm_slots_list(struct vd_tpm *tpm, enum vd_tpm_slot_kind kind,
                            struct vd_tpm_slots *ret, struct vd_diag *diag);

/* Says in the hint what occupies the TPM, after a VD_E_BUSY. */
void vd_tpm_slots_hint(struct vd_tpm *tpm, struct vd_diag *diag);

/* What was moved out of its slot. */
struct vd_tpm_moved {
    uint32_t handle; /* 0: nothing */
    size_t size;
    uint8_t context[VD_TPM_CONTEXT_MAX];
};

/* Saves the last object, or the last loaded session, and frees its slot. VD_E_BUSY: there is none. */
vd_status vd_tpm_slots_move(struct vd_tpm *tpm, enum vd_tpm_slot_kind kind,
                            struct vd_tpm_moved *ret, struct vd_diag *diag);

/* Puts it back; it has its handle again. VD_E_BUSY if it could not be: it is lost then. */
vd_status vd_tpm_slots_restore(struct vd_tpm *tpm, struct vd_tpm_moved *moved,
                               struct vd_diag *diag);

#endif
