/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The full decision: what `source` may do to `target` as an object of `class`.
 */
#ifndef VD_CORE_MAC_DECIDE_H
#define VD_CORE_MAC_DECIDE_H

#include "core/mac/mac.h"

#ifndef __VMLINUX_H__
/*
 * Fills `ret` whole. A context or class that the policy does not have, and any
 * damage found on the way, give no permission. Cost: four loads for type
 * enforcement plus the class's constraint nodes; no allocation.
 */
void vd_mac_decide(const struct vd_policydb *db, const struct vd_context *source,
                   const struct vd_context *target, uint32_t class, struct vd_decision *ret);
#endif

#endif
