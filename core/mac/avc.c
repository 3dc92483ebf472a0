/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/avc.h"

vd_status vd_avc_init(struct vd_avc *avc, struct vd_avc_slot *slots, uint32_t slot_count,
                      uint32_t sequence)
{
    if (slot_count < VD_AVC_WAYS || slot_count > VD_AVC_MAX_SLOTS ||
        (slot_count & (slot_count - 1)) != 0)
        return VD_E_RANGE;
    for (uint32_t i = 0; i < slot_count; i++)
        slots[i] = (struct vd_avc_slot){};
    *avc = (struct vd_avc){.slots = slots, .slot_mask = slot_count - 1, .sequence = sequence};
    return VD_OK;
}

void vd_avc_reset(struct vd_avc *avc, uint32_t sequence)
{
    __atomic_store_n(&avc->sequence, sequence, __ATOMIC_RELEASE);
}

uint32_t vd_avc_sequence(const struct vd_avc *avc)
{
    return __atomic_load_n(&avc->sequence, __ATOMIC_ACQUIRE);
}

/* The set in which a key is kept. */
static struct vd_avc_slot *set_of(const struct vd_avc *avc, struct vd_mac_key key)
{
    return &avc->slots[vd_avc_home(avc, key) & ~(VD_AVC_WAYS - 1)];
}

static bool holds(const struct vd_avc_slot *slot, struct vd_mac_key key, uint32_t sequence)
{
    return __atomic_load_n(&slot->contexts, __ATOMIC_RELAXED) == vd_avc_contexts(key) &&
           __atomic_load_n(&slot->tag, __ATOMIC_RELAXED) == vd_avc_tag(key, sequence);
}

/* True if the slot holds an entry of the policy in force. */
static bool current(const struct vd_avc_slot *slot, uint32_t sequence)
{
    uint64_t tag = __atomic_load_n(&slot->tag, __ATOMIC_RELAXED);

    return (uint32_t)tag != 0 && tag >> 32 == sequence;
}

bool vd_avc_search(struct vd_avc *avc, struct vd_mac_key key, struct vd_avc_stats *stats,
                   struct vd_decision *ret)
{
    uint32_t sequence = vd_avc_sequence(avc);
    struct vd_avc_slot *set = set_of(avc, key);
    bool found = false;

    for (uint32_t i = 0; i < VD_AVC_WAYS && !found && key.class != 0; i++)
        found = vd_avc_read(&set[i], key, sequence, ret);
    if (stats != NULL) {
        stats->lookups++;
        stats->hits += found;
        stats->misses += !found;
    }
    return found;
}

/*
 * The slot for a key: its own, else a stale one, else one not asked for lately; its home before
 * others.
 */
static struct vd_avc_slot *choose(struct vd_avc_slot *set, uint32_t home, struct vd_mac_key key,
                                  uint32_t sequence)
{
    struct vd_avc_slot *stale = NULL;
    struct vd_avc_slot *idle = NULL;

    for (uint32_t i = 0; i < VD_AVC_WAYS; i++) {
        struct vd_avc_slot *slot = &set[(home + i) % VD_AVC_WAYS];

        if (holds(slot, key, sequence))
            return slot;
        if (!current(slot, sequence))
            stale = stale == NULL ? slot : stale;
        else if (idle == NULL && __atomic_load_n(&slot->used, __ATOMIC_RELAXED) == 0)
            idle = slot;
    }
    if (stale != NULL || idle != NULL)
        return stale != NULL ? stale : idle;
    for (uint32_t i = 0; i < VD_AVC_WAYS; i++)
        __atomic_store_n(&set[i].used, 0, __ATOMIC_RELAXED);
    return &set[home % VD_AVC_WAYS];
}

static void write_slot(struct vd_avc_slot *slot, struct vd_mac_key key, uint32_t sequence,
                       const struct vd_decision *decision)
{
    uint64_t words[VD_AVC_WORDS];

    vd_copy(words, decision, sizeof(words));
    __atomic_store_n(&slot->contexts, vd_avc_contexts(key), __ATOMIC_RELAXED);
    __atomic_store_n(&slot->tag, vd_avc_tag(key, sequence), __ATOMIC_RELAXED);
    __atomic_store_n(&slot->used, 0, __ATOMIC_RELAXED);
    for (size_t i = 0; i < VD_AVC_WORDS; i++)
        __atomic_store_n(&slot->decision[i], words[i], __ATOMIC_RELAXED);
}

void vd_avc_insert(struct vd_avc *avc, struct vd_mac_key key, uint32_t sequence,
                   const struct vd_decision *decision, struct vd_avc_stats *stats)
{
    struct vd_avc_slot *slot;
    uint32_t lock;

    if (key.class == 0 || sequence != vd_avc_sequence(avc))
        return;
    slot = choose(set_of(avc, key), vd_avc_home(avc, key), key, sequence);
    lock = __atomic_load_n(&slot->lock, __ATOMIC_RELAXED);
    if ((lock & 1) != 0 || !__atomic_compare_exchange_n(&slot->lock, &lock, lock + 1, false,
                                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (stats != NULL && current(slot, sequence) && !holds(slot, key, sequence))
        stats->evictions++;
    write_slot(slot, key, sequence, decision);
    __atomic_store_n(&slot->lock, lock + 2, __ATOMIC_RELEASE);
}
