/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each event lies within the log, the log is consumed without gap, encoding an
 * event again gives the same size, and a replay of an accepted log succeeds.
 */
#include "core/base/mem.h"
#include "core/boot/eventlog.h"
#include "fuzz/fuzz.h"

/* Any function of the input serves: what is tested is the bookkeeping. */
static vd_status toy_hash(void *ctx, uint16_t algorithm, const void *data, size_t size,
                          uint8_t *ret)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum * 31 + bytes[i]);
    for (uint16_t i = 0; i < vd_tpm_alg_size(algorithm); i++)
        ret[i] = (uint8_t)(sum + i);
    (void)ctx;
    return VD_OK;
}

static vd_status walk(const uint8_t *data, size_t size, struct vd_eventlog *log)
{
    VD_TRY(vd_eventlog_open(data, size, log, NULL));
    while (vd_eventlog_more(log)) {
        size_t before = vd_reader_offset(&log->reader);
        struct vd_logged_event event;
        struct vd_writer w;

        VD_TRY(vd_eventlog_next(log, &event, NULL));
        VD_FUZZ_ASSERT(event.offset == before);
        VD_FUZZ_ASSERT(event.data.data + event.data.size == data + vd_reader_offset(&log->reader));
        vd_writer_init(&w, NULL, 0);
        vd_eventlog_encode_event(&w, log, &event);
        VD_FUZZ_ASSERT(w.len == vd_reader_offset(&log->reader) - before);
    }
    return VD_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vd_hash_ops ops = {.hash = toy_hash};
    struct vd_eventlog log = {};
    struct vd_pcr_bank bank;
    vd_status status = walk(data, size, &log);

    for (uint32_t i = 0; i < log.algorithm_count; i++) {
        uint16_t id = log.algorithm[i].id;
        vd_status replayed = vd_eventlog_replay(data, size, id, &ops, &bank, NULL);

        if (vd_tpm_alg_size(id) != 0)
            VD_FUZZ_ASSERT(replayed == status);
        else
            VD_FUZZ_ASSERT(replayed != VD_OK);
    }
    return 0;
}
