/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every entry of a signature database lies within it, in order, without overlap. */
#include "core/boot/sigdb.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_sigdb db;
    struct vd_sigdb_entry entry;
    const uint8_t *last = data;
    size_t total = 0;
    vd_status status;

    vd_sigdb_init(&db, data, size);
    while ((status = vd_sigdb_next(&db, &entry, NULL)) == VD_OK) {
        VD_FUZZ_ASSERT(entry.size > 0 && entry.data >= last);
        VD_FUZZ_ASSERT((size_t)(entry.data - data) <= size - entry.size);
        last = entry.data + entry.size;
        total += entry.size;
    }
    VD_FUZZ_ASSERT(total <= size);
    VD_FUZZ_ASSERT(status == VD_E_NOT_FOUND ? vd_reader_left(&db.all) == 0 : true);
    return 0;
}
