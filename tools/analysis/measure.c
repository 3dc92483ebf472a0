/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tools/analysis/change.h"

/*
 * What one type may do and what may be done to it, after a change: permissions by
 * class and other type. `ever`: with conditional rules counted as in force, which
 * is what neverallow speaks about.
 */
struct cells {
    const struct vd_inquiry *q;
    const struct vd_change *change;
    uint32_t type;    /* that the change gives attributes */
    uint32_t types;   /* of the policy */
    uint32_t *out[2]; /* type as source: now, ever */
    uint32_t *in[2];  /* type as target */
    uint64_t *set;    /* scratch: the other side of a rule */
};

enum { NOW, EVER };

static void cells_done(struct cells *c)
{
    for (int i = 0; i < 2; i++) {
        free(c->out[i]);
        free(c->in[i]);
    }
    free(c->set);
}

static vd_status cells_init(struct cells *c, const struct vd_inquiry *q,
                            const struct vd_change *change, uint32_t type)
{
    const struct vd_pdb_header *head = vd_policydb_header(q->db);
    size_t count = (size_t)head->classes * head->types;

    *c = (struct cells){.q = q, .change = change, .type = type, .types = head->types};
    c->set = calloc(VD_BITMAP_WORDS(head->types) + 1u, sizeof(*c->set));
    for (int i = 0; i < 2; i++) {
        c->out[i] = calloc(count + 1, sizeof(uint32_t));
        c->in[i] = calloc(count + 1, sizeof(uint32_t));
    }
    if (c->set != NULL && c->out[0] != NULL && c->out[1] != NULL && c->in[0] != NULL &&
        c->in[1] != NULL)
        return VD_OK;
    cells_done(c);
    return VD_E_NO_MEMORY;
}

/* The set's types after the change: only types that gain an attribute can differ. */
static void expand(struct cells *c, uint32_t set)
{
    vd_rulebook_expand(c->q->book, c->q->db, set, c->set);
    for (uint32_t i = 0; i < c->change->count; i++) {
        const struct vd_edit *e = &c->change->edits[i];
        if (e->kind != VD_EDIT_ATTRIBUTE)
            continue;
        if (vd_change_holds(c->q, c->change, set, e->source))
            vd_bitmap_set(c->set, e->source);
        else
            vd_bitmap_clear(c->set, e->source);
    }
}

static void put(uint32_t *cell, const struct vd_rule *rule)
{
    if (rule->kind == VD_RULE_DENY)
        *cell &= ~rule->perms;
    else
        *cell |= rule->perms;
}

/* The rule with the type on one side: `rows` by the other side's type. */
static void put_side(struct cells *c, const struct vd_rule *rule, uint32_t other, uint32_t **rows,
                     bool now)
{
    size_t first = (size_t)rule->class * c->types;
    bool self = vd_change_reaches(c->q, c->change, rule, c->type, c->type);

    expand(c, other);
    if (self)
        vd_bitmap_set(c->set, c->type);
    else
        vd_bitmap_clear(c->set, c->type);
    for (uint32_t w = 0; w < VD_BITMAP_WORDS(c->types); w++) {
        for (uint64_t word = c->set[w]; word != 0; word &= word - 1) {
            uint32_t t = w * 64 + (uint32_t)__builtin_ctzll(word);
            if (now)
                put(&rows[NOW][first + t], rule);
            put(&rows[EVER][first + t], rule);
        }
    }
}

static void put_rule(struct cells *c, const struct vd_rule *rule)
{
    bool now = vd_change_in_force(c->q, c->change, rule);

    if (vd_change_holds(c->q, c->change, rule->source, c->type))
        put_side(c, rule, rule->target, c->out, now);
    if (vd_change_holds(c->q, c->change, rule->target, c->type))
        put_side(c, rule, rule->source, c->in, now);
}

static void fill(struct cells *c)
{
    const struct vd_rulebook *book = c->q->book;

    for (uint32_t i = 0; i < book->rule_count; i++) {
        if (book->rules[i].kind == VD_RULE_ALLOW)
            put_rule(c, &book->rules[i]);
    }
    /* As the language says: after all allow rules. */
    for (uint32_t i = 0; i < book->rule_count; i++) {
        if (book->rules[i].kind == VD_RULE_DENY)
            put_rule(c, &book->rules[i]);
    }
}

static uint32_t before(const struct vd_inquiry *q, uint32_t source, uint32_t target, uint32_t class)
{
    const struct vd_pdb_leaf *leaf = vd_te_leaf(q->db, source, target, class);

    return leaf == NULL ? 0 : vd_layers_leaf(q->db, leaf, q->values);
}

/* True for a type that an edit before `index` gave an attribute: its cells are counted already. */
static bool counted(const struct vd_change *change, uint32_t index, uint32_t type)
{
    for (uint32_t i = 0; i < index; i++) {
        if (change->edits[i].kind == VD_EDIT_ATTRIBUTE && change->edits[i].source == type)
            return true;
    }
    return false;
}

static uint64_t opened(const struct cells *c, uint32_t index)
{
    const struct vd_pdb_header *head = vd_policydb_header(c->q->db);
    uint64_t sum = 0;

    for (uint32_t class = 1; class < head->classes; class ++) {
        for (uint32_t t = 1; t < head->types; t++) {
            size_t at = (size_t) class * c->types + t;
            uint32_t out = c->out[NOW][at];
            uint32_t in = c->in[NOW][at];
            if ((out | in) == 0 || counted(c->change, index, t))
                continue;
            if (out != 0)
                sum += (uint32_t)__builtin_popcount(out & ~before(c->q, c->type, t, class));
            if (in != 0 && t != c->type)
                sum += (uint32_t)__builtin_popcount(in & ~before(c->q, t, c->type, class));
        }
    }
    return sum;
}

/* True if the rule forbids the pair what it has. */
static bool forbids(const struct vd_inquiry *q, const struct vd_change *change,
                    const struct vd_rule *rule, uint32_t source, uint32_t target)
{
    return vd_change_reaches(q, change, rule, source, target) &&
           (rule->kind == VD_RULE_NEVERALLOW ||
            vd_change_breaks_xperm(q, change, rule, source, target));
}

/* The first cell of the type that the rule forbids, with the type on either side. */
static bool violates(struct cells *c, const struct vd_rule *rule, struct vd_refusal *ret)
{
    size_t first = (size_t)rule->class * c->types;

    for (uint32_t t = 1; t < c->types; t++) {
        uint32_t out = c->out[EVER][first + t] & rule->perms;
        uint32_t in = c->in[EVER][first + t] & rule->perms;
        if (out != 0 && forbids(c->q, c->change, rule, c->type, t)) {
            *ret = (struct vd_refusal){rule, c->type, t, out};
            return true;
        }
        if (in != 0 && forbids(c->q, c->change, rule, t, c->type)) {
            *ret = (struct vd_refusal){rule, t, c->type, in};
            return true;
        }
    }
    return false;
}

static void refuse(struct cells *c, struct vd_refusal *ret)
{
    const struct vd_rulebook *book = c->q->book;

    for (uint32_t i = 0; i < book->rule_count && ret->rule == NULL; i++) {
        if (book->rules[i].kind == VD_RULE_NEVERALLOW ||
            book->rules[i].kind == VD_RULE_NEVERALLOWXPERM)
            (void)violates(c, &book->rules[i], ret);
    }
}

/* An attribute lifts a constraint that names it: what the type rules allow there may become allowed. */
static uint64_t lifted(const struct vd_inquiry *q, uint32_t type, uint32_t part, uint32_t class,
                       uint32_t perms)
{
    uint32_t types = vd_policydb_header(q->db)->types;
    uint64_t sum = 0;

    for (uint32_t t = 1; t < types; t++)
        sum += (uint32_t)__builtin_popcount(
            perms & (part == VD_PART_T1 ? before(q, type, t, class) : before(q, t, type, class)));
    return sum;
}

static uint64_t constraints_of_class(const struct vd_inquiry *q, const struct vd_edit *e,
                                     uint32_t bitmap, uint32_t class)
{
    const struct vd_pdb_class *row = vd_pdb_row(q->db, VD_PDB_CLASSES, class, sizeof(*row));
    uint32_t source = 0, target = 0, perms = 0;

    for (uint32_t i = 0; row != NULL && i < row->node_count; i++) {
        const struct vd_pdb_node *node =
            vd_pdb_row(q->db, VD_PDB_NODES, row->node_first + i, sizeof(*node));
        if (node == NULL)
            break;
        if (node->op == VD_CX_BEGIN)
            perms = node->arg;
        if (node->op == VD_CX_NAMES && node->arg == bitmap && node->left == VD_PART_T1)
            source |= perms;
        if (node->op == VD_CX_NAMES && node->arg == bitmap && node->left == VD_PART_T2)
            target |= perms;
    }
    return (source == 0 ? 0 : lifted(q, e->source, VD_PART_T1, class, source)) +
           (target == 0 ? 0 : lifted(q, e->source, VD_PART_T2, class, target));
}

static uint64_t constraints_opened(const struct vd_inquiry *q, const struct vd_edit *e)
{
    const struct vd_pdb_type *row = vd_pdb_row(q->db, VD_PDB_TYPES, e->target, sizeof(*row));
    uint64_t sum = 0;

    for (uint32_t c = 1; row != NULL && c < vd_policydb_header(q->db)->classes; c++)
        sum += constraints_of_class(q, e, row->bitmap, c);
    return sum;
}

static vd_status measure_attribute(const struct vd_inquiry *q, struct vd_change *change,
                                   uint32_t index)
{
    const struct vd_edit *e = &change->edits[index];
    struct cells c;

    change->opens += constraints_opened(q, e);
    if (counted(change, index, e->source))
        return VD_OK;
    VD_TRY(cells_init(&c, q, change, e->source));
    fill(&c);
    change->opens += opened(&c, index);
    if (change->refusal.rule == NULL)
        refuse(&c, &change->refusal);
    cells_done(&c);
    return VD_OK;
}

static void measure_allow(const struct vd_inquiry *q, struct vd_change *change,
                          const struct vd_edit *e)
{
    change->opens +=
        (uint32_t)__builtin_popcount(e->perms & ~before(q, e->source, e->target, e->class));
    for (uint32_t i = q->class_first[e->class]; i < q->class_first[e->class + 1]; i++) {
        const struct vd_rule *rule = &q->book->rules[q->rules[i]];
        if (change->refusal.rule == NULL && rule->kind == VD_RULE_NEVERALLOW &&
            (rule->perms & e->perms) != 0 &&
            vd_change_reaches(q, change, rule, e->source, e->target))
            change->refusal =
                (struct vd_refusal){rule, e->source, e->target, rule->perms & e->perms};
    }
}

/* Rules on the numbers of a permission; the edit is its rule, or one number of it. */
static void measure_xperm(const struct vd_inquiry *q, struct vd_change *change,
                          const struct vd_edit *e)
{
    for (uint32_t i = 0; i < q->xperm_count; i++) {
        const struct vd_rule *rule = &q->book->rules[q->xperms[i]];
        if (change->refusal.rule == NULL && rule->kind == VD_RULE_NEVERALLOWXPERM &&
            rule->class == e->class && (rule->perms & e->perms) != 0 &&
            forbids(q, change, rule, e->source, e->target))
            change->refusal =
                (struct vd_refusal){rule, e->source, e->target, rule->perms & e->perms};
    }
}

/* Role allow: what the types of both roles may do to each other that needs it. */
static void measure_role(const struct vd_inquiry *q, struct vd_change *change,
                         const struct vd_edit *e)
{
    const struct vd_pdb_header *head = vd_policydb_header(q->db);

    for (uint32_t c = 1; c < head->classes; c++) {
        const struct vd_pdb_class *row = vd_pdb_row(q->db, VD_PDB_CLASSES, c, sizeof(*row));
        if (row == NULL || row->role_perms == 0)
            continue;
        for (uint32_t s = 1; s < head->types; s++) {
            if (!vd_rbac_role_has_type(q->db, e->source, s))
                continue;
            for (uint32_t t = 1; t < head->types; t++) {
                if (vd_rbac_role_has_type(q->db, e->target, t))
                    change->opens +=
                        (uint32_t)__builtin_popcount(row->role_perms & before(q, s, t, c));
            }
        }
    }
}

/*
 * How many (source type, target type, class) use each leaf, times what the leaf gains:
 * pages of the trie are shared, so whole pages are counted at once.
 */
static uint64_t leaves_gain(const struct vd_policydb *db, const uint64_t *uses,
                            const uint8_t *values, const uint8_t *after)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < vd_policydb_header(db)->sections[VD_PDB_TE_LEAVES].count; i++) {
        const struct vd_pdb_leaf *leaf = vd_pdb_row(db, VD_PDB_TE_LEAVES, i, sizeof(*leaf));
        if (leaf != NULL && leaf->cond_count != 0 && uses[i] != 0)
            sum += uses[i] * (uint32_t)__builtin_popcount(vd_layers_leaf(db, leaf, after) &
                                                          ~vd_layers_leaf(db, leaf, values));
    }
    return sum;
}

/* Carries the uses of `from` pages to the pages below: `width` entries each in `section`. */
static void carry(const struct vd_policydb *db, enum vd_pdb_section section, uint32_t width,
                  const uint64_t *uses, uint64_t *below)
{
    uint32_t count = vd_policydb_header(db)->sections[section].count;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *entry = vd_pdb_row(db, section, i, sizeof(*entry));
        if (entry != NULL && *entry != 0)
            below[*entry] += uses == NULL ? 1 : uses[i / width];
    }
}

static vd_status measure_booleans(const struct vd_inquiry *q, struct vd_change *change)
{
    const struct vd_pdb_header *head = vd_policydb_header(q->db);
    uint32_t bools = head->sections[VD_PDB_BOOLS].count;
    uint64_t *rows = calloc(head->sections[VD_PDB_TE_ROWS].count + 1u, sizeof(*rows));
    uint64_t *blocks = calloc(head->sections[VD_PDB_TE_BLOCKS].count + 1u, sizeof(*blocks));
    uint64_t *leaves = calloc(head->sections[VD_PDB_TE_LEAVES].count + 1u, sizeof(*leaves));
    uint8_t *after = malloc(bools + 1u);
    vd_status status = VD_E_NO_MEMORY;

    if (rows != NULL && blocks != NULL && leaves != NULL && after != NULL) {
        memcpy(after, q->values, bools);
        for (uint32_t i = 0; i < change->count; i++) {
            if (change->edits[i].kind == VD_EDIT_BOOLEAN)
                after[change->edits[i].source] = (uint8_t)change->edits[i].target;
        }
        carry(q->db, VD_PDB_TE_ROOT, 1, NULL, rows);
        carry(q->db, VD_PDB_TE_ROWS, head->blocks, rows, blocks);
        carry(q->db, VD_PDB_TE_BLOCKS, VD_PDB_BLOCK_TYPES, blocks, leaves);
        change->opens += leaves_gain(q->db, leaves, q->values, after);
        status = VD_OK;
    }
    free(rows);
    free(blocks);
    free(leaves);
    free(after);
    return status;
}

/* True if a rule for a number narrows what another edit gives: it opens nothing more. */
static bool narrows(const struct vd_change *change, const struct vd_edit *number)
{
    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        if (e->kind == VD_EDIT_ALLOW && e->source == number->source &&
            e->target == number->target && e->class == number->class &&
            (e->perms & number->perms) != 0)
            return true;
    }
    return false;
}

vd_status vd_change_measure(const struct vd_inquiry *inquiry, struct vd_change *change)
{
    bool booleans = false;

    change->opens = 0;
    change->refusal = (struct vd_refusal){};
    for (uint32_t i = 0; i < change->count; i++) {
        const struct vd_edit *e = &change->edits[i];
        if (e->kind == VD_EDIT_ATTRIBUTE)
            VD_TRY(measure_attribute(inquiry, change, i));
        else if (e->kind == VD_EDIT_ALLOW)
            measure_allow(inquiry, change, e);
        else if (e->kind == VD_EDIT_ROLE_ALLOW)
            measure_role(inquiry, change, e);
        else if (e->kind == VD_EDIT_BOOLEAN)
            booleans = true;
        else
            change->opens += !narrows(change, e); /* one number of a permission */
        if (e->kind == VD_EDIT_ALLOW || e->kind == VD_EDIT_ALLOWXPERM)
            measure_xperm(inquiry, change, e);
    }
    return booleans ? measure_booleans(inquiry, change) : VD_OK;
}
