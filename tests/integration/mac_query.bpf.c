/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The engine in a program type that BPF_PROG_RUN can start anywhere: answers
 * the query in the one value of `query`. For tests and benchmarks only.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "kernel/bpf/mac_decide.bpf.h"
#include "kernel/bpf/avc.bpf.h"
#include "tests/integration/mac_query.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct mac_query);
} query SEC(".maps");

SEC("socket")
int mac_decide(struct __sk_buff *skb)
{
    __u32 zero = 0;
    struct mac_query *q = bpf_map_lookup_elem(&query, &zero);

    if (q == NULL)
        return 0;
    q->decide_status = vd_bpf_decide(&q->source, &q->target, q->class, &q->decision);
    return 1;
}

SEC("socket")
int mac_transition(struct __sk_buff *skb)
{
    __u32 zero = 0;
    struct mac_query *q = bpf_map_lookup_elem(&query, &zero);

    if (q == NULL)
        return 0;
    q->transition_status =
        vd_bpf_transition(&q->source, &q->target, q->class, q->kind, &q->created);
    return 1;
}

/* The decision as the hooks get it: from the cache, else computed and kept. */
SEC("socket")
int mac_cached(struct __sk_buff *skb)
{
    __u32 zero = 0;
    struct mac_query *q = bpf_map_lookup_elem(&query, &zero);
    struct vd_avc_decision short_form;
    struct vd_avc_key key;

    if (q == NULL)
        return 0;
    key = (struct vd_avc_key){q->source_sid, q->target_sid, q->class};
    if (!vd_avc_cached(&key, q->seqno, &short_form)) {
        if (vd_bpf_decide(&q->source, &q->target, q->class, &q->decision) != 0)
            return 0;
        vd_avc_keep(&key, &q->decision, q->seqno, &short_form);
    }
    q->cached_allowed = short_form.allowed;
    return 1;
}
