/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/unseal.h"

#include "core/base/mem.h"
#include "hardware/tpm/policy_codes.h"
#include "lib/diagf.h"

static vd_status load(struct vd_tpm_unsealer *u, struct vd_diag *diag)
{
    if (u->object.handle != 0)
        return VD_OK;
    vd_tpm_prepare_session(&u->link);
    return vd_tpm_load(&u->link, &u->lock->parent, &u->lock->object, &u->object, diag);
}

/*
 * The policy session, salted unless another one is to hide the secret; that one, too.
 */
static vd_status begin(struct vd_tpm_unsealer *u, bool hidden, struct vd_diag *diag)
{
    const struct vd_tpm_storage_key *key = &u->lock->parent;

    if (u->policy.handle != 0 && u->policy.salted == hidden)
        vd_tpm_session_end(&u->link, &u->policy);
    if (hidden && u->hider.handle == 0)
        VD_TRY(vd_tpm_session_start(&u->link, VD_TPM_SESSION_HMAC, key, &u->hider, diag));
    if (u->policy.handle == 0)
        VD_TRY(vd_tpm_session_start(&u->link, VD_TPM_SESSION_POLICY, hidden ? NULL : key,
                                    &u->policy, diag));
    return VD_OK;
}

/* TPM2_PolicyOR over the digests of all branches. */
static vd_status choose(const struct vd_tpm_unsealer *u, struct vd_diag *diag)
{
    const struct vd_tpm_policy *policy = &u->lock->policy;
    uint8_t digest[VD_TPM_HASH_SIZE];
    struct vd_tpm_response response;
    struct vd_tpm_command command;

    if (policy->count == 1)
        return VD_OK;
    vd_tpm_begin(&command, CC_POLICY_OR);
    vd_write_be32(&command.w, u->policy.handle);
    vd_write_be32(&command.w, policy->count);
    for (uint32_t i = 0; i < policy->count; i++) {
        VD_TRY(vd_tpm_branch_digest(u->link.crypto, &policy->branch[i], digest));
        vd_tpm_write_2b(&command.w, digest, sizeof(digest));
    }
    return vd_tpm_run(u->link.tpm, &command, &response, diag);
}

static vd_status try_branch(struct vd_tpm_unsealer *u, const struct vd_tpm_branch *branch,
                            const struct vd_tpm_evidence *evidence, struct vd_tpm_secret *ret,
                            struct vd_diag *diag)
{
    bool wants_auth = vd_tpm_branch_has_auth(branch);
    bool hidden = !wants_auth && vd_tpm_policy_has_auth(&u->lock->policy);
    const struct vd_tpm_opening opening = {.policy = &u->policy,
                                           .hider = hidden ? &u->hider : NULL,
                                           .auth = wants_auth ? evidence->auth : NULL};

    if (wants_auth && evidence->auth == NULL)
        return vd_diag_fail(diag, VD_E_DENIED, "it wants the password, and none was given");
    VD_TRY(begin(u, hidden, diag));
    VD_TRY(vd_tpm_branch_satisfy(&u->link, &u->policy, branch, evidence, diag));
    VD_TRY(choose(u, diag));
    u->policy.last = !u->keep;
    u->hider.last = !u->keep;
    return vd_tpm_unseal(&u->link, &opening, &u->object, ret, diag);
}

/* True if another branch may hold where this one failed so. */
static bool goes_on(const struct vd_tpm_unsealer *u, vd_status status)
{
    return status == VD_E_DENIED && u->link.tpm->fd >= 0;
}

vd_status vd_tpm_unsealer_run(struct vd_tpm_unsealer *u, const struct vd_tpm_evidence *evidence,
                              struct vd_tpm_secret *ret, struct vd_tpm_refusals *ret_refusals,
                              struct vd_diag *diag)
{
    static const struct vd_tpm_evidence none;
    const struct vd_tpm_policy *policy = &u->lock->policy;
    struct vd_diag first = {};

    if (ret_refusals != NULL)
        *ret_refusals = (struct vd_tpm_refusals){};
    VD_TRY(load(u, diag));
    for (uint32_t i = 0; i < policy->count; i++) {
        struct vd_diag why = {};
        vd_status status =
            try_branch(u, &policy->branch[i], evidence != NULL ? evidence : &none, ret, &why);

        if (status == VD_OK)
            return VD_OK;
        /* Where the connection ended the session may be used again over the next one. */
        if (u->link.tpm->fd >= 0)
            vd_tpm_session_end(&u->link, &u->policy);
        if (ret_refusals != NULL)
            vd_copy(ret_refusals->text[i], why.text, sizeof(why.text));
        if (i == 0 || !goes_on(u, status))
            first = why;
        if (!goes_on(u, status))
            break;
    }
    if (first.status == VD_E_DENIED && policy->count > 1 && u->link.tpm->fd >= 0)
        return vd_diag_fail(diag, VD_E_DENIED, "no branch of the policy holds");
    if (diag != NULL && diag->status == VD_OK)
        *diag = first;
    return first.status;
}

void vd_tpm_unsealer_done(struct vd_tpm_unsealer *u)
{
    if (u->object.handle != 0)
        (void)!vd_tpm_flush(u->link.tpm, u->object.handle, NULL);
    u->object.handle = 0;
    vd_tpm_session_end(&u->link, &u->policy);
    vd_tpm_session_end(&u->link, &u->hider);
}

void vd_tpm_unsealer_forget(struct vd_tpm_unsealer *u)
{
    u->object.handle = 0;
    vd_wipe(&u->policy, sizeof(u->policy));
    vd_wipe(&u->hider, sizeof(u->hider));
}
