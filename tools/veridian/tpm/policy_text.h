/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A policy as text, for --policy:
 *
 *     pcr(7,11) and nv(0x01800010 >= now) or auth
 *
 *   pcr(LIST)                 the PCRs as they are now, or as predicted; pcr(7=HEX) names a value
 *   nv(INDEX OP N)            a counter; OP is ==, >= or <=, N a number or `now`
 *   authorize(FILE[, TEXT])   a state that the key of a PEM file approved, for the purpose TEXT
 *   auth                      the password
 *
 * `and` binds closer than `or`.
 */
#ifndef VD_TOOLS_VERIDIAN_TPM_POLICY_TEXT_H
#define VD_TOOLS_VERIDIAN_TPM_POLICY_TEXT_H

#include "hardware/tpm/policy.h"

#define VD_POLICY_BANKS_MAX 4u

/* Where the values come from that the text does not name. */
struct vd_policy_source {
    const struct vd_tpm_link *link;      /* its `tpm` may be NULL: there is none */
    const struct vd_pcr_bank *predicted; /* asked first; `extended` names the values there */
    uint32_t predicted_count;
};

/* VD_E_USAGE with the column for a text that is none. `ret` is large: not for small stacks. */
vd_status vd_policy_text_parse(const char *text, const struct vd_policy_source *source,
                               struct vd_tpm_policy *ret, struct vd_diag *diag);

/* One branch in words, for messages: "pcr(sha256:7,11) and auth". Cut at `size`. */
void vd_policy_text_branch(const struct vd_tpm_branch *branch, char *ret, size_t size);

#endif
