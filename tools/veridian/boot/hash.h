/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* OpenSSL's digests under the names of the TPM, for replay and prediction. */
#ifndef VD_TOOLS_VERIDIAN_BOOT_HASH_H
#define VD_TOOLS_VERIDIAN_BOOT_HASH_H

#include "core/boot/eventlog.h"

#include <openssl/evp.h>

/* The digest of a TPM algorithm; NULL for one that is not known. */
const EVP_MD *vd_boot_md(uint16_t algorithm);

/* Operations for vd_pcr_extend and vd_eventlog_replay. */
extern const struct vd_hash_ops vd_boot_hash_ops;

#endif
