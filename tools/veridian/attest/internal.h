/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The steps of vd_attest_verify that have files of their own. */
#ifndef VD_TOOLS_VERIDIAN_ATTEST_INTERNAL_H
#define VD_TOOLS_VERIDIAN_ATTEST_INTERNAL_H

#include "tools/veridian/attest/verify.h"

/* The signature under the AK: VD_E_SIGNATURE, VD_E_INVALID for a key that does not fit. */
vd_status vd_attest_check_signature(const struct vd_attest_evidence *evidence,
                                    const struct vd_tpm_signature *signature, struct vd_diag *diag);

/* The value of one PCR in {"pcrs": {"sha256": {"4": "hex"}}}; VD_E_NOT_FOUND if it has none. */
vd_status vd_attest_json_pcr(const json_t *list, uint16_t algorithm, uint32_t pcr, uint8_t *ret,
                             struct vd_diag *diag);

/* Compares the replayed PCRs with the expected ones; names the first event that differs. */
vd_status vd_attest_check_expected(const struct vd_attest_evidence *evidence,
                                   struct vd_attest_result *result, struct vd_diag *diag);

#endif
