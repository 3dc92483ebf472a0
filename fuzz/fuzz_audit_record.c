/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is a record and an event. Whatever parses as a record encodes to
 * the same bytes.
 */
#include "core/audit/record.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[VD_AUDIT_RECORD_MAX_BYTES];
    struct vd_audit_record record;
    struct vd_event event;
    struct vd_diag diag = {};
    struct vd_writer w;

    if (vd_audit_record_parse(data, size, &record, &diag) == VD_OK) {
        vd_writer_init(&w, again, sizeof(again));
        VD_FUZZ_ASSERT(vd_audit_record_encode(&record, &w) == VD_OK);
        VD_FUZZ_ASSERT(w.len == size && __builtin_memcmp(again, data, size) == 0);
    } else {
        VD_FUZZ_ASSERT(diag.text[0] != '\0');
    }
    if (vd_audit_event_parse(data, size, &event, NULL) == VD_OK)
        VD_FUZZ_ASSERT(event.path_len <= VD_EVENT_PATH_SIZE);
    return 0;
}
