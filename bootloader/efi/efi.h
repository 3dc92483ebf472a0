/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the bootloader needs of the firmware, in plain C: console, memory, files
 * and the end of the machine. main.c fills a struct vd_efi once; everything
 * else gets it passed. One thread; nothing here may be called after the kernel
 * has left the boot services.
 */
#ifndef VD_BOOTLOADER_EFI_EFI_H
#define VD_BOOTLOADER_EFI_EFI_H

#include "bootloader/efi/protocols.h"
#include "core/base/diag.h"

struct vd_efi {
    efi_handle image; /* the bootloader's own image */
    struct efi_system_table *system;
    struct efi_boot_services *boot;
    struct efi_runtime_services *runtime;
};

/* Fills `ret` from the entry point's arguments and makes calloc usable. */
void vd_efi_init(efi_handle image, struct efi_system_table *system, struct vd_efi *ret);

/* Prints one line of ASCII text (anything else as `?`) on the firmware's console. */
void vd_efi_line(const struct vd_efi *efi, const char *text);

/* The name of a firmware status as in the UEFI specification; "EFI_STATUS" if not known. */
const char *vd_efi_status_name(efi_status status);

/*
 * Notes that the firmware's service `what` failed with `efi_status_` and
 * returns `status`.
 */
vd_status vd_efi_fail(struct vd_diag *diag, vd_status status, const char *what,
                      efi_status efi_status_);

/*
 * Pages of loader data for `size` bytes (at least 1). The caller owns them and
 * gives them back with vd_efi_free_pages and the same size.
 * VD_E_NO_MEMORY if the firmware has none.
 */
vd_status vd_efi_alloc_pages(const struct vd_efi *efi, size_t size, uint8_t **ret,
                             struct vd_diag *diag);
void vd_efi_free_pages(const struct vd_efi *efi, uint8_t *memory, size_t size);

/*
 * Reads the file `path` (`\name`, UTF-16) of the volume from which the
 * bootloader came, once, into new pages (as vd_efi_alloc_pages).
 * VD_E_MISSING: no such volume or file; VD_E_LIMIT: empty or larger than
 * `max_size`; VD_E_NO_MEMORY; VD_E_IO: a read failed or ended early.
 */
vd_status vd_efi_read_file(const struct vd_efi *efi, const efi_char16 *path, size_t max_size,
                           uint8_t **ret_data, size_t *ret_size, struct vd_diag *diag);

/*
 * Reads a variable into a new pool buffer (vd_mbedtls_free gives it back).
 * VD_E_NOT_FOUND: there is none; VD_E_LIMIT: larger than `max_size`.
 */
vd_status vd_efi_get_variable(const struct vd_efi *efi, const efi_char16 *name,
                              const struct efi_guid *vendor, size_t max_size, uint8_t **ret_data,
                              size_t *ret_size, struct vd_diag *diag);

/* Powers the machine off; where the firmware cannot, stops it for good. */
_Noreturn void vd_efi_power_off(const struct vd_efi *efi);

/* Starts the machine anew; where the firmware cannot, stops it for good. */
_Noreturn void vd_efi_restart(const struct vd_efi *efi);

#endif
