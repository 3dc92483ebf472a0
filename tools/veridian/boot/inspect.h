/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Showing what an image holds: `boot inspect`. Judges nothing but the form. */
#ifndef VD_TOOLS_VERIDIAN_BOOT_INSPECT_H
#define VD_TOOLS_VERIDIAN_BOOT_INSPECT_H

#include "core/base/diag.h"

/*
 * Prints every header field with offset and size, the parts and the
 * certificates. A header that is whole but wrong is printed before the failure
 * is returned, since that is when one wants to see it.
 */
vd_status vd_boot_inspect(const char *path, bool json, struct vd_diag *diag);

#endif
