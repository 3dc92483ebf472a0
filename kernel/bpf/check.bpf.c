/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The one place where a request is judged: cache, full decision, event.
 *
 * Both functions are global: the verifier walks each once by itself, and every
 * hook calls the same code.
 */
#include "kernel/bpf/event.bpf.h"
#include "kernel/bpf/mac_decide.bpf.h"
#include "kernel/bpf/avc.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VD_KERNEL_SIDS);
    __type(key, __u32);
    __type(value, struct vd_context);
} vd_contexts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, VD_KERNEL_SIDS);
    __type(key, struct vd_context);
    __type(value, __u32);
} vd_context_ids SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, VD_KERNEL_AVC);
    __type(key, struct vd_avc_key);
    __type(value, struct vd_avc_transition);
} vd_transitions SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct vd_kernel_config);
} vd_config SEC(".maps");

/* The next free sid; the loader sets it after the initial contexts and labels. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} vd_next_sid SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, VD_KSTAT_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} vd_stats SEC(".maps");

static __always_inline void vd_count(__u32 stat)
{
    __u64 *count = bpf_map_lookup_elem(&vd_stats, &stat);

    if (count != NULL)
        *count += 1;
}

static __always_inline const struct vd_context *vd_context_of(__u32 sid)
{
    if (sid == VD_SID_NONE)
        return NULL;
    return bpf_map_lookup_elem(&vd_contexts, &sid);
}

/* The decision on (source, target, class), from the cache or computed. */
static __always_inline int vd_avc_get(const struct vd_request *request, __u32 seqno,
                                      struct vd_avc_decision *ret)
{
    struct vd_avc_key key = {request->source, request->target, request->class};
    const struct vd_context *source, *target;
    struct vd_decision decision;

    if (vd_avc_cached(&key, seqno, ret)) {
        vd_count(VD_KSTAT_HITS);
        return 0;
    }
    vd_count(VD_KSTAT_MISSES);
    source = vd_context_of(key.source);
    target = vd_context_of(key.target);
    if (source == NULL || target == NULL ||
        vd_bpf_decide(source, target, key.class, &decision) != 0)
        return -1;
    vd_avc_keep(&key, &decision, seqno, ret);
    return 0;
}

/* Fills the outcome of a request that has labels and names; false: it cannot be decided. */
static __always_inline bool vd_decided(const struct vd_request *request, struct vd_outcome *ret)
{
    struct vd_avc_decision cached = {};
    struct vd_decision decision = {};
    struct vd_verdict verdict;

    if (request->source == VD_SID_NONE || request->target == VD_SID_NONE || request->class == 0 ||
        request->missing != 0 || vd_avc_get(request, ret->seqno, &cached) != 0)
        return false;
    decision.allowed = cached.allowed;
    decision.auditallow = cached.auditallow;
    decision.auditdeny = cached.auditdeny;
    vd_xperm_apply(request->xperm, request->perms, &decision);
    verdict = vd_decision_apply(&decision, request->perms);
    ret->denied = verdict.denied;
    ret->audited = verdict.audited;
    if (vd_verdict_allows(verdict))
        ret->verdict = VD_EVENT_ALLOWED;
    if ((cached.flags & VD_DECISION_PERMISSIVE) != 0)
        ret->permissive = 1;
    return true;
}

__attribute__((noinline)) int vd_judge(const struct vd_request *request)
{
    struct vd_outcome outcome = {};
    struct vd_kernel_config *config;
    __u32 zero = 0;

    if (request == NULL)
        return -VD_EACCES;
    vd_count(VD_KSTAT_CHECKS);
    config = bpf_map_lookup_elem(&vd_config, &zero);
    if (config != NULL) {
        outcome.seqno = config->seqno;
        outcome.permissive = config->enforcing == VD_KERNEL_PERMISSIVE;
    }
    if (config == NULL || !vd_decided(request, &outcome)) {
        /* No label, no such class or permission, no policy: refused and told. */
        vd_count(VD_KSTAT_UNDECIDED);
        outcome.verdict = VD_EVENT_DENIED;
        outcome.denied = request->perms;
        outcome.audited = UINT32_MAX;
        if (request->source == VD_SID_NONE || request->target == VD_SID_NONE)
            outcome.flags = VD_EVENT_F_UNLABELLED;
    }
    if (outcome.verdict != VD_EVENT_ALLOWED)
        vd_count(VD_KSTAT_DENIALS);
    else
        outcome.permissive = 0;
    if (outcome.audited != 0)
        vd_event_send(request, &outcome);
    return outcome.verdict == VD_EVENT_ALLOWED || outcome.permissive != 0 ? 0 : -VD_EACCES;
}

__attribute__((noinline)) int vd_ioctl_xperm(__u32 source, __u32 target, __u32 class, __u32 command)
{
    const struct vd_context *from = vd_context_of(source), *to = vd_context_of(target);

    if (from == NULL || to == NULL)
        return 0;
    return vd_bpf_xperm(from, to, class, (__u32)VD_XPERM_IOCTL << 16 | (command & 0xffff));
}

/* The sid of the context in the scratch, a new one if it was never seen; 0: no room. */
static __always_inline __u32 vd_context_sid(const struct vd_context *context)
{
    __u32 *known = bpf_map_lookup_elem(&vd_context_ids, context);
    __u32 zero = 0, sid;
    struct vd_context *row;
    __u32 *next;

    if (known != NULL)
        return *known;
    next = bpf_map_lookup_elem(&vd_next_sid, &zero);
    if (next == NULL || *next >= VD_KERNEL_SIDS) {
        vd_count(VD_KSTAT_SIDS_FULL);
        return VD_SID_NONE;
    }
    sid = __sync_fetch_and_add(next, 1);
    row = bpf_map_lookup_elem(&vd_contexts, &sid);
    if (row == NULL) {
        vd_count(VD_KSTAT_SIDS_FULL);
        return VD_SID_NONE;
    }
    *row = *context;
    if (bpf_map_update_elem(&vd_context_ids, context, &sid, BPF_NOEXIST) == 0)
        return sid;
    /* Another task was faster: its sid holds, ours stays unused. */
    known = bpf_map_lookup_elem(&vd_context_ids, context);
    return known == NULL ? VD_SID_NONE : *known;
}

__attribute__((noinline)) int vd_transition_sid(__u32 source, __u32 target, __u32 kind)
{
    __u32 zero = 0;
    struct vd_kernel_names *names = bpf_map_lookup_elem(&vd_names, &zero);
    struct vd_kernel_config *config = bpf_map_lookup_elem(&vd_config, &zero);
    struct vd_avc_key key = {source, target, 0};
    const struct vd_context *from, *to;
    struct vd_avc_transition *cached;
    struct vd_avc_transition made = {};
    struct vd_task_label *scratch;

    if (names == NULL || config == NULL || kind >= VD_KC_COUNT)
        return VD_SID_NONE;
    key.class = names->class[kind];
    cached = bpf_map_lookup_elem(&vd_transitions, &key);
    if (cached != NULL) {
        made = *cached;
        VD_READ_ONCE_DONE();
        if (made.seqno == config->seqno && made.check == vd_transition_check(&key, &made))
            return made.sid;
    }
    from = vd_context_of(source);
    to = vd_context_of(target);
    scratch = bpf_task_storage_get(&vd_tasks, bpf_get_current_task_btf(), NULL,
                                   BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (from == NULL || to == NULL || scratch == NULL ||
        vd_bpf_transition(from, to, key.class, VD_TRANS_TYPE, &scratch->context) != 0)
        return VD_SID_NONE;
    made.sid = vd_context_sid(&scratch->context);
    made.seqno = config->seqno;
    made.check = vd_transition_check(&key, &made);
    if (made.sid != VD_SID_NONE)
        bpf_map_update_elem(&vd_transitions, &key, &made, BPF_ANY);
    return made.sid;
}
