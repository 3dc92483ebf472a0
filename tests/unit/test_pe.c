/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * fuzz/corpus/pe/two: headers 0x400, `.text` at 0x400 and `.vdtrust` at 0x600,
 * 0x200 each. `signed`: a third section, 8 bytes of tail, a table of 64 bytes.
 * PE header at 0x40: COFF at 0x44, optional header at 0x58, sections at 0x148.
 */
#include "core/boot/pe.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

struct file {
    uint8_t *data;
    size_t size;
};

static struct file load(const char *name)
{
    char path[512];
    struct file f = {.data = malloc(8192)};
    FILE *in;

    snprintf(path, sizeof(path), "%s/fuzz/corpus/pe/%s", vd_test_source_root(), name);
    in = fopen(path, "rb");
    VD_EXPECT(in != NULL);
    f.size = fread(f.data, 1, 8192, in);
    fclose(in);
    VD_EXPECT(f.size >= 0x800);
    return f;
}

static vd_status parse_copy(const uint8_t *data, size_t size, struct vd_diag *diag)
{
    uint8_t *copy = malloc(size + (size == 0));
    struct vd_pe pe;
    vd_status status;

    memcpy(copy, data, size);
    status = vd_pe_parse(copy, size, &pe, diag);
    free(copy);
    return status;
}

VD_TEST(pe_reads_headers)
{
    struct file f = load("signed");
    struct vd_pe pe;

    VD_EXPECT_EQ(vd_pe_parse(f.data, f.size, &pe, NULL), VD_OK);
    VD_EXPECT_EQ(pe.machine, 0x8664);
    VD_EXPECT_EQ(pe.subsystem, 10);
    VD_EXPECT_EQ(pe.entry_point, 0x1000);
    VD_EXPECT_EQ(pe.image_base, 0x140000000);
    VD_EXPECT_EQ(pe.headers_size, 0x400);
    VD_EXPECT_EQ(pe.section_count, 3);
    VD_EXPECT_EQ(pe.certificates.size, 64);
    VD_EXPECT(vd_pe_find(&pe, ".vdtrust") != NULL);
    VD_EXPECT_EQ(vd_pe_find(&pe, ".vdtrust")->file_offset, 0x600);
    VD_EXPECT(vd_pe_find(&pe, ".vdtrus\0") == NULL);
    free(f.data);
}

/* Authenticode leaves out the checksum, the table's entry and the table: nothing else. */
VD_TEST(pe_hashes_all_but_three_places)
{
    struct file f = load("signed");
    struct vd_pe pe;
    struct vd_pe_hashed hashed;
    uint8_t *seen = calloc(1, f.size);
    size_t left_out = 0;

    VD_EXPECT_EQ(vd_pe_parse(f.data, f.size, &pe, NULL), VD_OK);
    VD_EXPECT_EQ(vd_pe_hashed(&pe, &hashed), VD_OK);
    for (uint32_t i = 0; i < hashed.count; i++) {
        for (size_t b = 0; b < hashed.piece[i].size; b++)
            VD_EXPECT_EQ(seen[hashed.piece[i].data - f.data + b]++, 0);
    }
    for (size_t at = 0; at < f.size; at++) {
        bool out = (at >= 0x98 && at < 0x9c) || (at >= 0xe8 && at < 0xf0) || at >= f.size - 64;
        VD_EXPECT_EQ(seen[at], out ? 0 : 1);
        left_out += out;
    }
    VD_EXPECT_EQ(left_out, 4 + 8 + 64);
    free(seen);
    free(f.data);
}

VD_TEST(pe_refuses_every_cut)
{
    struct file f = load("two");

    for (size_t n = 0; n < f.size; n++)
        VD_EXPECT(parse_copy(f.data, n, NULL) != VD_OK);
    VD_EXPECT_EQ(parse_copy(f.data, f.size, NULL), VD_OK);
    free(f.data);
}

VD_TEST(pe_refuses_bad_fields)
{
    static const struct {
        size_t at;
        uint8_t value;
        vd_status status;
    } rows[] = {
        {0, 'N', VD_E_MAGIC},        {0x3f, 0x80, VD_E_TRUNCATED}, {0x40, 'Q', VD_E_MAGIC},
        {0x46, 0, VD_E_LIMIT},       {0x46, 65, VD_E_LIMIT},       {0x47, 0x80, VD_E_LIMIT},
        {0x54, 0x97, VD_E_RANGE},    {0x54, 0xf1, VD_E_RANGE},     {0x58, 0x0a, VD_E_VERSION},
        {0x95, 0, VD_E_RANGE},       {0x97, 0x80, VD_E_RANGE},     {0xc4, 4, VD_E_RANGE},
        {0xc4, 17, VD_E_RANGE},      {0xec, 8, VD_E_RANGE},        {0x15b, 0x7f, VD_E_TRUNCATED},
        {0x15d, 0x03, VD_E_OVERLAP}, {0x15d, 0x05, VD_E_OVERLAP},  {0x15f, 0x80, VD_E_TRUNCATED},
    };

    for (size_t i = 0; i < VD_COUNT(rows); i++) {
        struct file f = load("two");
        struct vd_diag diag = {};
        vd_status status;

        f.data[rows[i].at] = rows[i].value;
        status = parse_copy(f.data, f.size, &diag);
        if (status != rows[i].status)
            vd_test_fail(__FILE__, __LINE__, "0x%zx = 0x%x: %s, expected %s", rows[i].at,
                         rows[i].value, vd_status_name(status), vd_status_name(rows[i].status));
        VD_EXPECT(diag.has_offset);
        free(f.data);
    }
}

/* The table may not reach into a section, nor leave bytes behind it. */
VD_TEST(pe_certificates_are_the_end)
{
    struct file f = load("signed");
    uint8_t *entry = f.data + 0xe8;

    VD_EXPECT_EQ(parse_copy(f.data, f.size, NULL), VD_OK);
    entry[4]--;
    VD_EXPECT_EQ(parse_copy(f.data, f.size, NULL), VD_E_RANGE);
    entry[4]++;
    /* the table starts 0x48 bytes before the end: one byte within the last section */
    entry[0] = (uint8_t)(entry[0] - 9);
    entry[1] = (uint8_t)(entry[1] - (entry[0] > 0xf6));
    entry[4] = (uint8_t)(entry[4] + 9);
    VD_EXPECT_EQ(parse_copy(f.data, f.size, NULL), VD_E_OVERLAP);
    free(f.data);
}
