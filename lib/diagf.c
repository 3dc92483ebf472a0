/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "lib/diagf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool vacant(const struct vd_diag *diag)
{
    return diag != NULL && diag->status == VD_OK;
}

VD_PRINTF(3, 0)
static void fill(struct vd_diag *diag, vd_status status, const char *format, va_list args)
{
    diag->status = status;
    vsnprintf(diag->text, sizeof(diag->text), format, args);
}

vd_status vd_diagf(struct vd_diag *diag, vd_status status, const char *format, ...)
{
    va_list args;

    if (!vacant(diag))
        return status;
    va_start(args, format);
    fill(diag, status, format, args);
    va_end(args);
    return status;
}

vd_status vd_diagf_at(struct vd_diag *diag, vd_status status, uint64_t offset, const char *format,
                      ...)
{
    va_list args;

    if (!vacant(diag))
        return status;
    diag->offset = offset;
    diag->has_offset = true;
    va_start(args, format);
    fill(diag, status, format, args);
    va_end(args);
    return status;
}

vd_status vd_diagf_line(struct vd_diag *diag, vd_status status, uint32_t line, uint32_t column,
                        const char *format, ...)
{
    va_list args;

    if (!vacant(diag))
        return status;
    diag->line = line;
    diag->column = column;
    va_start(args, format);
    fill(diag, status, format, args);
    va_end(args);
    return status;
}

vd_status vd_diagf_errno(struct vd_diag *diag, vd_status status, int number, const char *format,
                         ...)
{
    va_list args;
    char reason[128];
    size_t len;

    if (!vacant(diag))
        return status;
    va_start(args, format);
    fill(diag, status, format, args);
    va_end(args);
    len = strlen(diag->text);
    snprintf(diag->text + len, sizeof(diag->text) - len, ": %s",
             strerror_r(number, reason, sizeof(reason)));
    return status;
}

void vd_diagf_hint(struct vd_diag *diag, const char *format, ...)
{
    va_list args;

    if (diag == NULL || diag->hint[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(diag->hint, sizeof(diag->hint), format, args);
    va_end(args);
}
