/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `veridian policy check`: do the assertions of a file hold for a policy?
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_CHECK_H
#define VD_TOOLS_VERIDIAN_POLICY_CHECK_H

#include "lib/cli/cli.h"
#include "lib/json.h"
#include "tools/analysis/flow_assertion.h"

/* The verb's row for the table of area_policy.c. */
extern const struct vd_cli_command vd_policy_check_command;

/* One assertion and what it came to. */
struct vd_check_verdict {
    const struct vd_rules *rules; /* `book.head` NULL: no rules are known */
    const struct vd_assertion *assertion;
    uint32_t number; /* from 1 */
    uint64_t failures;
    const struct vd_counterexample *example; /* must-allow, must-deny; NULL: it holds */
    const struct vd_flow_judge *judge;       /* flows */
    const struct vd_flow_result *path;
};

/* Prints the verdict as lines of a TAP stream, or adds it to `list`. VD_E_NO_MEMORY. */
vd_status vd_check_print(FILE *out, const struct vd_check_verdict *verdict);
vd_status vd_check_json(json_t *list, const struct vd_check_verdict *verdict);

#endif
