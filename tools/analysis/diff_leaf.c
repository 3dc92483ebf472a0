/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/analysis/diff_rows.h"

#include <stdlib.h>
#include <string.h>

#include "tools/analysis/rules.h"

#define CALL_WORDS 1024u /* 65,536 calls */

void vd_diff_parts_clear(struct vd_diff_parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++)
        free(parts->list[i].text);
    parts->count = 0;
}

void vd_diff_parts_done(struct vd_diff_parts *parts)
{
    vd_diff_parts_clear(parts);
    free(parts->list);
    *parts = (struct vd_diff_parts){};
}

void vd_diff_conds_done(struct vd_diff_conds *conds)
{
    for (uint32_t i = 0; i < conds->count; i++)
        free(conds->texts[i]);
    free(conds->texts);
    free(conds->table);
    *conds = (struct vd_diff_conds){};
}

int vd_diff_order(const struct vd_diff_part *a, const struct vd_diff_part *b)
{
    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    if (a->cond != b->cond)
        return a->cond < b->cond ? -1 : 1;
    if (a->branch != b->branch)
        return a->branch < b->branch ? -1 : 1;
    if (a->text == NULL || b->text == NULL)
        return (a->text != NULL) - (b->text != NULL);
    return strcmp(a->text, b->text);
}

/* ------------------------------------------------------------------ conditions */

static uint32_t hash_text(const char *text)
{
    uint64_t hash = 0;

    for (; *text != '\0'; text++)
        hash = vd_hash_mix(hash * 31 + (uint8_t)*text);
    return (uint32_t)(hash ^ hash >> 32);
}

static uint32_t *find_text(const struct vd_diff_conds *conds, const char *text)
{
    for (uint32_t i = hash_text(text);; i++) {
        uint32_t *slot = &conds->table[i & conds->mask];

        if (*slot == 0 || strcmp(conds->texts[*slot - 1], text) == 0)
            return slot;
    }
}

/* Room for one more: the table at most half full. */
static vd_status conds_grow(struct vd_diff_conds *conds)
{
    uint32_t room = conds->room == 0 ? 64 : conds->room * 2;
    char **texts = realloc(conds->texts, room * sizeof(*texts));
    uint32_t *table = calloc((size_t)room * 2, sizeof(*table));

    if (texts != NULL)
        conds->texts = texts;
    if (texts == NULL || table == NULL) {
        free(table);
        return VD_E_NO_MEMORY;
    }
    free(conds->table);
    conds->table = table;
    conds->mask = room * 2 - 1;
    conds->room = room;
    for (uint32_t i = 0; i < conds->count; i++)
        *find_text(conds, conds->texts[i]) = i + 1;
    return VD_OK;
}

/* Puts the shared number + 1 of a condition into the part, whose branch `! X` turns round. */
static vd_status number_of(const struct vd_diff_side *side, struct vd_diff_conds *conds,
                           struct vd_rule_cond cond, struct vd_diff_part *part)
{
    const struct vd_pdb_cond_node *nodes = vd_diff_table(side->db, VD_PDB_COND_NODES);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    uint32_t *slot;

    if (out == NULL)
        return VD_E_NO_MEMORY;
    for (; nodes[cond.first + cond.count - 1].op == VD_COND_NOT; cond.count--)
        part->branch ^= 1;
    vd_condition_write(side->db, nodes + cond.first, cond.count, out);
    if (fclose(out) != 0 || (conds->count == conds->room && conds_grow(conds) != VD_OK)) {
        free(text);
        return VD_E_NO_MEMORY;
    }
    slot = find_text(conds, text);
    if (*slot == 0) {
        conds->texts[conds->count++] = text;
        *slot = conds->count;
    } else {
        free(text);
    }
    part->cond = *slot;
    return VD_OK;
}

/* ------------------------------------------------------------------ parts */

/* Takes the part's text over. */
static vd_status add(struct vd_diff_parts *parts, const struct vd_diff_part *part)
{
    if (parts->count == parts->room) {
        uint32_t room = parts->room == 0 ? 16 : parts->room * 2;
        struct vd_diff_part *list = realloc(parts->list, room * sizeof(*list));

        if (list == NULL) {
            free(part->text);
            return VD_E_NO_MEMORY;
        }
        parts->list = list;
        parts->room = room;
    }
    parts->list[parts->count++] = *part;
    return VD_OK;
}

static uint64_t shared(const struct vd_diff_side *side, uint32_t mask)
{
    uint64_t ret = 0;

    for (; mask != 0; mask &= mask - 1)
        ret |= (uint64_t)1 << side->bit[__builtin_ctz(mask)];
    return ret;
}

static vd_status add_masks(const struct vd_diff_side *side, struct vd_diff_part part,
                           const uint32_t masks[3], struct vd_diff_parts *ret)
{
    for (uint8_t rule = 0; rule < 3; rule++) {
        part.rule = rule;
        part.mask = shared(side, masks[rule]);
        if (part.mask != 0)
            VD_TRY(add(ret, &part));
    }
    return VD_OK;
}

static bool same_group(const struct vd_pdb_xperm *a, const struct vd_pdb_xperm *b)
{
    return a->rule == b->rule && a->kind == b->kind && a->cond_first == b->cond_first &&
           a->cond_count == b->cond_count && a->branch == b->branch;
}

static void add_calls(const struct vd_pdb_xperm *row, uint64_t *calls)
{
    for (uint32_t i = 0; i < 256; i++) {
        if ((row->bits[i / 64] >> (i % 64) & 1) == 0)
            continue;
        if ((row->flags & VD_XPERM_WHOLE) == 0)
            vd_bitmap_set(calls, (uint32_t)row->driver * 256 + i);
        else
            memset(calls + (size_t)i * 4, 0xff, 4 * sizeof(*calls));
    }
}

/* "ioctl { 0x5401 0x5410-0x5420 }". */
static char *calls_text(uint32_t kind, const uint64_t *calls)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fputs(kind == VD_XPERM_NLMSG ? "nlmsg {" : "ioctl {", out);
    for (uint32_t low = 0; low <= UINT16_MAX; low++) {
        uint32_t high = low;

        if (!vd_bitmap_get(calls, low))
            continue;
        while (high < UINT16_MAX && vd_bitmap_get(calls, high + 1))
            high++;
        fprintf(out, high == low ? " 0x%04x" : " 0x%04x-0x%04x", low, high);
        low = high;
    }
    fputs(" }", out);
    return fclose(out) == 0 ? text : NULL;
}

/* The extended rules of a leaf: one part for each rule, kind, condition and branch. */
static vd_status add_xperms(const struct vd_diff_side *side, const struct vd_pdb_leaf *leaf,
                            struct vd_diff_conds *conds, struct vd_diff_parts *ret)
{
    const struct vd_pdb_xperm *rows = side->xperms + leaf->xperm_first;

    for (uint32_t i = 0; i < leaf->xperm_count; i++) {
        uint64_t calls[CALL_WORDS] = {};
        struct vd_diff_part part = {.branch = (uint8_t)rows[i].branch,
                                    .rule = (uint8_t)(rows[i].rule - VD_XPERM_ALLOW)};
        bool first = true;

        for (uint32_t k = 0; k < i && first; k++)
            first = !same_group(&rows[k], &rows[i]);
        if (!first)
            continue;
        for (uint32_t k = i; k < leaf->xperm_count; k++) {
            if (same_group(&rows[k], &rows[i]))
                add_calls(&rows[k], calls);
        }
        if (rows[i].cond_count != 0)
            VD_TRY(number_of(side, conds,
                             (struct vd_rule_cond){rows[i].cond_first, rows[i].cond_count}, &part));
        part.text = calls_text(rows[i].kind, calls);
        if (part.text == NULL)
            return VD_E_NO_MEMORY;
        VD_TRY(add(ret, &part));
    }
    return VD_OK;
}

static int by_order(const void *a, const void *b)
{
    return vd_diff_order(a, b);
}

/* Equal parts become one. */
static void join(struct vd_diff_parts *parts)
{
    uint32_t kept = 0;

    if (parts->count > 0)
        qsort(parts->list, parts->count, sizeof(*parts->list), by_order);
    for (uint32_t i = 0; i < parts->count; i++) {
        if (kept > 0 && vd_diff_order(&parts->list[kept - 1], &parts->list[i]) == 0) {
            parts->list[kept - 1].mask |= parts->list[i].mask;
            free(parts->list[i].text);
        } else {
            parts->list[kept++] = parts->list[i];
        }
    }
    parts->count = kept;
}

vd_status vd_diff_leaf(const struct vd_diff_side *side, uint32_t leaf, struct vd_diff_conds *conds,
                       struct vd_diff_parts *ret)
{
    const struct vd_pdb_leaf *row = &side->leaves[leaf];

    vd_diff_parts_clear(ret);
    VD_TRY(add_masks(side, (struct vd_diff_part){},
                     (uint32_t[]){row->base_allowed, row->base_auditallow, ~row->base_auditdeny},
                     ret));
    for (uint32_t i = 0; i < row->cond_count; i++) {
        const struct vd_pdb_cond_rule *rule = &side->rules[row->cond_first + i];
        struct vd_diff_part part = {.branch = (uint8_t)rule->branch};

        VD_TRY(number_of(side, conds, (struct vd_rule_cond){rule->cond_first, rule->cond_count},
                         &part));
        VD_TRY(add_masks(side, part, (uint32_t[]){rule->allowed, rule->auditallow, rule->dontaudit},
                         ret));
    }
    if (row->xperm_count != 0)
        VD_TRY(add_xperms(side, row, conds, ret));
    join(ret);
    return VD_OK;
}
