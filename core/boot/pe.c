/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/boot/pe.h"
#include "core/base/checked.h"
#include "core/base/mem.h"
#include "core/base/reader.h"

#define DOS_LFANEW        0x3cu
#define COFF_SIZE         24u /* with the signature "PE\0\0" */
#define OPTIONAL_MAGIC    0x20bu
#define OPTIONAL_SIZE_MIN (112u + 5u * 8u) /* up to the certificate table's entry */
#define OPTIONAL_SIZE_MAX (112u + 16u * 8u)
#define CHECKSUM_AT       64u
#define CERTIFICATES_AT   (112u + 4u * 8u)
#define SECTION_ROW_SIZE  40u

struct layout {
    uint32_t coff_at; /* where "PE\0\0" stands */
    uint16_t sections;
    uint16_t optional_size;
};

static vd_status fail(struct vd_diag *diag, vd_status status, uint64_t at, const char *text)
{
    return vd_diag_fail_at(diag, status, at, text);
}

/* A reader that stands at `offset`. */
static vd_status reader_at(const struct vd_span *file, uint64_t offset, struct vd_reader *ret)
{
    vd_reader_init(ret, file->data, file->size);
    return offset > file->size ? VD_E_TRUNCATED : vd_read_skip(ret, (size_t)offset);
}

static vd_status read_coff(const struct vd_span *file, struct vd_pe *pe, struct layout *ret,
                           struct vd_diag *diag)
{
    struct vd_reader r;
    uint16_t dos;
    uint32_t signature;

    vd_reader_init(&r, file->data, file->size);
    if (vd_read_le16(&r, &dos) != VD_OK || dos != 0x5a4d)
        return fail(diag, VD_E_MAGIC, 0, "not a PE file: it does not start with \"MZ\"");
    VD_TRY(reader_at(file, DOS_LFANEW, &r));
    VD_TRY(vd_read_le32(&r, &ret->coff_at));
    VD_TRY(reader_at(file, ret->coff_at, &r));
    VD_TRY(vd_read_le32(&r, &signature));
    if (signature != 0x00004550)
        return fail(diag, VD_E_MAGIC, ret->coff_at, "there is no PE signature");
    VD_TRY(vd_read_le16(&r, &pe->machine));
    VD_TRY(vd_read_le16(&r, &ret->sections));
    VD_TRY(vd_read_skip(&r, 12));
    VD_TRY(vd_read_le16(&r, &ret->optional_size));
    if (ret->sections == 0 || ret->sections > VD_PE_SECTIONS_MAX)
        return fail(diag, VD_E_LIMIT, (uint64_t)ret->coff_at + 6, "there are not 1 to 64 sections");
    if (ret->optional_size < OPTIONAL_SIZE_MIN || ret->optional_size > OPTIONAL_SIZE_MAX)
        return fail(diag, VD_E_RANGE, (uint64_t)ret->coff_at + 20,
                    "the optional header's size is not that of a PE32+ image");
    return VD_OK;
}

static vd_status read_optional(const struct vd_span *file, const struct layout *layout,
                               struct vd_pe *pe, struct vd_diag *diag)
{
    uint64_t at = (uint64_t)layout->coff_at + COFF_SIZE;
    struct vd_reader r;
    uint16_t magic;
    uint32_t directories;
    uint32_t cert_at;
    uint32_t cert_size;

    VD_TRY(reader_at(file, at, &r));
    VD_TRY(vd_read_le16(&r, &magic));
    if (magic != OPTIONAL_MAGIC)
        return fail(diag, VD_E_VERSION, at, "not a PE32+ (64-bit) file");
    VD_TRY(vd_read_skip(&r, 14));
    VD_TRY(vd_read_le32(&r, &pe->entry_point));
    VD_TRY(vd_read_skip(&r, 4));
    VD_TRY(vd_read_le64(&r, &pe->image_base));
    VD_TRY(vd_read_skip(&r, 28));
    VD_TRY(vd_read_le32(&r, &pe->headers_size));
    VD_TRY(vd_read_skip(&r, 4)); /* the checksum, which nobody checks */
    VD_TRY(vd_read_le16(&r, &pe->subsystem));
    VD_TRY(vd_read_skip(&r, 38));
    VD_TRY(vd_read_le32(&r, &directories));
    if (directories < 5 || directories > 16)
        return fail(diag, VD_E_RANGE, at + 108, "there are not 5 to 16 data directories");
    VD_TRY(vd_read_skip(&r, 32));
    VD_TRY(vd_read_le32(&r, &cert_at));
    VD_TRY(vd_read_le32(&r, &cert_size));
    if (cert_size != 0 && (uint64_t)cert_at + cert_size != file->size)
        return fail(diag, VD_E_RANGE, at + CERTIFICATES_AT,
                    "the certificate table is not the file's end");
    pe->checksum_offset = (uint32_t)at + CHECKSUM_AT;
    pe->certificate_offset = (uint32_t)at + CERTIFICATES_AT;
    pe->certificates.size = cert_size;
    pe->certificates.offset = cert_size == 0 ? 0 : cert_at;
    return VD_OK;
}

/* Keeps the sections in the order of their offsets: insertion into at most 64 rows. */
static void insert_section(struct vd_pe *pe, const struct vd_pe_section *section)
{
    uint32_t at = pe->section_count++;

    for (; at > 0 && pe->section[at - 1].file_offset > section->file_offset; at--)
        pe->section[at] = pe->section[at - 1];
    pe->section[at] = *section;
}

static vd_status read_sections(const struct vd_span *file, const struct layout *layout,
                               struct vd_pe *pe, struct vd_diag *diag)
{
    uint64_t table = (uint64_t)layout->coff_at + COFF_SIZE + layout->optional_size;
    struct vd_reader r;

    VD_TRY(reader_at(file, table, &r));
    for (uint16_t i = 0; i < layout->sections; i++) {
        struct vd_pe_section section;

        VD_TRY(vd_read_copy(&r, section.name, sizeof(section.name)));
        VD_TRY(vd_read_skip(&r, 8));
        VD_TRY(vd_read_le32(&r, &section.file_size));
        VD_TRY(vd_read_le32(&r, &section.file_offset));
        VD_TRY(vd_read_skip(&r, 16));
        if (section.file_size == 0)
            section.file_offset = 0;
        if (!vd_range_within(section.file_offset, section.file_size, file->size))
            return fail(diag, VD_E_TRUNCATED, table + i * SECTION_ROW_SIZE,
                        "a section goes on after the file's end");
        insert_section(pe, &section);
    }
    if (pe->headers_size < vd_reader_offset(&r) || pe->headers_size > file->size)
        return fail(diag, VD_E_RANGE, (uint64_t)layout->coff_at + COFF_SIZE + 60,
                    "the headers' size does not hold the section table or exceeds the file");
    return VD_OK;
}

/* What is hashed must not be ambiguous: no section shares bytes with another part. */
static vd_status check_sections(const struct vd_pe *pe, struct vd_diag *diag)
{
    uint64_t end = pe->headers_size;
    uint64_t limit = pe->file.size - pe->certificates.size;

    for (uint32_t i = 0; i < pe->section_count; i++) {
        const struct vd_pe_section *s = &pe->section[i];

        if (s->file_size == 0)
            continue;
        if (s->file_offset < end)
            return fail(diag, VD_E_OVERLAP, s->file_offset, "a section overlaps what is before it");
        end = (uint64_t)s->file_offset + s->file_size;
    }
    return end <= limit
               ? VD_OK
               : fail(diag, VD_E_OVERLAP, limit, "a section overlaps the certificate table");
}

static vd_status parse(struct vd_pe *pe, struct vd_diag *diag)
{
    struct layout layout = {};

    VD_TRY(read_coff(&pe->file, pe, &layout, diag));
    VD_TRY(read_optional(&pe->file, &layout, pe, diag));
    VD_TRY(read_sections(&pe->file, &layout, pe, diag));
    return check_sections(pe, diag);
}

vd_status vd_pe_parse(const void *data, size_t size, struct vd_pe *ret, struct vd_diag *diag)
{
    struct vd_pe pe = {.file = {.data = data, .size = size}};
    vd_status status;

    if (size > VD_PE_FILE_MAX_BYTES)
        return fail(diag, VD_E_LIMIT, VD_PE_FILE_MAX_BYTES, "the file is larger than 256 MiB");
    status = parse(&pe, diag);
    if (status == VD_E_TRUNCATED)
        return fail(diag, status, size, "the file ends within its PE headers");
    if (status == VD_OK)
        *ret = pe;
    return status;
}

const struct vd_pe_section *vd_pe_find(const struct vd_pe *pe, const char name[8])
{
    for (uint32_t i = 0; i < pe->section_count; i++) {
        if (vd_ct_equal(pe->section[i].name, name, 8))
            return &pe->section[i];
    }
    return NULL;
}

static vd_status add_piece(const struct vd_pe *pe, uint64_t from, uint64_t to,
                           struct vd_pe_hashed *ret)
{
    struct vd_reader r;
    struct vd_span *piece = &ret->piece[ret->count];

    if (from == to)
        return VD_OK;
    VD_TRY(reader_at(&pe->file, from, &r));
    VD_TRY(vd_read_bytes(&r, (size_t)(to - from), &piece->data));
    piece->size = (size_t)(to - from);
    ret->count++;
    return VD_OK;
}

vd_status vd_pe_hashed(const struct vd_pe *pe, struct vd_pe_hashed *ret)
{
    uint64_t sum = pe->headers_size;
    uint64_t limit = pe->file.size - pe->certificates.size;

    ret->count = 0;
    VD_TRY(add_piece(pe, 0, pe->checksum_offset, ret));
    VD_TRY(add_piece(pe, pe->checksum_offset + 4, pe->certificate_offset, ret));
    VD_TRY(add_piece(pe, pe->certificate_offset + 8, pe->headers_size, ret));
    for (uint32_t i = 0; i < pe->section_count; i++) {
        const struct vd_pe_section *s = &pe->section[i];

        VD_TRY(add_piece(pe, s->file_offset, (uint64_t)s->file_offset + s->file_size, ret));
        sum += s->file_size;
    }
    /* Everything not counted yet is taken to stand at the end, as the specification says. */
    if (sum < limit)
        VD_TRY(add_piece(pe, sum, limit, ret));
    return VD_OK;
}
