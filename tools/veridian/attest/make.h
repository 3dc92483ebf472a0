/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Making the evidence of a machine's state: a directory with quote.bin,
 * quote.sig, ak.pem, ak.pub, pcrs.json and eventlog.bin (docs/formats/quote.md).
 */
#ifndef VD_TOOLS_VERIDIAN_ATTEST_MAKE_H
#define VD_TOOLS_VERIDIAN_ATTEST_MAKE_H

#include "core/base/diag.h"
#include "hardware/tpm/pcr.h"

#include <jansson.h>

#define VD_ATTEST_KERNEL_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"

struct vd_attest_make {
    const char *tpm;   /* NULL: the machine's */
    const char *nonce; /* hexadecimal */
    const char *pcrs;  /* as vd_tpm_selection_parse has them */
    const char *out;   /* made if need be */
    const char *log;   /* event log to copy; NULL: the kernel's, where there is one */
};

/*
 * Makes the directory's files. Without `log` a machine without an event log is
 * no error: eventlog.bin is then left out and `ret_has_log` is false.
 */
vd_status vd_attest_make(const struct vd_attest_make *args, bool *ret_has_log,
                         struct vd_diag *diag);

/* "00ff…" → bytes; VD_E_USAGE unless it is 1 to VD_TPM_NONCE_MAX bytes. */
vd_status vd_attest_nonce(const char *hex, uint8_t ret[64], size_t *ret_size, struct vd_diag *diag);

/* {"pcrs": {"sha256": {"0": "…"}}} for the PCRs that were read. */
json_t *vd_attest_pcrs_json(const struct vd_pcr_bank *banks, uint32_t count);

#endif
