/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/veridian/boot/predict.h"

#include "core/boot/pcr.h"
#include "core/boot/pe.h"
#include "core/boot/trust.h"
#include "lib/hash.h"
#include "tools/veridian/boot/authenticode.h"
#include "tools/veridian/boot/build.h"
#include "lib/tpm_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLING_APPLICATION "Calling EFI Application from Boot Option"
#define LOADER_MAX_BYTES    (16u << 20)

static const uint16_t algorithms[] = {VD_TPM_ALG_SHA256, VD_TPM_ALG_SHA384};
#define BANK_COUNT VD_COUNT(algorithms)

struct prediction {
    struct vd_pcr_bank bank[BANK_COUNT];
    json_t *events;
    struct vd_bytes image_file;
    struct vd_bytes loader;
    struct vd_image image;
    struct vd_trust trust;
};

static void free_prediction(struct prediction *p)
{
    json_decref(p->events);
    vd_bytes_free(&p->image_file);
    vd_bytes_free(&p->loader);
}

static vd_status load_file(const char *dir, const char *name, size_t max, struct vd_bytes *ret,
                           struct vd_diag *diag)
{
    char path[PATH_MAX];

    VD_TRY(vd_boot_path(path, dir, name, diag));
    return vd_file_load(path, max, ret, diag);
}

static vd_status load(const char *dir, struct prediction *p, struct vd_diag *diag)
{
    const struct vd_pe_section *section;
    struct vd_pe pe;
    enum vd_boot_reason reason;

    VD_TRY(load_file(dir, VD_BOOT_IMAGE_FILE, VD_IMAGE_MAX_BYTES, &p->image_file, diag));
    if (vd_image_parse(p->image_file.data, p->image_file.size, &p->image, &reason, diag) != VD_OK) {
        vd_diag_file(diag, VD_BOOT_IMAGE_FILE);
        return VD_E_INVALID;
    }
    VD_TRY(load_file(dir, VD_BOOT_LOADER_FILE, LOADER_MAX_BYTES, &p->loader, diag));
    vd_diag_file(diag, VD_BOOT_LOADER_FILE);
    VD_TRY(vd_pe_parse(p->loader.data, p->loader.size, &pe, diag));
    section = vd_pe_find(&pe, VD_TRUST_SECTION);
    if (section == NULL || section->file_size < VD_TRUST_CAPACITY)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "the bootloader has no trust block");
    return vd_trust_parse(p->loader.data + section->file_offset, VD_TRUST_CAPACITY, &p->trust,
                          diag);
}

/* Extends every bank by one event, whose digests are given in their order, and lists it. */
static vd_status add_event(struct prediction *p, uint32_t pcr, uint32_t type, const char *text,
                           uint8_t digest[BANK_COUNT][VD_DIGEST_MAX_SIZE])
{
    char hex[2 * VD_SHA256_SIZE + 1];

    for (size_t i = 0; i < BANK_COUNT; i++)
        VD_TRY(vd_pcr_extend(&p->bank[i], pcr, digest[i], &vd_tpm_hash_ops));
    vd_hex_encode(digest[0], VD_SHA256_SIZE, hex);
    if (json_array_append_new(p->events, json_pack("{s:i, s:s, s:s, s:s}", "pcr", (int)pcr, "type",
                                                   vd_event_type_name(type), "digest", hex, "text",
                                                   text)) != 0)
        return VD_E_NO_MEMORY;
    return VD_OK;
}

/* An event that is measured over its data. */
static vd_status add_data(struct prediction *p, uint32_t pcr, uint32_t type, const char *text,
                          const struct vd_span *data)
{
    uint8_t digest[BANK_COUNT][VD_DIGEST_MAX_SIZE];

    for (size_t i = 0; i < BANK_COUNT; i++)
        VD_TRY(vd_tpm_hash_ops.hash(NULL, algorithms[i], data->data, data->size, digest[i]));
    return add_event(p, pcr, type, text, digest);
}

static vd_status add_firmware(struct prediction *p, struct vd_diag *diag)
{
    static const uint8_t separator[4];
    struct vd_span action = {(const uint8_t *)CALLING_APPLICATION, strlen(CALLING_APPLICATION)};
    struct vd_span end = {separator, sizeof(separator)};
    uint8_t digest[BANK_COUNT][VD_DIGEST_MAX_SIZE];

    VD_TRY(add_data(p, VD_PCR_BOOT, VD_EV_EFI_ACTION, CALLING_APPLICATION, &action));
    VD_TRY(add_data(p, VD_PCR_BOOT, VD_EV_SEPARATOR, "separator", &end));
    for (size_t i = 0; i < BANK_COUNT; i++)
        VD_TRY(vd_authenticode_digest(&p->loader, algorithms[i], digest[i], diag));
    return add_event(p, VD_PCR_BOOT, VD_EV_EFI_BOOT_SERVICES_APPLICATION, VD_BOOT_LOADER_FILE,
                     digest);
}

static vd_status add_bootloader(struct prediction *p)
{
    for (int id = 0; id < VD_BOOT_EVENT_COUNT; id++) {
        uint8_t buf[VD_BOOT_EVENT_MAX_BYTES];
        struct vd_boot_event event;

        VD_TRY(vd_boot_event_encode((enum vd_boot_event_id)id, &p->image, &p->trust.policy_bytes,
                                    buf, &event));
        VD_TRY(add_data(p, event.pcr, event.type, event.text, &event.data));
    }
    return VD_OK;
}

/* What Linux' EFI stub measures in its turn: see core/boot/pcr.h. */
static vd_status add_linux(struct prediction *p, struct vd_diag *diag)
{
    const struct vd_span *cmdline = &p->image.part[VD_IMAGE_CMDLINE];
    const struct vd_span *initrd = &p->image.part[VD_IMAGE_INITRD];
    VD_AUTO(vd_bytes_free) struct vd_bytes wide = {.size = 2 * (cmdline->size + 1)};
    struct vd_span options;

    wide.data = calloc(1, wide.size);
    if (wide.data == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < cmdline->size; i++)
        wide.data[2 * i] = cmdline->data[i];
    options = (struct vd_span){wide.data, wide.size};
    VD_TRY(add_data(p, VD_PCR_INITRD, VD_EV_EVENT_TAG, "Linux: load options", &options));
    if (initrd->size == 0)
        return VD_OK;
    return add_data(p, VD_PCR_INITRD, VD_EV_EVENT_TAG, "Linux: initrd", initrd);
}

static json_t *banks_json(const struct prediction *p)
{
    json_t *banks = json_object();

    for (size_t i = 0; i < BANK_COUNT; i++) {
        const struct vd_pcr_bank *bank = &p->bank[i];
        json_t *values = json_object();

        for (uint32_t pcr = 0; pcr < VD_PCR_COUNT; pcr++) {
            char key[12];
            char hex[2 * VD_DIGEST_MAX_SIZE + 1];

            if ((bank->extended & 1u << pcr) == 0)
                continue;
            snprintf(key, sizeof(key), "%u", pcr);
            vd_hex_encode(bank->value[pcr], bank->digest_size, hex);
            json_object_set_new(values, key, json_string(hex));
        }
        json_object_set_new(banks, vd_tpm_alg_name(bank->algorithm), values);
    }
    return banks;
}

vd_status vd_boot_predict(const char *dir, json_t **ret, struct vd_diag *diag)
{
    VD_AUTO(free_prediction) struct prediction p = {.events = json_array()};

    VD_TRY(load(dir, &p, diag));
    for (size_t i = 0; i < BANK_COUNT; i++)
        VD_TRY(vd_pcr_bank_init(&p.bank[i], algorithms[i]));
    VD_TRY(add_firmware(&p, diag));
    VD_TRY(add_bootloader(&p));
    VD_TRY(add_linux(&p, diag));
    *ret = json_pack("{s:o, s:O}", "pcrs", banks_json(&p), "events", p.events);
    return *ret != NULL ? VD_OK : VD_E_NO_MEMORY;
}
