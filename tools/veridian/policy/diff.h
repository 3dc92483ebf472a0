/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy diff`: what two policies say differently.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_DIFF_H
#define VD_TOOLS_VERIDIAN_POLICY_DIFF_H

#include "lib/cli/cli.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_diff_command;

#endif
