/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Policy text that is part of the compiler (policy/builtin, embedded by the
 * build): classes, levels and MLS constraints for sources that declare none.
 */
#ifndef VD_TOOLS_SEPOLICY_BUILTIN_H
#define VD_TOOLS_SEPOLICY_BUILTIN_H

#include "tools/sepolicy/sepolicy.h"

extern const struct vd_sepolicy_source vd_sp_builtin_classes;
extern const struct vd_sepolicy_source vd_sp_builtin_levels;
extern const struct vd_sepolicy_source vd_sp_builtin_constraints;

#endif
