/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Small VERIDIAN images for the boot tests, built by the code under test's own
 * encoder. The digests and the signature are arbitrary bytes: what needs them
 * true computes them.
 */
#ifndef VD_TESTS_UNIT_BOOT_FIXTURE_H
#define VD_TESTS_UNIT_BOOT_FIXTURE_H

#include "core/boot/image.h"
#include "tests/harness.h"

#include <stdlib.h>

struct fixture {
    struct vd_image_header header;
    const void *part[VD_IMAGE_PART_COUNT];
    uint8_t *data; /* malloc'ed, exactly `size` bytes */
    size_t size;
};

/* Sizes that need padding, so that the padding is tested too. */
static inline void fixture_defaults(struct fixture *f)
{
    static uint8_t signature[VD_IMAGE_SIGNATURE_SIZE];

    *f = (struct fixture){};
    memset(signature, 0x55, sizeof(signature));
    f->part[VD_IMAGE_KERNEL] = "a kernel of 21 bytes!";
    f->header.part[VD_IMAGE_KERNEL].size = 21;
    f->part[VD_IMAGE_INITRD] = "an initrd";
    f->header.part[VD_IMAGE_INITRD].size = 9;
    f->part[VD_IMAGE_CMDLINE] = "quiet lsm=bpf";
    f->header.part[VD_IMAGE_CMDLINE].size = 13;
    f->part[VD_IMAGE_POLICY] = "policy";
    f->header.part[VD_IMAGE_POLICY].size = 6;
    f->part[VD_IMAGE_CERTIFICATES] = "0certificate";
    f->header.part[VD_IMAGE_CERTIFICATES].size = 12;
    f->part[VD_IMAGE_SIGNATURE] = signature;
    f->header.part[VD_IMAGE_SIGNATURE].size = sizeof(signature);
    f->header.security_version = 7;
    f->header.signer_generation = 3;
    f->header.root_hash_size = VD_IMAGE_ROOT_HASH_SIZE;
    for (size_t i = 0; i < VD_IMAGE_ROOT_HASH_SIZE; i++)
        f->header.root_hash[i] = (uint8_t)(i + 1);
    for (size_t p = 0; p < VD_IMAGE_PAYLOAD_COUNT; p++)
        memset(f->header.digest[p], (int)(0x10 + p), VD_IMAGE_DIGEST_SIZE);
}

/* Writes the parts where the header says, whatever it says within `size`. */
static inline void fixture_write(struct fixture *f)
{
    uint8_t header[VD_IMAGE_HEADER_SIZE];

    vd_image_encode_header(&f->header, header);
    memcpy(f->data, header, sizeof(header));
    for (size_t i = 0; i < VD_IMAGE_PART_COUNT; i++) {
        if (f->header.part[i].size != 0)
            memcpy(f->data + f->header.part[i].offset, f->part[i], f->header.part[i].size);
    }
}

static inline void fixture_build(struct fixture *f)
{
    uint64_t size = 0;

    VD_EXPECT_EQ(vd_image_layout(&f->header, &size, NULL), VD_OK);
    f->size = (size_t)size;
    f->data = calloc(1, f->size);
    VD_EXPECT(f->data != NULL);
    fixture_write(f);
}

static inline void fixture_free(struct fixture *f)
{
    free(f->data);
    f->data = NULL;
}

#endif
