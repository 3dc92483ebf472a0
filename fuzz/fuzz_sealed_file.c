/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A sealed file, its size and checksum repaired: refused, or written again as it was. */
#include "tools/veridian/tpm/sealed_file.h"

#include <stdlib.h>

#include "core/base/crc64.h"
#include "fuzz/fuzz.h"

#define HEAD     16u
#define CRC_SIZE 8u

static void repair(uint8_t *data, size_t size)
{
    struct vd_writer w;

    vd_writer_init(&w, data + 12, 4);
    vd_write_le32(&w, (uint32_t)size);
    vd_writer_init(&w, data + size - CRC_SIZE, CRC_SIZE);
    vd_write_le64(&w, vd_crc64(0, data, size - CRC_SIZE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_sealed_file file = {};
    struct vd_bytes again = {};
    struct vd_diag diag = {};
    uint8_t *copy;

    if (size > VD_SEALED_FILE_MAX)
        return 0;
    copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    if (size > 0)
        __builtin_memcpy(copy, data, size);
    if (size >= HEAD + CRC_SIZE)
        repair(copy, size);
    if (vd_sealed_file_read(copy, size, &file, &diag) == VD_OK) {
        VD_FUZZ_ASSERT(vd_sealed_file_write(&file, &again, NULL) == VD_OK);
        VD_FUZZ_ASSERT(again.size == size && __builtin_memcmp(again.data, copy, size) == 0);
        vd_bytes_free(&again);
        vd_sealed_file_done(&file);
    } else {
        VD_FUZZ_ASSERT(diag.has_offset && diag.offset <= size);
    }
    free(copy);
    return 0;
}
