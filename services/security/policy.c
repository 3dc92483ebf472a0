/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "services/security/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/policydb/conditional.h"
#include "lib/diagf.h"
#include "lib/sys.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

void vd_secd_policy_done(struct vd_secd_policy *policy)
{
    vd_bytes_free(&policy->blob);
    policy->db = (struct vd_policydb){};
}

vd_status vd_secd_policy_open(struct vd_bytes *bytes, struct vd_secd_policy *ret,
                              struct vd_diag *diag)
{
    struct vd_secd_policy policy = {.blob = *bytes};
    vd_status status;

    *bytes = (struct vd_bytes){};
    policy.blob.size = vd_policydb_extent(policy.blob.data, policy.blob.size);
    status = vd_policydb_open(&policy.db, policy.blob.data, policy.blob.size, diag);
    if (status != VD_OK) {
        vd_secd_policy_done(&policy);
        return status;
    }
    *ret = policy;
    return VD_OK;
}

static vd_status read_all(int fd, struct vd_bytes *bytes, struct vd_diag *diag)
{
    size_t at = 0;

    while (at < bytes->size) {
        ssize_t got = pread(fd, bytes->data + at, bytes->size - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return vd_sys_errno(diag, errno, "cannot read the policy handed over", NULL);
        if (got == 0)
            return vd_diag_fail_at(diag, VD_E_TRUNCATED, at, "the policy ends too early");
        at += (size_t)got;
    }
    return VD_OK;
}

vd_status vd_secd_policy_receive(int fd, struct vd_secd_policy *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;

    if (seals < 0 || (seals & SEALS) != SEALS)
        return vd_diag_fail(diag, VD_E_INVALID,
                            "a policy is handed over in a memfd that is sealed against changes");
    if (fstat(fd, &st) != 0)
        return vd_sys_errno(diag, errno, "cannot look at the policy handed over", NULL);
    if (st.st_size <= 0 || st.st_size > VD_PDB_MAX_SIZE)
        return vd_diagf(diag, VD_E_LIMIT, "a policy has 1 to %u bytes", VD_PDB_MAX_SIZE);
    bytes.size = (size_t)st.st_size;
    bytes.data = malloc(bytes.size);
    if (bytes.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the policy");
    VD_TRY(read_all(fd, &bytes, diag));
    return vd_secd_policy_open(&bytes, ret, diag);
}

vd_status vd_secd_policy_apply(const struct vd_secd_policy *policy,
                               const struct vd_secd_state *state, struct vd_secd_policy *ret,
                               struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {.size = policy->blob.size};
    bool changed = false;

    bytes.data = malloc(bytes.size);
    if (bytes.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the policy");
    vd_copy(bytes.data, policy->blob.data, bytes.size);
    for (uint32_t i = 0; i < state->bool_count; i++) {
        const struct vd_secd_bool *b = &state->bools[i];
        uint32_t number;
        if (vd_policydb_find(&policy->db, VD_SYM_BOOL, b->name, strlen(b->name), &number) != VD_OK)
            continue;
        VD_TRY(vd_policydb_set_bool(bytes.data, number, b->value));
        changed = true;
    }
    if (changed)
        vd_policydb_recompute(bytes.data);
    return vd_secd_policy_open(&bytes, ret, diag);
}
