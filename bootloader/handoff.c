/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/handoff.h"
#include "bootloader/mbedtls/config.h"
#include "bootloader/override.h"
#include "core/base/mem.h"

struct memory_path {
    struct efi_device_path memory;
    uint32_t memory_type;
    uint64_t start;
    uint64_t end; /* the last byte */
    struct efi_device_path end_of_path;
} __attribute__((packed));

struct initrd_path {
    struct efi_device_path vendor;
    struct efi_guid guid;
    struct efi_device_path end_of_path;
} __attribute__((packed));

/* Where Linux looks for its initrd. */
static const struct initrd_path initrd_path = {
    .vendor = {EFI_PATH_MEDIA, EFI_PATH_MEDIA_VENDOR,
               EFI_PATH_LENGTH(sizeof(struct efi_device_path) + sizeof(struct efi_guid))},
    .guid = LINUX_INITRD_MEDIA_GUID,
    .end_of_path = {EFI_PATH_END, EFI_PATH_END_WHOLE,
                    EFI_PATH_LENGTH(sizeof(struct efi_device_path))},
};

/* The protocol first: the firmware hands it back as `self`. */
struct initrd {
    struct efi_load_file2 protocol;
    struct vd_span data;
};

static efi_status EFIAPI load_initrd(struct efi_load_file2 *self, struct efi_device_path *path,
                                     efi_boolean boot_policy, size_t *size, void *buffer)
{
    const struct initrd *initrd = (const struct initrd *)self;

    if (boot_policy)
        return EFI_UNSUPPORTED;
    if (!size)
        return EFI_INVALID_PARAMETER;
    if (!buffer || *size < initrd->data.size) {
        *size = initrd->data.size;
        return EFI_BUFFER_TOO_SMALL;
    }
    vd_copy(buffer, initrd->data.data, initrd->data.size);
    *size = initrd->data.size;
    return EFI_SUCCESS;
}

/*
 * Installs the initrd for Linux to find. Another one that is there already would
 * be taken instead of ours, unverified, also where the image has none.
 */
static vd_status offer_initrd(const struct vd_efi *efi, const struct vd_span *data,
                              struct vd_diag *diag)
{
    static const struct efi_guid load_file2_guid = EFI_LOAD_FILE2_GUID;
    static const struct efi_guid device_path_guid = EFI_DEVICE_PATH_GUID;
    struct efi_device_path *path = (struct efi_device_path *)&initrd_path;
    efi_handle handle = NULL;
    efi_status status;

    if (!EFI_IS_ERROR(efi->boot->locate_device_path(&load_file2_guid, &path, &handle)))
        return vd_diag_fail(diag, VD_E_EXISTS, "somebody else offers an initrd");
    if (data->size == 0)
        return VD_OK;
    struct initrd *initrd = vd_mbedtls_calloc(1, sizeof(*initrd));
    if (!initrd)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the initrd's protocol");
    *initrd = (struct initrd){.protocol.load_file = load_initrd, .data = *data};
    handle = NULL;
    status = efi->boot->install_protocol(&handle, &device_path_guid, EFI_NATIVE_INTERFACE,
                                         (void *)&initrd_path);
    if (!EFI_IS_ERROR(status))
        status = efi->boot->install_protocol(&handle, &load_file2_guid, EFI_NATIVE_INTERFACE,
                                             &initrd->protocol);
    if (EFI_IS_ERROR(status))
        return vd_efi_fail(diag, VD_E_SYSTEM, "offering the initrd", status);
    return VD_OK;
}

/* The command line as UTF-16 with its zero; the parser has made sure that it is ASCII. */
static vd_status set_command_line(const struct vd_span *text, struct efi_loaded_image *kernel,
                                  struct vd_diag *diag)
{
    efi_char16 *wide = vd_mbedtls_calloc(text->size + 1, sizeof(*wide));

    if (!wide)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for the command line");
    for (size_t i = 0; i < text->size; i++)
        wide[i] = text->data[i];
    kernel->load_options = wide;
    kernel->load_options_size = (uint32_t)((text->size + 1) * sizeof(*wide));
    return VD_OK;
}

static vd_status load_kernel(const struct vd_efi *efi, const struct vd_span *data, efi_handle *ret,
                             struct vd_diag *diag)
{
    struct memory_path path = {
        .memory = {EFI_PATH_HARDWARE, EFI_PATH_HW_MEMORY,
                   EFI_PATH_LENGTH(offsetof(struct memory_path, end_of_path))},
        .memory_type = EFI_LOADER_DATA,
        .start = (uintptr_t)data->data,
        .end = (uintptr_t)data->data + data->size - 1,
        .end_of_path = {EFI_PATH_END, EFI_PATH_END_WHOLE,
                        EFI_PATH_LENGTH(sizeof(struct efi_device_path))},
    };
    efi_handle kernel = NULL;
    efi_status status;

    VD_TRY(vd_override_begin(efi, &path.memory, data, diag));
    status = efi->boot->load_image(false, efi->image, &path.memory, (void *)data->data, data->size,
                                   &kernel);
    vd_override_end();
    if (status != EFI_SUCCESS) {
        /* With EFI_SECURITY_VIOLATION the firmware has loaded it all the same. */
        if (kernel)
            efi->boot->unload_image(kernel);
        return vd_efi_fail(diag, VD_E_SYSTEM, "LoadImage of the kernel", status);
    }
    *ret = kernel;
    return VD_OK;
}

vd_status vd_handoff_load(const struct vd_efi *efi, const struct vd_image *image,
                          efi_handle *ret_kernel, enum vd_boot_reason *ret_reason,
                          struct vd_diag *diag)
{
    static const struct efi_guid loaded_image_guid = EFI_LOADED_IMAGE_GUID;
    struct efi_loaded_image *loaded;
    efi_handle kernel;
    efi_status status;

    *ret_reason = VD_BOOT_REASON_START;
    VD_TRY(load_kernel(efi, &image->part[VD_IMAGE_KERNEL], &kernel, diag));
    status = efi->boot->handle_protocol(kernel, &loaded_image_guid, (void **)&loaded);
    if (EFI_IS_ERROR(status))
        return vd_efi_fail(diag, VD_E_SYSTEM, "the kernel's loaded image", status);
    if (image->header.load_address != 0 &&
        image->header.load_address != (uintptr_t)loaded->image_base) {
        *ret_reason = VD_BOOT_REASON_LOAD_ADDRESS;
        return vd_diag_fail(diag, VD_E_RANGE, "the firmware put the kernel at another address");
    }
    VD_TRY(set_command_line(&image->part[VD_IMAGE_CMDLINE], loaded, diag));
    VD_TRY(offer_initrd(efi, &image->part[VD_IMAGE_INITRD], diag));
    *ret_kernel = kernel;
    return VD_OK;
}

vd_status vd_handoff_start(const struct vd_efi *efi, efi_handle kernel, struct vd_diag *diag)
{
    efi_status status = efi->boot->start_image(kernel, NULL, NULL);

    return vd_efi_fail(diag, VD_E_SYSTEM, "the kernel came back", status);
}
