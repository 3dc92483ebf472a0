/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/efi/efi.h"

_Noreturn static void end(const struct vd_efi *efi, enum efi_reset_type type)
{
    efi->runtime->reset_system(type, EFI_SECURITY_VIOLATION, 0, NULL);
    /* Returning would let the firmware try its next boot option. */
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void vd_efi_power_off(const struct vd_efi *efi)
{
    end(efi, EFI_RESET_SHUTDOWN);
}

_Noreturn void vd_efi_restart(const struct vd_efi *efi)
{
    end(efi, EFI_RESET_COLD);
}
