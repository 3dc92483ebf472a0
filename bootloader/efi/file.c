/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/efi/efi.h"

/* Firmware drivers differ in what they can read at once; 1 MiB all of them can. */
#define READ_CHUNK ((size_t)1 << 20)

static void file_close(struct efi_file **file)
{
    if (*file)
        (*file)->close(*file);
}

static vd_status open_root(const struct vd_efi *efi, struct efi_file **ret, struct vd_diag *diag)
{
    static const struct efi_guid loaded_image_guid = EFI_LOADED_IMAGE_GUID;
    static const struct efi_guid file_system_guid = EFI_FILE_SYSTEM_GUID;
    struct efi_loaded_image *self;
    struct efi_file_system *volume;
    efi_status status;

    status = efi->boot->handle_protocol(efi->image, &loaded_image_guid, (void **)&self);
    if (EFI_IS_ERROR(status))
        return vd_efi_fail(diag, VD_E_MISSING, "the bootloader's loaded image", status);
    status = efi->boot->handle_protocol(self->device, &file_system_guid, (void **)&volume);
    if (EFI_IS_ERROR(status))
        return vd_efi_fail(diag, VD_E_MISSING, "the boot volume's file system", status);
    status = volume->open_volume(volume, ret);
    if (EFI_IS_ERROR(status))
        return vd_efi_fail(diag, VD_E_IO, "opening the boot volume", status);
    return VD_OK;
}

static vd_status file_size(struct efi_file *file, uint64_t *ret, struct vd_diag *diag)
{
    efi_status status = file->set_position(file, EFI_FILE_END);

    if (!EFI_IS_ERROR(status))
        status = file->get_position(file, ret);
    if (!EFI_IS_ERROR(status))
        status = file->set_position(file, 0);
    return EFI_IS_ERROR(status) ? vd_efi_fail(diag, VD_E_IO, "finding the file's size", status)
                                : VD_OK;
}

static vd_status read_all(struct efi_file *file, uint8_t *buffer, size_t size, struct vd_diag *diag)
{
    for (size_t done = 0; done < size;) {
        size_t chunk = size - done < READ_CHUNK ? size - done : READ_CHUNK;
        size_t wanted = chunk;
        efi_status status = file->read(file, &chunk, buffer + done);
        if (EFI_IS_ERROR(status))
            return vd_efi_fail(diag, VD_E_IO, "reading the file", status);
        if (chunk == 0 || chunk > wanted)
            return vd_diag_fail_at(diag, VD_E_IO, done, "the file ended before its size");
        done += chunk;
    }
    return VD_OK;
}

vd_status vd_efi_read_file(const struct vd_efi *efi, const efi_char16 *path, size_t max_size,
                           uint8_t **ret_data, size_t *ret_size, struct vd_diag *diag)
{
    VD_AUTO(file_close) struct efi_file *root = NULL;
    VD_AUTO(file_close) struct efi_file *file = NULL;
    uint64_t size = 0;
    uint8_t *buffer;
    efi_status status;

    VD_TRY(open_root(efi, &root, diag));
    status = root->open(root, &file, path, EFI_FILE_MODE_READ, 0);
    if (EFI_IS_ERROR(status)) {
        file = NULL;
        return vd_efi_fail(diag, VD_E_MISSING, "opening the file", status);
    }
    VD_TRY(file_size(file, &size, diag));
    if (size == 0 || size > max_size)
        return vd_diag_fail(diag, VD_E_LIMIT, "the file is empty or larger than any valid one");
    VD_TRY(vd_efi_alloc_pages(efi, (size_t)size, &buffer, diag));
    vd_status read = read_all(file, buffer, (size_t)size, diag);
    if (read != VD_OK) {
        vd_efi_free_pages(efi, buffer, (size_t)size);
        return read;
    }
    *ret_data = buffer;
    *ret_size = (size_t)size;
    return VD_OK;
}
