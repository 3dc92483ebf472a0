/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A root key's file, its size and checksum repaired: refused with a place, or written again as it was. */
#include "services/crypto/root/file.h"

#include <stdlib.h>

#include "core/base/crc64.h"
#include "fuzz/fuzz.h"

#define HEAD     16u
#define CRC_SIZE 8u
#define TAIL     (VD_ROOT_MAC_SIZE + CRC_SIZE)

static struct vd_root_file file;

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
    static struct vd_secret key;
    struct vd_bytes again = {}, given;
    struct vd_diag diag = {};
    uint8_t *copy;

    if (key.data == NULL)
        VD_FUZZ_ASSERT(vd_secret_init(&key, VD_ROOT_KEY_SIZE, NULL) == VD_OK);
    if (size > VD_ROOT_FILE_MAX)
        return 0;
    copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    if (size > 0)
        __builtin_memcpy(copy, data, size);
    if (size >= HEAD + CRC_SIZE)
        repair(copy, size);
    if (vd_root_file_read(copy, size, &file, &diag) == VD_OK) {
        given = (struct vd_bytes){copy, size};
        VD_FUZZ_ASSERT(vd_root_file_write(&file, &key, &again, NULL) == VD_OK);
        VD_FUZZ_ASSERT(again.size == size);
        VD_FUZZ_ASSERT(__builtin_memcmp(again.data, copy, size - TAIL) == 0);
        /* What was written verifies; what was given does if it has the same MAC. */
        VD_FUZZ_ASSERT(vd_root_file_read(again.data, again.size, &file, NULL) == VD_OK);
        VD_FUZZ_ASSERT(vd_root_file_verify(&file, &again, &key, NULL) == VD_OK);
        VD_FUZZ_ASSERT((vd_root_file_verify(&file, &given, &key, NULL) == VD_OK));
        vd_bytes_free(&again);
    } else {
        VD_FUZZ_ASSERT(diag.has_offset && diag.offset <= size);
    }
    free(copy);
    return 0;
}
