/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy explain`: why a policy allows or denies, and what would change it.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_EXPLAIN_H
#define VD_TOOLS_VERIDIAN_POLICY_EXPLAIN_H

#include "lib/cli/cli.h"
#include "lib/json.h"
#include "tools/analysis/explain.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_explain_command;

/* Prints an explanation; `changes` may be empty, of them `refused` ones only if `with_refused`. */
void vd_explain_print(FILE *out, const struct vd_inquiry *inquiry, const struct vd_why *why,
                      const struct vd_changes *changes, bool with_refused);

/* The same as JSON (docs/formats/explanation.md). NULL: no memory. */
json_t *vd_explain_json(const struct vd_inquiry *inquiry, const struct vd_why *why,
                        const struct vd_changes *changes, bool with_refused);

/* What a print function of tools/analysis writes, as a JSON string. */
json_t *vd_explain_perms_json(const struct vd_policydb *db, uint32_t class, uint32_t perms);
json_t *vd_explain_edit_json(const struct vd_policydb *db, const struct vd_edit *edit);
json_t *vd_explain_refusal_json(const struct vd_inquiry *inquiry, const struct vd_refusal *refusal);

#endif
