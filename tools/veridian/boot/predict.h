/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a boot of a built directory will measure: `boot predict`.
 *
 * PCRs 8 and 11 hold only the bootloader's events, 9 also those of Linux' EFI
 * stub. PCR 4 also has the firmware's: "Calling EFI Application from Boot
 * Option", the separator and the Authenticode digest of the bootloader; a
 * machine whose firmware starts other programs first has more. Other PCRs
 * depend on the machine.
 */
#ifndef VD_TOOLS_VERIDIAN_BOOT_PREDICT_H
#define VD_TOOLS_VERIDIAN_BOOT_PREDICT_H

#include "core/base/diag.h"

#include <jansson.h>

/*
 * {"pcrs": {"sha256": {"4": "hex", …}, "sha384": …}, "events": [{"pcr", "type",
 * "digest", "text"}]}; the events' digests are SHA-256. `dir` holds
 * veridian.img and BOOTX64.EFI. The caller owns `ret`.
 */
vd_status vd_boot_predict(const char *dir, json_t **ret, struct vd_diag *diag);

#endif
