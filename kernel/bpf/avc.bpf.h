/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The access vector cache in the kernel: decisions by (source, target, class),
 * bounded, the least recently used ones replaced. An entry counts only under the
 * policy sequence number that it was made with, so a reload needs no flush.
 *
 * Include after vmlinux.h, bpf_helpers.h.
 */
#ifndef VD_KERNEL_BPF_AVC_BPF_H
#define VD_KERNEL_BPF_AVC_BPF_H

#include "core/abi/kernel.h"
#include "core/mac/mac.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, VD_KERNEL_AVC);
    __type(key, struct vd_avc_key);
    __type(value, struct vd_avc_decision);
} vd_avc SEC(".maps");

static __always_inline __u32 vd_mix(__u32 hash, __u32 word)
{
    hash = (hash ^ word) * 0x9e3779b1u;
    return hash ^ hash >> 15;
}

static __always_inline __u32 vd_key_check(const struct vd_avc_key *key, __u32 seqno)
{
    return vd_mix(vd_mix(vd_mix(vd_mix(1, key->source), key->target), key->class), seqno);
}

static __always_inline __u32 vd_decision_check(const struct vd_avc_key *key,
                                               const struct vd_avc_decision *decision)
{
    __u32 hash = vd_key_check(key, decision->seqno);

    hash = vd_mix(vd_mix(hash, decision->allowed), decision->auditallow);
    return vd_mix(vd_mix(hash, decision->auditdeny), decision->flags);
}

static __always_inline __u32 vd_transition_check(const struct vd_avc_key *key,
                                                 const struct vd_avc_transition *transition)
{
    return vd_mix(vd_key_check(key, transition->seqno), transition->sid);
}

/* What is judged is the copy: nothing is read from the map a second time. */
#define VD_READ_ONCE_DONE() __asm__ volatile("" ::: "memory")

/* The cached decision, if there is one of this policy. */
static __always_inline bool vd_avc_cached(const struct vd_avc_key *key, __u32 seqno,
                                          struct vd_avc_decision *ret)
{
    struct vd_avc_decision *cached = bpf_map_lookup_elem(&vd_avc, key);

    if (cached == NULL)
        return false;
    *ret = *cached;
    VD_READ_ONCE_DONE();
    return ret->seqno == seqno && ret->check == vd_decision_check(key, ret);
}

/* Keeps a decision and hands it out in its short form. */
static __always_inline void vd_avc_keep(const struct vd_avc_key *key,
                                        const struct vd_decision *decision, __u32 seqno,
                                        struct vd_avc_decision *ret)
{
    *ret = (struct vd_avc_decision){.allowed = decision->allowed,
                                    .auditallow = decision->auditallow,
                                    .auditdeny = decision->auditdeny,
                                    .flags = decision->flags,
                                    .seqno = seqno};
    ret->check = vd_decision_check(key, ret);
    bpf_map_update_elem(&vd_avc, key, ret, BPF_ANY);
}

#endif
