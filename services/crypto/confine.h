/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The key process' sandbox: its store and the system calls it needs. */
#ifndef VD_SERVICES_CRYPTO_CONFINE_H
#define VD_SERVICES_CRYPTO_CONFINE_H

#include "core/base/diag.h"

/*
 * `tpm`: the name of the TPM whose counter is asked again; NULL: none is.
 *
 * Before the first thread is made: what it restricts, it restricts for this thread and its children.
 */
vd_status vd_keyd_confine(const char *store, const char *tpm, struct vd_diag *diag);

#endif
