/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/areas.h"

static int help(const struct vd_cli_call *call)
{
    const struct vd_cli_command *path[VD_CLI_DEPTH_MAX];
    uint32_t depth;
    uint32_t used = vd_cli_find(call->root, call->operand_count, call->operands, path, &depth);

    if (used < call->operand_count) {
        vd_cli_unknown_command(path[depth - 1], call->operands[used]);
        return VD_EXIT_USAGE;
    }
    vd_cli_print_help(stdout, path, depth);
    return VD_EXIT_YES;
}

const struct vd_cli_command vd_area_help = {
    .name = "help",
    .usage = "[AREA [VERB]]",
    .summary = "explains the command, an area or a verb",
    .operands_max = VD_CLI_ANY,
    .run = help,
};
