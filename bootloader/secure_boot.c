/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/secure_boot.h"
#include "bootloader/forbidden.h"
#include "bootloader/mbedtls/config.h"
#include "core/boot/sigdb.h"

/* A variable of one byte, 0 or 1; false where there is none. */
static vd_status read_flag(const struct vd_efi *efi, const efi_char16 *name, bool *ret,
                           struct vd_diag *diag)
{
    static const struct efi_guid global_guid = EFI_GLOBAL_VARIABLE_GUID;
    uint8_t *data;
    size_t size;
    vd_status status = vd_efi_get_variable(efi, name, &global_guid, 1, &data, &size, NULL);

    if (status == VD_E_NOT_FOUND) {
        *ret = false;
        return VD_OK;
    }
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "the firmware's Secure Boot state cannot be read");
    *ret = size == 1 && data[0] == 1;
    vd_mbedtls_free(data);
    return VD_OK;
}

static vd_status read_dbx(const struct vd_efi *efi, struct vd_span *ret, struct vd_diag *diag)
{
    static const struct efi_guid database_guid = EFI_IMAGE_SECURITY_DATABASE_GUID;
    struct vd_span dbx = {};
    uint8_t *data;
    vd_status status = vd_efi_get_variable(efi, u"dbx", &database_guid, VD_SIGDB_MAX_BYTES, &data,
                                           &dbx.size, NULL);

    if (status == VD_E_NOT_FOUND) {
        *ret = (struct vd_span){};
        return VD_OK;
    }
    if (status != VD_OK)
        return vd_diag_fail(diag, status, "the firmware's forbidden list (dbx) cannot be read");
    dbx.data = data;
    VD_TRY(vd_forbidden_check_form(&dbx, diag));
    *ret = dbx;
    return VD_OK;
}

vd_status vd_secure_boot_read(const struct vd_efi *efi, struct vd_secure_boot *ret,
                              struct vd_diag *diag)
{
    struct vd_secure_boot state = {};
    bool on, setup;

    VD_TRY(read_flag(efi, u"SecureBoot", &on, diag));
    VD_TRY(read_flag(efi, u"SetupMode", &setup, diag));
    VD_TRY(read_dbx(efi, &state.dbx, diag));
    state.enabled = on && !setup;
    *ret = state;
    return VD_OK;
}
