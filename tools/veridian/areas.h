/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The areas of the command: each is a row in its own file area_NAME.c, and a
 * line in the table of main.c.
 */
#ifndef VD_TOOLS_VERIDIAN_AREAS_H
#define VD_TOOLS_VERIDIAN_AREAS_H

#include "lib/cli/cli.h"

extern const struct vd_cli_command vd_area_attest;
extern const struct vd_cli_command vd_area_audit;
extern const struct vd_cli_command vd_area_boot;
extern const struct vd_cli_command vd_area_completion;
extern const struct vd_cli_command vd_area_help;
extern const struct vd_cli_command vd_area_hsm;
extern const struct vd_cli_command vd_area_key;
extern const struct vd_cli_command vd_area_policy;
extern const struct vd_cli_command vd_area_status;
extern const struct vd_cli_command vd_area_tpm;

#endif
