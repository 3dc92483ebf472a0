/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One audit record for people (a line) and for programs (a JSON object whose
 * parts are the seed's: subject, object, action, result, MAC context, fields).
 */
#ifndef VD_TOOLS_VERIDIAN_AUDIT_PRINT_H
#define VD_TOOLS_VERIDIAN_AUDIT_PRINT_H

#include "core/audit/segment.h"

#include <jansson.h>
#include <stdio.h>

/* A new object; NULL if memory is short. */
json_t *vd_audit_json(uint64_t segment, const struct vd_audit_frame *frame,
                      const struct vd_audit_record *record);

/* A line on `out`. Bytes outside printable ASCII are written as \xHH. */
void vd_audit_print(FILE *out, const struct vd_audit_frame *frame,
                    const struct vd_audit_record *record);

#endif
