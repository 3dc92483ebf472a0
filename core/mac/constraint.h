/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Constraints and MLS constraints: postfix programs that take permissions away
 * (core/policydb/format.h), run over the users, roles, types and levels of two
 * contexts, or three for validatetrans.
 *
 * The value stack is the low bits of one word. A comparison of two levels costs
 * two times sixteen words, and a policy asks for the same few pairs again and
 * again: each of the six pairs is compared at most once in a decision.
 *
 * A program that is damaged (which an opened policy's never is) removes its
 * permissions: the stack starts empty, and an empty stack's top is false.
 */
#ifndef VD_CORE_MAC_CONSTRAINT_H
#define VD_CORE_MAC_CONSTRAINT_H

#include "core/mac/mls.h"
#include "core/mac/rbac.h"

/* The state of a run over a class's nodes. */
struct vd_cx {
    struct vd_policydb db;
    const struct vd_context *source;
    const struct vd_context *target;
    const struct vd_context *third; /* validatetrans: the process; else NULL */
    uint32_t source_type;           /* stand for the contexts' own types: */
    uint32_t target_type;           /* type bounds ask about others */
    uint64_t stack;
    uint32_t levels_known; /* bit: the pair was compared */
    uint32_t levels;       /* two bits a pair: VD_MLS_… */
    uint32_t allowed;      /* permissions left */
    uint32_t failed;       /* validatetrans: 1 once a constraint was false */
    uint32_t pos;          /* the next node's row */
    uint32_t end;          /* one past the class's last node */
    uint32_t zero;         /* 0, see vd_cx_zero */
};

/*
 * Zero, but a number that the BPF verifier does not know. Truth values pass
 * through it: where the verifier knows them, it walks every combination of the
 * stack's bits and gives up; where it does not, all paths look alike to it.
 */
VD_INLINE uint32_t vd_cx_zero(const struct vd_policydb *db)
{
#ifdef __BPF__
    const volatile uint32_t *version =
        vd_pdb_at(db, offsetof(struct vd_pdb_header, version), sizeof(*version));
    return version == NULL ? 0 : *version ^ *version;
#else
    (void)db;
    return 0;
#endif
}

/*
 * The pairs of levels that constraints compare, by number: l1 l2, l1 h2, h1 l2,
 * h1 h2, l1 h1, l2 h2. Tables in words, not branches, for the BPF verifier.
 */
#define VD_CX_NO_PAIR        6u
#define VD_CX_PAIR(l, r, nr) ((uint64_t)((nr) ^ VD_CX_NO_PAIR) << (4 * (4 * (l) + (r))))
#define VD_CX_PAIRS                                                                              \
    (VD_CX_PAIR(0, 2, 0u) | VD_CX_PAIR(0, 3, 1u) | VD_CX_PAIR(1, 2, 2u) | VD_CX_PAIR(1, 3, 3u) | \
     VD_CX_PAIR(0, 1, 4u) | VD_CX_PAIR(2, 3, 5u))
#define VD_CX_LEFT_HIGH  0x0cu /* bit: the pair's left level is a high one */
#define VD_CX_RIGHT_HIGH 0x3au

_Static_assert(VD_PART_L2 == VD_PART_L1 + 1 && VD_PART_H1 == VD_PART_L1 + 2 &&
                   VD_PART_H2 == VD_PART_L1 + 3,
               "the order of the parts");

/* The pair's number for the level parts, VD_CX_NO_PAIR for one that does not exist. */
VD_INLINE uint32_t vd_cx_level_pair(uint32_t left, uint32_t right)
{
    /* L1, L2, H1, H2 stand in this order: bit 0 says which context, bit 1 which end. */
    uint32_t l = left - VD_PART_L1;
    uint32_t r = right - VD_PART_L1;

    if (l > 3 || r > 3)
        return VD_CX_NO_PAIR;
    l = (l >> 1 & 1) | (l & 1) << 1;
    r = (r >> 1 & 1) | (r & 1) << 1;
    return (uint32_t)(VD_CX_PAIRS >> (4 * (4 * l + r)) & 15) ^ VD_CX_NO_PAIR;
}

/* One end of a context's range; high stands right behind low (core/abi/context.h). */
VD_INLINE const struct vd_mls_level *vd_cx_level(const struct vd_context *context, uint32_t high)
{
    return (const struct vd_mls_level *)((const uint8_t *)context +
                                         __builtin_offsetof(struct vd_context, low) +
                                         (size_t)(high & 1) * sizeof(struct vd_mls_level));
}

/*
 * How the two levels of a pair stand to each other. Compares on the first
 * request only; in BPF on each, since what is remembered costs the verifier more
 * than the comparison costs the decision, and decisions are cached.
 */
VD_INLINE uint32_t vd_cx_levels(struct vd_cx *cx, uint32_t pair)
{
    const struct vd_context *left = pair == 5 ? cx->target : cx->source;
    const struct vd_context *right = pair == 4 ? cx->source : cx->target;
    uint32_t relation;

#ifndef __BPF__
    if ((cx->levels_known >> pair & 1) != 0)
        return cx->levels >> (2 * pair) & VD_MLS_EQUAL;
#endif
    relation = vd_mls_compare(vd_cx_level(left, VD_CX_LEFT_HIGH >> pair),
                              vd_cx_level(right, VD_CX_RIGHT_HIGH >> pair));
#ifndef __BPF__
    cx->levels |= relation << (2 * pair);
    cx->levels_known |= 1u << pair;
#endif
    return relation ^ cx->zero;
}

/*
 * Whether a relation holds, given dominance both ways; unknown relations do
 * not. Each relation has four bits, one for each value of VD_MLS_…: a table in
 * one word, since branches here double what the BPF verifier walks.
 */
#define VD_CX_HOLDS_BIT(rel, relation) (1u << (4 * (rel) + (relation)))
#define VD_CX_HOLDS                                                                              \
    (VD_CX_HOLDS_BIT(VD_REL_EQ, VD_MLS_EQUAL) | VD_CX_HOLDS_BIT(VD_REL_NE, 0) |                  \
     VD_CX_HOLDS_BIT(VD_REL_NE, VD_MLS_DOM) | VD_CX_HOLDS_BIT(VD_REL_NE, VD_MLS_DOMBY) |         \
     VD_CX_HOLDS_BIT(VD_REL_DOM, VD_MLS_DOM) | VD_CX_HOLDS_BIT(VD_REL_DOM, VD_MLS_EQUAL) |       \
     VD_CX_HOLDS_BIT(VD_REL_DOMBY, VD_MLS_DOMBY) | VD_CX_HOLDS_BIT(VD_REL_DOMBY, VD_MLS_EQUAL) | \
     VD_CX_HOLDS_BIT(VD_REL_INCOMP, 0))

VD_INLINE uint32_t vd_cx_holds(uint32_t rel, uint32_t relation)
{
    return rel > VD_REL_INCOMP ? 0 : VD_CX_HOLDS >> (4 * rel + (relation & VD_MLS_EQUAL)) & 1;
}

/* How role `a` stands to role `b`: dominance both ways. */
VD_INLINE uint32_t vd_cx_roles(struct vd_cx *cx, uint32_t a, uint32_t b)
{
    uint32_t dom = vd_rbac_dominates(&cx->db, a, b) ^ cx->zero;
    uint32_t domby = vd_rbac_dominates(&cx->db, b, a) ^ cx->zero;

    return dom * VD_MLS_DOM | domby * VD_MLS_DOMBY;
}

/* VD_CX_ATTR: a part of one context against a part of the other. */
VD_INLINE bool vd_cx_attr(struct vd_cx *cx, const struct vd_pdb_node *node)
{
    uint32_t pair;

    if (node->left == VD_PART_U1)
        return (cx->source->user == cx->target->user) == (node->rel == VD_REL_EQ);
    if (node->left == VD_PART_T1)
        return (cx->source_type == cx->target_type) == (node->rel == VD_REL_EQ);
    if (node->left == VD_PART_R1) {
        uint32_t a = cx->source->role;
        uint32_t b = cx->target->role;
        if (node->rel == VD_REL_EQ || node->rel == VD_REL_NE)
            return (a == b) == (node->rel == VD_REL_EQ);
        return vd_cx_holds(node->rel, vd_cx_roles(cx, a, b));
    }
    pair = vd_cx_level_pair(node->left, node->right);
    return pair < VD_CX_NO_PAIR && vd_cx_holds(node->rel, vd_cx_levels(cx, pair));
}

/* The number of a user, role or type part; 0 (in no set) for what is not there. */
VD_INLINE uint32_t vd_cx_number(const struct vd_cx *cx, uint32_t part)
{
    switch (part) {
    case VD_PART_U1:
        return cx->source->user;
    case VD_PART_R1:
        return cx->source->role;
    case VD_PART_T1:
        return cx->source_type;
    case VD_PART_U2:
        return cx->target->user;
    case VD_PART_R2:
        return cx->target->role;
    case VD_PART_T2:
        return cx->target_type;
    case VD_PART_U3:
        return cx->third != NULL ? cx->third->user : 0;
    case VD_PART_R3:
        return cx->third != NULL ? cx->third->role : 0;
    case VD_PART_T3:
        return cx->third != NULL ? cx->third->type : 0;
    default:
        return 0;
    }
}

/* Puts a truth value on the stack. */
VD_INLINE void vd_cx_push(struct vd_cx *cx, bool value)
{
    cx->stack = cx->stack << 1 | ((uint32_t)value ^ cx->zero);
}

/* Ends a constraint: takes the top value, and the permissions away if it is false. */
VD_INLINE void vd_cx_finish(struct vd_cx *cx, uint32_t perms)
{
    if ((cx->stack & 1) == 0) {
        cx->allowed &= ~perms;
        cx->failed = 1 ^ cx->zero;
    }
    cx->stack = cx->zero;
}

/* Damage: nothing is allowed. */
VD_INLINE bool vd_cx_damage(struct vd_cx *cx)
{
    cx->allowed = cx->zero;
    cx->failed = 1 ^ cx->zero;
    return false;
}

/* Runs the node at `pos` and moves on; false at the end (or at damage, which allows nothing). */
VD_INLINE bool vd_cx_step(struct vd_cx *cx)
{
    const struct vd_pdb_node *node;
    uint64_t top = cx->stack & 1;

    if (cx->pos >= cx->end)
        return false;
    node = vd_pdb_row(&cx->db, VD_PDB_NODES, cx->pos, sizeof(*node));
    if (node == NULL)
        return vd_cx_damage(cx);
    cx->pos++;
    switch (node->op) {
    case VD_CX_BEGIN:
        if (node->arg != 0 && (node->arg & cx->allowed) == 0)
            cx->pos += node->left + 256u * node->right;
        return true;
    case VD_CX_NOT:
        cx->stack ^= 1;
        return true;
    case VD_CX_AND:
        cx->stack = cx->stack >> 1 & ~(top ^ 1);
        return true;
    case VD_CX_OR:
        cx->stack = cx->stack >> 1 | top;
        return true;
    case VD_CX_ATTR:
        vd_cx_push(cx, vd_cx_attr(cx, node));
        return true;
    case VD_CX_NAMES:
        vd_cx_push(cx, vd_pdb_bit(&cx->db, node->arg, vd_cx_number(cx, node->left)) ==
                           (node->rel == VD_REL_EQ));
        return true;
    case VD_CX_END:
        vd_cx_finish(cx, node->arg);
        return true;
    default:
        return vd_cx_damage(cx);
    }
}

#ifdef __BPF__
static __attribute__((unused)) long vd_cx_callback(uint32_t index, void *data)
{
    (void)index;
    return vd_cx_step(data) ? 0 : 1;
}
#endif

/* Runs the nodes from `first`, `count` of them (at most VD_PDB_MAX_NODES, else nothing is left). */
VD_INLINE void vd_cx_run(struct vd_cx *cx, uint32_t first, uint32_t count)
{
    cx->zero = vd_cx_zero(&cx->db);
    if (count > VD_PDB_MAX_NODES) {
        vd_cx_damage(cx);
        return;
    }
    cx->failed ^= cx->zero;
    cx->stack = cx->zero;
    cx->levels ^= cx->zero;
    cx->levels_known ^= cx->zero;
    cx->pos = first;
    cx->end = first + count;
#ifdef __BPF__
    bpf_loop(count, vd_cx_callback, cx, 0);
#else
    while (vd_cx_step(cx))
        ;
#endif
}

#endif
