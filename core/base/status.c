/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/status.h"

struct status_row {
    const char *name;
    const char *text;
    enum vd_status_class class;
};

#define ROW(name_, text_, class_) [VD_##name_] = {#name_, text_, VD_CLASS_##class_},
static const struct status_row rows[VD_STATUS_COUNT] = {VD_STATUS_TABLE(ROW)};
#undef ROW

static bool known(vd_status status)
{
    return (unsigned)status < VD_STATUS_COUNT;
}

const char *vd_status_name(vd_status status)
{
    return known(status) ? rows[status].name : "?";
}

const char *vd_status_text(vd_status status)
{
    return known(status) ? rows[status].text : "unknown status";
}

enum vd_status_class vd_status_class(vd_status status)
{
    return known(status) ? rows[status].class : VD_CLASS_BUG;
}
