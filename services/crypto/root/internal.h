/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The three protections of a root key, for root.c. */
#ifndef VD_SERVICES_CRYPTO_ROOT_INTERNAL_H
#define VD_SERVICES_CRYPTO_ROOT_INTERNAL_H

#include "hardware/tpm/keeper.h"
#include "services/crypto/root/file.h"

/* What a protection works with: options, the file that it fills or reads, a TPM if it has one. */
struct vd_root_work {
    const struct vd_root_options *options;
    struct vd_root_file *file;
    struct vd_tpm_keeper *keeper; /* NULL: there is none */
};

/* Puts `key` under the protection; fills the file. */
vd_status vd_root_tpm_seal(const struct vd_root_work *work, const struct vd_secret *key,
                           struct vd_diag *diag);
vd_status vd_root_passphrase_seal(const struct vd_root_work *work, const struct vd_secret *key,
                                  struct vd_diag *diag);

/* Gets the key, of its size already, out again. */
vd_status vd_root_tpm_open(const struct vd_root_work *work, struct vd_secret *key,
                           struct vd_diag *diag);
vd_status vd_root_passphrase_open(const struct vd_root_work *work, struct vd_secret *key,
                                  struct vd_diag *diag);

/*
 * The counter at options->counter: one that is there and is a counter of ours, else a new one,
 * raised once so that it has a value and a name that stays. Fills the file.
 */
vd_status vd_root_counter_make(const struct vd_root_work *work, struct vd_diag *diag);

#endif
