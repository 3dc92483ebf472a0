/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/eventlog.h"
#include "core/base/mem.h"

#define SPEC_ID_SIGNATURE      "Spec ID Event03" /* 16 bytes with its NUL */
#define SPEC_ID_SIGNATURE_SIZE 16u
#define SHA1_SIZE              20u
#define LOCALITY_SIGNATURE     "StartupLocality"
#define LOCALITY_PCR           0u

struct alg_row {
    uint16_t id;
    uint16_t size;
    const char *name;
};

static const struct alg_row alg_rows[] = {
    {VD_TPM_ALG_SHA1, 20, "sha1"},
    {VD_TPM_ALG_SHA256, 32, "sha256"},
    {VD_TPM_ALG_SHA384, 48, "sha384"},
    {VD_TPM_ALG_SHA512, 64, "sha512"},
};

struct type_row {
    uint32_t type;
    bool hashes_data;
    const char *name;
};

/* PFP 1.05, table 27: whether "the digest field contains the tagged hash of the event field". */
static const struct type_row type_rows[] = {
    {0x00000000, false, "EV_PREBOOT_CERT"},
    {0x00000001, false, "EV_POST_CODE"},
    {VD_EV_NO_ACTION, false, "EV_NO_ACTION"},
    {VD_EV_SEPARATOR, true, "EV_SEPARATOR"},
    {VD_EV_ACTION, true, "EV_ACTION"},
    {VD_EV_EVENT_TAG, false, "EV_EVENT_TAG"}, /* true but for what Linux logs */
    {0x00000007, false, "EV_S_CRTM_CONTENTS"},
    {VD_EV_S_CRTM_VERSION, true, "EV_S_CRTM_VERSION"},
    {0x00000009, false, "EV_CPU_MICROCODE"},
    {0x0000000a, false, "EV_PLATFORM_CONFIG_FLAGS"},
    {0x0000000b, false, "EV_TABLE_OF_DEVICES"},
    {0x0000000c, false, "EV_COMPACT_HASH"},
    {VD_EV_IPL, false, "EV_IPL"},
    {0x0000000e, false, "EV_IPL_PARTITION_DATA"},
    {0x0000000f, false, "EV_NONHOST_CODE"},
    {0x00000010, false, "EV_NONHOST_CONFIG"},
    {0x00000011, false, "EV_NONHOST_INFO"},
    {0x00000012, false, "EV_OMIT_BOOT_DEVICE_EVENTS"},
    {VD_EV_EFI_VARIABLE_DRIVER_CONFIG, true, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    {VD_EV_EFI_VARIABLE_BOOT, false, "EV_EFI_VARIABLE_BOOT"},
    {VD_EV_EFI_BOOT_SERVICES_APPLICATION, false, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    {0x80000004, false, "EV_EFI_BOOT_SERVICES_DRIVER"},
    {0x80000005, false, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
    {0x80000006, true, "EV_EFI_GPT_EVENT"},
    {VD_EV_EFI_ACTION, true, "EV_EFI_ACTION"},
    {0x80000008, false, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    {0x80000009, false, "EV_EFI_HANDOFF_TABLES"},
    {0x8000000a, false, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    {0x8000000b, false, "EV_EFI_HANDOFF_TABLES2"},
    {VD_EV_EFI_VARIABLE_BOOT2, true, "EV_EFI_VARIABLE_BOOT2"},
    {0x80000010, true, "EV_EFI_HCRTM_EVENT"},
    {VD_EV_EFI_VARIABLE_AUTHORITY, true, "EV_EFI_VARIABLE_AUTHORITY"},
    {0x800000e1, false, "EV_EFI_SPDM_FIRMWARE_BLOB"},
    {0x800000e2, false, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
};

static const struct alg_row *find_alg(uint16_t id)
{
    for (size_t i = 0; i < VD_COUNT(alg_rows); i++) {
        if (alg_rows[i].id == id)
            return &alg_rows[i];
    }
    return NULL;
}

static const struct type_row *find_type(uint32_t type)
{
    for (size_t i = 0; i < VD_COUNT(type_rows); i++) {
        if (type_rows[i].type == type)
            return &type_rows[i];
    }
    return NULL;
}

uint16_t vd_tpm_alg_size(uint16_t algorithm)
{
    const struct alg_row *row = find_alg(algorithm);

    return row != NULL ? row->size : 0;
}

const char *vd_tpm_alg_name(uint16_t algorithm)
{
    const struct alg_row *row = find_alg(algorithm);

    return row != NULL ? row->name : NULL;
}

uint16_t vd_tpm_alg_find(const char *name, size_t len)
{
    for (size_t i = 0; i < VD_COUNT(alg_rows); i++) {
        const char *known = alg_rows[i].name;
        size_t same = 0;

        while (same < len && known[same] != '\0' && known[same] == name[same])
            same++;
        if (same == len && known[same] == '\0')
            return alg_rows[i].id;
    }
    return 0;
}

const char *vd_event_type_name(uint32_t type)
{
    const struct type_row *row = find_type(type);

    return row != NULL ? row->name : NULL;
}

bool vd_event_hashes_data(uint32_t type)
{
    const struct type_row *row = find_type(type);

    return row != NULL && row->hashes_data;
}

int vd_eventlog_find(const struct vd_eventlog *log, uint16_t algorithm)
{
    for (uint32_t i = 0; i < log->algorithm_count; i++) {
        if (log->algorithm[i].id == algorithm)
            return (int)i;
    }
    return -1;
}

static vd_status fail(struct vd_diag *diag, vd_status status, uint64_t at, const char *text)
{
    return vd_diag_fail_at(diag, status, at, text);
}

static vd_status read_algorithm(struct vd_reader *r, struct vd_eventlog *log, uint64_t base,
                                struct vd_diag *diag)
{
    uint64_t at = base + vd_reader_offset(r);
    struct vd_eventlog_algorithm alg;
    uint16_t known;

    VD_TRY(vd_read_le16(r, &alg.id));
    VD_TRY(vd_read_le16(r, &alg.digest_size));
    known = vd_tpm_alg_size(alg.id);
    if (alg.digest_size == 0 || alg.digest_size > VD_DIGEST_MAX_SIZE ||
        (known != 0 && alg.digest_size != known))
        return fail(diag, VD_E_RANGE, at, "the digest size does not fit the algorithm");
    if (vd_eventlog_find(log, alg.id) >= 0)
        return fail(diag, VD_E_EXISTS, at, "an algorithm is named twice");
    log->algorithm[log->algorithm_count++] = alg;
    return VD_OK;
}

/* TCG_EfiSpecIdEvent, the data of the first event. */
static vd_status read_spec_id(struct vd_reader *r, struct vd_eventlog *log, uint64_t base,
                              struct vd_diag *diag)
{
    const uint8_t *signature;
    uint32_t count;
    uint8_t vendor_size;

    VD_TRY(vd_read_bytes(r, SPEC_ID_SIGNATURE_SIZE, &signature));
    if (!vd_ct_equal(signature, SPEC_ID_SIGNATURE, SPEC_ID_SIGNATURE_SIZE))
        return fail(diag, VD_E_MAGIC, base, "the log does not start with \"Spec ID Event03\"");
    VD_TRY(vd_read_skip(r, 8));
    VD_TRY(vd_read_le32(r, &count));
    if (count == 0 || count > VD_EVENTLOG_ALGORITHMS_MAX)
        return fail(diag, VD_E_LIMIT, base + 24, "the log does not name 1 to 8 algorithms");
    for (uint32_t i = 0; i < count; i++)
        VD_TRY(read_algorithm(r, log, base, diag));
    VD_TRY(vd_read_u8(r, &vendor_size));
    VD_TRY(vd_read_skip(r, vendor_size));
    if (vd_read_done(r) != VD_OK)
        return fail(diag, VD_E_TRAILING, base + vd_reader_offset(r),
                    "there is data after the specification event");
    return VD_OK;
}

static vd_status read_first(struct vd_eventlog *log, struct vd_diag *diag)
{
    struct vd_reader *r = &log->reader;
    struct vd_reader body;
    uint32_t pcr;
    uint32_t type;
    uint32_t size;
    uint64_t base;

    VD_TRY(vd_read_le32(r, &pcr));
    VD_TRY(vd_read_le32(r, &type));
    VD_TRY(vd_read_skip(r, SHA1_SIZE));
    VD_TRY(vd_read_le32(r, &size));
    if (pcr != 0 || type != VD_EV_NO_ACTION)
        return fail(diag, VD_E_MAGIC, 0, "the log does not start with a specification event");
    base = vd_reader_offset(r);
    VD_TRY(vd_read_sub(r, size, &body));
    return read_spec_id(&body, log, base, diag);
}

vd_status vd_eventlog_open(const void *data, size_t size, struct vd_eventlog *ret,
                           struct vd_diag *diag)
{
    struct vd_eventlog log = {};
    vd_status status;

    if (size > VD_EVENTLOG_MAX_BYTES)
        return fail(diag, VD_E_LIMIT, VD_EVENTLOG_MAX_BYTES, "the log is larger than 8 MiB");
    vd_reader_init(&log.reader, data, size);
    status = read_first(&log, diag);
    if (status == VD_E_TRUNCATED)
        return fail(diag, status, vd_reader_offset(&log.reader),
                    "the log ends within its specification event");
    if (status == VD_OK)
        *ret = log;
    return status;
}

bool vd_eventlog_more(const struct vd_eventlog *log)
{
    return vd_reader_left(&log->reader) > 0;
}

static vd_status read_digests(struct vd_reader *r, const struct vd_eventlog *log,
                              struct vd_logged_event *event, struct vd_diag *diag)
{
    uint64_t at = vd_reader_offset(r);
    uint32_t count;

    VD_TRY(vd_read_le32(r, &count));
    if (count != log->algorithm_count)
        return fail(diag, VD_E_RANGE, at, "the event does not have one digest for each algorithm");
    for (uint32_t i = 0; i < count; i++) {
        uint16_t id;
        int index;

        at = vd_reader_offset(r);
        VD_TRY(vd_read_le16(r, &id));
        index = vd_eventlog_find(log, id);
        if (index < 0)
            return fail(diag, VD_E_NOT_FOUND, at, "the log does not name this algorithm");
        if (event->digest[index].size != 0)
            return fail(diag, VD_E_EXISTS, at, "an algorithm's digest stands twice");
        event->digest[index].size = log->algorithm[index].digest_size;
        VD_TRY(vd_read_bytes(r, event->digest[index].size, &event->digest[index].data));
    }
    return VD_OK;
}

static vd_status read_event(struct vd_reader *r, const struct vd_eventlog *log,
                            struct vd_logged_event *event, struct vd_diag *diag)
{
    uint64_t at;
    uint32_t size;

    event->offset = vd_reader_offset(r);
    VD_TRY(vd_read_le32(r, &event->pcr));
    VD_TRY(vd_read_le32(r, &event->type));
    if (event->pcr >= VD_PCR_COUNT && event->type != VD_EV_NO_ACTION)
        return fail(diag, VD_E_RANGE, event->offset, "there is no such PCR");
    VD_TRY(read_digests(r, log, event, diag));
    at = vd_reader_offset(r);
    VD_TRY(vd_read_le32(r, &size));
    if (size > VD_EVENTLOG_EVENT_MAX_BYTES)
        return fail(diag, VD_E_LIMIT, at, "an event's data is larger than 1 MiB");
    event->data.size = size;
    return vd_read_bytes(r, size, &event->data.data);
}

vd_status vd_eventlog_next(struct vd_eventlog *log, struct vd_logged_event *ret,
                           struct vd_diag *diag)
{
    struct vd_reader r = log->reader;
    struct vd_logged_event event = {};
    vd_status status = read_event(&r, log, &event, diag);

    if (status == VD_E_TRUNCATED)
        return fail(diag, status, vd_reader_offset(&r), "the log ends within an event");
    if (status != VD_OK)
        return status;
    log->reader = r;
    *ret = event;
    return VD_OK;
}

vd_status vd_pcr_bank_init(struct vd_pcr_bank *ret, uint16_t algorithm)
{
    uint16_t size = vd_tpm_alg_size(algorithm);

    if (size == 0)
        return VD_E_UNSUPPORTED;
    *ret = (struct vd_pcr_bank){.algorithm = algorithm, .digest_size = size};
    /* PCRs of the dynamic root of trust: all ones until a late launch resets them. */
    for (uint32_t pcr = 17; pcr <= 22; pcr++) {
        for (uint16_t i = 0; i < size; i++)
            ret->value[pcr][i] = 0xff;
    }
    return VD_OK;
}

vd_status vd_pcr_extend(struct vd_pcr_bank *bank, uint32_t pcr, const uint8_t *digest,
                        const struct vd_hash_ops *ops)
{
    uint8_t joined[2 * VD_DIGEST_MAX_SIZE];
    size_t size = bank->digest_size;

    if (pcr >= VD_PCR_COUNT || size == 0 || size > VD_DIGEST_MAX_SIZE)
        return VD_E_RANGE;
    vd_copy(joined, bank->value[pcr], size);
    vd_copy(joined + size, digest, size);
    VD_TRY(ops->hash(ops->ctx, bank->algorithm, joined, 2 * size, bank->value[pcr]));
    bank->extended |= 1u << pcr;
    return VD_OK;
}

/* PFP 1.05, 10.4.5.3: PCR 0 starts with the locality of TPM2_Startup in its last byte. */
static void apply_locality(const struct vd_logged_event *event, struct vd_pcr_bank *bank)
{
    if (event->data.size == sizeof(LOCALITY_SIGNATURE) + 1 &&
        vd_ct_equal(event->data.data, LOCALITY_SIGNATURE, sizeof(LOCALITY_SIGNATURE)) &&
        (bank->extended & 1u << LOCALITY_PCR) == 0)
        bank->value[LOCALITY_PCR][bank->digest_size - 1] =
            event->data.data[sizeof(LOCALITY_SIGNATURE)];
}

vd_status vd_eventlog_replay(const void *data, size_t size, uint16_t algorithm,
                             const struct vd_hash_ops *ops, struct vd_pcr_bank *ret,
                             struct vd_diag *diag)
{
    struct vd_eventlog log;
    struct vd_pcr_bank bank;
    int index;

    VD_TRY(vd_eventlog_open(data, size, &log, diag));
    index = vd_eventlog_find(&log, algorithm);
    if (index < 0)
        return vd_diag_fail(diag, VD_E_NOT_FOUND, "the log has no digests of this algorithm");
    VD_TRY(vd_pcr_bank_init(&bank, algorithm));
    while (vd_eventlog_more(&log)) {
        struct vd_logged_event event;

        VD_TRY(vd_eventlog_next(&log, &event, diag));
        if (event.type == VD_EV_NO_ACTION)
            apply_locality(&event, &bank);
        else
            VD_TRY(vd_pcr_extend(&bank, event.pcr, event.digest[index].data, ops));
    }
    *ret = bank;
    return VD_OK;
}

void vd_eventlog_encode_start(struct vd_writer *w, const struct vd_eventlog_algorithm *algorithms,
                              uint32_t count)
{
    vd_write_le32(w, 0);
    vd_write_le32(w, VD_EV_NO_ACTION);
    vd_write_zero(w, SHA1_SIZE);
    vd_write_le32(w, SPEC_ID_SIGNATURE_SIZE + 8 + 4 + 4 * count + 1);
    vd_write_bytes(w, SPEC_ID_SIGNATURE, SPEC_ID_SIGNATURE_SIZE);
    vd_write_le32(w, 0); /* platform class: client */
    vd_write_u8(w, 0);   /* specification 2.0, errata 0 */
    vd_write_u8(w, 2);
    vd_write_u8(w, 0);
    vd_write_u8(w, 2); /* UINTN has 8 bytes */
    vd_write_le32(w, count);
    for (uint32_t i = 0; i < count; i++) {
        vd_write_le16(w, algorithms[i].id);
        vd_write_le16(w, algorithms[i].digest_size);
    }
    vd_write_u8(w, 0);
}

void vd_eventlog_encode_event(struct vd_writer *w, const struct vd_eventlog *log,
                              const struct vd_logged_event *event)
{
    vd_write_le32(w, event->pcr);
    vd_write_le32(w, event->type);
    vd_write_le32(w, log->algorithm_count);
    for (uint32_t i = 0; i < log->algorithm_count; i++) {
        vd_write_le16(w, log->algorithm[i].id);
        vd_write_bytes(w, event->digest[i].data, event->digest[i].size);
    }
    vd_write_le32(w, (uint32_t)event->data.size);
    vd_write_bytes(w, event->data.data, event->data.size);
}
