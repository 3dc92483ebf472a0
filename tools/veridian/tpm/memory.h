/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Verbs of the area `tpm` that change the TPM: extend, and nv with its own verbs. */
#ifndef VD_TOOLS_VERIDIAN_TPM_MEMORY_H
#define VD_TOOLS_VERIDIAN_TPM_MEMORY_H

#include "lib/cli/cli.h"

extern const struct vd_cli_command vd_tpm_extend_command;
extern const struct vd_cli_command vd_tpm_nv_command;

#endif
