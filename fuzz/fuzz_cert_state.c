/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An authority's records and names: refused with a place, or written again as they were. */
#include "tools/veridian/key/cert_state.h"

#include <string.h>

#include "fuzz/fuzz.h"

static uint8_t again[VD_CERT_STATE_BYTES];

static void same(const struct vd_writer *w, const uint8_t *data, size_t size)
{
    VD_FUZZ_ASSERT(vd_write_done(w) == VD_OK && w->len == size);
    VD_FUZZ_ASSERT(memcmp(again, data, size) == 0);
}

static void read_name(const uint8_t *data, size_t size)
{
    char name[VD_KEY_ATTACHMENT_NAME + 1] = "";
    uint64_t number;

    memcpy(name, data, size < VD_KEY_ATTACHMENT_NAME ? size : VD_KEY_ATTACHMENT_NAME);
    if (vd_cert_list_number(name, &number, NULL) == VD_OK)
        VD_FUZZ_ASSERT(strlen(name) == 20);
    if (vd_cert_serial_valid(name))
        VD_FUZZ_ASSERT(strlen(name) == VD_CERT_SERIAL_HEX - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_cert_state state;
    struct vd_cert_revocation revocation;
    struct vd_cert_list list;
    struct vd_diag diag = {};
    struct vd_writer w;

    vd_writer_init(&w, again, sizeof(again));
    if (vd_cert_state_read(data, size, &state, &diag) == VD_OK) {
        vd_cert_state_write(&state, &w);
        same(&w, data, size);
    } else {
        VD_FUZZ_ASSERT(diag.has_offset && diag.offset <= size);
    }
    vd_writer_init(&w, again, sizeof(again));
    if (vd_cert_revocation_read(data, size, &revocation, NULL) == VD_OK) {
        vd_cert_revocation_write(&revocation, &w);
        same(&w, data, size);
    }
    vd_writer_init(&w, again, sizeof(again));
    if (vd_cert_list_read(data, size, &list, NULL) == VD_OK) {
        vd_cert_list_write(&list, &w);
        same(&w, data, size);
    }
    if (size != 0)
        read_name(data, size);
    return 0;
}
