/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/image.h"
#include "core/base/checked.h"
#include "core/base/mem.h"
#include "core/base/reader.h"
#include "core/base/writer.h"

/* What stands in the 512 bytes: the public header and the constants around it. */
struct raw_header {
    uint8_t magic[VD_IMAGE_MAGIC_SIZE];
    uint32_t version;
    uint32_t header_size;
    uint32_t digest_algorithm;
    struct vd_image_header h;
};

struct field_row {
    struct vd_image_field field;
    uint32_t member;      /* offset in struct raw_header */
    uint32_t member_size; /* 8 where the file's u32 is held as u64 */
};

#define ROW(name_, offset_, size_, kind_, member_)                                             \
    {                                                                                          \
        {name_, offset_, size_, VD_IMAGE_FIELD_##kind_}, offsetof(struct raw_header, member_), \
            sizeof(((struct raw_header *)0)->member_)                                          \
    }

static const struct field_row rows[] = {
    ROW("magic", 0, 8, BYTES, magic),
    ROW("version", 8, 4, U32, version),
    ROW("header_size", 12, 4, U32, header_size),
    ROW("signature_offset", 16, 4, U32, h.part[VD_IMAGE_SIGNATURE].offset),
    ROW("signature_size", 20, 4, U32, h.part[VD_IMAGE_SIGNATURE].size),
    ROW("certificate_offset", 24, 4, U32, h.part[VD_IMAGE_CERTIFICATES].offset),
    ROW("certificate_size", 28, 4, U32, h.part[VD_IMAGE_CERTIFICATES].size),
    ROW("entry_point", 32, 8, U64, h.entry_point),
    ROW("load_address", 40, 8, U64, h.load_address),
    ROW("kernel_size", 48, 8, U64, h.part[VD_IMAGE_KERNEL].size),
    ROW("flags", 56, 4, U32, h.flags),
    ROW("security_version", 60, 4, U32, h.security_version),
    ROW("kernel_offset", 64, 8, U64, h.part[VD_IMAGE_KERNEL].offset),
    ROW("initrd_offset", 72, 8, U64, h.part[VD_IMAGE_INITRD].offset),
    ROW("initrd_size", 80, 8, U64, h.part[VD_IMAGE_INITRD].size),
    ROW("cmdline_offset", 88, 4, U32, h.part[VD_IMAGE_CMDLINE].offset),
    ROW("cmdline_size", 92, 4, U32, h.part[VD_IMAGE_CMDLINE].size),
    ROW("policy_offset", 96, 4, U32, h.part[VD_IMAGE_POLICY].offset),
    ROW("policy_size", 100, 4, U32, h.part[VD_IMAGE_POLICY].size),
    ROW("root_hash_size", 104, 4, U32, h.root_hash_size),
    ROW("digest_algorithm", 108, 4, U32, digest_algorithm),
    ROW("root_hash", 112, 32, BYTES, h.root_hash),
    ROW("kernel_digest", 144, 32, BYTES, h.digest[VD_IMAGE_KERNEL]),
    ROW("initrd_digest", 176, 32, BYTES, h.digest[VD_IMAGE_INITRD]),
    ROW("cmdline_digest", 208, 32, BYTES, h.digest[VD_IMAGE_CMDLINE]),
    ROW("policy_digest", 240, 32, BYTES, h.digest[VD_IMAGE_POLICY]),
    ROW("signer_generation", 272, 4, U32, h.signer_generation),
};

/* Each part: its name, limits and the header fields that place it. */
struct part_row {
    const char *name;
    uint64_t min;
    uint64_t max;
    uint32_t offset_field; /* where the header holds its offset */
    uint32_t size_field;
};

static const struct part_row parts[VD_IMAGE_PART_COUNT] = {
    [VD_IMAGE_KERNEL] = {"kernel", 1, VD_IMAGE_KERNEL_MAX_BYTES, 64, 48},
    [VD_IMAGE_INITRD] = {"initrd", 0, VD_IMAGE_INITRD_MAX_BYTES, 72, 80},
    [VD_IMAGE_CMDLINE] = {"cmdline", 0, VD_IMAGE_CMDLINE_MAX_BYTES, 88, 92},
    [VD_IMAGE_POLICY] = {"policy", 0, VD_IMAGE_POLICY_MAX_BYTES, 96, 100},
    [VD_IMAGE_CERTIFICATES] = {"certificates", 1, VD_IMAGE_CERTS_MAX_BYTES, 24, 28},
    [VD_IMAGE_SIGNATURE] = {"signature", VD_IMAGE_SIGNATURE_SIZE, VD_IMAGE_SIGNATURE_SIZE, 16, 20},
};

/* Where a refusal is noted; carried through the checks of one parse. */
struct refusal {
    enum vd_boot_reason reason;
    struct vd_diag *diag;
};

static vd_status refuse(struct refusal *r, vd_status status, enum vd_boot_reason reason,
                        uint64_t offset, const char *text)
{
    r->reason = reason;
    return vd_diag_fail_at(r->diag, status, offset, text);
}

/* The same for a part: "NAME: TEXT NUMBER", since a name may be plural. */
static vd_status refuse_part(struct refusal *r, vd_status status, enum vd_boot_reason reason,
                             uint64_t offset, const struct part_row *part, const char *text,
                             uint64_t number)
{
    struct vd_text t;

    r->reason = reason;
    if (r->diag != NULL && r->diag->status == VD_OK) {
        r->diag->offset = offset;
        r->diag->has_offset = true;
    }
    vd_diag_begin(r->diag, status, &t);
    vd_text_str(&t, part->name);
    vd_text_str(&t, text);
    vd_text_u64(&t, number);
    return status;
}

static void store_member(struct raw_header *raw, const struct field_row *row, uint64_t value)
{
    uint8_t *member = (uint8_t *)raw + row->member;

    if (row->member_size == sizeof(uint64_t)) {
        vd_copy(member, &value, sizeof(value));
    } else {
        uint32_t narrow = (uint32_t)value;
        vd_copy(member, &narrow, sizeof(narrow));
    }
}

static uint64_t load_member(const struct raw_header *raw, const struct field_row *row)
{
    const uint8_t *member = (const uint8_t *)raw + row->member;
    uint64_t wide = 0;
    uint32_t narrow;

    if (row->member_size == sizeof(uint64_t)) {
        vd_copy(&wide, member, sizeof(wide));
        return wide;
    }
    vd_copy(&narrow, member, sizeof(narrow));
    return narrow;
}

static vd_status decode_fields(struct vd_reader *r, struct raw_header *raw)
{
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        uint32_t u32 = 0;
        uint64_t u64 = 0;

        switch (rows[i].field.kind) {
        case VD_IMAGE_FIELD_U32:
            VD_TRY(vd_read_le32(r, &u32));
            store_member(raw, &rows[i], u32);
            break;
        case VD_IMAGE_FIELD_U64:
            VD_TRY(vd_read_le64(r, &u64));
            store_member(raw, &rows[i], u64);
            break;
        case VD_IMAGE_FIELD_BYTES:
            VD_TRY(vd_read_copy(r, (uint8_t *)raw + rows[i].member, rows[i].field.size));
            break;
        }
    }
    return VD_OK;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

static vd_status check_constants(const struct raw_header *raw, struct refusal *r)
{
    if (raw->version != VD_IMAGE_VERSION)
        return refuse(r, VD_E_VERSION, VD_BOOT_REASON_VERSION, 8, "the version is not 2");
    if (raw->header_size != VD_IMAGE_HEADER_SIZE)
        return refuse(r, VD_E_INVALID, VD_BOOT_REASON_HEADER_SIZE, 12, "header_size is not 512");
    if (raw->digest_algorithm != VD_IMAGE_DIGEST_SHA256)
        return refuse(r, VD_E_INVALID, VD_BOOT_REASON_ALGORITHM, 108,
                      "digest_algorithm is not 1 (SHA-256)");
    if (raw->h.flags != 0)
        return refuse(r, VD_E_RESERVED, VD_BOOT_REASON_RESERVED, 56, "an unknown flag is set");
    return VD_OK;
}

static vd_status check_values(const struct vd_image_header *h, struct refusal *r)
{
    uint64_t kernel_size = h->part[VD_IMAGE_KERNEL].size;
    uint64_t end;

    if (h->root_hash_size != 0 && h->root_hash_size != VD_IMAGE_ROOT_HASH_SIZE)
        return refuse(r, VD_E_RANGE, VD_BOOT_REASON_RANGE, 104, "root_hash_size is not 0 or 32");
    if (h->root_hash_size == 0 && !all_zero(h->root_hash, sizeof(h->root_hash)))
        return refuse(r, VD_E_RESERVED, VD_BOOT_REASON_RESERVED, 112,
                      "there is a root hash although its size is 0");
    if (h->entry_point >= kernel_size)
        return refuse(r, VD_E_RANGE, VD_BOOT_REASON_RANGE, 32, "entry_point is beyond the kernel");
    if (h->load_address % 4096 != 0)
        return refuse(r, VD_E_RANGE, VD_BOOT_REASON_RANGE, 40,
                      "load_address is not a multiple of 4096");
    if (!VD_ADD(h->load_address, kernel_size, &end))
        return refuse(r, VD_E_OVERFLOW, VD_BOOT_REASON_OVERFLOW, 40,
                      "load_address and kernel_size overflow");
    return VD_OK;
}

static uint64_t align_up(uint64_t value)
{
    return (value + VD_IMAGE_ALIGNMENT - 1) & ~(uint64_t)(VD_IMAGE_ALIGNMENT - 1);
}

static vd_status check_part_size(const struct part_row *part, uint64_t size, struct refusal *r)
{
    if (size > part->max)
        return refuse_part(r, VD_E_LIMIT, VD_BOOT_REASON_LIMIT, part->size_field, part,
                           ": larger than the limit of ", part->max);
    if (size < part->min)
        return refuse_part(r, VD_E_RANGE, VD_BOOT_REASON_RANGE, part->size_field, part,
                           ": missing or smaller than ", part->min);
    return VD_OK;
}

/* `inout_end` is the end of what stands before and becomes that of this part. */
static vd_status check_part(const struct part_row *part, const struct vd_image_extent *extent,
                            uint64_t file_size, uint64_t *inout_end, struct refusal *r)
{
    uint64_t expected = align_up(*inout_end);
    uint64_t end;

    VD_TRY(check_part_size(part, extent->size, r));
    if (extent->size == 0) {
        if (extent->offset != 0)
            return refuse_part(r, VD_E_RANGE, VD_BOOT_REASON_RANGE, part->offset_field, part,
                               ": absent, so the offset must be ", 0);
        return VD_OK;
    }
    if (!VD_ADD(extent->offset, extent->size, &end))
        return refuse_part(r, VD_E_OVERFLOW, VD_BOOT_REASON_OVERFLOW, part->offset_field, part,
                           ": offset and size overflow; the offset must be ", expected);
    if (extent->offset < *inout_end)
        return refuse_part(r, VD_E_OVERLAP, VD_BOOT_REASON_OVERLAP, part->offset_field, part,
                           ": overlap with what stands before; the offset must be ", expected);
    if (extent->offset != expected)
        return refuse_part(r, VD_E_RANGE, VD_BOOT_REASON_RANGE, part->offset_field, part,
                           ": not in place; the offset must be ", expected);
    if (end > file_size)
        return refuse_part(r, VD_E_TRUNCATED, VD_BOOT_REASON_TRUNCATED, file_size, part,
                           ": beyond the file's end, up to ", end);
    *inout_end = end;
    return VD_OK;
}

static vd_status check_layout(const struct vd_image_header *h, uint64_t file_size,
                              struct refusal *r)
{
    uint64_t end = VD_IMAGE_HEADER_SIZE;

    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++)
        VD_TRY(check_part(&parts[i], &h->part[i], file_size, &end, r));
    if (end != file_size)
        return refuse(r, VD_E_TRAILING, VD_BOOT_REASON_TRAILING, end,
                      "there is data after the signature");
    return VD_OK;
}

static vd_status parse_header(const void *data, size_t size, uint64_t file_size,
                              struct vd_image_header *ret, struct refusal *r)
{
    struct vd_reader reader;
    struct raw_header raw = {};

    vd_reader_init(&reader, data, size);
    if (size >= VD_IMAGE_MAGIC_SIZE) {
        VD_TRY(vd_read_copy(&reader, raw.magic, sizeof(raw.magic)));
        if (!vd_ct_equal(raw.magic, VD_IMAGE_MAGIC, VD_IMAGE_MAGIC_SIZE))
            return refuse(r, VD_E_MAGIC, VD_BOOT_REASON_MAGIC, 0,
                          "not a VERIDIAN image: it does not start with \"VERIDIAN\"");
    }
    if (size < VD_IMAGE_HEADER_SIZE)
        return refuse(r, VD_E_TRUNCATED, VD_BOOT_REASON_TRUNCATED, size,
                      "the file ends within the header of 512 bytes");
    vd_reader_init(&reader, data, VD_IMAGE_HEADER_SIZE);
    VD_TRY(decode_fields(&reader, &raw));
    VD_TRY(check_constants(&raw, r));
    for (size_t at = VD_IMAGE_RESERVED_OFFSET; at < VD_IMAGE_HEADER_SIZE; at++) {
        uint8_t byte;
        VD_TRY(vd_read_u8(&reader, &byte));
        if (byte != 0)
            return refuse(r, VD_E_RESERVED, VD_BOOT_REASON_RESERVED, at,
                          "a reserved byte of the header is not zero");
    }
    VD_TRY(check_layout(&raw.h, file_size, r));
    VD_TRY(check_values(&raw.h, r));
    *ret = raw.h;
    return VD_OK;
}

vd_status vd_image_parse_header(const void *data, size_t size, uint64_t file_size,
                                struct vd_image_header *ret, enum vd_boot_reason *ret_reason,
                                struct vd_diag *diag)
{
    struct refusal r = {.reason = VD_BOOT_REASON_FAULT, .diag = diag};
    vd_status status = parse_header(data, size, file_size, ret, &r);

    if (status != VD_OK)
        *ret_reason = r.reason;
    return status;
}

size_t vd_image_cmdline_fault(const struct vd_span *cmdline, const char **ret_why)
{
    static const char option[] = "initrd=";
    const size_t option_size = sizeof(option) - 1;

    for (size_t i = 0; i < cmdline->size; i++) {
        if (cmdline->data[i] < 0x20 || cmdline->data[i] > 0x7e) {
            *ret_why = "the command line holds a byte that is not printable ASCII";
            return i;
        }
        /* Linux' EFI stub finds the option at any place, within words too. */
        if (cmdline->size - i >= option_size &&
            vd_ct_equal(cmdline->data + i, option, option_size)) {
            *ret_why = "the command line has Linux load an unsigned file (initrd=)";
            return i;
        }
    }
    *ret_why = NULL;
    return cmdline->size;
}

static vd_status check_cmdline(const struct vd_span *cmdline, uint64_t offset, struct refusal *r)
{
    const char *why;
    size_t at = vd_image_cmdline_fault(cmdline, &why);

    return why == NULL ? VD_OK : refuse(r, VD_E_RANGE, VD_BOOT_REASON_CMDLINE, offset + at, why);
}

/* Lends the parts in file order and sees that what stands between them is zero. */
static vd_status take_parts(struct vd_reader *reader, struct vd_image *image, struct refusal *r)
{
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        const struct vd_image_extent *extent = &image->header.part[i];
        const uint8_t *gap;
        size_t at = vd_reader_offset(reader);

        image->part[i] = (struct vd_span){};
        if (extent->size == 0)
            continue;
        VD_TRY(vd_read_bytes(reader, (size_t)extent->offset - at, &gap));
        if (!all_zero(gap, (size_t)extent->offset - at))
            return refuse(r, VD_E_RESERVED, VD_BOOT_REASON_RESERVED, at,
                          "the padding before a part is not zero");
        VD_TRY(vd_read_bytes(reader, (size_t)extent->size, &image->part[i].data));
        image->part[i].size = (size_t)extent->size;
    }
    VD_TRY(vd_read_done(reader));
    return check_cmdline(&image->part[VD_IMAGE_CMDLINE],
                         image->header.part[VD_IMAGE_CMDLINE].offset, r);
}

vd_status vd_image_parse(const void *data, size_t size, struct vd_image *ret,
                         enum vd_boot_reason *ret_reason, struct vd_diag *diag)
{
    struct refusal r = {.reason = VD_BOOT_REASON_FAULT, .diag = diag};
    struct vd_image image = {};
    struct vd_reader reader;
    vd_status status = parse_header(data, size, size, &image.header, &r);

    if (status == VD_OK) {
        vd_reader_init(&reader, data, size);
        image.header_bytes.size = VD_IMAGE_HEADER_SIZE;
        status = vd_read_bytes(&reader, VD_IMAGE_HEADER_SIZE, &image.header_bytes.data);
    }
    if (status == VD_OK)
        status = take_parts(&reader, &image, &r);
    if (status != VD_OK) {
        *ret_reason = r.reason;
        return status;
    }
    *ret = image;
    return VD_OK;
}

vd_status vd_image_layout(struct vd_image_header *header, uint64_t *ret_file_size,
                          struct vd_diag *diag)
{
    struct refusal r = {.diag = diag};
    uint64_t end = VD_IMAGE_HEADER_SIZE;

    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++)
        VD_TRY(check_part_size(&parts[i], header->part[i].size, &r));
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        struct vd_image_extent *extent = &header->part[i];

        extent->offset = extent->size == 0 ? 0 : align_up(end);
        if (extent->size != 0)
            end = extent->offset + extent->size;
    }
    *ret_file_size = end;
    return VD_OK;
}

void vd_image_encode_header(const struct vd_image_header *header, uint8_t ret[VD_IMAGE_HEADER_SIZE])
{
    struct vd_writer w;
    struct raw_header raw = {
        .version = VD_IMAGE_VERSION,
        .header_size = VD_IMAGE_HEADER_SIZE,
        .digest_algorithm = VD_IMAGE_DIGEST_SHA256,
        .h = *header,
    };

    vd_copy(raw.magic, VD_IMAGE_MAGIC, VD_IMAGE_MAGIC_SIZE);
    vd_writer_init(&w, ret, VD_IMAGE_HEADER_SIZE);
    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        switch (rows[i].field.kind) {
        case VD_IMAGE_FIELD_U32:
            vd_write_le32(&w, (uint32_t)load_member(&raw, &rows[i]));
            break;
        case VD_IMAGE_FIELD_U64:
            vd_write_le64(&w, load_member(&raw, &rows[i]));
            break;
        case VD_IMAGE_FIELD_BYTES:
            vd_write_bytes(&w, (const uint8_t *)&raw + rows[i].member, rows[i].field.size);
            break;
        }
    }
    vd_write_zero(&w, VD_IMAGE_HEADER_SIZE - VD_IMAGE_RESERVED_OFFSET);
}

const char *vd_image_part_name(enum vd_image_part part)
{
    return (unsigned)part < VD_IMAGE_PART_COUNT ? parts[part].name : "?";
}

uint64_t vd_image_part_max(enum vd_image_part part)
{
    return (unsigned)part < VD_IMAGE_PART_COUNT ? parts[part].max : 0;
}

const struct vd_image_field *vd_image_field(size_t index)
{
    return index < VD_COUNT(rows) ? &rows[index].field : NULL;
}
