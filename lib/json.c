/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/json.h"
#include "lib/diagf.h"
#include "lib/file.h"

#include <stdio.h>

static vd_status print(json_t *value, size_t flags, struct vd_diag *diag)
{
    int bad;

    if (value == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    bad = json_dumpf(value, stdout, flags | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    json_decref(value);
    if (bad != 0 || putchar('\n') == EOF)
        return vd_diag_fail(diag, VD_E_IO, "cannot write to standard output");
    return VD_OK;
}

vd_status vd_json_print(json_t *value, struct vd_diag *diag)
{
    return print(value, JSON_INDENT(2), diag);
}

vd_status vd_json_print_line(json_t *value, struct vd_diag *diag)
{
    return print(value, JSON_COMPACT, diag);
}

vd_status vd_json_load(const char *path, size_t max_bytes, json_t **ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
    json_error_t error;
    json_t *value;

    VD_TRY(vd_file_load(path, max_bytes, &bytes, diag));
    value = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        vd_diag_file(diag, path);
        return vd_diagf_line(diag, VD_E_SYNTAX, error.line > 0 ? (uint32_t)error.line : 1,
                             error.column > 0 ? (uint32_t)error.column : 1, "%s", error.text);
    }
    *ret = value;
    return VD_OK;
}
