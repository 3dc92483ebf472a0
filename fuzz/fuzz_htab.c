/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The input is a program for the hash table: each byte is an insert, a remove
 * or a find of one of 64 keys, whose spread the first eight bytes choose. The
 * table must answer as an array does.
 */
#include "core/base/htab.h"
#include "fuzz/fuzz.h"

#include <string.h>

enum { KEYS = 64, SLOTS = 64, LIMIT = SLOTS / 4 * 3 };

struct model {
    bool there[KEYS];
    uint32_t value[KEYS];
    uint32_t count;
};

static void step(struct vd_htab *table, struct model *m, uint64_t spread, uint8_t op,
                 uint32_t value)
{
    uint32_t k = op & (KEYS - 1);
    uint64_t key = k * (spread | 1);
    uint32_t found = 0;
    vd_status status;

    switch (op >> 6) {
    case 0:
    case 1:
        status = vd_htab_insert(table, key, value);
        VD_FUZZ_ASSERT((status == VD_E_EXISTS) == m->there[k]);
        VD_FUZZ_ASSERT((status == VD_E_LIMIT) == (!m->there[k] && m->count == LIMIT));
        if (status == VD_OK) {
            m->there[k] = true;
            m->value[k] = value;
            m->count++;
        }
        break;
    case 2:
        VD_FUZZ_ASSERT((vd_htab_remove(table, key) == VD_OK) == m->there[k]);
        m->count -= m->there[k];
        m->there[k] = false;
        break;
    default:
        status = vd_htab_find(table, key, &found);
        VD_FUZZ_ASSERT((status == VD_OK) == m->there[k]);
        VD_FUZZ_ASSERT(status != VD_OK || found == m->value[k]);
    }
    VD_FUZZ_ASSERT(table->count == m->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vd_htab_slot slots[SLOTS];
    struct vd_htab table;
    struct model m = {};
    uint64_t spread = 0;
    uint32_t found;

    memcpy(&spread, data, size < sizeof(spread) ? size : sizeof(spread));
    VD_FUZZ_ASSERT(vd_htab_init(&table, slots, SLOTS) == VD_OK);
    for (size_t i = sizeof(spread); i < size; i++)
        step(&table, &m, spread, data[i], (uint32_t)i);
    for (uint32_t k = 0; k < KEYS; k++)
        VD_FUZZ_ASSERT((vd_htab_find(&table, k * (spread | 1), &found) == VD_OK) == m.there[k]);
    return 0;
}
