/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What `--json` output needs beyond jansson: one value, printed the same way
 * everywhere, and a bounded reader with the place of an error.
 */
#ifndef VD_LIB_JSON_H
#define VD_LIB_JSON_H

#include "core/base/diag.h"

#include <jansson.h>

/*
 * Prints `value` to standard output, indented by two, keys in the order they
 * were set, and a newline; takes the reference. NULL is VD_E_NO_MEMORY, so that
 * json_pack can be passed as it is.
 */
vd_status vd_json_print(json_t *value, struct vd_diag *diag);

/* The same on one line. */
vd_status vd_json_print_line(json_t *value, struct vd_diag *diag);

/*
 * Reads a file of at most `max_bytes` that holds one JSON value; duplicate keys
 * and trailing data are errors with line and column (VD_E_SYNTAX). The caller
 * owns `ret` (json_decref).
 */
vd_status vd_json_load(const char *path, size_t max_bytes, json_t **ret, struct vd_diag *diag);

#endif
