/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the image parser accepts is canonical: encoding the header again gives
 * the same bytes, laying it out again the same offsets, and the parts with
 * their padding cover the input to its last byte.
 */
#include "core/base/mem.h"
#include "core/boot/certs.h"
#include "core/boot/image.h"
#include "fuzz/fuzz.h"

#include <string.h>

static void check_canonical(const struct vd_image *image, const uint8_t *data, size_t size)
{
    struct vd_image_header again = image->header;
    uint8_t header[VD_IMAGE_HEADER_SIZE];
    uint64_t file_size = 0;

    vd_image_encode_header(&image->header, header);
    VD_FUZZ_ASSERT(memcmp(header, data, sizeof(header)) == 0);
    VD_FUZZ_ASSERT(vd_image_layout(&again, &file_size, NULL) == VD_OK);
    VD_FUZZ_ASSERT(file_size == size);
    VD_FUZZ_ASSERT(memcmp(&again, &image->header, sizeof(again)) == 0);
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        const struct vd_span *part = &image->part[i];

        VD_FUZZ_ASSERT(part->size == image->header.part[i].size);
        VD_FUZZ_ASSERT(part->size == 0 || part->data == data + image->header.part[i].offset);
        VD_FUZZ_ASSERT(part->size <= vd_image_part_max((enum vd_image_part)i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_image image;
    struct vd_certs certs;
    enum vd_boot_reason reason = VD_BOOT_REASON_NONE;
    struct vd_diag diag = {};
    vd_status status = vd_image_parse(data, size, &image, &reason, &diag);

    VD_FUZZ_ASSERT((status == VD_OK) == (reason == VD_BOOT_REASON_NONE));
    VD_FUZZ_ASSERT(diag.status == status);
    if (status == VD_OK) {
        const struct vd_span *chain = &image.part[VD_IMAGE_CERTIFICATES];

        check_canonical(&image, data, size);
        if (vd_certs_parse(chain->data, chain->size, &certs, NULL) == VD_OK) {
            size_t sum = 0;
            for (uint32_t i = 0; i < certs.count; i++)
                sum += certs.cert[i].size;
            VD_FUZZ_ASSERT(sum == chain->size);
        }
    } else {
        VD_FUZZ_ASSERT(diag.has_offset && diag.offset <= size);
    }
    return 0;
}
