/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/diag.h"

static bool vacant(const struct vd_diag *diag)
{
    return diag != NULL && diag->status == VD_OK;
}

static void copy_text(char *dst, size_t size, const char *src)
{
    struct vd_text t;

    vd_text_init(&t, dst, size);
    vd_text_str(&t, src);
}

vd_status vd_diag_fail(struct vd_diag *diag, vd_status status, const char *text)
{
    if (vacant(diag)) {
        diag->status = status;
        copy_text(diag->text, sizeof(diag->text), text);
    }
    return status;
}

vd_status vd_diag_fail_at(struct vd_diag *diag, vd_status status, uint64_t offset, const char *text)
{
    if (vacant(diag)) {
        diag->offset = offset;
        diag->has_offset = true;
    }
    return vd_diag_fail(diag, status, text);
}

void vd_diag_hint(struct vd_diag *diag, const char *hint)
{
    if (diag != NULL && diag->hint[0] == '\0')
        copy_text(diag->hint, sizeof(diag->hint), hint);
}

void vd_diag_file(struct vd_diag *diag, const char *file)
{
    if (diag != NULL && diag->file[0] == '\0')
        copy_text(diag->file, sizeof(diag->file), file);
}

void vd_diag_begin(struct vd_diag *diag, vd_status status, struct vd_text *ret_text)
{
    if (!vacant(diag)) {
        /* Nowhere to write: a text of capacity zero, which owns no buffer. */
        *ret_text = (struct vd_text){.buf = NULL, .size = 0};
        return;
    }
    diag->status = status;
    vd_text_init(ret_text, diag->text, sizeof(diag->text));
}
