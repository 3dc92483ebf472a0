/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A constraint as text, for the rulebook of a policy that was read from SELinux's
 * binary policy and has no source to quote.
 */
#include "tools/sepolicy/gen/book.h"

#include "core/base/text.h"

struct printer {
    const struct vd_sp *sp;
    struct vd_text out;
    const struct vd_sp_node *nodes; /* of the constraint */
    uint32_t *first;                /* by node: first node of its operand or operands */
};

static const char *const parts[] = {
    [VD_PART_U1] = "u1", [VD_PART_U2] = "u2", [VD_PART_U3] = "u3", [VD_PART_R1] = "r1",
    [VD_PART_R2] = "r2", [VD_PART_R3] = "r3", [VD_PART_T1] = "t1", [VD_PART_T2] = "t2",
    [VD_PART_T3] = "t3", [VD_PART_L1] = "l1", [VD_PART_L2] = "l2", [VD_PART_H1] = "h1",
    [VD_PART_H2] = "h2",
};

static const char *const relations[] = {
    [VD_REL_EQ] = " == ",       [VD_REL_NE] = " != ",         [VD_REL_DOM] = " dom ",
    [VD_REL_DOMBY] = " domby ", [VD_REL_INCOMP] = " incomp ",
};

static void put_set(struct printer *p, const struct vd_sp_set *set)
{
    bool braces = set->count + set->star != 1 || set->star;

    vd_text_str(&p->out, set->complement ? "~" : "");
    vd_text_str(&p->out, braces ? "{ " : "");
    vd_text_str(&p->out, set->star ? "* " : "");
    for (uint32_t i = 0; i < set->count; i++) {
        vd_text_str(&p->out, set->items[i].minus ? "-" : "");
        vd_text_str(&p->out, vd_sp_str(p->sp, set->items[i].name));
        vd_text_str(&p->out, braces ? " " : "");
    }
    vd_text_str(&p->out, braces ? "}" : "");
}

static void put_comparison(struct printer *p, const struct vd_sp_node *node)
{
    vd_text_str(&p->out, parts[node->node.left]);
    vd_text_str(&p->out, relations[node->node.rel]);
    if (node->node.op == VD_CX_ATTR)
        vd_text_str(&p->out, parts[node->node.right]);
    else
        put_set(p, &p->sp->constraint_sets.data[node->names]);
}

static bool is_operator(uint8_t op)
{
    return op == VD_CX_AND || op == VD_CX_OR;
}

static void put_expression(struct printer *p, uint32_t last);

/* An operand, in parentheses if it is an operator's and not the same one's to the left. */
static void put_operand(struct printer *p, uint32_t last, uint8_t plain)
{
    uint8_t op = p->nodes[last].node.op;
    bool parentheses = is_operator(op) && op != plain;

    vd_text_str(&p->out, parentheses ? "( " : "");
    put_expression(p, last);
    vd_text_str(&p->out, parentheses ? " )" : "");
}

/* The expression that ends with node `last`. */
static void put_expression(struct printer *p, uint32_t last)
{
    uint8_t op = p->nodes[last].node.op;

    if (op == VD_CX_NOT) {
        vd_text_str(&p->out, "not ( ");
        put_expression(p, last - 1);
        vd_text_str(&p->out, " )");
    } else if (is_operator(op)) {
        put_operand(p, p->first[last - 1] - 1, op);
        vd_text_str(&p->out, op == VD_CX_AND ? " and " : " or ");
        put_operand(p, last - 1, 0);
    } else {
        put_comparison(p, &p->nodes[last]);
    }
}

/* Where each node's expression begins: the nodes stand in postfix order. */
static void find_starts(struct printer *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t op = p->nodes[i].node.op;

        if (op == VD_CX_NOT)
            p->first[i] = p->first[i - 1];
        else if (is_operator(op))
            p->first[i] = p->first[p->first[i - 1] - 1];
        else
            p->first[i] = i;
    }
}

uint32_t vd_sp_book_constraint(struct vd_sp_book *book, const struct vd_sp_constraint *from)
{
    struct vd_sp *sp = book->image->c->sp;
    char buf[VD_RULEBOOK_MAX_TEXT + 1];
    struct printer p = {.sp = sp, .nodes = &sp->nodes.data[from->node_first]};

    p.first = vd_sp_alloc_array(&sp->arena, from->node_count, sizeof(*p.first));
    find_starts(&p, from->node_count);
    vd_text_init(&p.out, buf, sizeof(buf));
    vd_text_str(&p.out, from->mls ? "mls" : "");
    vd_text_str(&p.out, from->transition ? "validatetrans " : "constrain ");
    put_set(&p, &from->classes);
    vd_text_str(&p.out, " ");
    if (!from->transition) {
        put_set(&p, &from->perms);
        vd_text_str(&p.out, " ");
    }
    vd_text_str(&p.out, "( ");
    put_expression(&p, from->node_count - 1);
    vd_text_str(&p.out, " )");
    return vd_sp_book_text(book, buf, p.out.len);
}
