/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/measure.h"
#include "bootloader/mbedtls/config.h"
#include "core/base/mem.h"
#include "core/boot/pcr.h"

void vd_measure_open(const struct vd_efi *efi, struct vd_measure *ret)
{
    static const struct efi_guid tcg2_guid = EFI_TCG2_GUID;
    struct efi_tcg2_capability capability = {.size = sizeof(capability)};
    struct efi_tcg2 *tcg2;

    *ret = (struct vd_measure){};
    if (EFI_IS_ERROR(efi->boot->locate_protocol(&tcg2_guid, NULL, (void **)&tcg2)) ||
        EFI_IS_ERROR(tcg2->get_capability(tcg2, &capability)) || !capability.tpm_present ||
        (capability.active_banks & (EFI_TCG2_BANK_SHA256 | EFI_TCG2_BANK_SHA384)) == 0)
        return;
    ret->tcg2 = tcg2;
    ret->quotable = (capability.log_formats & EFI_TCG2_LOG_CRYPTO_AGILE) != 0;
}

/* The firmware's event: its header, and behind it the event's data. */
static void fill_event(struct efi_tcg2_event *event, const struct vd_boot_event *what)
{
    *event = (struct efi_tcg2_event){
        .size = (uint32_t)(sizeof(*event) + what->data.size),
        .header_size = EFI_TCG2_EVENT_HEADER_SIZE,
        .header_version = EFI_TCG2_EVENT_HEADER_VERSION,
        .pcr = what->pcr,
        .event_type = what->type,
    };
    vd_copy(event + 1, what->data.data, what->data.size);
}

static vd_status measure_event(struct efi_tcg2 *tcg2, const struct vd_boot_event *what,
                               struct efi_tcg2_event *event, struct vd_diag *diag)
{
    efi_status status;

    fill_event(event, what);
    status = tcg2->hash_log_extend(tcg2, 0, (efi_physical_address)(uintptr_t)what->data.data,
                                   what->data.size, event);
    if (status != EFI_SUCCESS)
        return vd_efi_fail(diag, VD_E_IO, what->text, status);
    return VD_OK;
}

vd_status vd_measure_image(const struct vd_measure *measure, const struct vd_image *image,
                           const struct vd_span *policy, struct vd_diag *diag)
{
    const size_t event_size = sizeof(struct efi_tcg2_event) + VD_BOOT_EVENT_MAX_BYTES;
    uint8_t *buffer = vd_mbedtls_calloc(1, event_size + VD_BOOT_EVENT_MAX_BYTES);
    vd_status status = VD_OK;

    if (!buffer)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "no memory for a measurement");
    for (int id = 0; id < VD_BOOT_EVENT_COUNT && status == VD_OK; id++) {
        struct vd_boot_event event;
        status = vd_boot_event_encode((enum vd_boot_event_id)id, image, policy, buffer + event_size,
                                      &event);
        if (status == VD_OK)
            status = measure_event(measure->tcg2, &event, (struct efi_tcg2_event *)buffer, diag);
    }
    vd_mbedtls_free(buffer);
    return status;
}
