/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changing the security server's policy: what `veridian policy load`, `rollback`
 * and `booleans` ask, one connection a call. What VD_OK acknowledges is on the
 * server's disk. VD_E_MISSING: no server; VD_E_DENIED: not allowed.
 */
#ifndef VD_LIB_SECCLIENT_ADMIN_H
#define VD_LIB_SECCLIENT_ADMIN_H

#include "core/abi/security.h"
#include "core/base/diag.h"

#define VD_SECADMIN_TIMEOUT_MS 60000u

/* The policy in force after a change. */
struct vd_secadmin_result {
    uint32_t sequence;
    uint64_t checksum;
};

/*
 * Hands over a policy of `size` bytes. `stage`: only checked and kept.
 * `confirm_s` not 0: the server goes back to the policy before unless it is
 * confirmed within so many seconds.
 */
struct vd_secadmin_load {
    const void *data;
    size_t size;
    bool stage;
    uint32_t confirm_s;
};
vd_status vd_secadmin_load(const char *socket, const struct vd_secadmin_load *load,
                           struct vd_secadmin_result *ret, struct vd_diag *diag);

/* The staged policy goes into force. */
vd_status vd_secadmin_commit(const char *socket, uint32_t confirm_s, struct vd_secadmin_result *ret,
                             struct vd_diag *diag);

/* VD_SEC_CONFIRM or VD_SEC_ROLLBACK. */
vd_status vd_secadmin_simple(const char *socket, enum vd_sec_verb verb,
                             struct vd_secadmin_result *ret, struct vd_diag *diag);

struct vd_secadmin_bool {
    char name[VD_SEC_NAME_MAX + 1];
    bool value;
    bool persistent; /* kept over the server's end */
};

/* All booleans, on the heap, for the caller to free. VD_E_BUSY if the policy changed meanwhile. */
vd_status vd_secadmin_bools(const char *socket, struct vd_secadmin_bool **ret, uint32_t *ret_count,
                            struct vd_diag *diag);

/* Sets booleans, all or none. */
struct vd_secadmin_set {
    const struct vd_secadmin_bool *bools;
    uint32_t count; /* at most VD_SEC_BOOLS_MAX */
    bool persistent;
};
vd_status vd_secadmin_set_bools(const char *socket, const struct vd_secadmin_set *set,
                                struct vd_secadmin_result *ret, struct vd_diag *diag);

/* The server's counts, as VD_SEC_STATUS_TABLE names them. `timeout_ms` bounds the call. */
vd_status vd_secadmin_status(const char *socket, uint32_t timeout_ms,
                             uint64_t ret[VD_SEC_STATUS_COUNT], struct vd_diag *diag);

#endif
