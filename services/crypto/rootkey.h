/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How the service comes to its root key when it starts. */
#ifndef VD_SERVICES_CRYPTO_ROOTKEY_H
#define VD_SERVICES_CRYPTO_ROOTKEY_H

#include "core/abi/crypto.h"
#include "core/base/diag.h"
#include "lib/secret.h"

struct vd_keyd_root_options {
    enum vd_key_root kind;
    const char *store;           /* directory, which is there */
    const char *passphrase_file; /* first line; NULL: none */
};

/* Opens the root key of the store, or makes one; `ret` is empty before. */
vd_status vd_keyd_root_key(const struct vd_keyd_root_options *options, struct vd_secret *ret,
                           struct vd_diag *diag);

#endif
