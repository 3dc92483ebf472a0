/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/unit/boot_fixture.h"

#include "core/base/writer.h"

/* Parses a copy of exact size, so that a sanitizer sees a read past the end. */
static enum vd_boot_reason reason_of(const uint8_t *data, size_t size, struct vd_diag *diag)
{
    uint8_t *copy = malloc(size + (size == 0));
    struct vd_image image;
    enum vd_boot_reason reason = VD_BOOT_REASON_NONE;
    vd_status status;

    memcpy(copy, data, size);
    status = vd_image_parse(copy, size, &image, &reason, diag);
    free(copy);
    VD_EXPECT((status == VD_OK) == (reason == VD_BOOT_REASON_NONE));
    return reason;
}

static void expect_reason(const struct fixture *f, const char *name, uint64_t offset)
{
    struct vd_diag diag = {};

    VD_EXPECT_STR(vd_boot_reason_name(reason_of(f->data, f->size, &diag)), name);
    VD_EXPECT(diag.has_offset);
    VD_EXPECT(diag.text[0] != '\0');
    VD_EXPECT_EQ(diag.offset, offset);
}

static void put_le(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

VD_TEST(image_round_trip)
{
    struct fixture f;
    struct vd_image image;
    enum vd_boot_reason reason = VD_BOOT_REASON_NONE;
    uint8_t again[VD_IMAGE_HEADER_SIZE];

    fixture_defaults(&f);
    f.header.entry_point = 20;
    f.header.load_address = 0x100000;
    fixture_build(&f);
    VD_EXPECT_EQ(vd_image_parse(f.data, f.size, &image, &reason, NULL), VD_OK);
    VD_EXPECT_MEM(&image.header, &f.header, sizeof(f.header));
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        VD_EXPECT_EQ(image.part[i].size, f.header.part[i].size);
        VD_EXPECT_EQ(f.header.part[i].offset % VD_IMAGE_ALIGNMENT, 0);
        VD_EXPECT_MEM(image.part[i].data, f.part[i], image.part[i].size);
    }
    VD_EXPECT(image.header_bytes.data == f.data);
    VD_EXPECT_EQ(image.header_bytes.size, VD_IMAGE_HEADER_SIZE);
    vd_image_encode_header(&image.header, again);
    VD_EXPECT_MEM(again, f.data, sizeof(again));
    fixture_free(&f);
}

VD_TEST(image_optional_parts_may_be_absent)
{
    struct fixture f;
    struct vd_image image;
    enum vd_boot_reason reason;

    fixture_defaults(&f);
    f.header.part[VD_IMAGE_INITRD].size = 0;
    f.header.part[VD_IMAGE_CMDLINE].size = 0;
    f.header.part[VD_IMAGE_POLICY].size = 0;
    fixture_build(&f);
    VD_EXPECT_EQ(vd_image_parse(f.data, f.size, &image, &reason, NULL), VD_OK);
    VD_EXPECT_EQ(image.part[VD_IMAGE_INITRD].size, 0);
    VD_EXPECT(image.part[VD_IMAGE_INITRD].data == NULL);
    VD_EXPECT_EQ(f.header.part[VD_IMAGE_CERTIFICATES].offset, 512 + 24);
    fixture_free(&f);
}

VD_TEST(image_refuses_every_cut)
{
    struct fixture f;

    fixture_defaults(&f);
    fixture_build(&f);
    for (size_t n = 0; n < f.size; n++)
        VD_EXPECT_STR(vd_boot_reason_name(reason_of(f.data, n, NULL)), "truncated");
    fixture_free(&f);
}

VD_TEST(image_refuses_trailing_bytes)
{
    struct fixture f;
    struct vd_diag diag = {};
    uint8_t *longer;

    fixture_defaults(&f);
    fixture_build(&f);
    longer = calloc(1, f.size + 1);
    memcpy(longer, f.data, f.size);
    VD_EXPECT_STR(vd_boot_reason_name(reason_of(longer, f.size + 1, &diag)), "trailing");
    VD_EXPECT_EQ(diag.offset, f.size);
    free(longer);
    fixture_free(&f);
}

VD_TEST(image_refuses_every_padding_byte)
{
    struct fixture f;
    uint64_t end = VD_IMAGE_HEADER_SIZE;
    size_t gaps = 0;

    fixture_defaults(&f);
    fixture_build(&f);
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        for (uint64_t at = end; at < f.header.part[i].offset; at++) {
            f.data[at] = 1;
            expect_reason(&f, "reserved", end);
            f.data[at] = 0;
            gaps++;
        }
        end = f.header.part[i].offset + f.header.part[i].size;
    }
    VD_EXPECT(gaps >= 5);
    fixture_free(&f);
}

VD_TEST(image_refuses_every_reserved_byte)
{
    struct fixture f;

    fixture_defaults(&f);
    fixture_build(&f);
    for (size_t at = VD_IMAGE_RESERVED_OFFSET; at < VD_IMAGE_HEADER_SIZE; at++) {
        f.data[at] = 0x80;
        expect_reason(&f, "reserved", at);
        f.data[at] = 0;
    }
    fixture_free(&f);
}

/* Linux' EFI stub would load such a file where the image has no initrd: unsigned, unmeasured. */
VD_TEST(image_cmdline_names_no_initrd)
{
    static const struct {
        const char *cmdline;
        int at; /* -1: allowed */
    } rows[] = {
        {"initrd=x", 0},        {"quiet initrd=\\a", 6}, {"noinitrd=", 2},
        {"quiet noinitrd", -1}, {"quiet initrd", -1},    {"rd=initrd lsm=", -1},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct fixture f;
        struct vd_image image;
        enum vd_boot_reason reason = VD_BOOT_REASON_NONE;

        fixture_defaults(&f);
        f.part[VD_IMAGE_CMDLINE] = rows[i].cmdline;
        f.header.part[VD_IMAGE_CMDLINE].size = strlen(rows[i].cmdline);
        fixture_build(&f);
        if (rows[i].at < 0)
            VD_EXPECT_EQ(vd_image_parse(f.data, f.size, &image, &reason, NULL), VD_OK);
        else
            expect_reason(&f, "cmdline",
                          f.header.part[VD_IMAGE_CMDLINE].offset + (uint64_t)rows[i].at);
        fixture_free(&f);
    }
}

VD_TEST(image_cmdline_is_printable_ascii)
{
    struct fixture f;

    fixture_defaults(&f);
    fixture_build(&f);
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t at = f.header.part[VD_IMAGE_CMDLINE].offset + 3;
        f.data[at] = (uint8_t)byte;
        if (byte >= 0x20 && byte <= 0x7e)
            VD_EXPECT_EQ(reason_of(f.data, f.size, NULL), VD_BOOT_REASON_NONE);
        else
            expect_reason(&f, "cmdline", at);
    }
    fixture_free(&f);
}

/* One field set to one value in a good image, and what becomes of it. */
struct edge {
    const char *field;
    uint64_t value;
    const char *reason; /* "none": accepted */
    uint64_t at;        /* the diagnostic's offset */
};

/* In the default image: kernel 512+21, initrd 536+9, cmdline 552+13, policy 568+6,
 * certificates 576+12, signature 592+96, end 688. */
static const struct edge edges[] = {
    {"version", 0, "version", 8},
    {"version", 1, "version", 8},
    {"version", 3, "version", 8},
    {"version", UINT32_MAX, "version", 8},
    {"header_size", 0, "header-size", 12},
    {"header_size", 511, "header-size", 12},
    {"header_size", 513, "header-size", 12},
    {"header_size", UINT32_MAX, "header-size", 12},
    {"digest_algorithm", 0, "algorithm", 108},
    {"digest_algorithm", 2, "algorithm", 108},
    {"flags", 1, "reserved", 56},
    {"flags", 0x80000000, "reserved", 56},
    {"root_hash_size", 0, "reserved", 112},
    {"root_hash_size", 31, "range", 104},
    {"root_hash_size", 33, "range", 104},
    {"root_hash_size", UINT32_MAX, "range", 104},
    {"security_version", 0, "none", 0},
    {"security_version", UINT32_MAX, "none", 0},
    {"signer_generation", UINT32_MAX, "none", 0},
    {"entry_point", 0, "none", 0},
    {"entry_point", 20, "none", 0},
    {"entry_point", 21, "range", 32},
    {"entry_point", UINT64_MAX, "range", 32},
    {"load_address", 4096, "none", 0},
    {"load_address", 1, "range", 40},
    {"load_address", 4095, "range", 40},
    {"load_address", UINT64_MAX - 4095, "none", 0},
    {"load_address", UINT64_MAX, "range", 40},

    {"kernel_size", 0, "range", 48},
    {"kernel_size", 20, "reserved", 532},
    {"kernel_size", 24, "none", 0},
    {"kernel_size", 25, "overlap", 72},
    {"kernel_size", 16, "range", 72},
    {"kernel_size", 177, "truncated", 688},
    {"kernel_size", VD_IMAGE_KERNEL_MAX_BYTES, "truncated", 688},
    {"kernel_size", VD_IMAGE_KERNEL_MAX_BYTES + 1, "limit", 48},
    {"kernel_size", UINT64_MAX, "limit", 48},
    {"kernel_offset", 0, "overlap", 64},
    {"kernel_offset", 511, "overlap", 64},
    {"kernel_offset", 513, "range", 64},
    {"kernel_offset", 520, "range", 64},
    {"kernel_offset", UINT64_MAX - 21, "range", 64},
    {"kernel_offset", UINT64_MAX - 20, "overflow", 64},
    {"kernel_offset", UINT64_MAX, "overflow", 64},

    {"initrd_size", 0, "range", 72},
    {"initrd_size", 8, "range", 88},
    {"initrd_size", 17, "overlap", 88},
    {"initrd_size", VD_IMAGE_INITRD_MAX_BYTES, "truncated", 688},
    {"initrd_size", VD_IMAGE_INITRD_MAX_BYTES + 1, "limit", 80},
    {"initrd_size", UINT64_MAX, "limit", 80},
    {"initrd_offset", 0, "overlap", 72},
    {"initrd_offset", 532, "overlap", 72},
    {"initrd_offset", 533, "range", 72},
    {"initrd_offset", 544, "range", 72},
    {"initrd_offset", UINT64_MAX - 8, "overflow", 72},

    {"cmdline_size", 0, "range", 88},
    {"cmdline_size", 8, "range", 96},
    {"cmdline_size", 17, "overlap", 96},
    {"cmdline_size", VD_IMAGE_CMDLINE_MAX_BYTES, "truncated", 688},
    {"cmdline_size", VD_IMAGE_CMDLINE_MAX_BYTES + 1, "limit", 92},
    {"cmdline_size", UINT32_MAX, "limit", 92},
    {"cmdline_offset", 0, "overlap", 88},
    {"cmdline_offset", 544, "overlap", 88},
    {"cmdline_offset", 545, "range", 88},
    {"cmdline_offset", UINT32_MAX, "range", 88},

    {"policy_size", 0, "range", 96},
    {"policy_size", 9, "overlap", 24},
    {"policy_size", VD_IMAGE_POLICY_MAX_BYTES, "truncated", 688},
    {"policy_size", VD_IMAGE_POLICY_MAX_BYTES + 1, "limit", 100},
    {"policy_size", UINT32_MAX, "limit", 100},
    {"policy_offset", 0, "overlap", 96},
    {"policy_offset", 560, "overlap", 96},
    {"policy_offset", 576, "range", 96},
    {"policy_offset", UINT32_MAX, "range", 96},

    {"certificate_size", 0, "range", 28},
    {"certificate_size", 8, "range", 16},
    {"certificate_size", 17, "overlap", 16},
    {"certificate_size", VD_IMAGE_CERTS_MAX_BYTES, "truncated", 688},
    {"certificate_size", VD_IMAGE_CERTS_MAX_BYTES + 1, "limit", 28},
    {"certificate_size", UINT32_MAX, "limit", 28},
    {"certificate_offset", 0, "overlap", 24},
    {"certificate_offset", 584, "range", 24},
    {"certificate_offset", UINT32_MAX, "range", 24},

    {"signature_size", 0, "range", 20},
    {"signature_size", 95, "range", 20},
    {"signature_size", 97, "limit", 20},
    {"signature_size", UINT32_MAX, "limit", 20},
    {"signature_offset", 0, "overlap", 16},
    {"signature_offset", 587, "overlap", 16},
    {"signature_offset", 588, "range", 16},
    {"signature_offset", 600, "range", 16},
    {"signature_offset", UINT32_MAX, "range", 16},
};

static const struct vd_image_field *find_field(const char *name)
{
    for (size_t i = 0; vd_image_field(i) != NULL; i++) {
        if (strcmp(vd_image_field(i)->name, name) == 0)
            return vd_image_field(i);
    }
    vd_test_fail(__FILE__, __LINE__, "no field %s", name);
}

VD_TEST(image_field_edges)
{
    for (size_t i = 0; i < VD_COUNT(edges); i++) {
        const struct edge *e = &edges[i];
        const struct vd_image_field *field = find_field(e->field);
        struct fixture f;
        struct vd_diag diag = {};
        const char *name;

        fixture_defaults(&f);
        fixture_build(&f);
        put_le(f.data + field->offset, e->value, field->size);
        name = vd_boot_reason_name(reason_of(f.data, f.size, &diag));
        if (strcmp(name, e->reason) != 0)
            vd_test_fail(__FILE__, __LINE__, "%s = 0x%llx: %s, expected %s", e->field,
                         (unsigned long long)e->value, name, e->reason);
        if (diag.offset != e->at)
            vd_test_fail(__FILE__, __LINE__, "%s = 0x%llx: at %llu, expected %llu", e->field,
                         (unsigned long long)e->value, (unsigned long long)diag.offset,
                         (unsigned long long)e->at);
        fixture_free(&f);
    }
}

VD_TEST(image_refuses_other_magic)
{
    struct fixture f;

    fixture_defaults(&f);
    fixture_build(&f);
    for (size_t i = 0; i < VD_IMAGE_MAGIC_SIZE; i++) {
        f.data[i] ^= 0x20;
        expect_reason(&f, "magic", 0);
        f.data[i] ^= 0x20;
    }
    fixture_free(&f);
}

VD_TEST(image_failure_leaves_outputs)
{
    struct vd_image image;
    struct vd_image before;
    enum vd_boot_reason reason = VD_BOOT_REASON_NONE;

    memset(&image, 0xa5, sizeof(image));
    before = image;
    VD_EXPECT_EQ(vd_image_parse("VERIDIAN", 8, &image, &reason, NULL), VD_E_TRUNCATED);
    VD_EXPECT_MEM(&image, &before, sizeof(image));
    VD_EXPECT_EQ(reason, VD_BOOT_REASON_TRUNCATED);
}

VD_TEST(image_layout_checks_sizes)
{
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        struct fixture f;
        uint64_t size = 0;

        fixture_defaults(&f);
        f.header.part[i].size = vd_image_part_max(i);
        VD_EXPECT_EQ(vd_image_layout(&f.header, &size, NULL), VD_OK);
        VD_EXPECT(size <= VD_IMAGE_MAX_BYTES);
        f.header.part[i].size++;
        VD_EXPECT_EQ(vd_image_layout(&f.header, &size, NULL), VD_E_LIMIT);
    }
}

/* The table describes the header without gap up to the reserved bytes. */
VD_TEST(image_field_table_is_dense)
{
    uint32_t end = 0;
    size_t n = 0;

    for (; vd_image_field(n) != NULL; n++) {
        VD_EXPECT_EQ(vd_image_field(n)->offset, end);
        end += vd_image_field(n)->size;
    }
    VD_EXPECT_EQ(end, VD_IMAGE_RESERVED_OFFSET);
    VD_EXPECT_EQ(n, 27);
}

VD_TEST(boot_reasons_have_distinct_names)
{
    for (unsigned a = 0; a < VD_BOOT_REASON_COUNT; a++) {
        VD_EXPECT(vd_boot_reason_text((enum vd_boot_reason)a)[0] != '\0');
        for (unsigned b = a + 1; b < VD_BOOT_REASON_COUNT; b++)
            VD_EXPECT(strcmp(vd_boot_reason_name((enum vd_boot_reason)a),
                             vd_boot_reason_name((enum vd_boot_reason)b)) != 0);
    }
    VD_EXPECT_STR(vd_boot_reason_name((enum vd_boot_reason)VD_BOOT_REASON_COUNT), "undecided");
    VD_EXPECT_STR(vd_boot_reason_name((enum vd_boot_reason) - 1), "undecided");
}
