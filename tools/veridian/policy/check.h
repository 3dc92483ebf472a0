/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy check`: do the assertions of a file hold for a policy?
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_CHECK_H
#define VD_TOOLS_VERIDIAN_POLICY_CHECK_H

#include "lib/cli/cli.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_check_command;

#endif
