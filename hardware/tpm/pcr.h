/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PCRs of a TPM: which banks there are, reading; and the selection
 * that quotes and reads share (TPML_PCR_SELECTION).
 */
#ifndef VD_HARDWARE_TPM_PCR_H
#define VD_HARDWARE_TPM_PCR_H

#include "core/boot/eventlog.h"
#include "hardware/tpm/command.h"

#define VD_TPM_BANKS_MAX 16u

/* The PCRs of one bank, bit n for PCR n. */
struct vd_tpm_bank {
    uint16_t algorithm; /* TPM_ALG_ID */
    uint32_t pcrs;      /* 24 bits */
};

struct vd_tpm_selection {
    uint32_t count;
    struct vd_tpm_bank bank[VD_TPM_BANKS_MAX];
};

/* Writes and reads a TPML_PCR_SELECTION; PCRs of 24 and above are refused. */
void vd_tpm_selection_write(struct vd_writer *w, const struct vd_tpm_selection *selection);
vd_status vd_tpm_selection_read(struct vd_reader *r, struct vd_tpm_selection *ret);

/*
 * "0,4,8-11" or "sha256:0,4": the PCRs of one bank (sha256 where none is named).
 * VD_E_USAGE for anything else.
 */
vd_status vd_tpm_selection_parse(const char *text, struct vd_tpm_selection *ret,
                                 struct vd_diag *diag);

/* The banks that this TPM has, with the PCRs of each. */
vd_status vd_tpm_pcr_banks(struct vd_tpm *tpm, struct vd_tpm_selection *ret, struct vd_diag *diag);

/*
 * Reads the PCRs of `bank` into `ret` (whose `extended` names those that were
 * read). VD_E_UNSUPPORTED if the TPM does not have that bank or PCR.
 */
vd_status vd_tpm_pcr_read(struct vd_tpm *tpm, const struct vd_tpm_bank *bank,
                          struct vd_pcr_bank *ret, struct vd_diag *diag);

/* A digest for one bank. */
struct vd_tpm_digest {
    uint16_t algorithm; /* TPM_ALG_ID */
    uint8_t bytes[VD_DIGEST_MAX_SIZE];
};

/* Extends a PCR (0 to 23) by a digest in each of the banks named. VD_E_RANGE: no such PCR. */
vd_status vd_tpm_pcr_extend(struct vd_tpm *tpm, uint32_t pcr, const struct vd_tpm_digest *digests,
                            uint32_t count, struct vd_diag *diag);

#endif
