/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/base/htab.h"

vd_status vd_htab_init(struct vd_htab *table, struct vd_htab_slot *slots, uint32_t slot_count)
{
    if (slot_count < 4 || slot_count > (uint32_t)1 << 31 || (slot_count & (slot_count - 1)) != 0)
        return VD_E_RANGE;
    for (uint32_t i = 0; i < slot_count; i++)
        slots[i] = (struct vd_htab_slot){};
    *table = (struct vd_htab){.slots = slots, .mask = slot_count - 1};
    return VD_OK;
}

/* The slot that holds the key or the free one where it would go; one is always free. */
static uint32_t locate(const struct vd_htab *table, uint64_t key)
{
    uint32_t i = (uint32_t)vd_hash_mix(key) & table->mask;

    while (table->slots[i].used && table->slots[i].key != key)
        i = (i + 1) & table->mask;
    return i;
}

vd_status vd_htab_insert(struct vd_htab *table, uint64_t key, uint32_t value)
{
    uint32_t i = locate(table, key);

    if (table->slots[i].used)
        return VD_E_EXISTS;
    if (table->count >= (table->mask + 1) / 4 * 3)
        return VD_E_LIMIT;
    table->slots[i] = (struct vd_htab_slot){.key = key, .value = value, .used = 1};
    table->count++;
    return VD_OK;
}

vd_status vd_htab_find(const struct vd_htab *table, uint64_t key, uint32_t *ret)
{
    uint32_t i = locate(table, key);

    if (!table->slots[i].used)
        return VD_E_NOT_FOUND;
    *ret = table->slots[i].value;
    return VD_OK;
}

vd_status vd_htab_remove(struct vd_htab *table, uint64_t key)
{
    uint32_t hole = locate(table, key);

    if (!table->slots[hole].used)
        return VD_E_NOT_FOUND;
    /* Close the gap (Knuth, The Art of Computer Programming 3, 6.4, algorithm R):
     * an entry moves back if the hole lies between its home and its place. */
    for (uint32_t i = (hole + 1) & table->mask; table->slots[i].used; i = (i + 1) & table->mask) {
        uint32_t home = (uint32_t)vd_hash_mix(table->slots[i].key) & table->mask;
        if (((i - home) & table->mask) >= ((i - hole) & table->mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole] = (struct vd_htab_slot){};
    table->count--;
    return VD_OK;
}
