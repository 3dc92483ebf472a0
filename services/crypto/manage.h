/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What changes the store. Every change is framed by two records: that it begins, in the audit
 * daemon's memory before anything happens, and how it ended, on its disk before the answer.
 */
#ifndef VD_SERVICES_CRYPTO_MANAGE_H
#define VD_SERVICES_CRYPTO_MANAGE_H

#include "services/crypto/server.h"

/* Is the caller permitted (`right` on the event's label), and is the beginning recorded? */
vd_status vd_keyd_manage_begin(struct vd_keyd_conn *c, uint32_t right,
                               const struct vd_keyd_label *label, struct vd_keyd_event *event,
                               struct vd_diag *diag);

/* Records the end and waits for the disk. The status to answer with. */
vd_status vd_keyd_manage_end(struct vd_keyd_conn *c, struct vd_keyd_event *event, vd_status status,
                             struct vd_diag *diag);

/* May the caller have a key under this label, which a request names? Known to the service if so. */
vd_status vd_keyd_permit_label(struct vd_keyd_conn *c, uint32_t right, const char *text,
                               struct vd_diag *diag);

/* A request's attributes with what they leave out filled in and checked. */
vd_status vd_keyd_attributes(const struct vd_keyd *s, const struct vd_key_attributes *from,
                             struct vd_kstore_attributes *ret, struct vd_diag *diag);

/* Puts a new key into the store, or a new version of `id`. */
vd_status vd_keyd_store_key(struct vd_keyd *s, const struct vd_kstore_attributes *attributes,
                            const struct vd_alg_key *key, uint8_t ret_id[VD_KEY_ID_SIZE],
                            struct vd_diag *diag);

void vd_keyd_info_of(const struct vd_kstore_key *row, struct vd_key_info *ret);

#endif
