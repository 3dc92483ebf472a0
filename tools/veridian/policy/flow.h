/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy flow`: paths of information or of domain transitions.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_FLOW_H
#define VD_TOOLS_VERIDIAN_POLICY_FLOW_H

#include "lib/cli/cli.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_flow_command;

#endif
