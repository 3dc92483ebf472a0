/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The basic types of the UEFI interface.
 *
 * Source: UEFI Specification 2.10, section 2.3.1 (data types), appendix A
 * (GUID format), appendix D (status codes). Only what the bootloader uses.
 */
#ifndef VD_BOOTLOADER_EFI_TYPES_H
#define VD_BOOTLOADER_EFI_TYPES_H

#include "core/base/types.h"

#define EFIAPI __attribute__((ms_abi))

typedef uint64_t efi_status;
typedef void *efi_handle;
typedef uint64_t efi_physical_address;
typedef __CHAR16_TYPE__ efi_char16;
typedef uint8_t efi_boolean;

struct efi_guid {
    uint32_t data1;
    uint16_t data2;
    uint16_t data3;
    uint8_t data4[8];
};
_Static_assert(sizeof(struct efi_guid) == 16, "a GUID has 16 bytes");

#define EFI_ERROR_BIT_            (1ull << 63)
#define EFI_SUCCESS               0ull
#define EFI_LOAD_ERROR            (EFI_ERROR_BIT_ | 1)
#define EFI_INVALID_PARAMETER     (EFI_ERROR_BIT_ | 2)
#define EFI_UNSUPPORTED           (EFI_ERROR_BIT_ | 3)
#define EFI_BUFFER_TOO_SMALL      (EFI_ERROR_BIT_ | 5)
#define EFI_DEVICE_ERROR          (EFI_ERROR_BIT_ | 7)
#define EFI_OUT_OF_RESOURCES      (EFI_ERROR_BIT_ | 9)
#define EFI_VOLUME_CORRUPTED      (EFI_ERROR_BIT_ | 10)
#define EFI_NOT_FOUND             (EFI_ERROR_BIT_ | 14)
#define EFI_ACCESS_DENIED         (EFI_ERROR_BIT_ | 15)
#define EFI_ABORTED               (EFI_ERROR_BIT_ | 21)
#define EFI_SECURITY_VIOLATION    (EFI_ERROR_BIT_ | 26)
#define EFI_IS_ERROR(efi_status_) (((efi_status_)&EFI_ERROR_BIT_) != 0)

/* True if both GUIDs are the same. */
VD_INLINE bool efi_guid_equal(const struct efi_guid *a, const struct efi_guid *b)
{
    return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

#endif
