/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The security context as the engine, the kernel maps and the policy blob hold
 * it: user:role:type:range by the policy's own numbers (MAC-1).
 *
 * Numbers start at 1; 0 names nothing and makes a context invalid. A policy
 * without MLS has sensitivity 0 and no categories on both ends. Compare whole
 * structs with vd_context_equal; padding is always zero, so a context serves as
 * a BPF map key.
 */
#ifndef VD_CORE_ABI_CONTEXT_H
#define VD_CORE_ABI_CONTEXT_H

#include "core/base/bitmap.h"

#define VD_MLS_CATS_MAX  1024u /* category numbers are 0 … 1023 */
#define VD_MLS_CAT_WORDS 16u

struct vd_mls_level {
    uint32_t sens;                   /* 1-based, in dominance order; 0 without MLS */
    uint32_t reserved;               /* 0 */
    uint64_t cats[VD_MLS_CAT_WORDS]; /* bitmap of categories */
};

struct vd_context {
    uint32_t user;
    uint32_t role;
    uint32_t type;
    uint32_t reserved; /* 0 */
    struct vd_mls_level low;
    struct vd_mls_level high;
};

_Static_assert(sizeof(struct vd_mls_level) == 136, "shared with BPF maps and the blob");
_Static_assert(sizeof(struct vd_context) == 288, "shared with BPF maps and the blob");
_Static_assert(__builtin_offsetof(struct vd_context, high) ==
                   __builtin_offsetof(struct vd_context, low) + sizeof(struct vd_mls_level),
               "the range's high end stands right behind its low end");

VD_INLINE bool vd_mls_level_equal(const struct vd_mls_level *a, const struct vd_mls_level *b)
{
    return a->sens == b->sens && vd_bitmap_equal(a->cats, b->cats, VD_MLS_CAT_WORDS);
}

VD_INLINE bool vd_context_equal(const struct vd_context *a, const struct vd_context *b)
{
    return a->user == b->user && a->role == b->role && a->type == b->type &&
           vd_mls_level_equal(&a->low, &b->low) && vd_mls_level_equal(&a->high, &b->high);
}

#endif
