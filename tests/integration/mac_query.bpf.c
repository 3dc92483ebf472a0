/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The engine in a program type that BPF_PROG_RUN can start anywhere: answers
 * the query in the one value of `query`. For tests and benchmarks only.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "kernel/bpf/mac_decide.bpf.h"
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
