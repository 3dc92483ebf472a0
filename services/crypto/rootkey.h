/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How the service comes to its root key when it starts: the file root.key in the store's directory. */
#ifndef VD_SERVICES_CRYPTO_ROOTKEY_H
#define VD_SERVICES_CRYPTO_ROOTKEY_H

#include "services/crypto/root/root.h"

#define VD_KEYD_ROOT_FILE "root.key"

/* What the command line says. NULL and 0: nothing. */
struct vd_keyd_root_options {
    enum vd_root_kind kind;
    const char *store;           /* directory, which is there */
    const char *passphrase_file; /* first line */
    const char *tpm, *pcrs, *authority, *approval;
    const char *pin_file;             /* of the TPM's root key or of the token */
    uint32_t counter;                 /* NV index */
    const char *hsm_module, *hsm_key; /* module and URI of the key that wraps */
};

/*
 * Opens the root key of the store, or makes one where there is neither a root key nor a store.
 * `ret_key` is empty before; both are the caller's.
 */
vd_status vd_keyd_root_key(const struct vd_keyd_root_options *options, struct vd_secret *ret_key,
                           struct vd_root **ret, struct vd_diag *diag);

#endif
