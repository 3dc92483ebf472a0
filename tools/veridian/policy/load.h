/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy load`, `rollback`, `booleans` and `server`: the policy of the
 * running security server.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_LOAD_H
#define VD_TOOLS_VERIDIAN_POLICY_LOAD_H

#include "lib/cli/cli.h"

/* The verbs' rows for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_load_command;
extern const struct vd_cli_command vd_policy_rollback_command;
extern const struct vd_cli_command vd_policy_booleans_command;
extern const struct vd_cli_command vd_policy_server_command;

#endif
