/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>

#include "core/base/mem.h"
#include "hardware/tpm/signer.h"
#include "lib/diagf.h"
#include "services/crypto/root/internal.h"

#define STANDARD_PCRS "7"

static vd_status add_pcrs(struct vd_tpm_keeper *keeper, const char *text,
                          struct vd_tpm_branch *branch, struct vd_diag *diag)
{
    struct vd_tpm_step *step = &branch->step[branch->count++];
    struct vd_tpm_selection selection;
    const struct vd_tpm_link *link;

    VD_TRY(vd_tpm_selection_parse(text, &selection, diag));
    VD_TRY(vd_tpm_keeper_link(keeper, &link, diag));
    step->kind = VD_TPM_STEP_PCR;
    return vd_tpm_pcr_read(link->tpm, &selection.bank[0], &step->bank, diag);
}

/* One branch: an approved state, these PCRs, the PIN; whatever of it was asked for. */
static vd_status make_policy(const struct vd_root_work *work, struct vd_tpm_policy *policy,
                             struct vd_diag *diag)
{
    const struct vd_root_options *options = work->options;
    struct vd_tpm_branch *branch = &policy->branch[0];
    const char *pcrs = options->pcrs;

    policy->count = 1;
    branch->count = 0;
    if (options->authority != NULL) {
        branch->step[0].kind = VD_TPM_STEP_AUTHORIZE;
        VD_TRY(vd_tpm_signer_load(options->authority, VD_ROOT_REFERENCE, &branch->step[0].signer,
                                  diag));
        branch->count = 1;
    } else if (pcrs == NULL) {
        pcrs = STANDARD_PCRS;
    }
    if (pcrs != NULL)
        VD_TRY(add_pcrs(work->keeper, pcrs, branch, diag));
    if (options->pin != NULL)
        branch->step[branch->count++].kind = VD_TPM_STEP_AUTH;
    return VD_OK;
}

vd_status vd_root_tpm_seal(const struct vd_root_work *work, const struct vd_secret *key,
                           struct vd_diag *diag)
{
    struct vd_tpm_lock *lock = &work->file->lock;
    struct vd_tpm_secret secret = {.size = key->size};
    struct vd_tpm_auth auth = {};
    uint8_t policy[VD_TPM_HASH_SIZE];
    const struct vd_tpm_seal_request request = {
        .policy = policy,
        .secret = &secret,
        .auth = work->options->pin != NULL ? &auth : NULL,
    };
    const struct vd_tpm_storage_key *parent;
    const struct vd_tpm_link *link;
    vd_status status;

    VD_TRY(vd_tpm_keeper_parent(work->keeper, &parent, diag));
    lock->parent = *parent;
    VD_TRY(make_policy(work, &lock->policy, diag));
    VD_TRY(vd_tpm_keeper_link(work->keeper, &link, diag));
    VD_TRY(vd_tpm_policy_digest(link->crypto, &lock->policy, policy));
    if (work->options->pin != NULL)
        VD_TRY(vd_tpm_auth_from(work->options->pin->data, work->options->pin->size, &auth, diag));
    vd_copy(secret.bytes, key->data, key->size);
    status = vd_tpm_keeper_seal(work->keeper, &request, &lock->object, diag);
    vd_wipe(&secret, sizeof(secret));
    vd_wipe(&auth, sizeof(auth));
    return status;
}

static vd_status load_approval(const char *path, struct vd_tpm_approval *ret, struct vd_diag *diag)
{
    struct vd_bytes bytes VD_AUTO(vd_bytes_free) = {};

    VD_TRY(vd_file_load(path, VD_TPM_APPROVAL_MAX, &bytes, diag));
    vd_diag_file(diag, path);
    VD_TRY(vd_tpm_approval_read(bytes.data, bytes.size, ret, diag));
    vd_diag_file(diag, "");
    return VD_OK;
}

vd_status vd_root_tpm_open(const struct vd_root_work *work, struct vd_secret *key,
                           struct vd_diag *diag)
{
    const struct vd_root_options *options = work->options;
    struct vd_tpm_secret secret = {};
    struct vd_tpm_auth auth = {};
    struct vd_tpm_approval approval;
    struct vd_tpm_evidence evidence = {.auth = options->pin != NULL ? &auth : NULL};
    const struct vd_tpm_unseal_job job = {.lock = &work->file->lock, .evidence = &evidence};
    vd_status status;

    if (options->approval != NULL) {
        VD_TRY(load_approval(options->approval, &approval, diag));
        evidence.approvals = &approval;
        evidence.approval_count = 1;
    }
    if (options->pin != NULL)
        VD_TRY(vd_tpm_auth_from(options->pin->data, options->pin->size, &auth, diag));
    status = vd_tpm_keeper_unseal(work->keeper, &job, &secret, diag);
    if (status == VD_OK && secret.size != key->size)
        status = vd_diag_fail(diag, VD_E_SIGNATURE, "what the TPM gives out is no root key");
    if (status == VD_OK)
        vd_copy(key->data, secret.bytes, key->size);
    if (status == VD_E_DENIED && options->pin == NULL &&
        vd_tpm_policy_has_auth(&work->file->lock.policy))
        vd_diagf_hint(diag, "the TPM wants the root key's PIN besides: --pin-file FILE");
    vd_wipe(&secret, sizeof(secret));
    vd_wipe(&auth, sizeof(auth));
    return status;
}

vd_status vd_root_counter_make(const struct vd_root_work *work, struct vd_diag *diag)
{
    uint32_t index = work->options->counter;
    const struct vd_tpm_link *link;
    struct vd_tpm_nv nv;
    vd_status status;

    if (index == 0)
        index = VD_ROOT_COUNTER;
    VD_TRY(vd_tpm_keeper_link(work->keeper, &link, diag));
    status = vd_tpm_nv_public(link, index, &nv, NULL);
    if (status == VD_E_NOT_FOUND) {
        VD_TRY(vd_tpm_nv_define(link, index, 0, true, diag));
        VD_TRY(vd_tpm_nv_public(link, index, &nv, diag));
    } else if (status != VD_OK) {
        return vd_diagf(diag, status, "the counter 0x%08x cannot be looked up", index);
    }
    if ((nv.attributes | VD_TPM_NV_WRITTEN) != VD_TPM_NV_OUR_COUNTER)
        return vd_diagf(diag, VD_E_EXISTS, "the TPM's index 0x%08x is in use for something else",
                        index);
    if ((nv.attributes & VD_TPM_NV_WRITTEN) == 0) {
        VD_TRY(vd_tpm_nv_increment(link, &nv, diag));
        VD_TRY(vd_tpm_nv_public(link, index, &nv, diag));
    }
    work->file->counter = index;
    work->file->counter_name = nv.name;
    return VD_OK;
}
