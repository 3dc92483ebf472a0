/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy suggest`: the least that would have allowed what a log denies.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_SUGGEST_H
#define VD_TOOLS_VERIDIAN_POLICY_SUGGEST_H

#include "lib/cli/cli.h"
#include "lib/json.h"
#include "tools/analysis/suggest.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_suggest_command;

/* What a log came to. */
struct vd_suggest_report {
    const struct vd_inquiry *inquiry;
    struct vd_suggest *suggest; /* its edits are sorted by printing */
    uint64_t denials, unknown;  /* unknown: contexts, classes or permissions of another policy */
    bool dontaudit;             /* dontaudit rules instead of changes */
};

/* Prints policy source, with comments. */
void vd_suggest_print(FILE *out, const struct vd_suggest_report *report);

/* The same as JSON. NULL: no memory. */
json_t *vd_suggest_json(const struct vd_suggest_report *report);

#endif
