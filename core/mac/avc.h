/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The access vector cache: decisions already made, by (source, target, class).
 *
 * Source and target are context ids, numbers that the owner gives to contexts
 * for as long as a policy is in force. A new policy has a new sequence number;
 * entries made under another one are not found, so that no lookup after
 * vd_avc_reset sees an old answer. The cache is bounded: four ways a set, a
 * full set gives up an entry that was not asked for lately.
 *
 * Memory: the caller's. Threads: any number may look up and insert at once;
 * each entry is a seqlock, a reader that meets a writer takes it for a miss, a
 * writer that meets a writer gives up. Statistics belong to the calling thread.
 *
 * In the kernel the cache is a BPF LRU map (core/abi/kernel.h).
 */
#ifndef VD_CORE_MAC_AVC_H
#define VD_CORE_MAC_AVC_H

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/mac/mac.h"

#define VD_AVC_WAYS      4u
#define VD_AVC_MAX_SLOTS (1u << 24)

struct vd_mac_key {
    uint32_t source; /* context ids; any number */
    uint32_t target;
    uint32_t class;
};

/* One cache line; everything in it is read and written atomically. */
struct vd_avc_slot {
    uint32_t lock;     /* odd while it is written */
    uint32_t used;     /* asked for since the last eviction of its set */
    uint64_t contexts; /* source << 32 | target */
    uint64_t tag;      /* sequence << 32 | class; 0: never used */
    uint64_t decision[sizeof(struct vd_decision) / sizeof(uint64_t)];
    uint64_t unused;
};
_Static_assert(sizeof(struct vd_avc_slot) == 64, "one cache line");

struct vd_avc {
    struct vd_avc_slot *slots; /* borrowed */
    uint32_t slot_mask;
    uint32_t sequence; /* of the policy in force */
};

struct vd_avc_stats {
    uint64_t lookups;
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions; /* entries of the policy in force that gave way */
};

/*
 * Starts an empty cache in `slots`, whose number is a power of two from 4 to
 * 2^24 (else VD_E_RANGE), for the policy with that sequence number.
 */
vd_status vd_avc_init(struct vd_avc *avc, struct vd_avc_slot *slots, uint32_t slot_count,
                      uint32_t sequence);

/* A new policy is in force: nothing of the old one is found any more. Cost: constant. */
void vd_avc_reset(struct vd_avc *avc, uint32_t sequence);

/* The sequence number of the policy in force: take it before the policy is read. */
uint32_t vd_avc_sequence(const struct vd_avc *avc);

#define VD_AVC_WORDS (sizeof(struct vd_decision) / sizeof(uint64_t))
_Static_assert(VD_AVC_WORDS == 4, "vd_avc_read");

VD_INLINE uint64_t vd_avc_contexts(struct vd_mac_key key)
{
    return (uint64_t)key.source << 32 | key.target;
}

VD_INLINE uint64_t vd_avc_tag(struct vd_mac_key key, uint32_t sequence)
{
    return (uint64_t)sequence << 32 | key.class;
}

/* The slot in which an entry is looked for first; its set is the four that hold its number. */
VD_INLINE uint32_t vd_avc_home(const struct vd_avc *avc, struct vd_mac_key key)
{
    uint64_t hash = (vd_avc_contexts(key) ^ key.class * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;

    return (uint32_t)((hash ^ hash >> 32) >> 8) & avc->slot_mask;
}

/* Reads a slot if it holds the key; false if it does not or is being written. */
VD_INLINE bool vd_avc_read(struct vd_avc_slot *slot, struct vd_mac_key key, uint32_t sequence,
                           struct vd_decision *ret)
{
    uint32_t lock = __atomic_load_n(&slot->lock, __ATOMIC_ACQUIRE);
    const uint64_t *from = slot->decision;

    if (__atomic_load_n(&slot->contexts, __ATOMIC_RELAXED) != vd_avc_contexts(key) ||
        __atomic_load_n(&slot->tag, __ATOMIC_RELAXED) != vd_avc_tag(key, sequence) ||
        (lock & 1) != 0)
        return false;
    /* One by one: a loop would stay a loop. */
    const uint64_t words[VD_AVC_WORDS] = {
        __atomic_load_n(&from[0], __ATOMIC_RELAXED), __atomic_load_n(&from[1], __ATOMIC_RELAXED),
        __atomic_load_n(&from[2], __ATOMIC_RELAXED), __atomic_load_n(&from[3], __ATOMIC_RELAXED)};
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&slot->lock, __ATOMIC_RELAXED) != lock)
        return false;
    vd_copy(ret, words, sizeof(*ret));
    if (__atomic_load_n(&slot->used, __ATOMIC_RELAXED) == 0)
        __atomic_store_n(&slot->used, 1, __ATOMIC_RELAXED);
    return true;
}

/* The lookup where the entry is not in its home slot, or is not there. */
bool vd_avc_search(struct vd_avc *avc, struct vd_mac_key key, struct vd_avc_stats *stats,
                   struct vd_decision *ret);

/*
 * True and the decision if it is known for the policy in force. `stats` may be NULL.
 * Inline: most lookups end in the entry's home slot, and a call would cost as much again.
 */
VD_INLINE bool vd_avc_lookup(struct vd_avc *avc, struct vd_mac_key key, struct vd_avc_stats *stats,
                             struct vd_decision *ret)
{
    uint32_t sequence = __atomic_load_n(&avc->sequence, __ATOMIC_ACQUIRE);

    if (key.class == 0 || !vd_avc_read(&avc->slots[vd_avc_home(avc, key)], key, sequence, ret))
        return vd_avc_search(avc, key, stats, ret);
    if (stats != NULL) {
        stats->lookups++;
        stats->hits++;
    }
    return true;
}

/*
 * Remembers a decision that was made under the policy `sequence`. Class 0 is
 * not remembered.
 */
void vd_avc_insert(struct vd_avc *avc, struct vd_mac_key key, uint32_t sequence,
                   const struct vd_decision *decision, struct vd_avc_stats *stats);

#endif
