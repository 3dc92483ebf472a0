/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Unsealing under a policy: finds the branch that holds now, and says of each other one why it
 * does not.
 *
 *     struct vd_tpm_unsealer u = {.link = link, .lock = &lock};
 *     status = vd_tpm_unsealer_run(&u, &evidence, &secret, &refusals, diag);
 *     vd_tpm_unsealer_done(&u);
 *
 * With `keep` the object stays loaded and the sessions open: the next run costs the commands of
 * the policy and one more. Without, sessions end with their last command.
 *
 * Cold and with one branch of PCRs it is five commands: StartAuthSession, Load, PolicyPCR, Unseal,
 * FlushContext. The storage root key is not asked for: sessions are salted for the point that it
 * was sealed with, which another TPM does not have.
 */
#ifndef VD_HARDWARE_TPM_UNSEAL_H
#define VD_HARDWARE_TPM_UNSEAL_H

#include "hardware/tpm/policy.h"
#include "hardware/tpm/seal.h"

/* What was sealed, and to what; borrowed. */
struct vd_tpm_lock {
    struct vd_tpm_storage_key parent;
    struct vd_tpm_sealed object;
    struct vd_tpm_policy policy;
};

/* What the caller has to satisfy a policy with. */
struct vd_tpm_evidence {
    const struct vd_tpm_auth *auth; /* NULL: no password */
    const struct vd_tpm_approval *approvals;
    uint32_t approval_count;
};

/* Why each branch of the policy was refused; empty texts behind the one that held. */
struct vd_tpm_refusals {
    char text[VD_TPM_BRANCHES_MAX][VD_DIAG_TEXT_SIZE];
};

struct vd_tpm_unsealer {
    struct vd_tpm_link link;
    const struct vd_tpm_lock *lock;
    bool keep;
    /* Own. */
    struct vd_tpm_object object;
    struct vd_tpm_session policy;
    struct vd_tpm_session hider;
};

/*
 * Unseals. VD_E_DENIED: no branch holds (`ret_refusals`, may be NULL, says why of each), the
 * object is another TPM's, or a response was changed on its way. Whatever fails, nothing stays in
 * the TPM that `_done` would not drop.
 */
vd_status vd_tpm_unsealer_run(struct vd_tpm_unsealer *u, const struct vd_tpm_evidence *evidence,
                              struct vd_tpm_secret *ret, struct vd_tpm_refusals *ret_refusals,
                              struct vd_diag *diag);

/* Flushes what is loaded. */
void vd_tpm_unsealer_done(struct vd_tpm_unsealer *u);

/* Forgets what is loaded without a command: the TPM was reset or is gone. */
void vd_tpm_unsealer_forget(struct vd_tpm_unsealer *u);

/*
 * Brings a policy session to the state that a branch asks for, without a TPM2_PolicyOR and without
 * the password. VD_E_DENIED: a condition does not hold; the text says which and how it is now.
 */
vd_status vd_tpm_branch_satisfy(const struct vd_tpm_link *link,
                                const struct vd_tpm_session *session,
                                const struct vd_tpm_branch *branch,
                                const struct vd_tpm_evidence *evidence, struct vd_diag *diag);

#endif
