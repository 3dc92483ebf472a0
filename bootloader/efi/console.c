/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bootloader/efi/efi.h"

#define CHUNK 64

static void put(struct efi_text_output *out, const char *text)
{
    efi_char16 wide[CHUNK + 1];

    while (*text) {
        size_t n = 0;
        for (; n < CHUNK && text[n]; n++) {
            unsigned char c = (unsigned char)text[n];
            bool plain = (c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n';
            wide[n] = plain ? c : u'?';
        }
        wide[n] = 0;
        out->output_string(out, wide);
        text += n;
    }
}

void vd_efi_line(const struct vd_efi *efi, const char *text)
{
    if (!efi->system->con_out)
        return;
    put(efi->system->con_out, text);
    put(efi->system->con_out, "\r\n");
}

const char *vd_efi_status_name(efi_status status)
{
    static const struct {
        efi_status status;
        const char *name;
    } table[] = {
        {EFI_SUCCESS, "EFI_SUCCESS"},
        {EFI_LOAD_ERROR, "EFI_LOAD_ERROR"},
        {EFI_INVALID_PARAMETER, "EFI_INVALID_PARAMETER"},
        {EFI_UNSUPPORTED, "EFI_UNSUPPORTED"},
        {EFI_BUFFER_TOO_SMALL, "EFI_BUFFER_TOO_SMALL"},
        {EFI_DEVICE_ERROR, "EFI_DEVICE_ERROR"},
        {EFI_OUT_OF_RESOURCES, "EFI_OUT_OF_RESOURCES"},
        {EFI_VOLUME_CORRUPTED, "EFI_VOLUME_CORRUPTED"},
        {EFI_NOT_FOUND, "EFI_NOT_FOUND"},
        {EFI_ACCESS_DENIED, "EFI_ACCESS_DENIED"},
        {EFI_ABORTED, "EFI_ABORTED"},
        {EFI_SECURITY_VIOLATION, "EFI_SECURITY_VIOLATION"},
    };

    for (size_t i = 0; i < VD_COUNT(table); i++) {
        if (table[i].status == status)
            return table[i].name;
    }
    return "EFI_STATUS";
}

vd_status vd_efi_fail(struct vd_diag *diag, vd_status status, const char *what,
                      efi_status efi_status_)
{
    struct vd_text text;

    vd_diag_begin(diag, status, &text);
    vd_text_str(&text, what);
    vd_text_str(&text, ": the firmware answered ");
    vd_text_str(&text, vd_efi_status_name(efi_status_));
    vd_text_str(&text, " (");
    vd_text_u64(&text, efi_status_ & ~EFI_ERROR_BIT_);
    vd_text_str(&text, ")");
    return status;
}
