/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Why a sealed file does not open: the branches, PCRs, and events of the log that differ. */
#ifndef VD_TOOLS_VERIDIAN_TPM_EXPLAIN_H
#define VD_TOOLS_VERIDIAN_TPM_EXPLAIN_H

#include "tools/veridian/tpm/sealed_file.h"

/* The event log named, or the kernel's; none of the latter is no error and leaves `ret` empty. */
vd_status vd_sealed_log_load(const char *path, struct vd_bytes *ret, struct vd_diag *diag);

/* Keeps the log's events of the policy's PCRs in the file, to explain a refusal with. */
vd_status vd_sealed_events_keep(const struct vd_bytes *log, struct vd_sealed_file *file,
                                struct vd_diag *diag);

struct vd_sealed_explanation {
    struct vd_tpm *tpm;
    const struct vd_sealed_file *file;
    const struct vd_bytes *log; /* of now; may be empty */
    const struct vd_tpm_refusals *refusals;
    const struct vd_tpm_approval *approvals; /* that were given */
    uint32_t approval_count;
};

/* Prints it to standard error. */
void vd_sealed_explain(const struct vd_sealed_explanation *explanation);

#endif
