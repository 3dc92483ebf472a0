/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bootloader's flow: each step holds, or the machine stops with a reason.
 * Nothing ever returns to the firmware, which would try its next boot option.
 *
 * The image is read once; everything afterwards uses that one copy in memory.
 */
#include "bootloader/handoff.h"
#include "bootloader/policy.h"
#include "bootloader/trust_block.h"

#define IMAGE_PATH u"\\veridian.img"

/* What one boot carries from step to step. */
struct boot {
    struct vd_efi efi;
    struct vd_secure_boot secure_boot;
    struct vd_measure measure;
    struct vd_trust trust;
    struct vd_boot_verdict verdict;
    struct vd_diag diag;
};

static void say_number(const struct vd_efi *efi, const char *text, uint64_t number)
{
    char line[96];
    struct vd_text t;

    vd_text_init(&t, line, sizeof(line));
    vd_text_str(&t, text);
    vd_text_u64(&t, number);
    vd_efi_line(efi, line);
}

/* The second line of a refusal: what was found. */
static void say_details(const struct boot *boot)
{
    char line[VD_DIAG_TEXT_SIZE + 128];
    struct vd_text t;

    vd_text_init(&t, line, sizeof(line));
    vd_text_str(&t, "VERIDIAN: ");
    vd_text_str(&t, boot->diag.status != VD_OK ? boot->diag.text : "no details");
    if (boot->diag.has_offset) {
        vd_text_str(&t, ", at byte ");
        vd_text_u64(&t, boot->diag.offset);
    }
    if (boot->verdict.required != 0 || boot->verdict.actual != 0) {
        vd_text_str(&t, ", required ");
        vd_text_u64(&t, boot->verdict.required);
        vd_text_str(&t, ", found ");
        vd_text_u64(&t, boot->verdict.actual);
    }
    vd_efi_line(&boot->efi, line);
}

_Noreturn static void refuse(const struct boot *boot, enum vd_boot_reason reason)
{
    char line[96];
    struct vd_text t;

    vd_text_init(&t, line, sizeof(line));
    vd_text_str(&t, "VERIDIAN: refused ");
    vd_text_str(&t, vd_boot_reason_name(reason));
    vd_efi_line(&boot->efi, line);
    say_details(boot);
    VD_ON_REFUSAL(&boot->efi);
}

static struct vd_span read_image(struct boot *boot)
{
    struct vd_span file = {};
    uint8_t *data;
    vd_status status = vd_efi_read_file(&boot->efi, IMAGE_PATH, VD_IMAGE_MAX_BYTES, &data,
                                        &file.size, &boot->diag);

    if (status != VD_OK)
        refuse(boot, status == VD_E_NO_MEMORY ? VD_BOOT_REASON_MEMORY : VD_BOOT_REASON_FILE);
    file.data = data;
    return file;
}

/* Everything that decides; returns only with an accepted image. */
static void judge(struct boot *boot)
{
    if (vd_secure_boot_read(&boot->efi, &boot->secure_boot, &boot->diag) != VD_OK)
        refuse(boot, VD_BOOT_REASON_VARIABLE);
    if (vd_trust_parse(vd_trust_block, sizeof(vd_trust_block), &boot->trust, &boot->diag) != VD_OK)
        refuse(boot, VD_BOOT_REASON_TRUST);
    vd_measure_open(&boot->efi, &boot->measure);
    struct vd_span file = read_image(boot);
    struct vd_machine machine = {.secure_boot = &boot->secure_boot, .measure = &boot->measure};
    vd_policy_judge(&file, &boot->trust, &machine, &boot->verdict, &boot->diag);
    if (!vd_boot_allowed(&boot->verdict))
        refuse(boot, boot->verdict.reason);
    say_number(&boot->efi, "VERIDIAN: image verified security-version ",
               boot->verdict.image.header.security_version);
}

static void measure(struct boot *boot)
{
    if (!boot->measure.tcg2) {
        vd_efi_line(&boot->efi, "VERIDIAN: not measured, there is no TPM");
        return;
    }
    if (vd_measure_image(&boot->measure, &boot->verdict.image, &boot->trust.policy_bytes,
                         &boot->diag) != VD_OK)
        refuse(boot, VD_BOOT_REASON_MEASURE);
    vd_efi_line(&boot->efi, "VERIDIAN: measured pcr 4 8 9 11");
}

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *system);

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *system)
{
    struct boot boot = {};
    enum vd_boot_reason reason = VD_BOOT_REASON_FAULT;
    efi_handle kernel;

    vd_efi_init(image, system, &boot.efi);
    vd_efi_line(&boot.efi, "VERIDIAN: bootloader " VD_VERSION);
    judge(&boot);
    measure(&boot);
    if (vd_handoff_load(&boot.efi, &boot.verdict.image, &kernel, &reason, &boot.diag) != VD_OK)
        refuse(&boot, reason);
    vd_efi_line(&boot.efi, "VERIDIAN: starting linux");
    if (vd_handoff_start(&boot.efi, kernel, &boot.diag) != VD_OK)
        refuse(&boot, VD_BOOT_REASON_START);
    refuse(&boot, VD_BOOT_REASON_FAULT);
}
