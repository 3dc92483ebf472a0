/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/areas.h"

static int bash(const struct vd_cli_call *call)
{
    vd_cli_print_bash_completion(stdout, call->root);
    return VD_EXIT_YES;
}

static const struct vd_cli_command bash_command = {
    .name = "bash",
    .summary = "prints the completion script for bash",
    .details = "Use: eval \"$(veridian completion bash)\"",
    .run = bash,
};

static const struct vd_cli_command *const shells[] = {&bash_command, NULL};

const struct vd_cli_command vd_area_completion = {
    .name = "completion",
    .summary = "word completion for shells",
    .commands = shells,
};
