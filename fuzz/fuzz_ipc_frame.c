/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A packet as it comes from a socket; what parses is written back the same. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "lib/ipc/frame.h"

static void told_again(const struct vd_ipc_frame *frame)
{
    static uint8_t bytes[VD_IPC_PAYLOAD_MAX];
    struct vd_diag diag = {}, again = {};
    struct vd_ipc_frame second = *frame;
    struct vd_writer w;
    vd_status status = vd_ipc_diag_parse(frame, &diag);

    VD_FUZZ_ASSERT(status != VD_OK && diag.status == status);
    vd_writer_init(&w, bytes, sizeof(bytes));
    vd_ipc_diag_encode(&diag, &w);
    VD_FUZZ_ASSERT(vd_write_done(&w) == VD_OK);
    second.payload = bytes;
    second.size = w.len;
    second.status = (uint32_t)status;
    VD_FUZZ_ASSERT(vd_ipc_diag_parse(&second, &again) == status);
    VD_FUZZ_ASSERT(strcmp(diag.text, again.text) == 0 && diag.has_offset == again.has_offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_ipc_frame frame = {.fd = -2};
    uint8_t head[VD_IPC_HEADER_SIZE];
    struct vd_diag diag = {};

    if (vd_ipc_frame_parse(data, size, &frame, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.status != VD_OK && diag.text[0] != '\0' && frame.fd == -2);
        return 0;
    }
    VD_FUZZ_ASSERT(frame.size + VD_IPC_HEADER_SIZE == size && frame.fd == -1);
    frame.fd = (frame.flags & VD_IPC_DESCRIPTOR) != 0 ? 0 : -1;
    VD_FUZZ_ASSERT(vd_ipc_frame_head(&frame, head) == VD_OK);
    VD_FUZZ_ASSERT(memcmp(head, data, sizeof(head)) == 0);
    told_again(&frame);
    return 0;
}
