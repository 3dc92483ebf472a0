/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The constraints of a class in SELinux's binary policy. Users, roles and types
 * stand in later tables, so that what a node names is kept as bits until these
 * are known (read_names.c).
 */
#include "tools/sepolicy/selinux/read.h"

/* Where a constraint's expression is and what it has needed so far. */
struct expression {
    struct vd_sp_constraint row;
    uint32_t depth;
};

static struct vd_sp_node *add_node(struct vd_sp_sr *sr, enum vd_pdb_node_op op)
{
    struct vd_sp_node *node = VD_SP_PUSH(&sr->sp->arena, &sr->sp->nodes);

    node->node.op = (uint8_t)op;
    return node;
}

static void push(struct vd_sp_sr *sr, struct expression *e, uint32_t place)
{
    if (++e->depth > VD_SE_MAX_DEPTH)
        vd_sp_sr_fail(sr, place, "a constraint that needs more than %u values at once",
                      VD_SE_MAX_DEPTH);
}

static void pop(struct vd_sp_sr *sr, struct expression *e, uint32_t needed, uint32_t place)
{
    if (e->depth < needed)
        vd_sp_sr_fail(sr, place, "an operator of a constraint without its %u values", needed);
    e->depth -= needed - 1;
}

/* Two parts of the contexts, which a node compares. */
static const struct {
    uint32_t bits;
    uint8_t left, right;
    bool ordered; /* can dominate each other */
    bool mls;
} pairs[] = {
    {VD_SE_CX_USER, VD_PART_U1, VD_PART_U2, false, false},
    {VD_SE_CX_ROLE, VD_PART_R1, VD_PART_R2, true, false},
    {VD_SE_CX_TYPE, VD_PART_T1, VD_PART_T2, false, false},
    {VD_SE_CX_L1L2, VD_PART_L1, VD_PART_L2, true, true},
    {VD_SE_CX_L1H2, VD_PART_L1, VD_PART_H2, true, true},
    {VD_SE_CX_H1L2, VD_PART_H1, VD_PART_L2, true, true},
    {VD_SE_CX_H1H2, VD_PART_H1, VD_PART_H2, true, true},
    {VD_SE_CX_L1H1, VD_PART_L1, VD_PART_H1, true, true},
    {VD_SE_CX_L2H2, VD_PART_L2, VD_PART_H2, true, true},
};

static void read_comparison(struct vd_sp_sr *sr, struct expression *e, uint32_t attribute,
                            uint32_t relation, uint32_t place)
{
    for (size_t i = 0; i < VD_COUNT(pairs); i++) {
        struct vd_sp_node *node;

        if (pairs[i].bits != attribute)
            continue;
        if (relation < VD_REL_EQ || relation > (pairs[i].ordered ? VD_REL_INCOMP : VD_REL_NE))
            vd_sp_sr_fail(sr, place, "a constraint's relation %u between these parts", relation);
        if (pairs[i].mls && !sr->sp->mls)
            vd_sp_sr_fail(sr, place,
                          "a constraint over levels in a policy without multi-level security");
        e->row.mls |= pairs[i].mls;
        node = add_node(sr, VD_CX_ATTR);
        node->node.rel = (uint8_t)relation;
        node->node.left = pairs[i].left;
        node->node.right = pairs[i].right;
        return;
    }
    vd_sp_sr_fail(sr, place, "a constraint compares the parts 0x%x, which cannot be compared",
                  attribute);
}

/* The part of a context that a node with names is about; 0: there is none. */
static uint8_t part_of(uint32_t attribute, bool transition)
{
    uint32_t who = attribute & (VD_SE_CX_TARGET | VD_SE_CX_XTARGET);
    uint8_t step = who == VD_SE_CX_TARGET ? 1 : who == VD_SE_CX_XTARGET ? 2 : 0;

    if (who == (VD_SE_CX_TARGET | VD_SE_CX_XTARGET) || (who == VD_SE_CX_XTARGET && !transition))
        return 0;
    switch (attribute & ~who) {
    case VD_SE_CX_USER:
        return VD_PART_U1 + step;
    case VD_SE_CX_ROLE:
        return VD_PART_R1 + step;
    case VD_SE_CX_TYPE:
        return VD_PART_T1 + step;
    default:
        return 0;
    }
}

static void read_names(struct vd_sp_sr *sr, struct expression *e, uint32_t attribute,
                       uint32_t relation, uint32_t place)
{
    uint8_t part = part_of(attribute, e->row.transition);
    struct vd_sp_node *node;
    struct vd_sp_sr_names *names;

    if (part == 0)
        vd_sp_sr_fail(sr, place, "a constraint names the part 0x%x, which does not exist here",
                      attribute);
    if (relation != VD_REL_EQ && relation != VD_REL_NE)
        vd_sp_sr_fail(sr, place, "a constraint's relation %u to names; expected %u or %u", relation,
                      VD_REL_EQ, VD_REL_NE);
    node = add_node(sr, VD_CX_NAMES);
    node->node.rel = (uint8_t)relation;
    node->node.left = part;
    node->names = sr->names.count;
    names = VD_SP_PUSH(&sr->sp->arena, &sr->names);
    names->part = part;
    vd_sp_sr_map(sr, &names->meant, "the names of a constraint");
    vd_sp_sr_map(sr, &names->written, "the written names of a constraint");
    vd_sp_sr_map(sr, &names->minus, "the names that a constraint takes away");
    names->flags = vd_sp_sr_u32(sr, "the flags of a constraint's names");
}

static void read_node(struct vd_sp_sr *sr, struct expression *e)
{
    uint32_t place = vd_sp_sr_place(sr), kind = vd_sp_sr_u32(sr, "a constraint's node");
    uint32_t attribute = vd_sp_sr_u32(sr, "a constraint's parts");
    uint32_t relation = vd_sp_sr_u32(sr, "a constraint's relation");

    switch (kind) {
    case VD_SE_CX_NOT:
        pop(sr, e, 1, place);
        (void)add_node(sr, VD_CX_NOT);
        break;
    case VD_SE_CX_AND:
    case VD_SE_CX_OR:
        pop(sr, e, 2, place);
        (void)add_node(sr, kind == VD_SE_CX_AND ? VD_CX_AND : VD_CX_OR);
        break;
    case VD_SE_CX_ATTR:
        push(sr, e, place);
        read_comparison(sr, e, attribute, relation, place);
        break;
    case VD_SE_CX_NAMES:
        push(sr, e, place);
        read_names(sr, e, attribute, relation, place);
        break;
    default:
        vd_sp_sr_fail(sr, place, "a constraint's node of kind %u; expected %u to %u", kind,
                      VD_SE_CX_NOT, VD_SE_CX_NAMES);
    }
}

void vd_sp_sr_constraints(struct vd_sp_sr *sr, uint32_t class, uint32_t count, bool transition)
{
    struct vd_sp *sp = sr->sp;
    uint32_t first = sp->nodes.count;

    for (uint32_t i = 0; i < count; i++) {
        struct expression e = {.row = {.transition = transition, .node_first = sp->nodes.count}};
        struct vd_sp_set *set = &e.row.perms;
        uint32_t perms;

        e.row.place = vd_sp_sr_place(sr);
        perms = vd_sp_sr_u32(sr, "a constraint's permissions");
        e.row.node_count = vd_sp_sr_count(sr, 12, "a constraint's nodes");
        if (e.row.node_count > VD_PDB_MAX_NODES ||
            sp->nodes.count - first + e.row.node_count + 2 * (i + 1) > VD_PDB_MAX_NODES)
            vd_sp_sr_fail(sr, e.row.place, "the constraints of a class have more than %u parts",
                          VD_PDB_MAX_NODES);
        e.row.classes = vd_sp_sr_one(&sr->classes.items[class]);
        if (!transition) {
            set->items = vd_sp_alloc_array(&sp->arena, VD_PDB_MAX_PERMS, sizeof(*set->items));
            set->count = vd_sp_sr_perms(sr, class, perms, set->items);
            set->place = e.row.place;
        }
        for (uint32_t n = 0; n < e.row.node_count; n++)
            read_node(sr, &e);
        if (e.depth != 1)
            vd_sp_sr_fail(sr, e.row.place, "a constraint that leaves %u values; expected 1",
                          e.depth);
        *VD_SP_PUSH(&sp->arena, &sp->constraints) = e.row;
    }
}
