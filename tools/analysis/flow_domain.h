/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside the flow analyses: what the two kinds share. Not for other modules.
 */
#ifndef VD_TOOLS_ANALYSIS_FLOW_DOMAIN_H
#define VD_TOOLS_ANALYSIS_FLOW_DOMAIN_H

#include "tools/analysis/flow.h"

/* By set of the rulebook: does it hold the type? The caller frees it. VD_E_NO_MEMORY. */
vd_status vd_flow_holders(const struct vd_rules *rules, uint32_t type, bool **ret);

/* True if the rule counts under these options. */
bool vd_flow_in_force(const struct vd_rules *rules, const struct vd_flow_options *options,
                      const struct vd_rule *rule);

#endif
