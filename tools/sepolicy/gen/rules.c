/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/gen/reuse.h"

#include <string.h>

/* Turns counts in first[1…n] into starts; first[0…n] afterwards. */
static void sum_up(uint32_t *first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        first[i + 1] += first[i];
}

/* Groups the rules by their source set. */
static void group_by_set(struct vd_sp_te *te)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp_arena *arena = &c->sp->arena;
    uint32_t *at = vd_sp_alloc_array(arena, c->sets.count + 1, sizeof(*at));

    te->set_first = vd_sp_alloc_array(arena, c->sets.count + 1, sizeof(uint32_t));
    te->by_set = vd_sp_alloc_array(arena, c->avs.count, sizeof(uint32_t));
    for (uint32_t i = 0; i < c->avs.count; i++)
        te->set_first[c->avs.data[i].source + 1]++;
    sum_up(te->set_first, c->sets.count);
    memcpy(at, te->set_first, (c->sets.count + 1) * sizeof(*at));
    for (uint32_t i = 0; i < c->avs.count; i++)
        te->by_set[at[c->avs.data[i].source]++] = i;
}

/* For each type the sets with rules that contain it. */
static void group_by_type(struct vd_sp_te *te)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp_arena *arena = &c->sp->arena;
    uint32_t *at = vd_sp_alloc_array(arena, c->type_count + 1, sizeof(*at));

    te->type_first = vd_sp_alloc_array(arena, c->type_count + 1, sizeof(uint32_t));
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t s = 0; s < c->sets.count; s++) {
            if (te->set_first[s] == te->set_first[s + 1])
                continue;
            VD_SP_FOR_EACH_BIT (c->sets.data[s].words, c->type_words, type) {
                if (pass == 0)
                    te->type_first[type + 1]++;
                else
                    te->by_type[at[type]++] = s;
            }
        }
        if (pass == 0) {
            sum_up(te->type_first, c->type_count);
            memcpy(at, te->type_first, (c->type_count + 1) * sizeof(*at));
            te->by_type = vd_sp_alloc_array(arena, te->type_first[c->type_count], sizeof(uint32_t));
        }
    }
}

/* The rules whose source includes the type, grouped by class, in `list`. */
static void gather(struct vd_sp_te *te, uint32_t source, uint32_t *at)
{
    struct vd_sp_checked *c = te->image->c;
    uint32_t total = 0;

    memset(te->class_first, 0, (c->classes.count + 1) * sizeof(*te->class_first));
    for (uint32_t i = te->type_first[source]; i < te->type_first[source + 1]; i++) {
        uint32_t set = te->by_type[i];

        for (uint32_t r = te->set_first[set]; r < te->set_first[set + 1]; r++)
            te->class_first[c->avs.data[te->by_set[r]].class + 1]++;
        total += te->set_first[set + 1] - te->set_first[set];
    }
    sum_up(te->class_first, c->classes.count);
    while (te->list.count < total)
        (void)VD_SP_PUSH(&c->sp->arena, &te->list);
    memcpy(at, te->class_first, (c->classes.count + 1) * sizeof(*at));
    for (uint32_t i = te->type_first[source]; i < te->type_first[source + 1]; i++) {
        uint32_t set = te->by_type[i];

        for (uint32_t r = te->set_first[set]; r < te->set_first[set + 1]; r++)
            te->list.data[at[c->avs.data[te->by_set[r]].class]++] = te->by_set[r];
    }
}

static void warn_deny(struct vd_sp_te *te)
{
    struct vd_sp *sp = te->image->c->sp;

    for (uint32_t i = 0; i < sp->rules.count; i++) {
        if (sp->rules.data[i].kind == VD_SP_DENY && vd_sp_on(sp, sp->rules.data[i].block) &&
            !te->effect[i])
            vd_sp_warning(&sp->messages, sp->rules.data[i].place, NULL,
                          "this rule does nothing: no allow rule gives what it denies");
    }
}

static void prepare(struct vd_sp_te *te)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp_arena *arena = &c->sp->arena;
    size_t cells = (size_t)c->type_words * 64;

    te->row.cells = vd_sp_alloc_array(arena, cells, sizeof(*te->row.cells));
    te->row.possible = vd_sp_alloc_array(arena, cells, sizeof(*te->row.possible));
    te->row.touched = vd_sp_alloc_array(arena, VD_BITMAP_WORDS(c->type_words), sizeof(uint64_t));
    te->effect = vd_sp_alloc_array(arena, c->sp->rules.count, sizeof(*te->effect));
    te->reported = vd_sp_alloc_array(arena, c->sp->rules.count, sizeof(*te->reported));
    te->class_first = vd_sp_alloc_array(arena, c->classes.count + 1, sizeof(uint32_t));
    group_by_set(te);
    group_by_type(te);
    vd_sp_xperms_init(te);
    vd_sp_leaves_init(te);
}

/* Gives back what only the building needed. */
static void finish(struct vd_sp_te *te)
{
    struct vd_sp_checked *c = te->image->c;
    struct vd_sp_arena *arena = &c->sp->arena;
    size_t cells = (size_t)c->type_words * 64;

    vd_sp_release(arena, te->row.cells, cells * sizeof(*te->row.cells));
    vd_sp_release(arena, te->row.possible, cells * sizeof(*te->row.possible));
    VD_SP_VEC_RELEASE(arena, &te->row.parts);
    VD_SP_VEC_RELEASE(arena, &te->list);
    vd_sp_release(arena, te->by_set, c->avs.count * sizeof(*te->by_set));
    vd_sp_release(arena, te->by_type, te->type_first[c->type_count] * sizeof(*te->by_type));
    vd_sp_pool_release(&te->leaf_keys);
    vd_sp_pool_freeze(&te->image->rows);
    vd_sp_pool_freeze(&te->image->blocks);
}

/* The rows of one source; what `reuse` (may be NULL) knows already is not built again. */
static void gen_source(struct vd_sp_te *te, struct vd_sp_reuse *reuse, uint32_t source,
                       uint32_t *at)
{
    struct vd_sp_checked *c = te->image->c;
    uint32_t *root = te->image->te_root + (size_t)source * c->classes.count;
    bool gathered = reuse == NULL;

    if (reuse != NULL)
        vd_sp_reuse_source(reuse, source);
    else
        gather(te, source, at);
    vd_sp_xperms_gather(te, source);
    for (uint32_t class = 1; class < c->classes.count; class ++) {
        bool extended = vd_sp_xperms_fill(te, source, class);

        /* Rows with extended permissions are few: they are always built. */
        if (reuse != NULL && !extended &&
            (reuse->sums[class].rules == 0 || vd_sp_reuse_row(reuse, source, class, &root[class])))
            continue;
        if (!gathered)
            gather(te, source, at);
        gathered = true;
        if (te->class_first[class] == te->class_first[class + 1] && !extended)
            continue;
        vd_sp_row_fill(te, source, class);
        vd_sp_check_neverallow(te, source, class);
        vd_sp_check_neverallow_xperm(te, source);
        root[class] = vd_sp_row_store(te);
        vd_sp_xperms_clear(te);
        vd_sp_row_clear(te);
    }
}

void vd_sp_gen_rules(struct vd_sp_image *image)
{
    struct vd_sp_checked *c = image->c;
    struct vd_sp_te te = {.image = image};
    struct vd_sp_reuse reuse;
    bool keep = c->sp->options->keep_cache;
    uint32_t *at = vd_sp_alloc_array(&c->sp->arena, c->classes.count + 1, sizeof(*at));

    image->te_root = vd_sp_alloc_array(&c->sp->arena, (size_t)c->type_count * c->classes.count,
                                       sizeof(*image->te_root));
    prepare(&te);
    if (keep)
        vd_sp_reuse_init(&reuse, &te);
    for (uint32_t source = 1; source < c->type_count; source++)
        gen_source(&te, keep ? &reuse : NULL, source, at);
    if (keep)
        vd_sp_reuse_done(&reuse);
    warn_deny(&te);
    finish(&te);
}

void vd_sp_generate(struct vd_sp_checked *c, struct vd_sp_image *ret)
{
    struct vd_sp_arena *arena = &c->sp->arena;

    *ret = (struct vd_sp_image){.c = c};
    vd_sp_pool_init(&ret->bitmaps, arena, sizeof(uint64_t));
    vd_sp_pool_init(&ret->levels, arena, sizeof(struct vd_mls_level));
    vd_sp_pool_init(&ret->contexts, arena, sizeof(struct vd_context));
    vd_sp_pool_init(&ret->ranges, arena, sizeof(struct vd_pdb_range));
    vd_sp_pool_init(&ret->cond_nodes, arena, sizeof(struct vd_pdb_cond_node));
    vd_sp_pool_init(&ret->xperms, arena, sizeof(struct vd_pdb_xperm));
    vd_sp_gen_tables(ret);
    vd_sp_gen_labels(ret);
    if (c->sp->messages.errors == 0)
        vd_sp_gen_conditions(ret);
    vd_sp_gen_transitions(ret);
    vd_sp_gen_named(ret);
    vd_sp_gen_constraints(ret);
    if (c->sp->messages.errors > 0)
        return;
    vd_sp_gen_rules(ret);
    if (c->sp->messages.binary)
        return;
    vd_sp_warn_transitions(ret);
    vd_sp_warn_bounds(ret);
}
