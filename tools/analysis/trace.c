/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/trace.h"

#include <stdlib.h>
#include <string.h>

#include "core/mac/transition.h"

#define NOT_OF_NAMES  " {}()~!=,;"
#define NAMES_SHOWN   6u          /* of a set that is no attribute's */
#define CONTEXT_BYTES (32u << 10) /* two levels of 512 categories that are no neighbours */

static const char *const part_words[] = {
    [VD_PART_U1] = "u1", [VD_PART_U2] = "u2", [VD_PART_U3] = "u3", [VD_PART_R1] = "r1",
    [VD_PART_R2] = "r2", [VD_PART_R3] = "r3", [VD_PART_T1] = "t1", [VD_PART_T2] = "t2",
    [VD_PART_T3] = "t3", [VD_PART_L1] = "l1", [VD_PART_L2] = "l2", [VD_PART_H1] = "h1",
    [VD_PART_H2] = "h2",
};

static const char *const rel_words[] = {
    [VD_REL_EQ] = "==",       [VD_REL_NE] = "!=",         [VD_REL_DOM] = "dom",
    [VD_REL_DOMBY] = "domby", [VD_REL_INCOMP] = "incomp",
};

static const char *part_word(uint32_t part)
{
    return part < VD_COUNT(part_words) && part_words[part] != NULL ? part_words[part] : "?";
}

static bool is_user(uint32_t part)
{
    return part == VD_PART_U1 || part == VD_PART_U2 || part == VD_PART_U3;
}

static bool is_role(uint32_t part)
{
    return part == VD_PART_R1 || part == VD_PART_R2 || part == VD_PART_R3;
}

static bool is_level(uint32_t part)
{
    return part >= VD_PART_L1;
}

static enum vd_pdb_symbol_kind kind_of(uint32_t part)
{
    return is_user(part) ? VD_SYM_USER : is_role(part) ? VD_SYM_ROLE : VD_SYM_TYPE;
}

static const struct vd_pdb_node *node_at(const struct vd_policydb *db, uint32_t row)
{
    return vd_pdb_row(db, VD_PDB_NODES, row, sizeof(struct vd_pdb_node));
}

uint32_t vd_trace_next(const struct vd_policydb *db, uint32_t first, uint32_t *ret_perms)
{
    const struct vd_pdb_node *begin = node_at(db, first);

    *ret_perms = begin == NULL ? 0 : begin->arg;
    return begin == NULL || begin->op != VD_CX_BEGIN
               ? UINT32_MAX
               : first + 1 + begin->left + 256u * begin->right;
}

/* A comparison's value, by the engine. */
static bool compare(struct vd_cx *cx, const struct vd_pdb_node *node)
{
    if (node->op == VD_CX_ATTR)
        return vd_cx_attr(cx, node);
    return vd_pdb_bit(&cx->db, node->arg, vd_cx_number(cx, node->left)) == (node->rel == VD_REL_EQ);
}

/* An operator's value. */
static bool operate(const struct vd_trace *t, const struct vd_trace_node *n)
{
    bool left = t->nodes[n->left].value;

    return n->node.op == VD_CX_NOT   ? !left
           : n->node.op == VD_CX_AND ? left && t->nodes[n->right].value
                                     : left || t->nodes[n->right].value;
}

/* Appends one node; `stack` holds the operands that wait for their operator. */
static bool grow(struct vd_trace *t, const struct vd_pdb_node *node, uint32_t *stack,
                 uint32_t *depth)
{
    struct vd_trace_node *n = &t->nodes[t->count];

    n->node = *node;
    if (node->op == VD_CX_AND || node->op == VD_CX_OR) {
        if (*depth < 2)
            return false;
        n->right = stack[--*depth];
        n->left = stack[--*depth];
        n->value = operate(t, n);
    } else if (node->op == VD_CX_NOT) {
        if (*depth < 1)
            return false;
        n->left = stack[--*depth];
        n->value = operate(t, n);
    } else {
        n->value = compare(&t->cx, node);
    }
    if (*depth == VD_PDB_MAX_DEPTH)
        return false;
    stack[(*depth)++] = t->count++;
    return true;
}

vd_status vd_trace_constraint(const struct vd_policydb *db, const struct vd_cx *cx, uint32_t first,
                              struct vd_trace *ret)
{
    struct vd_trace t = {.db = db, .cx = *cx};
    uint32_t stack[VD_PDB_MAX_DEPTH];
    uint32_t depth = 0, perms;
    uint32_t end = vd_trace_next(db, first, &perms);

    if (end == UINT32_MAX || end - first < 3 || end - first > VD_PDB_MAX_NODES)
        return VD_E_INVALID;
    t.nodes = calloc(end - first, sizeof(*t.nodes));
    if (t.nodes == NULL)
        return VD_E_NO_MEMORY;
    for (uint32_t i = first + 1; i + 1 < end; i++) {
        const struct vd_pdb_node *node = node_at(db, i);
        if (node == NULL || !grow(&t, node, stack, &depth)) {
            free(t.nodes);
            return VD_E_INVALID;
        }
    }
    *ret = t;
    return VD_OK;
}

void vd_trace_done(struct vd_trace *trace)
{
    free(trace->nodes);
    *trace = (struct vd_trace){};
}

void vd_trace_force(struct vd_trace *trace, uint32_t part, uint32_t bitmap)
{
    for (uint32_t i = 0; i < trace->count; i++) {
        struct vd_trace_node *n = &trace->nodes[i];
        if (n->node.op == VD_CX_NAMES && n->node.left == part && n->node.arg == bitmap)
            n->value = n->node.rel == VD_REL_EQ;
        else if (n->node.op == VD_CX_NOT || n->node.op == VD_CX_AND || n->node.op == VD_CX_OR)
            n->value = operate(trace, n);
    }
}

bool vd_trace_value(const struct vd_trace *trace)
{
    return trace->count != 0 && trace->nodes[trace->count - 1].value;
}

uint32_t vd_trace_attribute(const struct vd_policydb *db, uint32_t bitmap, uint32_t after)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    uint32_t count = head->sections[VD_PDB_TYPES].count;

    for (uint32_t i = after < head->types ? head->types : after + 1; i < count; i++) {
        const struct vd_pdb_type *row = vd_pdb_row(db, VD_PDB_TYPES, i, sizeof(*row));
        /* Equal bitmaps are stored once. */
        if (row != NULL && (row->flags & VD_PDB_TYPE_ATTRIBUTE) != 0 && row->bitmap == bitmap)
            return i;
    }
    return 0;
}

/* True if the text has the name as a whole word. */
static bool names(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = strstr(text, name); p != NULL; p = strstr(p + 1, name)) {
        if ((p == text || strchr(NOT_OF_NAMES, p[-1]) != NULL) &&
            (p[len] == '\0' || strchr(NOT_OF_NAMES, p[len]) != NULL))
            return true;
    }
    return false;
}

/* Of the attributes with these types the one that was written (then true), else the first; 0: none. */
static bool written_attribute(const struct vd_trace *t, uint32_t bitmap, uint32_t *ret)
{
    uint32_t first = vd_trace_attribute(t->db, bitmap, 0);

    *ret = first;
    for (uint32_t i = first; i != 0 && t->written != NULL;
         i = vd_trace_attribute(t->db, bitmap, i)) {
        *ret = i;
        if (names(t->written, vd_policydb_name(t->db, VD_SYM_TYPE, i)))
            return true;
    }
    *ret = first;
    return false;
}

/* The names of a set: an attribute's, or the first few. */
static void print_set(const struct vd_trace *t, const struct vd_pdb_node *node, FILE *out)
{
    const struct vd_pdb_header *head = vd_policydb_header(t->db);
    enum vd_pdb_symbol_kind kind = kind_of(node->left);
    uint32_t count = kind == VD_SYM_USER   ? head->users
                     : kind == VD_SYM_ROLE ? head->roles
                                           : head->types;
    uint32_t in = 0, only = 0, shown = 0, attribute = 0;

    if (kind == VD_SYM_TYPE && written_attribute(t, node->arg, &attribute)) {
        fputs(vd_policydb_name(t->db, kind, attribute), out);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        if (vd_pdb_bit(t->db, node->arg, i)) {
            in++;
            only = i;
        }
    }
    if (in == 1 || (attribute != 0 && in != 0)) {
        fputs(vd_policydb_name(t->db, kind, in == 1 ? only : attribute), out);
        return;
    }
    fputs("{", out);
    for (uint32_t i = 1; i < count && shown < NAMES_SHOWN; i++) {
        if (vd_pdb_bit(t->db, node->arg, i)) {
            fprintf(out, " %s", vd_policydb_name(t->db, kind, i));
            shown++;
        }
    }
    if (in > shown)
        fprintf(out, " and %u more", in - shown);
    fputs(" }", out);
}

void vd_trace_print_node(const struct vd_trace *trace, const struct vd_trace_node *node, FILE *out)
{
    const char *rel = node->node.rel < VD_COUNT(rel_words) ? rel_words[node->node.rel] : NULL;

    fprintf(out, "%s %s ", part_word(node->node.left), rel == NULL ? "?" : rel);
    if (node->node.op == VD_CX_NAMES)
        print_set(trace, &node->node, out);
    else
        fputs(part_word(node->node.right), out);
}

void vd_trace_print_level(const struct vd_policydb *db, const struct vd_mls_level *level, FILE *out)
{
    /* A context with the level alone: its text ends in the level. */
    struct vd_context context = {.low = *level, .high = *level};
    char buf[CONTEXT_BYTES];
    struct vd_text text;
    const char *p = buf;

    vd_text_init(&text, buf, sizeof(buf));
    vd_mac_context_text(db, &context, &text);
    for (uint32_t i = 0; i < 3 && strchr(p, ':') != NULL; i++)
        p = strchr(p, ':') + 1;
    fputs(p, out);
}

static void print_value(const struct vd_trace *t, uint32_t part, FILE *out)
{
    const struct vd_context *context =
        part == VD_PART_L1 || part == VD_PART_H1 ? t->cx.source : t->cx.target;

    fprintf(out, "%s = ", part_word(part));
    if (is_level(part))
        vd_trace_print_level(
            t->db, part == VD_PART_L1 || part == VD_PART_L2 ? &context->low : &context->high, out);
    else
        fputs(vd_policydb_name(t->db, kind_of(part), vd_cx_number(&t->cx, part)), out);
}

void vd_trace_print_values(const struct vd_trace *trace, const struct vd_trace_node *node,
                           FILE *out)
{
    print_value(trace, node->node.left, out);
    if (node->node.op != VD_CX_ATTR)
        return;
    fputs(", ", out);
    print_value(trace, node->node.right, out);
}

/* Prints node `i`. Depth: a chain of `not` may be as long as the constraint, VD_PDB_MAX_NODES. */
static void print_tree(const struct vd_trace *t, uint32_t i, FILE *out)
{
    const struct vd_trace_node *n = &t->nodes[i];

    switch (n->node.op) {
    case VD_CX_NOT:
        fputs("not (", out);
        print_tree(t, n->left, out);
        fputs(")", out);
        return;
    case VD_CX_AND:
    case VD_CX_OR:
        fputs("(", out);
        print_tree(t, n->left, out);
        fputs(n->node.op == VD_CX_AND ? " and " : " or ", out);
        print_tree(t, n->right, out);
        fputs(")", out);
        return;
    default:
        vd_trace_print_node(t, n, out);
        return;
    }
}

void vd_trace_print(const struct vd_trace *trace, FILE *out)
{
    if (trace->count != 0)
        print_tree(trace, trace->count - 1, out);
}

struct blame {
    const struct vd_trace *trace;
    void (*fn)(void *arg, const struct vd_trace *trace, const struct vd_trace_reason *reason);
    void *arg;
};

/* Node `i` has the wrong value: whose fault is it? */
static void blame(const struct blame *b, uint32_t i)
{
    const struct vd_trace_node *n = &b->trace->nodes[i];

    switch (n->node.op) {
    case VD_CX_NOT:
        blame(b, n->left);
        return;
    case VD_CX_AND:
    case VD_CX_OR:
        /* Operands that have the whole's value are to blame; the others are as they should be. */
        if (b->trace->nodes[n->left].value == n->value)
            blame(b, n->left);
        if (b->trace->nodes[n->right].value == n->value)
            blame(b, n->right);
        return;
    default:
        b->fn(b->arg, b->trace, &(struct vd_trace_reason){.node = n, .value = n->value});
        return;
    }
}

void vd_trace_reasons(const struct vd_trace *trace,
                      void (*fn)(void *arg, const struct vd_trace *trace,
                                 const struct vd_trace_reason *reason),
                      void *arg)
{
    struct blame b = {.trace = trace, .fn = fn, .arg = arg};

    if (trace->count != 0 && !vd_trace_value(trace))
        blame(&b, trace->count - 1);
}
