/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Edits and places as text; rules themselves are written by rules.h.
 */
#ifndef VD_TOOLS_ANALYSIS_CHANGE_TEXT_H
#define VD_TOOLS_ANALYSIS_CHANGE_TEXT_H

#include <stdio.h>

#include "tools/analysis/change.h"

/* An edit as a statement with its semicolon; a boolean, which no statement switches, as "NAME=0|1". */
void vd_edit_write(const struct vd_policydb *db, const struct vd_edit *edit, FILE *out);

/* The rule as written, with its semicolon. */
void vd_inquiry_write_rule(const struct vd_inquiry *inquiry, const struct vd_rule *rule, FILE *out);

/* "FILE:LINE", or "no place" for a policy that kept none. */
void vd_inquiry_write_place(const struct vd_inquiry *inquiry, const struct vd_rule *rule,
                            FILE *out);

#endif
