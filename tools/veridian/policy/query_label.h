/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The verb `label` of `veridian policy query`: which label a policy gives to
 * what keeps none of its own.
 *     label fs_use FS             label context=… behaviour=xattr|trans|task|genfs|none
 *     label genfs FS PATH [CLASS] | port PROTOCOL NUMBER | node ADDRESS | netif NAME
 *         | ibpkey PREFIX KEY | ibendport DEVICE PORT      label context=…
 * `initial=NAME` behind the context: no statement fits, that initial context holds.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_QUERY_LABEL_H
#define VD_TOOLS_VERIDIAN_POLICY_QUERY_LABEL_H

#include "tools/veridian/policy/query.h"

/* `words` begins behind "label". As vd_policy_query_words. */
enum vd_policy_answer vd_policy_query_label(const struct vd_policydb *db, char *const *words,
                                            uint32_t count, FILE *out, struct vd_diag *diag);

#endif
