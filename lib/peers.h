/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which context a client has. A file says it by user id, one line each:
 *
 *     # UID CONTEXT, or * CONTEXT for everybody else
 *     0 system_u:system_r:admin_t:s0
 *     * user_u:user_r:user_t:s0
 *
 * The contexts are texts: what they mean, and whether they are valid, the
 * policy in force says.
 */
#ifndef VD_LIB_PEERS_H
#define VD_LIB_PEERS_H

#include "core/base/diag.h"

#define VD_PEERS_MAX       4096u
#define VD_PEERS_MAX_BYTES (1u << 20)

struct vd_peer_row {
    uint32_t uid;
    const char *context; /* in `text` of the table */
};

struct vd_peers {
    char *text; /* owned; NULL: clients have no contexts */
    struct vd_peer_row *rows;
    uint32_t count;
    const char *otherwise; /* of users that have no row; NULL: none, which is refused */
};

/* Reads the file; errors with line and column. */
vd_status vd_peers_load(const char *path, struct vd_peers *ret, struct vd_diag *diag);
void vd_peers_done(struct vd_peers *peers);

/* The context of that user; NULL if the table has none for it. */
const char *vd_peers_find(const struct vd_peers *peers, uint32_t uid);

#endif
