/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/mac/avc.h"

#include "core/base/htab.h"
#include "core/base/mem.h"

#define WORDS VD_COUNT(((struct vd_avc_slot *)0)->decision)

vd_status vd_avc_init(struct vd_avc *avc, struct vd_avc_slot *slots, uint32_t slot_count,
                      uint32_t sequence)
{
    if (slot_count < VD_AVC_WAYS || slot_count > VD_AVC_MAX_SLOTS ||
        (slot_count & (slot_count - 1)) != 0)
        return VD_E_RANGE;
    for (uint32_t i = 0; i < slot_count; i++)
        slots[i] = (struct vd_avc_slot){};
    *avc = (struct vd_avc){
        .slots = slots, .set_mask = slot_count / VD_AVC_WAYS - 1, .sequence = sequence};
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

static uint64_t contexts(struct vd_mac_key key)
{
    return (uint64_t)key.source << 32 | key.target;
}

static struct vd_avc_slot *set_of(const struct vd_avc *avc, struct vd_mac_key key,
                                  uint64_t *ret_hash)
{
    uint64_t hash = vd_hash_mix(contexts(key) ^ (uint64_t)key.class << 40 ^ key.class);

    *ret_hash = hash;
    return &avc->slots[((uint32_t)hash & avc->set_mask) * VD_AVC_WAYS];
}

static bool holds(const struct vd_avc_slot *slot, struct vd_mac_key key, uint32_t sequence)
{
    return __atomic_load_n(&slot->contexts, __ATOMIC_RELAXED) == contexts(key) &&
           __atomic_load_n(&slot->class, __ATOMIC_RELAXED) == key.class &&
           __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == sequence;
}

/* Reads the slot if it holds the key; false if it does not or is being written. */
static bool read_slot(struct vd_avc_slot *slot, struct vd_mac_key key, uint32_t sequence,
                      struct vd_decision *ret)
{
    uint32_t lock = __atomic_load_n(&slot->lock, __ATOMIC_ACQUIRE);
    uint64_t words[WORDS];

    if ((lock & 1) != 0 || !holds(slot, key, sequence))
        return false;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = __atomic_load_n(&slot->decision[i], __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&slot->lock, __ATOMIC_RELAXED) != lock)
        return false;
    vd_copy(ret, words, sizeof(*ret));
    if (__atomic_load_n(&slot->used, __ATOMIC_RELAXED) == 0)
        __atomic_store_n(&slot->used, 1, __ATOMIC_RELAXED);
    return true;
}

bool vd_avc_lookup(struct vd_avc *avc, struct vd_mac_key key, struct vd_avc_stats *stats,
                   struct vd_decision *ret)
{
    uint32_t sequence = vd_avc_sequence(avc);
    uint64_t hash;
    struct vd_avc_slot *set = set_of(avc, key, &hash);
    bool found = false;

    for (uint32_t i = 0; i < VD_AVC_WAYS && !found && key.class != 0; i++)
        found = read_slot(&set[i], key, sequence, ret);
    if (stats != NULL) {
        stats->lookups++;
        stats->hits += found;
        stats->misses += !found;
    }
    return found;
}

/* The slot for a key: its own, else a stale one, else one not asked for lately. */
static struct vd_avc_slot *choose(struct vd_avc_slot *set, struct vd_mac_key key, uint32_t sequence,
                                  uint64_t hash)
{
    struct vd_avc_slot *stale = NULL;
    struct vd_avc_slot *idle = NULL;

    for (uint32_t i = 0; i < VD_AVC_WAYS; i++) {
        if (holds(&set[i], key, sequence))
            return &set[i];
        if (__atomic_load_n(&set[i].class, __ATOMIC_RELAXED) == 0 ||
            __atomic_load_n(&set[i].sequence, __ATOMIC_RELAXED) != sequence)
            stale = &set[i];
        else if (__atomic_load_n(&set[i].used, __ATOMIC_RELAXED) == 0)
            idle = &set[i];
    }
    if (stale != NULL || idle != NULL)
        return stale != NULL ? stale : idle;
    for (uint32_t i = 0; i < VD_AVC_WAYS; i++)
        __atomic_store_n(&set[i].used, 0, __ATOMIC_RELAXED);
    return &set[hash >> 32 & (VD_AVC_WAYS - 1)];
}

static void write_slot(struct vd_avc_slot *slot, struct vd_mac_key key, uint32_t sequence,
                       const struct vd_decision *decision)
{
    uint64_t words[WORDS];

    vd_copy(words, decision, sizeof(words));
    __atomic_store_n(&slot->contexts, contexts(key), __ATOMIC_RELAXED);
    __atomic_store_n(&slot->class, key.class, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->sequence, sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->used, 0, __ATOMIC_RELAXED);
    for (size_t i = 0; i < WORDS; i++)
        __atomic_store_n(&slot->decision[i], words[i], __ATOMIC_RELAXED);
}

void vd_avc_insert(struct vd_avc *avc, struct vd_mac_key key, uint32_t sequence,
                   const struct vd_decision *decision, struct vd_avc_stats *stats)
{
    uint64_t hash;
    struct vd_avc_slot *set = set_of(avc, key, &hash);
    struct vd_avc_slot *slot;
    uint32_t lock;

    if (key.class == 0 || sequence != vd_avc_sequence(avc))
        return;
    slot = choose(set, key, sequence, hash);
    lock = __atomic_load_n(&slot->lock, __ATOMIC_RELAXED);
    if ((lock & 1) != 0 || !__atomic_compare_exchange_n(&slot->lock, &lock, lock + 1, false,
                                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (stats != NULL && slot->class != 0 && slot->sequence == sequence &&
        !holds(slot, key, sequence))
        stats->evictions++;
    write_slot(slot, key, sequence, decision);
    __atomic_store_n(&slot->lock, lock + 2, __ATOMIC_RELEASE);
}
