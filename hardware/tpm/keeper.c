/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/tpm/keeper.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "hardware/tpm/slots.h"
#include "lib/diagf.h"

#define BUSY_TRIES 20
#define BUSY_MS    25

struct vd_tpm_keeper {
    char *name;
    struct vd_tpm tpm;
    struct vd_tpm_link link;
    bool has_parent;
    struct vd_tpm_storage_key parent;
    bool checked; /* the parent was seen on this connection */
    struct vd_tpm_session session;
    struct vd_tpm_unsealer unsealer;
    uint32_t connections;
};

/* A job that may be done again from the start. */
struct job {
    vd_status (*run)(struct vd_tpm_keeper *keeper, void *arguments, struct vd_diag *diag);
    void *arguments;
};

vd_status vd_tpm_keeper_new(const char *name, struct vd_tpm_keeper **ret, struct vd_diag *diag)
{
    struct vd_tpm_keeper *keeper = calloc(1, sizeof(*keeper));
    vd_status status = VD_OK;

    if (keeper == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    keeper->tpm.fd = -1;
    keeper->link.tpm = &keeper->tpm;
    if (name != NULL) {
        keeper->name = strdup(name);
        if (keeper->name == NULL)
            status = vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    }
    if (status == VD_OK)
        status = vd_tpm_crypto_new(&keeper->link.crypto, diag);
    if (status == VD_OK)
        *ret = keeper;
    else
        vd_tpm_keeper_free(keeper);
    return status;
}

/* Drops all that is kept: in the TPM too, as far as it answers. */
static void drop(struct vd_tpm_keeper *keeper)
{
    if (keeper->tpm.fd >= 0) {
        vd_tpm_unsealer_done(&keeper->unsealer);
        vd_tpm_session_end(&keeper->link, &keeper->session);
    }
    vd_tpm_unsealer_forget(&keeper->unsealer);
    vd_wipe(&keeper->session, sizeof(keeper->session));
}

static void disconnect(struct vd_tpm_keeper *keeper)
{
    drop(keeper);
    vd_tpm_close(&keeper->tpm);
    keeper->checked = false;
}

void vd_tpm_keeper_free(struct vd_tpm_keeper *keeper)
{
    if (keeper == NULL)
        return;
    disconnect(keeper);
    vd_tpm_crypto_free(keeper->link.crypto);
    free(keeper->name);
    free(keeper);
}

void vd_tpm_keeper_rest(struct vd_tpm_keeper *keeper)
{
    if (!keeper->tpm.shared)
        disconnect(keeper);
    else if (keeper->tpm.fd >= 0)
        vd_tpm_unsealer_done(&keeper->unsealer);
    keeper->unsealer.lock = NULL;
}

uint32_t vd_tpm_keeper_connections(const struct vd_tpm_keeper *keeper)
{
    return keeper->connections;
}

static vd_status connect_tpm(struct vd_tpm_keeper *keeper, struct vd_diag *diag)
{
    if (keeper->tpm.fd >= 0)
        return VD_OK;
    keeper->checked = false;
    VD_TRY(vd_tpm_open(&keeper->tpm, keeper->name, diag));
    keeper->connections++;
    return VD_OK;
}

/* The job with slots that others occupied, which are theirs again afterwards. */
static vd_status run_in_moved_slots(struct vd_tpm_keeper *keeper, const struct job *job,
                                    struct vd_diag *diag)
{
    /* An object and its parent; the session of the policy, and the one that hides. */
    static const enum vd_tpm_slot_kind kinds[] = {VD_TPM_SLOT_OBJECT, VD_TPM_SLOT_LOADED_SESSION,
                                                  VD_TPM_SLOT_OBJECT, VD_TPM_SLOT_LOADED_SESSION};
    struct vd_tpm_moved moved[VD_COUNT(kinds)] = {};
    vd_status status = VD_E_BUSY;
    struct vd_diag last = {};

    for (size_t i = 0; i < VD_COUNT(kinds) && status == VD_E_BUSY; i++) {
        if (vd_tpm_slots_move(&keeper->tpm, kinds[i], &moved[i], NULL) != VD_OK)
            continue;
        last = (struct vd_diag){};
        status = job->run(keeper, job->arguments, &last);
        drop(keeper); /* or there is no room to put them back */
    }
    for (size_t i = VD_COUNT(kinds); i-- > 0;)
        (void)!vd_tpm_slots_restore(&keeper->tpm, &moved[i], NULL);
    /* Where nothing could be moved what was said before stands. */
    if (last.status != VD_OK || status == VD_OK)
        *diag = last;
    return status;
}

/* Others may be about to let go; if not, their things are moved. */
static vd_status run_when_free(struct vd_tpm_keeper *keeper, const struct job *job,
                               struct vd_diag *diag)
{
    vd_status status = VD_E_BUSY;

    for (int i = 0; i < BUSY_TRIES && status == VD_E_BUSY; i++) {
        poll(NULL, 0, BUSY_MS);
        drop(keeper);
        *diag = (struct vd_diag){};
        status = job->run(keeper, job->arguments, diag);
    }
    if (status != VD_E_BUSY)
        return status;
    drop(keeper);
    status = run_in_moved_slots(keeper, job, diag);
    if (status == VD_E_BUSY)
        vd_tpm_slots_hint(&keeper->tpm, diag);
    return status;
}

static vd_status run_once(struct vd_tpm_keeper *keeper, const struct job *job, struct vd_diag *diag)
{
    *diag = (struct vd_diag){};
    VD_TRY(connect_tpm(keeper, diag));
    return job->run(keeper, job->arguments, diag);
}

/*
 * The job; `again`: it may be repeated. A connection that ended is made again, and what was kept
 * is tried with it: it would else stay in the TPM for nobody. Then everything is made new.
 */
static vd_status run(struct vd_tpm_keeper *keeper, const struct job *job, bool again,
                     struct vd_diag *diag)
{
    struct vd_diag own = {}, *d = diag != NULL ? diag : &own;
    bool kept = keeper->connections > 0, was_open = keeper->tpm.fd >= 0;
    vd_status status = run_once(keeper, job, d);

    if (status == VD_OK || !again)
        return status;
    if (was_open && keeper->tpm.fd < 0)
        status = run_once(keeper, job, d);
    if (status != VD_OK && kept && keeper->tpm.fd >= 0) {
        drop(keeper);
        keeper->checked = false;
        status = run_once(keeper, job, d);
    }
    if (status == VD_E_BUSY && keeper->tpm.fd >= 0)
        status = run_when_free(keeper, job, d);
    return status;
}

/* The storage root key, which must be the one of before. */
static vd_status know_parent(struct vd_tpm_keeper *keeper, struct vd_diag *diag)
{
    if (keeper->checked)
        return VD_OK;
    if (!keeper->has_parent)
        VD_TRY(vd_tpm_srk(&keeper->link, &keeper->parent, diag));
    else
        VD_TRY(vd_tpm_srk_check(&keeper->link, &keeper->parent, diag));
    keeper->has_parent = keeper->checked = true;
    return VD_OK;
}

static vd_status run_parent(struct vd_tpm_keeper *keeper, void *arguments, struct vd_diag *diag)
{
    return know_parent(keeper, diag);
}

vd_status vd_tpm_keeper_parent(struct vd_tpm_keeper *keeper, const struct vd_tpm_storage_key **ret,
                               struct vd_diag *diag)
{
    const struct job job = {run_parent, NULL};

    VD_TRY(run(keeper, &job, true, diag));
    *ret = &keeper->parent;
    return VD_OK;
}

vd_status vd_tpm_keeper_link(struct vd_tpm_keeper *keeper, const struct vd_tpm_link **ret,
                             struct vd_diag *diag)
{
    VD_TRY(connect_tpm(keeper, diag));
    *ret = &keeper->link;
    return VD_OK;
}

/* The session for what is not opened by a policy. */
static vd_status open_session(struct vd_tpm_keeper *keeper, struct vd_diag *diag)
{
    VD_TRY(know_parent(keeper, diag));
    if (keeper->session.handle != 0)
        return VD_OK;
    return vd_tpm_session_start(&keeper->link, VD_TPM_SESSION_HMAC, &keeper->parent,
                                &keeper->session, diag);
}

struct sealing {
    struct vd_tpm_seal_request request;
    struct vd_tpm_sealed *ret;
};

static vd_status run_seal(struct vd_tpm_keeper *keeper, void *arguments, struct vd_diag *diag)
{
    struct sealing *sealing = arguments;

    VD_TRY(open_session(keeper, diag));
    sealing->request.parent = &keeper->parent;
    return vd_tpm_seal(&keeper->link, &keeper->session, &sealing->request, sealing->ret, diag);
}

vd_status vd_tpm_keeper_seal(struct vd_tpm_keeper *keeper,
                             const struct vd_tpm_seal_request *request, struct vd_tpm_sealed *ret,
                             struct vd_diag *diag)
{
    struct sealing sealing = {*request, ret};
    const struct job job = {run_seal, &sealing};

    return run(keeper, &job, true, diag);
}

struct unsealing {
    const struct vd_tpm_unseal_job *job;
    struct vd_tpm_secret *ret;
};

static vd_status run_unseal(struct vd_tpm_keeper *keeper, void *arguments, struct vd_diag *diag)
{
    const struct unsealing *unsealing = arguments;
    const struct vd_tpm_unseal_job *job = unsealing->job;
    struct vd_tpm_unsealer *u = &keeper->unsealer;

    if (u->lock != job->lock)
        vd_tpm_unsealer_done(u);
    u->link = keeper->link;
    u->lock = job->lock;
    u->keep = job->evidence == NULL || job->evidence->auth == NULL;
    return vd_tpm_unsealer_run(u, job->evidence, unsealing->ret, job->refusals, diag);
}

vd_status vd_tpm_keeper_unseal(struct vd_tpm_keeper *keeper, const struct vd_tpm_unseal_job *job,
                               struct vd_tpm_secret *ret, struct vd_diag *diag)
{
    struct unsealing unsealing = {job, ret};
    const struct job again = {run_unseal, &unsealing};
    bool with_password = job->evidence != NULL && job->evidence->auth != NULL;

    if (with_password) {
        VD_TRY(connect_tpm(keeper, diag));
        drop(keeper);
    }
    return run(keeper, &again, !with_password, diag);
}

struct counting {
    const struct vd_tpm_nv *nv;
    uint64_t value;
    bool has_before; /* an increment was tried when the counter had `before` */
    uint64_t before;
};

static vd_status read_counter(struct vd_tpm_keeper *keeper, const struct vd_tpm_nv *nv,
                              uint64_t *ret, struct vd_diag *diag)
{
    struct vd_reader r;
    uint8_t value[8];

    if (nv->size != sizeof(value) || (nv->attributes & VD_TPM_NV_TYPE) != VD_TPM_NV_COUNTER)
        return vd_diagf(diag, VD_E_DIFFERS, "index 0x%08x is not a counter", nv->index);
    VD_TRY(open_session(keeper, diag));
    VD_TRY(vd_tpm_nv_read(&keeper->link, &keeper->session, nv, value, diag));
    vd_reader_init(&r, value, sizeof(value));
    return vd_read_be64(&r, ret);
}

/* A failure under the right session may be a failure of the name: then it is another index. */
static vd_status check_index(struct vd_tpm_keeper *keeper, const struct vd_tpm_nv *nv,
                             struct vd_diag *diag)
{
    struct vd_diag why = {};
    struct vd_tpm_nv now;
    vd_status status = vd_tpm_nv_public(&keeper->link, nv->index, &now, &why);

    if (status == VD_E_NOT_FOUND)
        return vd_diagf(diag, VD_E_DIFFERS, "the TPM has no index 0x%08x any more", nv->index);
    if (status == VD_OK && !vd_ct_equal(now.name.bytes, nv->name.bytes, sizeof(nv->name.bytes)))
        return vd_diagf(diag, VD_E_DIFFERS, "index 0x%08x is no longer the counter it was",
                        nv->index);
    if (status != VD_OK && diag != NULL)
        *diag = why;
    return status;
}

static vd_status run_counter(struct vd_tpm_keeper *keeper, void *arguments, struct vd_diag *diag)
{
    struct counting *counting = arguments;

    VD_TRY(check_index(keeper, counting->nv, diag));
    return read_counter(keeper, counting->nv, &counting->value, diag);
}

static vd_status run_increment(struct vd_tpm_keeper *keeper, void *arguments, struct vd_diag *diag)
{
    struct counting *counting = arguments;
    uint64_t now;

    VD_TRY(run_counter(keeper, arguments, diag));
    now = counting->value;
    /* Tried before, and the answer was lost: the counter knows whether it was done. */
    if (counting->has_before && now == counting->before + 1)
        return VD_OK;
    if (counting->has_before && now != counting->before)
        return vd_diagf(diag, VD_E_DIFFERS, "somebody else raises the counter 0x%08x",
                        counting->nv->index);
    counting->has_before = true;
    counting->before = now;
    VD_TRY(vd_tpm_nv_increment(&keeper->link, counting->nv, diag));
    VD_TRY(read_counter(keeper, counting->nv, &counting->value, diag));
    if (counting->value != now + 1)
        return vd_diagf(diag, VD_E_DIFFERS, "the counter 0x%08x did not rise by one",
                        counting->nv->index);
    return VD_OK;
}

vd_status vd_tpm_keeper_counter(struct vd_tpm_keeper *keeper, const struct vd_tpm_nv *nv,
                                uint64_t *ret, struct vd_diag *diag)
{
    struct counting counting = {.nv = nv};
    const struct job job = {run_counter, &counting};

    VD_TRY(run(keeper, &job, true, diag));
    *ret = counting.value;
    return VD_OK;
}

vd_status vd_tpm_keeper_increment(struct vd_tpm_keeper *keeper, const struct vd_tpm_nv *nv,
                                  uint64_t *ret, struct vd_diag *diag)
{
    struct counting counting = {.nv = nv};
    const struct job job = {run_increment, &counting};

    VD_TRY(run(keeper, &job, true, diag));
    *ret = counting.value;
    return VD_OK;
}
