/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/secure_boot.h"
#include "bootloader/forbidden.h"
#include "bootloader/mbedtls/config.h"
#include "core/boot/sigdb.h"

enum flag {
    FLAG_NONE, /* none, or none of the firmware's */
    FLAG_OFF,
    FLAG_ON,
};

/*
 * A variable of one byte, 0 or 1. The firmware's own is volatile: one that was
 * stored tells nothing, for where the firmware knows no Secure Boot anyone can
 * store one of that name.
 */
static vd_status read_flag(const struct vd_efi *efi, const efi_char16 *name, enum flag *ret,
                           struct vd_diag *diag)
{
    static const struct efi_guid global_guid = EFI_GLOBAL_VARIABLE_GUID;
    uint32_t attributes = 0;
    uint8_t value = 0;
    size_t size = sizeof(value);
    efi_status status = efi->runtime->get_variable(name, &global_guid, &attributes, &size, &value);

    *ret = FLAG_NONE;
    if (status == EFI_NOT_FOUND)
        return VD_OK;
    if (EFI_IS_ERROR(status))
        return vd_efi_fail(diag, status == EFI_BUFFER_TOO_SMALL ? VD_E_LIMIT : VD_E_IO,
                           "the firmware's Secure Boot state cannot be read", status);
    if (size == sizeof(value) && value <= 1 && (attributes & EFI_VARIABLE_NON_VOLATILE) == 0)
        *ret = value == 1 ? FLAG_ON : FLAG_OFF;
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
    status = vd_forbidden_check_form(&dbx, diag);
    if (status != VD_OK) {
        vd_mbedtls_free(data);
        return status;
    }
    *ret = dbx;
    return VD_OK;
}

vd_status vd_secure_boot_read(const struct vd_efi *efi, struct vd_secure_boot *ret,
                              struct vd_diag *diag)
{
    struct vd_secure_boot state = {};
    enum flag on, setup;

    VD_TRY(read_flag(efi, u"SecureBoot", &on, diag));
    VD_TRY(read_flag(efi, u"SetupMode", &setup, diag));
    VD_TRY(read_dbx(efi, &state.dbx, diag));
    state.enabled = on == FLAG_ON && setup == FLAG_OFF;
    *ret = state;
    return VD_OK;
}
