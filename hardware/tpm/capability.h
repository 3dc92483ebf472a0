/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a TPM is and can (TPM2_GetCapability). */
#ifndef VD_HARDWARE_TPM_CAPABILITY_H
#define VD_HARDWARE_TPM_CAPABILITY_H

#include "hardware/tpm/command.h"

#define VD_TPM_CAP_ALGS           0u
#define VD_TPM_CAP_PCRS           5u
#define VD_TPM_CAP_TPM_PROPERTIES 6u

#define VD_TPM_ALGORITHMS_MAX 256u

struct vd_tpm_info {
    char family[5];       /* "2.0" */
    uint32_t revision;    /* of the specification, times 100 */
    char manufacturer[5]; /* "IBM", "INTC", … */
    char vendor[17];
    uint32_t firmware[2];
    uint32_t algorithm_count;
    uint16_t algorithm[VD_TPM_ALGORITHMS_MAX];
};

/* What to ask for. */
struct vd_tpm_question {
    uint32_t capability; /* VD_TPM_CAP_… */
    uint32_t property;   /* first one */
    uint32_t count;      /* at most */
};

/*
 * Runs the command; the parameters of `ret` then stand at the list. `ret_more`
 * (may be NULL): there are more than were asked for.
 */
vd_status vd_tpm_capability(struct vd_tpm *tpm, const struct vd_tpm_question *question,
                            struct vd_tpm_response *ret, bool *ret_more, struct vd_diag *diag);

/* Fills `ret`; text fields are printable ASCII. */
vd_status vd_tpm_info(struct vd_tpm *tpm, struct vd_tpm_info *ret, struct vd_diag *diag);

/* How the TPM defends passwords against guessing. */
struct vd_tpm_lockout {
    bool locked;
    uint32_t failed;     /* wrong passwords that count now */
    uint32_t allowed;    /* as many lock it */
    uint32_t interval_s; /* after so long one of them is forgiven; 0: never */
    uint32_t recovery_s; /* of the lockout password itself; 0: at the next start */
};

vd_status vd_tpm_lockout(struct vd_tpm *tpm, struct vd_tpm_lockout *ret, struct vd_diag *diag);

/* "rsa", "ecc", "sha256", …; NULL for one that is not known here. */
const char *vd_tpm_algorithm_name(uint16_t algorithm);

#endif
