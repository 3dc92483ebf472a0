/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The decision engine inside a BPF program: the same source as on the host,
 * over the policy that lies in a map. Include after vmlinux.h, bpf_helpers.h.
 *
 * vd_policy_outer is an array of maps with one slot; the inner array map has
 * one value of `vd_policy_capacity` bytes that holds the compiled policy. A
 * reload fills a new inner map and puts it into the slot: one update, and each
 * decision sees either the old policy or the new one, whole; one that is under
 * way meanwhile allows nothing.
 *
 * The loader sets vd_policy_capacity and the inner map's value size before it
 * loads the object (kernel/loader); the verifier then knows both as constants
 * and proves every access, whatever the policy's bytes are. The capacity stays
 * for the object's life: choose it with room for larger policies.
 *
 * vd_bpf_question, vd_bpf_decide, vd_bpf_transition and vd_bpf_xperm are global functions:
 * the verifier walks each once, however many hooks call it. Their contexts are
 * pointers into map values or the caller's stack (288 bytes each).
 */
#ifndef VD_KERNEL_BPF_MAC_DECIDE_BPF_H
#define VD_KERNEL_BPF_MAC_DECIDE_BPF_H

#include "core/mac/decide.h"
#include "core/mac/transition.h"
#include "core/mac/xperm.h"

#define VD_POLICY_CAPACITY_DEFAULT 4096u

const volatile __u32 vd_policy_capacity = VD_POLICY_CAPACITY_DEFAULT;

struct vd_policy_inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, 4);
    __uint(value_size, VD_POLICY_CAPACITY_DEFAULT);
} vd_policy_initial SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 1);
    __uint(key_size, 4);
    __uint(value_size, 4);
    __array(values, struct vd_policy_inner);
} vd_policy_outer SEC(".maps") = {
    .values = {&vd_policy_initial},
};

/* Borrows the policy in force; false if none was put into the map. */
static __always_inline bool vd_bpf_policy(struct vd_policydb *ret)
{
    __u32 zero = 0;
    void *inner = bpf_map_lookup_elem(&vd_policy_outer, &zero);
    const __u8 *base = inner == NULL ? NULL : bpf_map_lookup_elem(inner, &zero);

    if (base == NULL)
        return false;
    ret->base = base;
    ret->size = vd_policy_capacity;
    return true;
}

__attribute__((noinline)) int vd_bpf_question(const struct vd_context *source,
                                              const struct vd_context *target,
                                              struct vd_question *q)
{
    const struct vd_pdb_header *head;
    struct vd_policydb db;

    if (source == NULL || target == NULL || q == NULL || !vd_bpf_policy(&db))
        return 0;
    head = vd_pdb_head(&db);
    if (head == NULL || head->checksum != q->policy)
        return 0;
    return vd_decide_question(&db, source, target, q) ? 1 : 0;
}

/*
 * vd_mac_decide. Returns 0, or -1 if there is no policy (or a pointer is NULL);
 * `ret` then allows nothing.
 */
__attribute__((noinline)) int vd_bpf_decide(const struct vd_context *source,
                                            const struct vd_context *target, __u32 class,
                                            struct vd_decision *ret)
{
    struct vd_policydb db;

    if (ret == NULL)
        return -1;
    *ret = (struct vd_decision){.auditdeny = UINT32_MAX, .without_te = UINT32_MAX};
    if (source == NULL || target == NULL || !vd_bpf_policy(&db))
        return -1;
    vd_decide(&db, source, target, class, ret);
    return 0;
}

/*
 * vd_mac_create for any name (or another kind): 0 and the new context, or a vd_status (VD_E_INVALID for a
 * context that the policy does not allow), or -1 if there is no policy. On
 * failure `ret` is all zero, which no rule allows anything.
 */
__attribute__((noinline)) int vd_bpf_transition(const struct vd_context *source,
                                                const struct vd_context *target, __u32 class,
                                                __u32 kind, struct vd_context *ret)
{
    struct vd_making making = {.class = class, .kind = kind, .creators = VD_MAKING_KERNEL};
    struct vd_policydb db;

    if (ret == NULL)
        return -1;
    *ret = (struct vd_context){};
    if (source == NULL || target == NULL || !vd_bpf_policy(&db))
        return -1;
    return (int)vd_transition(&db, source, target, &making, ret);
}

/*
 * What the extended permissions in force say about a number (VD_XPERM_…, 0: there
 * are none for the two types and the class). Without a policy: nothing allowed.
 */
__attribute__((noinline)) int vd_bpf_xperm(const struct vd_context *source,
                                           const struct vd_context *target, __u32 class,
                                           __u32 kind_and_number)
{
    struct vd_policydb db;

    if (source == NULL || target == NULL || !vd_bpf_policy(&db))
        return VD_XPERM_DEFINED;
    return (int)vd_xperm_said(&db, source->type, target->type, class, kind_and_number);
}

#endif
