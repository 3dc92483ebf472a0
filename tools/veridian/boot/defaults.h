/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the files are that a call does not name: the bootloader, the firmware's
 * variable store, virt-fw-vars. In order: the environment, `deps.env` of the
 * build tree in which this program lies, the place of an installed system.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_DEFAULTS_H
#define VD_TOOLS_VERIDIAN_BOOT_DEFAULTS_H

#include "core/base/diag.h"

#include <limits.h>

/* The bootloader without trust: VD_BOOTLOADER, the build's, the installed one. */
const char *vd_boot_default_bootloader(char ret[PATH_MAX]);

/* The empty variable store: VD_OVMF is its directory. */
const char *vd_boot_default_vars(char ret[PATH_MAX]);

/* The program virt-fw-vars: VD_VIRT_FW_VARS, else found in PATH. */
const char *vd_boot_default_virt_fw_vars(char ret[PATH_MAX]);

#endif
