/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy search`: the rules that match, as written, with their places.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_SEARCH_H
#define VD_TOOLS_VERIDIAN_POLICY_SEARCH_H

#include "lib/cli/cli.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_search_command;

#endif
