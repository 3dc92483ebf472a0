/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/efi/efi.h"
#include "bootloader/mbedtls/config.h"

/* The one global: the interface of calloc has no place for a context. */
static struct efi_boot_services *pool;

void vd_efi_init(efi_handle image, struct efi_system_table *system, struct vd_efi *ret)
{
    *ret = (struct vd_efi){
        .image = image,
        .system = system,
        .boot = system->boot,
        .runtime = system->runtime,
    };
    pool = system->boot;
}

void *vd_mbedtls_calloc(size_t count, size_t size)
{
    size_t bytes;
    void *memory;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes == 0)
        return NULL;
    if (EFI_IS_ERROR(pool->allocate_pool(EFI_LOADER_DATA, bytes, &memory)))
        return NULL;
    __builtin_memset(memory, 0, bytes);
    return memory;
}

void vd_mbedtls_free(void *memory)
{
    if (memory)
        pool->free_pool(memory);
}

static size_t pages_of(size_t size)
{
    return size / EFI_PAGE_SIZE + (size % EFI_PAGE_SIZE != 0);
}

vd_status vd_efi_alloc_pages(const struct vd_efi *efi, size_t size, uint8_t **ret,
                             struct vd_diag *diag)
{
    efi_physical_address address = 0;
    efi_status status = efi->boot->allocate_pages(EFI_ALLOCATE_ANY_PAGES, EFI_LOADER_DATA,
                                                  pages_of(size), &address);

    if (EFI_IS_ERROR(status))
        return vd_efi_fail(diag, VD_E_NO_MEMORY, "AllocatePages", status);
    *ret = (uint8_t *)(uintptr_t)address;
    return VD_OK;
}

void vd_efi_free_pages(const struct vd_efi *efi, uint8_t *memory, size_t size)
{
    if (memory)
        efi->boot->free_pages((efi_physical_address)(uintptr_t)memory, pages_of(size));
}
