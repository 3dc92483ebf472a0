/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy compile`: sources in, a compiled policy out.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_COMPILE_H
#define VD_TOOLS_VERIDIAN_POLICY_COMPILE_H

#include "lib/cli/cli.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_compile_command;

#endif
