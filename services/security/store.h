/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The server's directory: policies `policy-NNNNNNNNNN.vpol` and the file `state`
 * (docs/formats/security-store.md).
 *
 * A policy's file is written whole and synced before the state names it; the
 * state is replaced by rename and synced before anything is acknowledged. So a
 * kill at any point leaves the old state or the new one, each with its files.
 * Whoever uses the directory holds an exclusive flock on it.
 */
#ifndef VD_SERVICES_SECURITY_STORE_H
#define VD_SERVICES_SECURITY_STORE_H

#include "services/security/policy.h"

struct vd_secd_store {
    int dir;
    vd_status
        failed; /* a write failed: nobody knows what the disk holds, nothing more is written */
};

/*
 * Opens or makes the directory (mode 0700) and reads its state; a directory
 * without one has an empty state. VD_E_BUSY if another server uses it; VD_E_INVALID
 * if others than this user and root may write there.
 */
vd_status vd_secd_store_open(struct vd_secd_store *ret, const char *path,
                             struct vd_secd_state *ret_state, struct vd_diag *diag);
void vd_secd_store_close(struct vd_secd_store *store);

/* Reads policy file `number`, without booleans. */
vd_status vd_secd_store_load(const struct vd_secd_store *store, uint64_t number,
                             struct vd_secd_policy *ret, struct vd_diag *diag);

/* Writes policy file `number`; on the disk when it returns. */
vd_status vd_secd_store_add(struct vd_secd_store *store, uint64_t number,
                            const struct vd_bytes *blob, struct vd_diag *diag);

/* Replaces the state; on the disk when it returns. */
vd_status vd_secd_store_commit(struct vd_secd_store *store, const struct vd_secd_state *state,
                               struct vd_diag *diag);

/* Removes policies that the state does not refer to, and unfinished files. */
void vd_secd_store_clean(const struct vd_secd_store *store, const struct vd_secd_state *state);

#endif
