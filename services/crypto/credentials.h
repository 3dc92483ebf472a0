/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Secrets of systemd's units: root's process that connects from the address of a unit and a
 * credential gets that secret, by the service's own verbs, so that the policy decides and the
 * records name that process (docs/credentials.md).
 */
#ifndef VD_SERVICES_CRYPTO_CREDENTIALS_H
#define VD_SERVICES_CRYPTO_CREDENTIALS_H

#include "services/crypto/server.h"

#define VD_KEYD_CREDENTIALS_MAX 32u /* answered at a time; one more is turned away */

/* Takes a connection and answers it in a thread of its own; VD_E_SYSTEM: it waits, for now. */
vd_status vd_keyd_credentials_take(struct vd_keyd *s);

/* Until every answer is given; the service is stopping. */
void vd_keyd_credentials_wait(struct vd_keyd *s);

#endif
