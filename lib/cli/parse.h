/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Options and operands of one command: the part of lib/cli that vd_cli_run
 * calls for a command that has a function.
 */
#ifndef VD_LIB_CLI_PARSE_H
#define VD_LIB_CLI_PARSE_H

#include "lib/cli/cli.h"

/*
 * Parses the NULL-terminated `words` by the command's rows into `args`
 * (args_size zeroed bytes). Operands are moved to the front of `words`, which
 * ends with NULL after them. Options and operands may be mixed; "--" ends the
 * options. Everything wrong is VD_E_USAGE with what was expected.
 */
vd_status vd_cli_parse(const struct vd_cli_command *command, char **words, void *args,
                       uint32_t *ret_operand_count, struct vd_diag *diag);

#endif
