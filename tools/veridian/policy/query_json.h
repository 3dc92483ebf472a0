/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The answer to one query as a JSON object.
 */
#ifndef VD_TOOLS_VERIDIAN_POLICY_QUERY_JSON_H
#define VD_TOOLS_VERIDIAN_POLICY_QUERY_JSON_H

#include "lib/json.h"

/*
 * The line that vd_policy_query_words wrote, cut into words in place: its first word is
 * "query", KEY=VALUE a string, KEY={A,B} a list of strings, 0 and 1 are false and true,
 * a '-' in a key is '_'. NULL without memory; the caller's.
 */
json_t *vd_policy_query_json(char *line);

#endif
