/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A long-lived user of a TPM: keeps the connection, the storage root key, one salted session, and
 * a sealed object with its policy session, and gets all of it again when it is lost.
 *
 *     VD_TRY(vd_tpm_keeper_new(name, &keeper, diag));
 *     status = vd_tpm_keeper_unseal(keeper, &lock, &evidence, &secret, &refusals, diag);
 *
 * What it survives: the connection or the TPM going away and coming back (the next call connects
 * again), a reset of the TPM, sessions and objects flushed or replaced by others, slots that others
 * left full (slots.h). A call that fails with what was kept is repeated once with everything new;
 * an increment only if the counter shows that it was not done. The storage root key must stay the
 * same: another TPM behind the same name is refused.
 *
 * The TPM is used by nobody else meanwhile, unless the kernel's resource manager stands between:
 * vd_tpm_keeper_rest lets go of it. Threads: one at a time.
 */
#ifndef VD_HARDWARE_TPM_KEEPER_H
#define VD_HARDWARE_TPM_KEEPER_H

#include "hardware/tpm/nv.h"
#include "hardware/tpm/unseal.h"

struct vd_tpm_keeper;

/* Connects to nothing yet. `name` is as vd_tpm_open takes it, copied; NULL: the machine's. */
vd_status vd_tpm_keeper_new(const char *name, struct vd_tpm_keeper **ret, struct vd_diag *diag);

/* Flushes, closes, frees; NULL is fine. */
void vd_tpm_keeper_free(struct vd_tpm_keeper *keeper);

/*
 * Lets go of what was unsealed (its lock may then be freed), and of the TPM, unless the resource
 * manager lets others in anyway.
 */
void vd_tpm_keeper_rest(struct vd_tpm_keeper *keeper);

/* How often it connected. */
uint32_t vd_tpm_keeper_connections(const struct vd_tpm_keeper *keeper);

/* The storage root key, made if there is none. Borrowed until the keeper is freed. */
vd_status vd_tpm_keeper_parent(struct vd_tpm_keeper *keeper, const struct vd_tpm_storage_key **ret,
                               struct vd_diag *diag);

/* The TPM and cryptography for commands of the caller's own, connected; valid until the next call. */
vd_status vd_tpm_keeper_link(struct vd_tpm_keeper *keeper, const struct vd_tpm_link **ret,
                             struct vd_diag *diag);

/* Seals under the storage root key; `request->parent` is ignored. */
vd_status vd_tpm_keeper_seal(struct vd_tpm_keeper *keeper,
                             const struct vd_tpm_seal_request *request, struct vd_tpm_sealed *ret,
                             struct vd_diag *diag);

/* What one unsealing is about. The lock must stay as it is while the keeper lives, or until
 * another one is used: the keeper knows it by its address. */
struct vd_tpm_unseal_job {
    const struct vd_tpm_lock *lock;
    const struct vd_tpm_evidence *evidence; /* NULL: none */
    struct vd_tpm_refusals *refusals;       /* may be NULL */
};

/*
 * Unseals; the same lock again costs the policy's commands and one more. With a password nothing
 * is kept and nothing repeated: a wrong one counts once. Errors of vd_tpm_unsealer_run;
 * VD_E_BUSY: others left no room that can be had, the hint says what is there.
 */
vd_status vd_tpm_keeper_unseal(struct vd_tpm_keeper *keeper, const struct vd_tpm_unseal_job *job,
                               struct vd_tpm_secret *ret, struct vd_diag *diag);

/*
 * Reads a counter, or adds exactly one and gives the new value: both through an authenticated
 * session. VD_E_DIFFERS: the index is not the one named, or somebody else raised it meanwhile.
 */
vd_status vd_tpm_keeper_counter(struct vd_tpm_keeper *keeper, const struct vd_tpm_nv *nv,
                                uint64_t *ret, struct vd_diag *diag);
vd_status vd_tpm_keeper_increment(struct vd_tpm_keeper *keeper, const struct vd_tpm_nv *nv,
                                  uint64_t *ret, struct vd_diag *diag);

#endif
