/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Filling a diagnostic with printf-style text, for hosted code.
 *
 * Text from outside (names, paths, input) is written as it is here; the border
 * that prints the diagnostic (lib/cli) makes control characters harmless.
 * Threads: everything works on the caller's diagnostic alone.
 */
#ifndef VD_LIB_DIAGF_H
#define VD_LIB_DIAGF_H

#include "core/base/diag.h"

/* As vd_diag_fail, with a format. Returns `status`. */
vd_status vd_diagf(struct vd_diag *diag, vd_status status, const char *format, ...) VD_PRINTF(3, 4);

/* As vd_diag_fail_at, with a format. Returns `status`. */
vd_status vd_diagf_at(struct vd_diag *diag, vd_status status, uint64_t offset, const char *format,
                      ...) VD_PRINTF(4, 5);

/* A place in a text file: line and column are 1-based, column in bytes, 0: not known. */
vd_status vd_diagf_line(struct vd_diag *diag, vd_status status, uint32_t line, uint32_t column,
                        const char *format, ...) VD_PRINTF(5, 6);

/* The text followed by ": " and the name of the error `number` (an errno value). */
vd_status vd_diagf_errno(struct vd_diag *diag, vd_status status, int number, const char *format,
                         ...) VD_PRINTF(4, 5);

/* As vd_diag_hint, with a format. */
void vd_diagf_hint(struct vd_diag *diag, const char *format, ...) VD_PRINTF(2, 3);

#endif
