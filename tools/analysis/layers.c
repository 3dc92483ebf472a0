/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/layers.h"

#include <stdlib.h>
#include <string.h>

static uint32_t rows(const struct vd_policydb *db, enum vd_pdb_section section)
{
    return vd_policydb_header(db)->sections[section].count;
}

uint8_t *vd_setting_current(const struct vd_policydb *db)
{
    uint32_t count = rows(db, VD_PDB_BOOLS);
    uint8_t *values = calloc(count + 1u, 1);

    for (uint32_t i = 0; values != NULL && i < count; i++) {
        const struct vd_pdb_bool *row = vd_pdb_row(db, VD_PDB_BOOLS, i, sizeof(*row));
        values[i] = row != NULL && row->value != 0;
    }
    return values;
}

/* The stack is the low bits of one word, as in core/policydb/conditional.c. */
bool vd_layers_condition(const struct vd_pdb_cond_node *nodes, uint32_t count,
                         const uint8_t *values)
{
    uint32_t stack = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t top = stack & 1;
        uint32_t below = stack >> 1 & 1;
        uint32_t rest = stack >> 2 << 1;

        if (nodes[i].op == VD_COND_BOOL)
            stack = stack << 1 | (values[nodes[i].value] != 0);
        else if (nodes[i].op == VD_COND_NOT)
            stack ^= 1;
        else if (nodes[i].op == VD_COND_OR)
            stack = rest | (top | below);
        else if (nodes[i].op == VD_COND_AND)
            stack = rest | (top & below);
        else
            stack = rest | (top ^ below ^ (nodes[i].op == VD_COND_EQ));
    }
    return stack & 1;
}

bool vd_layers_in_force(const struct vd_policydb *db, const struct vd_pdb_cond_rule *rule,
                        const uint8_t *values)
{
    /* The opened blob was checked: a rule's nodes all exist, and name booleans that do. */
    const struct vd_pdb_cond_node *nodes =
        vd_pdb_row(db, VD_PDB_COND_NODES, rule->cond_first, sizeof(*nodes));

    return nodes != NULL &&
           vd_layers_condition(nodes, rule->cond_count, values) == (rule->branch != 0);
}

uint32_t vd_layers_leaf(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf,
                        const uint8_t *values)
{
    uint32_t allowed = leaf->base_allowed;

    for (uint32_t i = 0; i < leaf->cond_count; i++) {
        const struct vd_pdb_cond_rule *rule =
            vd_pdb_row(db, VD_PDB_COND_RULES, leaf->cond_first + i, sizeof(*rule));
        if (rule != NULL && (rule->allowed & ~allowed) != 0 && vd_layers_in_force(db, rule, values))
            allowed |= rule->allowed;
    }
    return allowed;
}

/* Adds a pair; false (and no pair at all) if the policy has no such types. */
static bool add_pair(struct vd_layers *l, uint32_t source, uint32_t target)
{
    const struct vd_pdb_leaf *leaf = vd_te_leaf(l->db, source, target, l->class);

    if (leaf == NULL || l->count == VD_LAYERS_PAIRS) {
        l->count = 0;
        l->fixed = 0;
        return false;
    }
    l->pairs[l->count].source = source;
    l->pairs[l->count].target = target;
    l->pairs[l->count++].leaf = leaf;
    return true;
}

/* The bounding pairs, as vd_decide_bounds walks them. */
static void add_bounds(struct vd_layers *l, uint32_t source, uint32_t target)
{
    while (add_pair(l, source, target)) {
        const struct vd_pdb_type *s = vd_te_type(l->db, source);
        const struct vd_pdb_type *t = vd_te_type(l->db, target);
        if (s == NULL || s->bounds == 0)
            return;
        source = s->bounds;
        if (t != NULL && t->bounds != 0)
            target = t->bounds;
    }
}

static bool begin(struct vd_layers *ret, const struct vd_policydb *db, uint32_t class)
{
    const struct vd_pdb_class *row = vd_pdb_row(db, VD_PDB_CLASSES, class, sizeof(*row));

    *ret = (struct vd_layers){.db = db, .class = class};
    if (row == NULL || class == 0)
        return false;
    ret->perms = ret->fixed = vd_class_perms(row);
    return true;
}

void vd_layers_types(struct vd_layers *ret, const struct vd_policydb *db, uint32_t source,
                     uint32_t target, uint32_t class)
{
    if (begin(ret, db, class))
        add_bounds(ret, source, target);
}

void vd_layers_contexts(struct vd_layers *ret, const struct vd_policydb *db,
                        const struct vd_context *source, const struct vd_context *target,
                        uint32_t class)
{
    const struct vd_pdb_header *head = vd_policydb_header(db);
    const struct vd_pdb_class *row = vd_pdb_row(db, VD_PDB_CLASSES, class, sizeof(*row));

    if (!begin(ret, db, class) || row == NULL)
        return;
    if (!vd_decide_known(head, source) || !vd_decide_known(head, target)) {
        ret->fixed = 0;
        return;
    }
    add_bounds(ret, source->type, target->type);
    for (uint32_t i = 0; i < ret->count; i++) {
        struct vd_cx cx = {.db = *db,
                           .source = source,
                           .target = target,
                           .source_type = ret->pairs[i].source,
                           .target_type = ret->pairs[i].target,
                           .allowed = ret->fixed};
        vd_cx_run(&cx, row->node_first, row->node_count);
        ret->fixed = cx.allowed;
    }
    if (source->role != target->role && !vd_rbac_allows(db, source->role, target->role))
        ret->fixed &= ~row->role_perms;
}

uint32_t vd_layers_allowed(const struct vd_layers *layers, const uint8_t *values)
{
    uint32_t allowed = layers->count == 0 ? 0 : layers->fixed;

    for (uint32_t i = 0; i < layers->count && allowed != 0; i++)
        allowed &= vd_layers_leaf(layers->db, layers->pairs[i].leaf, values);
    return allowed;
}

static bool contains(const uint32_t *list, uint32_t count, uint32_t value)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == value)
            return true;
    }
    return false;
}

/* A list that booleans are added to. */
struct bool_list {
    uint32_t *list, *count, max;
};

/* Adds the booleans of one condition. */
static bool add_bools(const struct vd_policydb *db, uint32_t first, uint32_t nodes,
                      struct bool_list *ret)
{
    for (uint32_t i = 0; i < nodes; i++) {
        const struct vd_pdb_cond_node *node =
            vd_pdb_row(db, VD_PDB_COND_NODES, first + i, sizeof(*node));
        if (node == NULL || node->op != VD_COND_BOOL ||
            contains(ret->list, *ret->count, node->value))
            continue;
        if (*ret->count == ret->max)
            return false;
        ret->list[(*ret->count)++] = node->value;
    }
    return true;
}

bool vd_layers_bools(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf, uint32_t *list,
                     uint32_t *count, uint32_t max)
{
    struct bool_list ret = {list, count, max};
    bool good = true;

    for (uint32_t i = 0; good && i < leaf->cond_count; i++) {
        const struct vd_pdb_cond_rule *rule =
            vd_pdb_row(db, VD_PDB_COND_RULES, leaf->cond_first + i, sizeof(*rule));
        good = rule == NULL || add_bools(db, rule->cond_first, rule->cond_count, &ret);
    }
    return good;
}

bool vd_layers_xperm_bools(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf,
                           uint32_t *list, uint32_t *count, uint32_t max)
{
    struct bool_list ret = {list, count, max};
    bool good = true;

    for (uint32_t i = 0; good && i < leaf->xperm_count; i++) {
        const struct vd_pdb_xperm *row =
            vd_pdb_row(db, VD_PDB_XPERMS, leaf->xperm_first + i, sizeof(*row));
        good = row == NULL || add_bools(db, row->cond_first, row->cond_count, &ret);
    }
    return good;
}

/* True if the row is in force under the setting. */
static bool xperm_in_force(const struct vd_policydb *db, const struct vd_pdb_xperm *row,
                           const uint8_t *values)
{
    const struct vd_pdb_cond_node *nodes;

    if (row->cond_count == 0)
        return true;
    nodes = vd_pdb_row(db, VD_PDB_COND_NODES, row->cond_first, sizeof(*nodes));
    return nodes != NULL &&
           vd_layers_condition(nodes, row->cond_count, values) == (row->branch != 0);
}

uint32_t vd_layers_xperm(const struct vd_policydb *db, const struct vd_pdb_leaf *leaf,
                         const uint8_t *values, uint32_t key)
{
    uint32_t driver = key >> 8 & 0xff, said = 0;

    for (uint32_t i = 0; i < leaf->xperm_count; i++) {
        const struct vd_pdb_xperm *row =
            vd_pdb_row(db, VD_PDB_XPERMS, leaf->xperm_first + i, sizeof(*row));
        bool whole = row != NULL && (row->flags & VD_XPERM_WHOLE) != 0;
        uint32_t bit = whole ? driver : key & 0xff;
        if (row == NULL || !xperm_in_force(db, row, values))
            continue;
        said |= VD_XPERM_DEFINED;
        if (row->rule == VD_XPERM_ALLOW && row->kind == key >> 16 &&
            (whole || row->driver == driver) && (row->bits[bit / 64] >> (bit % 64) & 1) != 0)
            said |= VD_XPERM_ALLOWED;
    }
    return said;
}

/* Sets the booleans of `list` to the bits of `bits`. */
static void spread(uint8_t *values, const uint32_t *list, uint32_t count, uint32_t bits)
{
    for (uint32_t i = 0; i < count; i++)
        values[list[i]] = bits >> i & 1;
}

vd_status vd_layers_settings(const struct vd_layers *layers, uint8_t *values, uint32_t seek,
                             bool deny, struct vd_layers_span *ret)
{
    uint32_t list[VD_LAYERS_MAX_BOOLS];
    uint32_t count = 0, before = 0, found = UINT32_MAX;
    uint32_t ever = 0, always = layers->perms;

    for (uint32_t i = 0; i < layers->count; i++) {
        if (!vd_layers_bools(layers->db, layers->pairs[i].leaf, list, &count, VD_LAYERS_MAX_BOOLS))
            return VD_E_LIMIT;
    }
    for (uint32_t i = 0; i < count; i++)
        before |= (uint32_t)values[list[i]] << i;
    /* The policy's own setting comes first: a counterexample under it tells the most. */
    for (uint32_t n = 0; n < 1u << count; n++) {
        uint32_t allowed;
        spread(values, list, count, before ^ n);
        allowed = vd_layers_allowed(layers, values);
        ever |= allowed;
        always &= allowed;
        if (found == UINT32_MAX && ((deny ? ~allowed : allowed) & seek) != 0)
            found = before ^ n;
    }
    spread(values, list, count, found != UINT32_MAX ? found : before);
    *ret = (struct vd_layers_span){.ever = ever, .always = always};
    return VD_OK;
}
