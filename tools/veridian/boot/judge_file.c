/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/judge_file.h"

#include "bootloader/judgement.h"
#include "tools/veridian/boot/enroll.h"
#include "tools/veridian/boot/pki.h"
#include "tools/veridian/boot/policy_text.h"

#include <stdlib.h>

/* The dbx that the list of forbidden things amounts to. */
static vd_status make_dbx(const struct vd_boot_verify *request, struct vd_bytes *ret,
                          struct vd_diag *diag)
{
    struct vd_writer w;

    ret->data = malloc(VD_ENROLL_DBX_MAX_BYTES);
    if (ret->data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    vd_writer_init(&w, ret->data, VD_ENROLL_DBX_MAX_BYTES);
    for (size_t i = 0; i < request->forbidden_count; i++)
        VD_TRY(vd_enroll_forbid(&w, request->forbidden[i], diag));
    if (vd_write_done(&w) != VD_OK)
        return vd_diag_fail(diag, VD_E_LIMIT, "the forbidden list is larger than 64 KiB");
    ret->size = w.len;
    return VD_OK;
}

vd_status vd_boot_verify(const struct vd_boot_verify *request, struct vd_bytes *ret_file,
                         struct vd_boot_verdict *ret, struct vd_diag *diag)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes root = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes dbx = {};
    struct vd_span dbx_span;
    struct vd_boot_case what = {.capabilities = VD_BOOT_CAP_ALL};

    VD_TRY(vd_pki_load_cert(request->root, &root, diag));
    VD_TRY(make_dbx(request, &dbx, diag));
    if (request->policy != NULL)
        VD_TRY(vd_boot_policy_load(request->policy, &what.policy, diag));
    VD_TRY(vd_file_load(request->image, VD_IMAGE_MAX_BYTES, ret_file, diag));
    dbx_span = (struct vd_span){.data = dbx.data, .size = dbx.size};
    what.root = (struct vd_span){.data = root.data, .size = root.size};
    what.image = (struct vd_span){.data = ret_file->data, .size = ret_file->size};
    vd_diag_file(diag, request->image);
    vd_judgement(&what, &dbx_span, ret, diag);
    return VD_OK;
}
