/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The web interface as the key process sees it: it takes the connections itself, so that each
 * caller is whom the kernel names, and hands them with a connection of the key service's own
 * protocol to a front process (services/crypto/rest/), which reads HTTP and JSON. The front can
 * name nobody: a connection that it was given speaks for its one client, while that is there.
 *
 * A keeper, forked before the key process has anything secret, starts the front again when it
 * ends; both end with the key process.
 */
#ifndef VD_SERVICES_CRYPTO_FRONT_H
#define VD_SERVICES_CRYPTO_FRONT_H

#include "services/crypto/server.h"

#define VD_KEYD_FRONT_SUFFIX "-rest" /* of the front's program, beside the daemon's own */

struct vd_keyd_front_options {
    const char *user;   /* "UID:GID" to become; NULL: none */
    uint32_t timeout_s; /* for a request of a client */
};

/* Starts the keeper while there is one thread; `ret` is the key process' end. VD_E_MISSING. */
vd_status vd_keyd_front_start(const struct vd_keyd_front_options *options, int *ret,
                              struct vd_diag *diag);

/* Takes a connection of the web interface and hands it over; VD_E_SYSTEM: it waits, for now. */
vd_status vd_keyd_front_take(struct vd_keyd *s);

#endif
