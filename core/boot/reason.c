/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/reason.h"

#define NAME_(name, string, text) [VD_BOOT_REASON_##name] = string,
static const char *const names[] = {VD_BOOT_REASON_TABLE(NAME_)};

#define TEXT_(name, string, text) [VD_BOOT_REASON_##name] = text,
static const char *const texts[] = {VD_BOOT_REASON_TABLE(TEXT_)};

static enum vd_boot_reason known(enum vd_boot_reason reason)
{
    return (unsigned)reason < VD_BOOT_REASON_COUNT ? reason : VD_BOOT_REASON_UNDECIDED;
}

const char *vd_boot_reason_name(enum vd_boot_reason reason)
{
    return names[known(reason)];
}

const char *vd_boot_reason_text(enum vd_boot_reason reason)
{
    return texts[known(reason)];
}
