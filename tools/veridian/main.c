/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/areas.h"

/* clang-format off */
static const struct vd_cli_command *const areas[] = {
    &vd_area_help,
    &vd_area_status,
#ifdef VD_AREA_BOOT
    &vd_area_boot,
#endif
    &vd_area_policy,
    &vd_area_audit,
    &vd_area_attest,
    &vd_area_tpm,
    &vd_area_hsm,
    &vd_area_key,
    &vd_area_completion,
    NULL,
};
/* clang-format on */

static const struct vd_cli_command veridian = {
    .name = "veridian",
    .usage = "AREA VERB [OPTION]... [ARGUMENT]...",
    .summary = "one command for the security of a machine, from the firmware to the application",
    .details = "Exit codes: 0 done, allowed, verified; 1 denied, not verified, differs; 2 the\n"
               "input or the call is wrong; 3 something needed is missing on this machine; 4 a\n"
               "fault of the program or system.",
    .commands = areas,
};

int main(int argc, char **argv)
{
    return vd_cli_run(&veridian, VD_VERSION, argc, argv);
}
