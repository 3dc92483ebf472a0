/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of a service's shared memory, over a memory of any content:
 * u8 flags (1: the service has ended, 2: head is anywhere), u64 tail, u16 distance
 * to head, then words {u16 slot, u16 size, u8 laps}, a slot of 0xffff ends them;
 * the rest is the slots' bytes, over and over.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/reader.h"
#include "fuzz/fuzz.h"
#include "services/audit/shared.h"

#define SLOTS VD_AUDITRING_SLOTS_MIN

static struct vd_auditring_head *memory;

static void fill(struct vd_reader *r, uint64_t tail)
{
    uint64_t *words = vd_auditring_words(memory);
    uint8_t *data = vd_auditring_data(memory, SLOTS);
    uint16_t slot, size;
    uint8_t laps;
    size_t left;

    while (vd_read_le16(r, &slot) == VD_OK && slot != 0xffff && vd_read_le16(r, &size) == VD_OK &&
           vd_read_u8(r, &laps) == VD_OK) {
        uint64_t position = (tail & ~(uint64_t)(SLOTS - 1)) + slot % SLOTS + laps * SLOTS;
        words[slot % SLOTS] = vd_auditring_word(position, size);
    }
    left = vd_reader_left(r);
    for (size_t i = 0; i < SLOTS * VD_AUDITRING_SLOT_BYTES && left != 0; i++)
        data[i] = r->pos[i % left];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_audit_shared s = {.slots = SLOTS};
    static uint8_t bytes[VD_AUDIT_RECORD_MAX_BYTES];
    struct vd_audit_shared_item item;
    struct vd_audit_record record;
    struct vd_reader r;
    uint64_t head, tail, before;
    uint16_t distance;
    uint8_t flags;

    if (memory == NULL)
        memory = aligned_alloc(4096, (vd_auditring_bytes(SLOTS) + 4095) / 4096 * 4096);
    VD_FUZZ_ASSERT(memory != NULL);
    memset(memory, 0, vd_auditring_bytes(SLOTS));
    vd_reader_init(&r, data, size);
    if (vd_read_u8(&r, &flags) != VD_OK || vd_read_le64(&r, &tail) != VD_OK ||
        vd_read_le16(&r, &distance) != VD_OK)
        return 0;
    head = (flags & 2) != 0 ? tail * distance : tail + distance;
    fill(&r, tail);
    memory->head = head;
    s.mem = memory;
    s.taken = s.released = tail;
    for (;;) {
        struct vd_diag diag = {};
        before = s.taken;
        if (vd_audit_shared_next(&s, (flags & 1) != 0, bytes, &item, &diag) != VD_OK) {
            VD_FUZZ_ASSERT(diag.text[0] != '\0' && s.taken == before);
            return 0;
        }
        if (item.slots == 0)
            break;
        /* It goes on, not beyond the head, and gives what a record may be. */
        VD_FUZZ_ASSERT(item.position == before && s.taken == before + item.slots);
        VD_FUZZ_ASSERT(s.taken - tail <= head - tail && item.slots <= SLOTS);
        VD_FUZZ_ASSERT(item.size == 0 || vd_auditring_need(item.size) == item.slots);
        VD_FUZZ_ASSERT(item.size <= VD_AUDIT_RECORD_MAX_BYTES);
        if (item.size != 0)
            (void)!vd_audit_record_parse(bytes, item.size, &record, NULL);
    }
    /* Of an ended service everything is taken. */
    VD_FUZZ_ASSERT(s.taken == before && ((flags & 1) == 0 || s.taken == head));
    vd_audit_shared_release(&s);
    VD_FUZZ_ASSERT(memory->tail == s.taken || s.taken == tail);
    return 0;
}
