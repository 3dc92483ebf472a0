/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/sys.h"
#include "services/security/loop.h"

/* Another server's deadline is of use only in the same boot. */
static bool confirm_expired(const struct vd_secd_state *state)
{
    uint8_t boot_id[VD_SECD_BOOT_ID];

    vd_secd_boot_id(boot_id);
    return state->unconfirmed && (memcmp(boot_id, state->boot_id, sizeof(boot_id)) != 0 ||
                                  vd_sys_boottime_ns() >= state->deadline_ns);
}

/* The first policy of an empty store. */
static vd_status add_initial(struct vd_secd *s, const char *initial, struct vd_diag *diag)
{
    struct vd_bytes bytes = {};
    struct vd_secd_policy policy = {};
    vd_status status;

    VD_TRY(vd_file_load(initial, VD_PDB_MAX_SIZE, &bytes, diag));
    status = vd_secd_policy_open(&bytes, &policy, diag);
    if (status != VD_OK) {
        vd_diag_file(diag, initial);
        return status;
    }
    status = vd_secd_store_add(&s->store, s->state.next, &policy.blob, diag);
    vd_secd_policy_done(&policy);
    if (status != VD_OK)
        return status;
    s->state.active = s->state.next++;
    s->state.sequence++;
    return vd_secd_store_commit(&s->store, &s->state, diag);
}

static vd_status load_active(struct vd_secd *s, struct vd_diag *diag)
{
    struct vd_secd_policy raw = {}, made = {};
    vd_status status;

    if (confirm_expired(&s->state)) {
        VD_TRY(vd_secd_state_pop(&s->state));
        s->state.unconfirmed = false;
        s->state.sequence++;
        VD_TRY(vd_secd_store_commit(&s->store, &s->state, diag));
    }
    if (s->state.active == 0)
        return VD_OK;
    VD_TRY(vd_secd_store_load(&s->store, s->state.active, &raw, diag));
    if (s->state.bool_count == 0) {
        vd_secd_install(s, &raw);
        return VD_OK;
    }
    status = vd_secd_policy_apply(&raw, &s->state, &made, diag);
    vd_secd_policy_done(&raw);
    if (status == VD_OK)
        vd_secd_install(s, &made);
    return status;
}

vd_status vd_secd_open(struct vd_secd *s, const char *path, const char *initial,
                       struct vd_diag *diag)
{
    s->slots = calloc(VD_SECD_AVC_SLOTS, sizeof(*s->slots));
    if (s->slots == NULL || vd_secd_contexts_init(&s->contexts) != VD_OK)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the tables");
    VD_TRY(vd_avc_init(&s->avc, s->slots, VD_SECD_AVC_SLOTS, 1));
    VD_TRY(vd_secd_store_open(&s->store, path, &s->state, diag));
    if (s->state.active == 0 && initial != NULL)
        VD_TRY(add_initial(s, initial, diag));
    VD_TRY(vd_secd_page_init(&s->page, diag));
    VD_TRY(load_active(s, diag));
    if (s->stamp == 0)
        vd_secd_install(s, NULL);
    return VD_OK;
}

void vd_secd_install(struct vd_secd *s, struct vd_secd_policy *policy)
{
    uint64_t now = vd_sys_boottime_ns();
    uint64_t checksum = 0;

    if (policy != NULL) {
        vd_secd_policy_done(&s->policy);
        s->policy = *policy;
        *policy = (struct vd_secd_policy){};
        checksum = vd_policydb_header(&s->policy.db)->checksum;
        vd_secd_contexts_reload(&s->contexts, &s->policy.db);
    }
    /* Later than every stamp of a server that ran before, even one of another store. */
    s->stamp = now > s->stamp ? now : s->stamp + 1;
    vd_avc_reset(&s->avc, vd_avc_sequence(&s->avc) + 1);
    vd_secd_rights_load(s);
    vd_secd_page_publish(&s->page, s->stamp, s->state.sequence, checksum);
}

static vd_status watch(struct vd_secd *s, int fd, struct vd_diag *diag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return vd_sys_errno(diag, errno, "cannot watch for requests", NULL);
    return VD_OK;
}

vd_status vd_secd_start(struct vd_secd *s, struct vd_diag *diag)
{
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0)
        return vd_sys_errno(diag, errno, "cannot wait for requests", NULL);
    vd_secd_audit_init(&s->audit, s->audit_path, s->epoll);
    VD_TRY(vd_secd_change_init(&s->change, diag));
    s->change.store = &s->store;
    s->change.state = &s->state;
    s->change.policy = &s->policy;
    s->change.audit_path = s->audit_path;
    VD_TRY(vd_ipc_listen(s->socket_path, s->socket_mode, &s->listener, diag));
    VD_TRY(watch(s, s->listener, diag));
    VD_TRY(watch(s, s->signals, diag));
    return watch(s, s->change.done, diag);
}

void vd_secd_done(struct vd_secd *s)
{
    if (s->change.store != NULL)
        vd_secd_change_done(&s->change);
    while (s->client_count != 0)
        vd_secd_client_free(s->clients[--s->client_count], &s->contexts);
    vd_secd_page_done(&s->page);
    vd_secd_audit_done(&s->audit);
    vd_fd_close(&s->listener);
    vd_fd_close(&s->epoll);
    vd_fd_close(&s->signals);
    vd_secd_policy_done(&s->policy);
    vd_secd_state_done(&s->state);
    vd_secd_contexts_done(&s->contexts);
    vd_peers_done(&s->peers);
    vd_secd_kernel_close(&s->kernel);
    vd_secd_store_close(&s->store);
    free(s->slots);
}
