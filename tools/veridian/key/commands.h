/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The verbs of the area `key`, a file each; area_key.c has the table. */
#ifndef VD_TOOLS_VERIDIAN_KEY_COMMANDS_H
#define VD_TOOLS_VERIDIAN_KEY_COMMANDS_H

#include "lib/cli/cli.h"

extern const struct vd_cli_command vd_key_vectors_command;

#endif
