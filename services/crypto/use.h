/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A key that serves: whether it may, which version, and the work itself.
 *
 *     struct vd_keyd_use use = {.op = &op, .out = &call->out};
 *     vd_keyd_use_begin(c, &use, verb, 1, diag);   state, times, right, count, record
 *     vd_keyd_use_work(&use, diag);                one operation, or several
 *     vd_keyd_use_end(&use);
 */
#ifndef VD_SERVICES_CRYPTO_USE_H
#define VD_SERVICES_CRYPTO_USE_H

#include "services/crypto/server.h"

struct vd_keyd_use {
    struct vd_keyd_conn *c;
    const struct vd_key_op *op; /* what is to be done */
    struct vd_writer *out;      /* where the result goes */
    uint16_t verb;
    struct vd_keyd_key *key; /* the handle's reference */
    struct vd_keyd_facts facts;
    uint32_t version;       /* of `alg` */
    struct vd_alg_key *alg; /* a reference; NULL: none is taken yet */
};

/*
 * VD_OK: the key that `use->op` names may serve `verb` for this caller, and it is recorded and
 * counted so, `count` times. The caller has set `use->op`, `use->out` and nothing else.
 */
vd_status vd_keyd_use_begin(struct vd_keyd_conn *c, struct vd_keyd_use *use, uint16_t verb,
                            uint32_t count, struct vd_diag *diag);

/* State, times and usages as they are now; without caller, count or record. */
vd_status vd_keyd_use_check(const struct vd_keyd *s, const struct vd_keyd_facts *facts,
                            uint16_t verb, struct vd_diag *diag);

/* Takes the version (0: the newest). */
vd_status vd_keyd_use_version(struct vd_keyd_use *use, uint32_t version, struct vd_diag *diag);

/* Does `use->op`; the result goes to `use->out`. */
vd_status vd_keyd_use_work(struct vd_keyd_use *use, struct vd_diag *diag);

/* Records a failure, of `count` operations. */
void vd_keyd_use_failed(const struct vd_keyd_use *use, uint32_t count, vd_status status,
                        const char *detail);

void vd_keyd_use_end(struct vd_keyd_use *use);

#endif
