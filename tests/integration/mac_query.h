/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the differential test hands to the BPF program, and what it gets back. */
#ifndef VD_TESTS_INTEGRATION_MAC_QUERY_H
#define VD_TESTS_INTEGRATION_MAC_QUERY_H

#include "core/mac/mac.h"

struct mac_query {
    struct vd_context source, target, created;
    struct vd_decision decision;
    uint32_t class;
    uint32_t kind;
    uint32_t source_sid, target_sid, seqno; /* the cached decision's key and policy */
    uint32_t cached_allowed;
    int32_t decide_status;
    int32_t transition_status;
};

#endif
