/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bootloader's flow: each step either holds or the machine stops.
 */
#include "bootloader/efi/efi.h"

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *system);

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *system)
{
    struct vd_efi efi;

    vd_efi_init(image, system, &efi);
    vd_efi_line(&efi, "VERIDIAN: bootloader " VD_VERSION);
    vd_efi_power_off(&efi);
}
