/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What was done with which key, for the audit daemon (docs/formats/key-service.md, "Records").
 *
 * A record is in the daemon's memory before the work begins, so that nothing is done that is not
 * recorded; a failure has a second one. Management is on the daemon's disk before the answer
 * leaves. What cannot be recorded is refused: VD_E_NOT_RECORDED.
 */
#ifndef VD_SERVICES_CRYPTO_AUDIT_H
#define VD_SERVICES_CRYPTO_AUDIT_H

#include <stdatomic.h>

#include "core/abi/crypto.h"
#include "core/base/diag.h"
#include "lib/auditring/auditring.h"
#include "lib/ipc/socket.h"

#define VD_KEYD_RINGS 16u

struct vd_keyd_audit {
    struct vd_auditring_options options;
    _Atomic(struct vd_auditring *) ring; /* NULL: nothing is recorded */
    /* Those that the daemon gave up: a thread may still be looking at one. The keeper's. */
    struct vd_auditring *given_up[VD_KEYD_RINGS];
    uint32_t given_up_count;
};

/* What a record says. Texts may be NULL. */
struct vd_keyd_event {
    const struct vd_ipc_peer *peer;
    const char *subject; /* the caller's context */
    const char *verb;
    const char *right;  /* permission; empty: none */
    const char *label;  /* the key's */
    const char *name;   /* the key's */
    const uint8_t *id;  /* the key's */
    uint32_t version;   /* 0: none */
    uint32_t count;     /* operations; 0: one */
    const char *detail; /* what was changed, or why it was refused */
    vd_status status;
    bool manage;
    bool begun; /* the record of the beginning, of what is managed */
};

/* Opens the ring, as `audit->options` say. */
vd_status vd_keyd_audit_open(struct vd_keyd_audit *audit, struct vd_diag *diag);
void vd_keyd_audit_close(struct vd_keyd_audit *audit);

/*
 * To be called about once a second, by one thread: the last records go to a new daemon, and where
 * the daemon has given the ring up there is another one; until then everything is refused.
 */
void vd_keyd_audit_tend(struct vd_keyd_audit *audit);

/* Puts a record; VD_E_NOT_RECORDED with the reason. */
vd_status vd_keyd_audit_put(struct vd_keyd_audit *audit, const struct vd_keyd_event *event,
                            struct vd_diag *diag);

/* Waits until every record that was put is on the disk; VD_E_NOT_RECORDED. */
vd_status vd_keyd_audit_flush(struct vd_keyd_audit *audit, struct vd_diag *diag);

#endif
