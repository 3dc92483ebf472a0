/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Handing the machine over to the accepted kernel, from the memory that was
 * judged.
 *
 * The kernel is an EFI program (Linux' EFI stub). It is not signed for db, where
 * anyone could start it with any initrd and command line; the firmware's check is
 * answered for this one buffer instead. The initrd is offered as Linux asks for
 * it, by LoadFile2 on its media GUID; the command line is the load options.
 * Source: UEFI Specification 2.10, sections 7.4 and 13.2; Platform
 * Initialization Specification 1.8, volume 2, section 12.10; Linux,
 * Documentation/arch/x86/boot.rst.
 */
#ifndef VD_BOOTLOADER_HANDOFF_H
#define VD_BOOTLOADER_HANDOFF_H

#include "bootloader/efi/efi.h"
#include "core/boot/image.h"

/*
 * Loads the kernel: nothing of it runs yet. On failure `ret_reason` tells which
 * refusal this is. The image's memory must stay as it is until the kernel runs.
 */
vd_status vd_handoff_load(const struct vd_efi *efi, const struct vd_image *image,
                          efi_handle *ret_kernel, enum vd_boot_reason *ret_reason,
                          struct vd_diag *diag);

/* Starts the loaded kernel; returns only if it failed to take over. */
vd_status vd_handoff_start(const struct vd_efi *efi, efi_handle kernel, struct vd_diag *diag);

#endif
