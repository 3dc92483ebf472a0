/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Verbs of the area `tpm` that keep secrets: seal and unseal, and approvals for them. */
#ifndef VD_TOOLS_VERIDIAN_TPM_SEAL_H
#define VD_TOOLS_VERIDIAN_TPM_SEAL_H

#include "lib/cli/cli.h"

extern const struct vd_cli_command vd_tpm_seal_command;
extern const struct vd_cli_command vd_tpm_unseal_command;
extern const struct vd_cli_command vd_tpm_policy_command;

#endif
