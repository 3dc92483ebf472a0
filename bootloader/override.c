/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/override.h"

/* Static, since the firmware's call carries nothing of ours. */
static struct {
    const struct efi_device_path *path; /* NULL: not begun */
    struct vd_span buffer;
    struct efi_security2 *security2;
    struct efi_security2 original2;
    struct efi_security *security;
    struct efi_security original;
} active;

static efi_status EFIAPI authenticate2(const struct efi_security2 *self,
                                       const struct efi_device_path *path, void *buffer,
                                       size_t size, efi_boolean boot_policy)
{
    if (path == active.path && buffer == active.buffer.data && size == active.buffer.size &&
        !boot_policy)
        return EFI_SUCCESS;
    return active.original2.authenticate(self, path, buffer, size, boot_policy);
}

static efi_status EFIAPI authenticate(const struct efi_security *self, uint32_t status,
                                      const struct efi_device_path *path)
{
    if (path == active.path)
        return EFI_SUCCESS;
    return active.original.authenticate_state(self, status, path);
}

vd_status vd_override_begin(const struct vd_efi *efi, const struct efi_device_path *path,
                            const struct vd_span *buffer, struct vd_diag *diag)
{
    static const struct efi_guid security2_guid = EFI_SECURITY2_GUID;
    static const struct efi_guid security_guid = EFI_SECURITY_GUID;

    if (active.path)
        return vd_diag_fail(diag, VD_E_BUSY, "an image is being authenticated already");
    active.path = path;
    active.buffer = *buffer;
    if (!EFI_IS_ERROR(
            efi->boot->locate_protocol(&security2_guid, NULL, (void **)&active.security2))) {
        active.original2 = *active.security2;
        active.security2->authenticate = authenticate2;
        return VD_OK;
    }
    active.security2 = NULL;
    if (!EFI_IS_ERROR(
            efi->boot->locate_protocol(&security_guid, NULL, (void **)&active.security))) {
        active.original = *active.security;
        active.security->authenticate_state = authenticate;
        return VD_OK;
    }
    active.security = NULL;
    return VD_OK;
}

void vd_override_end(void)
{
    if (active.security2)
        active.security2->authenticate = active.original2.authenticate;
    if (active.security)
        active.security->authenticate_state = active.original.authenticate_state;
    __builtin_memset(&active, 0, sizeof(active));
}
