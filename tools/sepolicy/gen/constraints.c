/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Constraints, laid out class by class.
 */
#include "tools/sepolicy/gen/codegen.h"

/* What a constraint names, resolved once for all of its classes. */
struct resolved {
    const struct vd_sp_constraint *from;
    uint64_t *classes;
    uint32_t *names; /* first word of each node's set, by node */
    bool good;
};

static bool resolve_names(struct vd_sp_image *image, const struct vd_sp_node *node, uint32_t *ret)
{
    struct vd_sp_checked *c = image->c;
    const struct vd_sp_set *set = &c->sp->constraint_sets.data[node->names];
    bool user = node->node.left <= VD_PART_U3;
    uint32_t words = user ? c->user_words : c->role_words;
    uint64_t *bits;
    uint32_t types;

    if (node->node.left >= VD_PART_T1) {
        if (!vd_sp_resolve_types(c, set, &types, NULL))
            return false;
        *ret = vd_sp_gen_bitmap(image, c->sets.data[types].words, c->type_words);
        return true;
    }
    bits = vd_sp_alloc_array(&c->sp->arena, words, sizeof(*bits));
    if (!vd_sp_resolve_plain(c, user ? VD_SP_USER : VD_SP_ROLE, set, bits))
        return false;
    *ret = vd_sp_gen_bitmap(image, bits, words);
    return true;
}

static void resolve(struct vd_sp_image *image, const struct vd_sp_constraint *from,
                    struct resolved *ret)
{
    struct vd_sp_checked *c = image->c;
    uint32_t words = VD_BITMAP_WORDS(c->classes.count);

    ret->from = from;
    ret->classes = vd_sp_alloc_array(&c->sp->arena, words, sizeof(*ret->classes));
    ret->names = vd_sp_alloc_array(&c->sp->arena, from->node_count, sizeof(*ret->names));
    ret->good = vd_sp_resolve_plain(c, VD_SP_CLASS, &from->classes, ret->classes);
    for (uint32_t i = 0; i < from->node_count; i++) {
        const struct vd_sp_node *node = &c->sp->nodes.data[from->node_first + i];

        if (node->node.op == VD_CX_NAMES)
            ret->good &= resolve_names(image, node, &ret->names[i]);
    }
}

static void emit(struct vd_sp_image *image, const struct resolved *r, uint32_t perms)
{
    struct vd_sp *sp = image->c->sp;
    uint32_t length = r->from->node_count + 1;

    while (image->node_from.count <= image->nodes.count)
        *VD_SP_PUSH(&sp->arena, &image->node_from) = r->from->node_first;
    *VD_SP_PUSH(&sp->arena, &image->nodes) = (struct vd_pdb_node){
        .op = VD_CX_BEGIN, .left = (uint8_t)length, .right = (uint8_t)(length >> 8), .arg = perms};
    for (uint32_t i = 0; i < r->from->node_count; i++) {
        struct vd_pdb_node *node = VD_SP_PUSH(&sp->arena, &image->nodes);

        *node = sp->nodes.data[r->from->node_first + i].node;
        node->arg = r->names[i];
    }
    *VD_SP_PUSH(&sp->arena, &image->nodes) = (struct vd_pdb_node){.op = VD_CX_END, .arg = perms};
}

/* The constraints grouped by class: rows first[c] to first[c + 1] of `rows` are class c's. */
struct by_class {
    const struct resolved *list;
    uint32_t *first;
    uint32_t *rows; /* of list, in its order */
};

static void group(struct vd_sp_checked *c, struct by_class *ret)
{
    struct vd_sp_arena *arena = &c->sp->arena;
    uint32_t words = VD_BITMAP_WORDS(c->classes.count);
    uint32_t *at = vd_sp_alloc_array(arena, c->classes.count + 1, sizeof(*at));

    ret->first = vd_sp_alloc_array(arena, c->classes.count + 1, sizeof(*ret->first));
    for (uint32_t i = 0; i < c->sp->constraints.count; i++) {
        if (ret->list[i].good) {
            VD_SP_FOR_EACH_BIT (ret->list[i].classes, words, class)
                ret->first[class + 1]++;
        }
    }
    for (uint32_t i = 0; i < c->classes.count; i++)
        at[i + 1] = ret->first[i + 1] += ret->first[i];
    ret->rows = vd_sp_alloc_array(arena, ret->first[c->classes.count], sizeof(*ret->rows));
    for (uint32_t i = 0; i < c->sp->constraints.count; i++) {
        if (ret->list[i].good) {
            VD_SP_FOR_EACH_BIT (ret->list[i].classes, words, class)
                ret->rows[at[class]++] = i;
        }
    }
}

/* The constraints of one class, either kind; false: too many nodes (reported). */
static bool gen_class(struct vd_sp_image *image, const struct by_class *grouped, uint32_t class,
                      bool transition)
{
    struct vd_sp_checked *c = image->c;
    uint32_t first = image->nodes.count;

    for (uint32_t i = grouped->first[class]; i < grouped->first[class + 1]; i++) {
        const struct resolved *r = &grouped->list[grouped->rows[i]];
        uint32_t perms = 0;

        if (r->from->transition != transition)
            continue;
        if (!transition && (!vd_sp_resolve_perms(c, &r->from->perms, class, &perms) || perms == 0))
            continue;
        if (image->nodes.count - first + r->from->node_count + 2 > VD_PDB_MAX_NODES) {
            vd_sp_error(&c->sp->messages, r->from->place,
                        "the constraints of class '%s' have more than %u parts",
                        vd_sp_str(c->sp, c->sp->symbols.data[c->classes.symbols[class]].name),
                        VD_PDB_MAX_NODES);
            return false;
        }
        emit(image, r, perms);
    }
    return true;
}

void vd_sp_gen_constraints(struct vd_sp_image *image)
{
    struct vd_sp_checked *c = image->c;
    struct vd_sp *sp = c->sp;
    struct resolved *list = vd_sp_alloc_array(&sp->arena, sp->constraints.count, sizeof(*list));
    struct by_class grouped = {.list = list};

    for (uint32_t i = 0; i < sp->constraints.count; i++) {
        if (vd_sp_on(sp, sp->constraints.data[i].block) &&
            (sp->mls || !sp->constraints.data[i].mls))
            resolve(image, &sp->constraints.data[i], &list[i]);
    }
    group(c, &grouped);
    for (uint32_t class = 1; class < c->classes.count; class ++) {
        uint32_t first = image->nodes.count, middle;

        if (!gen_class(image, &grouped, class, false))
            return;
        middle = image->nodes.count;
        if (!gen_class(image, &grouped, class, true))
            return;
        image->classes.data[class].node_first = first;
        image->classes.data[class].node_count = middle - first;
        image->classes.data[class].vtrans_first = middle;
        image->classes.data[class].vtrans_count = image->nodes.count - middle;
    }
}
