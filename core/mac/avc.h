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
    uint32_t lock; /* odd while it is written */
    uint32_t sequence;
    uint64_t contexts; /* source << 32 | target */
    uint32_t class;    /* 0: never used */
    uint32_t used;     /* asked for since the last eviction of its set */
    uint64_t decision[sizeof(struct vd_decision) / sizeof(uint64_t)];
    uint64_t unused;
};
_Static_assert(sizeof(struct vd_avc_slot) == 64, "one cache line");

struct vd_avc {
    struct vd_avc_slot *slots; /* borrowed */
    uint32_t set_mask;
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

/* True and the decision if it is known for the policy in force. `stats` may be NULL. */
bool vd_avc_lookup(struct vd_avc *avc, struct vd_mac_key key, struct vd_avc_stats *stats,
                   struct vd_decision *ret);

/*
 * Remembers a decision that was made under the policy `sequence`. Class 0 is
 * not remembered.
 */
void vd_avc_insert(struct vd_avc *avc, struct vd_mac_key key, uint32_t sequence,
                   const struct vd_decision *decision, struct vd_avc_stats *stats);

#endif
