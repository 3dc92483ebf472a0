/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of the security server's store, as it comes and with its checksum repaired. */
#include <string.h>

#include "core/base/crc64.h"
#include "fuzz/fuzz.h"
#include "services/security/state.h"

static void parse(const uint8_t *data, size_t size)
{
    static uint8_t again[VD_SECD_STATE_MAX];
    struct vd_secd_state state;
    struct vd_diag diag = {};
    struct vd_writer w;

    if (vd_secd_state_parse(data, size, &state, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
        return;
    }
    VD_FUZZ_ASSERT(state.active < state.next && state.history_count <= VD_SECD_HISTORY);
    vd_writer_init(&w, again, sizeof(again));
    vd_secd_state_encode(&state, &w);
    VD_FUZZ_ASSERT(vd_write_done(&w) == VD_OK && w.len == size);
    vd_secd_state_done(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    uint64_t crc;

    if (copy == NULL)
        return 0;
    parse(data, size);
    if (size >= sizeof(crc)) {
        memcpy(copy, data, size);
        crc = vd_crc64(0, copy, size - sizeof(crc));
        memcpy(copy + size - sizeof(crc), &crc, sizeof(crc));
        parse(copy, size);
    }
    free(copy);
    return 0;
}
