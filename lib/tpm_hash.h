/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* OpenSSL's digests under the TPM's numbers: for event logs and quotes. */
#ifndef VD_LIB_TPM_HASH_H
#define VD_LIB_TPM_HASH_H

#include "core/boot/eventlog.h"

#include <openssl/evp.h>

/* The digest of a TPM_ALG_ID; NULL for one that is not known. */
const EVP_MD *vd_tpm_md(uint16_t algorithm);

/* For vd_pcr_extend and vd_eventlog_replay. */
extern const struct vd_hash_ops vd_tpm_hash_ops;

#endif
