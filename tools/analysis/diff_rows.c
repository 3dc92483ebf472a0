/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Type enforcement: for each class and source type the two rows over all target
 * types that either policy has.
 */
#include "tools/analysis/diff_rows.h"

#include <stdlib.h>
#include <string.h>

#include "tools/analysis/lookup.h"

#define NONE UINT32_MAX

/* Names of a kind in either policy, with the numbers that each gives them (0: it has none). */
struct shared {
    const char **names;
    uint32_t *numbers[2];
    uint32_t count;
};

/* A part that only one policy has, for one target. */
struct delta {
    struct vd_diff_part part; /* its text is owned */
    bool added;
    uint32_t target; /* shared */
};

struct rows {
    struct vd_diff_side sides[2];
    struct shared types, classes;
    const char *perms[2 * VD_PDB_MAX_PERMS]; /* of the class at hand, by shared bit */
    uint32_t perm_count;
    bool same_perms;    /* both have the class with the same permissions in the same order */
    uint32_t *lines[2]; /* the leaf of each target */
    uint32_t line_of[2];
    uint64_t *seen; /* pairs of rows that are equal, + 1 */
    uint32_t seen_mask, seen_count;
    struct vd_diff_conds conds;
    struct vd_diff_parts parts[2];
    struct delta *deltas;
    uint32_t delta_count, delta_room;
    vd_diff_fn found;
    void *arg;
};

/* ------------------------------------------------------------------ names */

/* The number of a type or class with that very name, no alias and no attribute; 0: none. */
static uint32_t number_in(const struct vd_policydb *db, enum vd_pdb_symbol_kind kind,
                          const char *name)
{
    uint32_t limit =
        kind == VD_SYM_TYPE ? vd_policydb_header(db)->types : vd_policydb_header(db)->classes;
    uint32_t number = 0;

    if (vd_policydb_find(db, kind, name, strlen(name), &number) != VD_OK || number >= limit ||
        strcmp(vd_policydb_name(db, kind, number), name) != 0)
        return 0;
    return number;
}

static void shared_done(struct shared *shared)
{
    free(shared->names);
    free(shared->numbers[0]);
    free(shared->numbers[1]);
}

static vd_status shared_init(struct shared *ret, const struct vd_policydb *one,
                             const struct vd_policydb *other, enum vd_pdb_symbol_kind kind)
{
    const struct vd_policydb *dbs[2] = {one, other};
    uint32_t limits[2], room;

    for (int k = 0; k < 2; k++)
        limits[k] = kind == VD_SYM_TYPE ? vd_policydb_header(dbs[k])->types
                                        : vd_policydb_header(dbs[k])->classes;
    room = limits[0] + limits[1];
    ret->names = calloc(room, sizeof(*ret->names));
    ret->numbers[0] = calloc(room, sizeof(uint32_t));
    ret->numbers[1] = calloc(room, sizeof(uint32_t));
    if (ret->names == NULL || ret->numbers[0] == NULL || ret->numbers[1] == NULL)
        return VD_E_NO_MEMORY;
    for (int k = 0; k < 2; k++) {
        for (uint32_t i = 1; i < limits[k]; i++) {
            const char *name = vd_lookup_name(dbs[k], kind, i);
            uint32_t counterpart = name == NULL ? 0 : number_in(dbs[1 - k], kind, name);

            if (name == NULL || (k == 1 && counterpart != 0))
                continue;
            ret->names[ret->count] = name;
            ret->numbers[k][ret->count] = i;
            ret->numbers[1 - k][ret->count] = counterpart;
            ret->count++;
        }
    }
    return VD_OK;
}

/* The permissions of a class in either policy. */
static void share_perms(struct rows *r, uint32_t class)
{
    r->perm_count = 0;
    r->same_perms = true;
    for (int k = 0; k < 2; k++) {
        uint32_t number = r->classes.numbers[k][class];

        for (uint32_t bit = 0; bit < VD_PDB_MAX_PERMS; bit++) {
            const char *name =
                number == 0 ? NULL : vd_policydb_perm_name(r->sides[k].db, number, bit);
            uint32_t i = 0;

            r->sides[k].bit[bit] = 0;
            if (name == NULL)
                continue;
            while (i < r->perm_count && strcmp(r->perms[i], name) != 0)
                i++;
            if (i == r->perm_count)
                r->perms[r->perm_count++] = name;
            r->sides[k].bit[bit] = (uint8_t)i;
            r->same_perms &= i == bit;
        }
    }
}

/* ------------------------------------------------------------------ rows */

static uint32_t row_of(const struct rows *r, int k, uint32_t source, uint32_t class)
{
    const struct vd_policydb *db = r->sides[k].db;
    const uint32_t *root = vd_diff_table(db, VD_PDB_TE_ROOT);
    uint32_t type = r->types.numbers[k][source], number = r->classes.numbers[k][class];

    return type == 0 || number == 0 ? 0
                                    : root[(size_t)type * vd_policydb_header(db)->classes + number];
}

static void expand(struct rows *r, int k, uint32_t row)
{
    const struct vd_policydb *db = r->sides[k].db;
    const uint32_t *blocks = vd_diff_table(db, VD_PDB_TE_BLOCKS);
    const uint32_t *line = (const uint32_t *)vd_diff_table(db, VD_PDB_TE_ROWS) +
                           (size_t)row * vd_policydb_header(db)->blocks;

    if (r->line_of[k] == row)
        return;
    for (uint32_t i = 0; i < r->types.count; i++) {
        uint32_t type = r->types.numbers[k][i];

        r->lines[k][i] = row == 0 || type == 0
                             ? 0
                             : blocks[(size_t)line[type / VD_PDB_BLOCK_TYPES] * VD_PDB_BLOCK_TYPES +
                                      type % VD_PDB_BLOCK_TYPES];
    }
    r->line_of[k] = row;
}

/* True if the leaves are plain and alike, by far the most frequent case. */
static bool plainly_equal(const struct rows *r, uint32_t one, uint32_t other)
{
    const struct vd_pdb_leaf *a = &r->sides[0].leaves[one], *b = &r->sides[1].leaves[other];

    if (one == 0 && other == 0)
        return true;
    return r->same_perms && a->cond_count == 0 && b->cond_count == 0 && a->xperm_count == 0 &&
           b->xperm_count == 0 && a->base_allowed == b->base_allowed &&
           a->base_auditallow == b->base_auditallow && a->base_auditdeny == b->base_auditdeny;
}

static vd_status add_delta(struct rows *r, const struct vd_diff_part *part, bool added,
                           uint32_t target)
{
    struct delta *delta;

    if (r->delta_count == r->delta_room) {
        uint32_t room = r->delta_room == 0 ? 256 : r->delta_room * 2;
        struct delta *list = realloc(r->deltas, room * sizeof(*list));

        if (list == NULL)
            return VD_E_NO_MEMORY;
        r->deltas = list;
        r->delta_room = room;
    }
    delta = &r->deltas[r->delta_count];
    *delta = (struct delta){.part = *part, .added = added, .target = target};
    if (part->text != NULL && (delta->part.text = strdup(part->text)) == NULL)
        return VD_E_NO_MEMORY;
    r->delta_count++;
    return VD_OK;
}

/* Notes what only one of the two leaves says. */
static vd_status compare_leaves(struct rows *r, uint32_t one, uint32_t other, uint32_t target)
{
    uint32_t a = 0, b = 0;

    VD_TRY(vd_diff_leaf(&r->sides[0], one, &r->conds, &r->parts[0]));
    VD_TRY(vd_diff_leaf(&r->sides[1], other, &r->conds, &r->parts[1]));
    while (a < r->parts[0].count || b < r->parts[1].count) {
        struct vd_diff_part *p = a == r->parts[0].count ? NULL : &r->parts[0].list[a];
        struct vd_diff_part *q = b == r->parts[1].count ? NULL : &r->parts[1].list[b];
        int order = p == NULL ? 1 : q == NULL ? -1 : vd_diff_order(p, q);
        struct vd_diff_part gone = order <= 0 ? *p : (struct vd_diff_part){};
        struct vd_diff_part come = order >= 0 ? *q : (struct vd_diff_part){};

        if (order == 0) {
            gone.mask &= ~q->mask;
            come.mask &= ~p->mask;
        }
        if (order < 0 || (order == 0 && gone.mask != 0))
            VD_TRY(add_delta(r, &gone, false, target));
        if (order > 0 || (order == 0 && come.mask != 0))
            VD_TRY(add_delta(r, &come, true, target));
        a += order <= 0;
        b += order >= 0;
    }
    return VD_OK;
}

/* ------------------------------------------------------------------ output */

static int by_delta(const void *pa, const void *pb)
{
    const struct delta *a = pa, *b = pb;
    int order = (int)a->added - (int)b->added;

    if (order == 0)
        order = vd_diff_order(&a->part, &b->part);
    if (order == 0)
        order = (a->part.mask > b->part.mask) - (a->part.mask < b->part.mask);
    return order != 0 ? order : (a->target > b->target) - (a->target < b->target);
}

static bool same_delta(const struct delta *a, const struct delta *b)
{
    return a->added == b->added && a->part.mask == b->part.mask &&
           vd_diff_order(&a->part, &b->part) == 0;
}

static void write_targets(const struct rows *r, const struct delta *first, uint32_t count,
                          FILE *out)
{
    fputs(count == 1 ? "" : "{ ", out);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%s%s", r->types.names[first[i].target], count == 1 ? "" : " ");
    fputs(count == 1 ? "" : "}", out);
}

static void write_perms(const struct rows *r, uint64_t mask, FILE *out)
{
    bool one = (mask & (mask - 1)) == 0;

    fputs(one ? "" : "{ ", out);
    for (; mask != 0; mask &= mask - 1)
        fprintf(out, "%s%s", r->perms[__builtin_ctzll(mask)], one ? "" : " ");
    fputs(one ? "" : "}", out);
}

/* One statement for all targets that differ alike. */
static vd_status tell(const struct rows *r, const struct delta *first, uint32_t count,
                      const char *source, const char *class)
{
    static const char *const keywords[] = {"allow", "auditallow", "dontaudit"};
    const struct vd_diff_part *part = &first->part;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return VD_E_NO_MEMORY;
    fprintf(out, "%s%s %s ", keywords[part->rule], part->text == NULL ? "" : "xperm", source);
    write_targets(r, first, count, out);
    fprintf(out, ":%s ", class);
    if (part->text != NULL)
        fputs(part->text, out);
    else
        write_perms(r, part->mask, out);
    fputc(';', out);
    if (part->cond != 0)
        fprintf(out, " [ %s ]:%s", r->conds.texts[part->cond - 1],
                part->branch != 0 ? "True" : "False");
    if (fclose(out) != 0) {
        free(text);
        return VD_E_NO_MEMORY;
    }
    r->found(r->arg, &(struct vd_difference){
                         .category = VD_DIFF_RULES, .added = first->added, .text = text});
    free(text);
    return VD_OK;
}

static vd_status tell_all(struct rows *r, uint32_t source, uint32_t class)
{
    qsort(r->deltas, r->delta_count, sizeof(*r->deltas), by_delta);
    for (uint32_t i = 0, n; i < r->delta_count; i += n) {
        for (n = 1; i + n < r->delta_count && same_delta(&r->deltas[i], &r->deltas[i + n]); n++)
            continue;
        VD_TRY(tell(r, &r->deltas[i], n, r->types.names[source], r->classes.names[class]));
    }
    return VD_OK;
}

static void clear_deltas(struct rows *r)
{
    for (uint32_t i = 0; i < r->delta_count; i++)
        free(r->deltas[i].part.text);
    r->delta_count = 0;
}

/* ------------------------------------------------------------------ pairs of rows */

static uint64_t *find_pair(const struct rows *r, uint64_t pair)
{
    for (uint32_t i = (uint32_t)(vd_hash_mix(pair) >> 32);; i++) {
        uint64_t *slot = &r->seen[i & r->seen_mask];

        if (*slot == 0 || *slot == pair + 1)
            return slot;
    }
}

static vd_status remember(struct rows *r, uint64_t pair)
{
    if (r->seen_count > r->seen_mask / 2) {
        uint64_t *old = r->seen;
        uint32_t slots = r->seen_mask + 1;

        r->seen = calloc((size_t)slots * 2, sizeof(*r->seen));
        if (r->seen == NULL) {
            r->seen = old;
            return VD_E_NO_MEMORY;
        }
        r->seen_mask = slots * 2 - 1;
        for (uint32_t i = 0; i < slots; i++) {
            if (old[i] != 0)
                *find_pair(r, old[i] - 1) = old[i];
        }
        free(old);
    }
    *find_pair(r, pair) = pair + 1;
    r->seen_count++;
    return VD_OK;
}

static vd_status compare_rows(struct rows *r, uint32_t source, uint32_t class)
{
    uint32_t one = row_of(r, 0, source, class), other = row_of(r, 1, source, class);
    uint64_t pair = (uint64_t)one << 32 | other;
    vd_status status = VD_OK;

    if (pair == 0 || *find_pair(r, pair) != 0)
        return VD_OK;
    expand(r, 0, one);
    expand(r, 1, other);
    for (uint32_t i = 0; status == VD_OK && i < r->types.count; i++) {
        if (!plainly_equal(r, r->lines[0][i], r->lines[1][i]))
            status = compare_leaves(r, r->lines[0][i], r->lines[1][i], i);
    }
    if (status == VD_OK && r->delta_count == 0)
        status = remember(r, pair);
    else if (status == VD_OK)
        status = tell_all(r, source, class);
    clear_deltas(r);
    return status;
}

static vd_status rows_init(struct rows *r, const struct vd_policydb *one,
                           const struct vd_policydb *other)
{
    const struct vd_policydb *dbs[2] = {one, other};

    VD_TRY(shared_init(&r->types, one, other, VD_SYM_TYPE));
    VD_TRY(shared_init(&r->classes, one, other, VD_SYM_CLASS));
    for (int k = 0; k < 2; k++) {
        r->sides[k] = (struct vd_diff_side){.db = dbs[k],
                                            .leaves = vd_diff_table(dbs[k], VD_PDB_TE_LEAVES),
                                            .rules = vd_diff_table(dbs[k], VD_PDB_COND_RULES),
                                            .xperms = vd_diff_table(dbs[k], VD_PDB_XPERMS)};
        r->lines[k] = calloc(r->types.count + 1, sizeof(uint32_t));
        r->line_of[k] = NONE;
        if (r->lines[k] == NULL)
            return VD_E_NO_MEMORY;
    }
    r->seen_mask = 1023;
    r->seen = calloc(r->seen_mask + 1, sizeof(*r->seen));
    return r->seen == NULL ? VD_E_NO_MEMORY : VD_OK;
}

static void rows_done(struct rows *r)
{
    shared_done(&r->types);
    shared_done(&r->classes);
    free(r->lines[0]);
    free(r->lines[1]);
    free(r->seen);
    free(r->deltas);
    vd_diff_parts_done(&r->parts[0]);
    vd_diff_parts_done(&r->parts[1]);
    vd_diff_conds_done(&r->conds);
}

vd_status vd_diff_rows(const struct vd_policydb *one, const struct vd_policydb *other,
                       vd_diff_fn found, void *arg)
{
    struct rows r = {.found = found, .arg = arg};
    vd_status status = rows_init(&r, one, other);

    for (uint32_t class = 0; status == VD_OK && class < r.classes.count; class ++) {
        share_perms(&r, class);
        /* Rows are shared between classes, whose permissions differ. */
        memset(r.seen, 0, ((size_t)r.seen_mask + 1) * sizeof(*r.seen));
        r.seen_count = 0;
        for (uint32_t source = 0; status == VD_OK && source < r.types.count; source++)
            status = compare_rows(&r, source, class);
    }
    rows_done(&r);
    return status;
}
