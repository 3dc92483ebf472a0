/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/policy/open.h"

#include <stdlib.h>
#include <string.h>

#include "core/policydb/conditional.h"
#include "lib/diagf.h"
#include "tools/sepolicy/sepolicy.h"

static const char *bool_name(const void *ctx, uint32_t i)
{
    const struct vd_policydb *db = ctx;

    return i + 1 < vd_policydb_header(db)->sections[VD_PDB_BOOLS].count
               ? vd_policydb_name(db, VD_SYM_BOOL, i + 1)
               : NULL;
}

/* "NAME=0" or "NAME=1" into the policy's own copy. */
static vd_status set_bool(const struct vd_policydb *db, uint8_t *blob, const char *text,
                          struct vd_diag *diag)
{
    const char *sign = strchr(text, '=');
    uint32_t number;

    if (sign == NULL || (sign[1] != '0' && sign[1] != '1') || sign[2] != '\0') {
        vd_diagf_hint(diag, "for example --bool allow_debug=1");
        return vd_diagf(diag, VD_E_USAGE, "--bool %s: expected NAME=0 or NAME=1", text);
    }
    if (vd_policydb_find(db, VD_SYM_BOOL, text, (size_t)(sign - text), &number) == VD_OK)
        return vd_policydb_set_bool(blob, number, sign[1] == '1');
    char *name = strndup(text, (size_t)(sign - text));
    const char *near = name == NULL ? NULL : vd_cli_nearest(name, bool_name, db);
    if (near != NULL)
        vd_diagf_hint(diag, "is \"%s\" meant?", near);
    free(name);
    return vd_diagf(diag, VD_E_NOT_FOUND, "the policy has no boolean \"%.*s\"", (int)(sign - text),
                    text);
}

/* The first message says what is wrong. */
static void take_message(void *arg, const struct vd_sepolicy_message *message)
{
    struct vd_diag *diag = arg;

    if (message->level != VD_SEPOLICY_ERROR)
        return;
    if (message->has_offset)
        (void)vd_diagf_at(diag, VD_E_INVALID, message->offset, "%s", message->text);
    else
        (void)vd_diagf(diag, VD_E_INVALID, "%s", message->text);
}

/* SELinux's binary policy becomes ours, which decides alike. */
static vd_status convert(struct vd_bytes *bytes, enum vd_policy_open how, const char *path,
                         struct vd_diag *diag)
{
    struct vd_sepolicy_source source = {
        .name = path, .text = (const char *)bytes->data, .size = bytes->size};
    struct vd_sepolicy_options options = {
        .rulebook = how != VD_POLICY_OPEN_BLOB, .message = take_message, .message_arg = diag};
    struct vd_sepolicy_result result;
    vd_status status;

    if (!vd_sepolicy_is_selinux(bytes->data, bytes->size))
        return VD_OK;
    status = vd_sepolicy_read_selinux(&source, &options, &result);
    if (status != VD_OK)
        return vd_diag_fail(diag, status,
                            "the policy is too large for this machine's memory or for the format");
    vd_bytes_free(bytes);
    *bytes = (struct vd_bytes){.data = result.blob, .size = result.size};
    return VD_OK;
}

static vd_status open_bytes(struct vd_policy_file *file, enum vd_policy_open how,
                            const struct vd_cli_list *bools, struct vd_diag *diag)
{
    size_t extent = vd_policydb_extent(file->bytes.data, file->bytes.size);
    vd_status status = vd_policydb_open(&file->db, file->bytes.data, extent, diag);

    if (status == VD_E_MAGIC)
        vd_diagf_hint(diag, "compile the sources first: veridian policy compile -o policy.vpol");
    VD_TRY(status);
    /* The rulebook knows the blob as the compiler wrote it: before booleans are set. */
    if (how == VD_POLICY_OPEN_RULES || (how == VD_POLICY_OPEN_ANY && extent < file->bytes.size))
        VD_TRY(vd_rulebook_open(&file->book, &file->db, file->bytes.data, file->bytes.size, diag));
    for (uint32_t i = 0; i < bools->count; i++)
        VD_TRY(set_bool(&file->db, file->bytes.data, bools->item[i], diag));
    if (bools->count != 0)
        vd_policydb_recompute(file->bytes.data);
    return VD_OK;
}

vd_status vd_policy_file_open(const char *path, enum vd_policy_open how,
                              const struct vd_cli_list *bools, struct vd_policy_file *ret,
                              struct vd_diag *diag)
{
    struct vd_policy_file file = {};
    vd_status status;

    VD_TRY(vd_file_load(path, VD_PDB_MAX_FILE, &file.bytes, diag));
    status = convert(&file.bytes, how, path, diag);
    if (status == VD_OK)
        status = open_bytes(&file, how, bools, diag);
    if (status != VD_OK) {
        vd_diag_file(diag, path);
        vd_policy_file_done(&file);
        return status;
    }
    *ret = file;
    return VD_OK;
}

void vd_policy_file_done(struct vd_policy_file *file)
{
    vd_bytes_free(&file->bytes);
    *file = (struct vd_policy_file){};
}
