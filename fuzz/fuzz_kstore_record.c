/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Heads of the key store's rows, and the content of its header: what parses is written the same. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "services/crypto/store/record.h"

static void head(const uint8_t *data, size_t size)
{
    uint8_t again[VD_KREC_HEAD_MAX];
    struct vd_diag diag = {};
    struct vd_krec record;
    struct vd_writer w;

    if (vd_krec_parse(data, size, &record, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
        return;
    }
    vd_writer_init(&w, again, sizeof(again));
    vd_krec_encode(&record, &w);
    VD_FUZZ_ASSERT(vd_write_done(&w) == VD_OK && w.len == size && memcmp(again, data, size) == 0);
    VD_FUZZ_ASSERT(vd_krec_body_size(&record) <=
                   VD_KSTORE_VALUE_MAX + VD_KSTORE_MATERIAL_MAX + VD_KREC_WRAP_OVERHEAD);
    if (record.table == VD_KREC_VERSION)
        VD_FUZZ_ASSERT(size == VD_KREC_VERSION_HEAD);
    if (record.table == VD_KREC_KEY) {
        size_t length;
        const char *name = vd_krec_name(data, &length);
        VD_FUZZ_ASSERT(length == strlen(record.key.attributes.name) &&
                       memcmp(name, record.key.attributes.name, length) == 0);
        VD_FUZZ_ASSERT(vd_krec_attributes_check(&record.key.attributes, NULL) == VD_OK);
    }
}

static void header(const uint8_t *data, size_t size)
{
    uint8_t again[VD_KREC_HEADER_PLAIN];
    struct vd_diag diag = {};
    struct vd_krec_header h;
    struct vd_writer w;

    if (vd_krec_header_parse(data, size, &h, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
        return;
    }
    vd_writer_init(&w, again, sizeof(again));
    vd_krec_header_encode(&h, &w);
    VD_FUZZ_ASSERT(vd_write_done(&w) == VD_OK && w.len == size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    head(data, size);
    header(data, size);
    return 0;
}
