/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/efi/efi.h"
#include "bootloader/mbedtls/config.h"

vd_status vd_efi_get_variable(const struct vd_efi *efi, const efi_char16 *name,
                              const struct efi_guid *vendor, size_t max_size, uint8_t **ret_data,
                              size_t *ret_size, struct vd_diag *diag)
{
    size_t size = 0;
    efi_status status = efi->runtime->get_variable(name, vendor, NULL, &size, NULL);

    if (status == EFI_NOT_FOUND)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "there is no such firmware variable");
    if (status != EFI_BUFFER_TOO_SMALL)
        return vd_efi_fail(diag, VD_E_IO, "asking for a firmware variable's size", status);
    if (size > max_size)
        return vd_diag_fail(diag, VD_E_LIMIT, "a firmware variable is larger than its limit");
    uint8_t *data = vd_mbedtls_calloc(1, size);
    if (!data)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a firmware variable");
    status = efi->runtime->get_variable(name, vendor, NULL, &size, data);
    if (EFI_IS_ERROR(status)) {
        vd_mbedtls_free(data);
        return vd_efi_fail(diag, VD_E_IO, "reading a firmware variable", status);
    }
    *ret_data = data;
    *ret_size = size;
    return VD_OK;
}
