/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "core/policydb/verify.h"

/* Which relations a pair takes: names are equal or not, the rest are ordered too. */
static bool pair_ok(uint32_t left, uint32_t right, uint32_t rel)
{
    static const struct {
        uint8_t left, right;
        bool ordered;
    } pairs[] = {
        {VD_PART_U1, VD_PART_U2, false}, {VD_PART_T1, VD_PART_T2, false},
        {VD_PART_R1, VD_PART_R2, true},  {VD_PART_L1, VD_PART_L2, true},
        {VD_PART_L1, VD_PART_H2, true},  {VD_PART_H1, VD_PART_L2, true},
        {VD_PART_H1, VD_PART_H2, true},  {VD_PART_L1, VD_PART_H1, true},
        {VD_PART_L2, VD_PART_H2, true},
    };

    for (size_t i = 0; i < VD_COUNT(pairs); i++) {
        if (pairs[i].left == left && pairs[i].right == right)
            return rel >= VD_REL_EQ && rel <= (pairs[i].ordered ? VD_REL_INCOMP : VD_REL_NE);
    }
    return false;
}

/* Words of the set that a part is looked up in; 0 for a part that has no names. */
static uint32_t part_words(const struct vd_pdb_check *c, uint32_t part, bool third)
{
    if (part < VD_PART_U1 || part > VD_PART_T3)
        return 0;
    if (!third && (part == VD_PART_U3 || part == VD_PART_R3 || part == VD_PART_T3))
        return 0;
    if (part <= VD_PART_U3)
        return VD_BITMAP_WORDS(c->head->users);
    return VD_BITMAP_WORDS(part <= VD_PART_R3 ? c->head->roles : c->head->types);
}

static bool names_ok(const struct vd_pdb_check *c, const struct vd_pdb_node *node, bool third)
{
    uint32_t words = part_words(c, node->left, third);

    return words != 0 && node->right == 0 && (node->rel == VD_REL_EQ || node->rel == VD_REL_NE) &&
           vd_pdb_span(c, VD_PDB_BITMAPS, node->arg, words);
}

/* A run over one class's program. */
struct program {
    uint32_t mask;  /* permissions that BEGIN and END may name; 0 for validatetrans */
    bool third;     /* validatetrans */
    uint32_t begin; /* row + 1 of the constraint's BEGIN; 0: outside a constraint */
    uint32_t depth;
};

static const char *check_edge(struct program *p, const struct vd_pdb_node *rows, uint32_t row,
                              uint32_t last)
{
    const struct vd_pdb_node *node = &rows[row];
    uint32_t length = node->left + 256u * node->right;

    if (node->rel != 0 || (node->arg & ~p->mask) != 0 || (node->arg == 0) != p->third)
        return "permissions that the class does not have, or none";
    if (node->op == VD_CX_BEGIN) {
        if (p->begin != 0)
            return "a constraint begins inside another";
        if (length == 0 || length > last - row || rows[row + length].op != VD_CX_END ||
            rows[row + length].arg != node->arg)
            return "the constraint's end is not where its beginning says";
        p->begin = row + 1;
        return NULL;
    }
    if (p->begin == 0 || length != 0 ||
        row - (p->begin - 1) != rows[p->begin - 1].left + 256u * rows[p->begin - 1].right)
        return "a constraint ends where it should not";
    if (p->depth != 1)
        return "a constraint does not end with one value";
    p->begin = 0;
    p->depth = 0;
    return NULL;
}

/* What is wrong with the node at `row`, NULL if nothing; `last` is the program's last row. */
static const char *check_node(const struct vd_pdb_check *c, struct program *p, uint32_t row,
                              uint32_t last)
{
    const struct vd_pdb_node *rows = vd_pdb_rows(c, VD_PDB_NODES);
    const struct vd_pdb_node *node = &rows[row];
    uint32_t takes = node->op == VD_CX_NOT ? 1 : 2;

    if (node->op == VD_CX_BEGIN || node->op == VD_CX_END)
        return check_edge(p, rows, row, last);
    if (p->begin == 0)
        return "a node outside a constraint";
    switch (node->op) {
    case VD_CX_NOT:
    case VD_CX_AND:
    case VD_CX_OR:
        if (node->rel != 0 || node->left != 0 || node->right != 0 || node->arg != 0)
            return "an operator with operands";
        if (p->depth < takes)
            return "an operator without values";
        p->depth -= takes - 1;
        return NULL;
    case VD_CX_ATTR:
        if (!pair_ok(node->left, node->right, node->rel) || node->arg != 0)
            return "a comparison that does not exist";
        break;
    case VD_CX_NAMES:
        if (!names_ok(c, node, p->third))
            return "a set of names that does not exist";
        break;
    default:
        return "an unknown operation";
    }
    return ++p->depth > VD_PDB_MAX_DEPTH ? "more than 16 values on the stack" : NULL;
}

static vd_status check_program(const struct vd_pdb_check *c, struct program p, uint32_t class,
                               uint32_t first, uint32_t count)
{
    if (count > VD_PDB_MAX_NODES || !vd_pdb_span(c, VD_PDB_NODES, first, count))
        return vd_pdb_bad(c, VD_PDB_CLASSES, class, VD_E_LIMIT,
                          "constraints outside their table, or more than 4096 nodes");
    for (uint32_t i = first; i < first + count; i++) {
        const char *wrong = check_node(c, &p, i, first + count - 1);
        if (wrong != NULL)
            return vd_pdb_bad(c, VD_PDB_NODES, i, VD_E_INVALID, wrong);
    }
    if (p.begin != 0)
        return vd_pdb_bad(c, VD_PDB_NODES, p.begin - 1, VD_E_INVALID, "the constraint has no end");
    return VD_OK;
}

vd_status vd_pdb_check_constraints(const struct vd_pdb_check *c)
{
    const struct vd_pdb_class *rows = vd_pdb_rows(c, VD_PDB_CLASSES);

    for (uint32_t i = 0; i < c->head->classes; i++) {
        struct program perms = {.mask = vd_pdb_perm_mask(&rows[i])};
        struct program vtrans = {.third = true};
        VD_TRY(check_program(c, perms, i, rows[i].node_first, rows[i].node_count));
        VD_TRY(check_program(c, vtrans, i, rows[i].vtrans_first, rows[i].vtrans_count));
    }
    return VD_OK;
}

const char *vd_pdb_condition_wrong(const struct vd_pdb_check *c, uint32_t first, uint32_t count)
{
    const struct vd_pdb_cond_node *nodes = vd_pdb_rows(c, VD_PDB_COND_NODES);
    const struct vd_pdb_bool *bools = vd_pdb_rows(c, VD_PDB_BOOLS);
    uint32_t depth = 0;

    if (count > VD_PDB_MAX_COND || !vd_pdb_span(c, VD_PDB_COND_NODES, first, count))
        return "the condition lies outside its table, or has more than 256 nodes";
    for (uint32_t i = first; i < first + count; i++) {
        uint32_t takes = nodes[i].op == VD_COND_NOT ? 1 : 2;
        if (nodes[i].op == VD_COND_BOOL) {
            if (nodes[i].value >= vd_pdb_rows_count(c, VD_PDB_BOOLS) ||
                bools[nodes[i].value].name == 0)
                return "the condition asks for a boolean that does not exist";
            if (++depth > VD_PDB_MAX_DEPTH)
                return "the condition has more than 16 values on the stack";
            continue;
        }
        if (nodes[i].op < VD_COND_NOT || nodes[i].op > VD_COND_NEQ || nodes[i].value != 0)
            return "the condition has an unknown operation";
        if (depth < takes)
            return "the condition has an operator without values";
        depth -= takes - 1;
    }
    return depth == 1 ? NULL : "the condition does not end with one value";
}

vd_status vd_pdb_check_conditions(const struct vd_pdb_check *c)
{
    const struct vd_pdb_cond_rule *rows = vd_pdb_rows(c, VD_PDB_COND_RULES);

    for (uint32_t i = 0; i < vd_pdb_rows_count(c, VD_PDB_COND_RULES); i++) {
        const char *wrong = vd_pdb_condition_wrong(c, rows[i].cond_first, rows[i].cond_count);
        if (wrong == NULL && rows[i].branch > 1)
            wrong = "the branch is neither 0 nor 1";
        if (wrong != NULL)
            return vd_pdb_bad(c, VD_PDB_COND_RULES, i, VD_E_INVALID, wrong);
    }
    return VD_OK;
}
