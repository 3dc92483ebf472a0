/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which optional blocks are in force: the largest choice in which every block
 * has all it requires (as libsepol's linker: start with all, turn off what
 * lacks something, until nothing changes). Where a block is off its else block
 * takes its place.
 */
#include "tools/sepolicy/check/checker.h"

#include "tools/sepolicy/suggest.h"

static bool has_perm(const struct vd_sp *sp, const struct vd_sp_class *class, uint32_t perm)
{
    const struct vd_sp_symbol *common;

    for (uint32_t i = 0; i < class->own.count; i++) {
        if (class->own.perms[i].name == perm)
            return true;
    }
    if (class->inherits == 0)
        return false;
    common = vd_sp_symbol_of(sp, VD_SP_COMMON, class->inherits);
    for (uint32_t i = 0; common != NULL && i < sp->commons.data[common->row].count; i++) {
        if (sp->commons.data[common->row].perms[i].name == perm)
            return true;
    }
    return false;
}

static bool is_met(const struct vd_sp *sp, const struct vd_sp_require *require)
{
    const struct vd_sp_symbol *symbol =
        vd_sp_symbol_of(sp, (enum vd_sp_space)require->space, require->item.name);

    if (symbol == NULL || !vd_sp_on(sp, symbol->block))
        return false;
    if (require->perm != 0)
        return has_perm(sp, &sp->classes.data[symbol->row], require->perm);
    return (symbol->kind == VD_SP_ATTRIBUTE) == require->attribute;
}

/*
 * The requirements are looked at in their order, sweep after sweep; in a sweep
 * only those that the one before may have changed, so that the work grows with
 * their number and not with its square. A block whose else block is chosen can
 * make the outcome depend on that order: it is libsepol's.
 */
struct settling {
    struct vd_sp *sp;
    uint64_t *heap; /* sweep << 32 | row of requires, the smallest first */
    uint32_t count;
    uint32_t sweep;
    uint32_t at;                         /* row that is looked at */
    uint32_t *needed_first, *needed;     /* by block: requirements met by a symbol of it */
    uint32_t *own_first, *own;           /* by block: its requirements */
    uint32_t *children_first, *children; /* by block */
    uint32_t *off;                       /* blocks turned off in this sweep */
    uint32_t off_count;
};

static void push(struct settling *s, uint64_t key)
{
    uint32_t i = s->count++;

    for (; i > 0 && s->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = key;
}

static uint64_t pop(struct settling *s)
{
    uint64_t top = s->heap[0], last = s->heap[--s->count];
    uint32_t i = 0;

    for (;;) {
        uint32_t child = 2 * i + 1;

        if (child + 1 < s->count && s->heap[child + 1] < s->heap[child])
            child++;
        if (child >= s->count || s->heap[child] >= last)
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

/* Looks at these requirements again: in this sweep if it has not come to them yet. */
static void look_again(struct settling *s, const uint32_t *rows, uint32_t count, bool sweeping)
{
    for (uint32_t i = 0; i < count; i++)
        push(s, (uint64_t)(s->sweep + (sweeping && rows[i] > s->at ? 0 : 1)) << 32 | rows[i]);
}

static void turn_off(struct settling *s, uint32_t block, bool sweeping)
{
    if (!s->sp->blocks.data[block].on)
        return;
    s->sp->blocks.data[block].on = false;
    s->off[s->off_count++] = block;
    look_again(s, s->needed + s->needed_first[block],
               s->needed_first[block + 1] - s->needed_first[block], sweeping);
}

static void look_at(struct settling *s, uint32_t row)
{
    struct vd_sp *sp = s->sp;
    const struct vd_sp_require *require = &sp->requires.data[row];
    uint32_t block = require->block, other;

    if (block == 0 || !vd_sp_on(sp, block) || is_met(sp, require))
        return;
    turn_off(s, block, true);
    other = sp->blocks.data[block].otherwise;
    if (other == 0)
        return;
    sp->blocks.data[other].on = true;
    look_again(s, s->own + s->own_first[other], s->own_first[other + 1] - s->own_first[other],
               true);
}

/* What stands in a block that is off is off too, at any depth. */
static void end_sweep(struct settling *s)
{
    /* Else blocks are off from the start: once, all are looked at, parents before children. */
    for (uint32_t i = 1; s->sweep == 0 && i < s->sp->blocks.count; i++) {
        if (!vd_sp_on(s->sp, s->sp->blocks.data[i].parent))
            turn_off(s, i, false);
    }
    for (uint32_t i = 0; i < s->off_count; i++) {
        uint32_t block = s->off[i];

        for (uint32_t n = s->children_first[block]; n < s->children_first[block + 1]; n++)
            turn_off(s, s->children[n], false);
    }
    s->off_count = 0;
}

/* Groups the numbers 0 to count - 1 by what `group` says (UINT32_MAX: none). */
static void group_by(struct settling *s, uint32_t count,
                     uint32_t (*group)(const struct vd_sp *sp, uint32_t i), uint32_t **ret_first,
                     uint32_t **ret)
{
    struct vd_sp_arena *arena = &s->sp->arena;
    uint32_t groups = s->sp->blocks.count;
    uint32_t *first = vd_sp_alloc_array(arena, groups + 2, sizeof(*first));
    uint32_t *list = vd_sp_alloc_array(arena, count, sizeof(*list));

    for (uint32_t i = 0; i < count; i++) {
        if (group(s->sp, i) != UINT32_MAX)
            first[group(s->sp, i) + 2]++;
    }
    for (uint32_t g = 2; g < groups + 2; g++)
        first[g] += first[g - 1];
    for (uint32_t i = 0; i < count; i++) {
        if (group(s->sp, i) != UINT32_MAX)
            list[first[group(s->sp, i) + 1]++] = i;
    }
    *ret_first = first;
    *ret = list;
}

static uint32_t block_of_symbol(const struct vd_sp *sp, uint32_t i)
{
    const struct vd_sp_require *require = &sp->requires.data[i];
    const struct vd_sp_symbol *symbol =
        vd_sp_symbol_of(sp, (enum vd_sp_space)require->space, require->item.name);

    return symbol == NULL ? UINT32_MAX : symbol->block;
}

static uint32_t block_of_require(const struct vd_sp *sp, uint32_t i)
{
    return sp->requires.data[i].block;
}

static uint32_t parent_of(const struct vd_sp *sp, uint32_t i)
{
    return i == 0 ? UINT32_MAX : sp->blocks.data[i].parent;
}

static void settle(struct vd_sp *sp)
{
    struct settling s = {.sp = sp};

    group_by(&s, sp->requires.count, block_of_symbol, &s.needed_first, &s.needed);
    group_by(&s, sp->requires.count, block_of_require, &s.own_first, &s.own);
    group_by(&s, sp->blocks.count, parent_of, &s.children_first, &s.children);
    s.off = vd_sp_alloc_array(&sp->arena, sp->blocks.count, sizeof(*s.off));
    /* Each is looked at once, once when its symbol's block goes, once if its own comes. */
    s.heap = vd_sp_alloc_array(&sp->arena, 3 * (size_t)sp->requires.count, sizeof(*s.heap));
    for (uint32_t i = 0; i < sp->requires.count; i++)
        push(&s, i);
    while (s.count > 0) {
        while (s.count > 0 && s.heap[0] >> 32 == s.sweep) {
            s.at = (uint32_t)pop(&s);
            look_at(&s, s.at);
        }
        end_sweep(&s);
        s.sweep++;
    }
}

/*
 * A block that is left out because nothing declares what it requires, each name
 * once. Not where macros made the text or an else block takes its place: there
 * it is meant.
 */
static void warn_left_out(struct vd_sp *sp)
{
    uint64_t *seen =
        vd_sp_alloc_array(&sp->arena, VD_BITMAP_WORDS(sp->names.list.count), sizeof(*seen));

    for (uint32_t i = 0; i < sp->requires.count; i++) {
        const struct vd_sp_require *require = &sp->requires.data[i];
        const struct vd_sp_block *block = &sp->blocks.data[require->block];
        enum vd_sp_space space = (enum vd_sp_space)require->space;

        if (require->block == 0 || block->on || block->otherwise != 0 ||
            !vd_sp_on(sp, block->parent) ||
            vd_sp_symbol_of(sp, space, require->item.name) != NULL ||
            vd_bitmap_get(seen, require->item.name) ||
            !vd_sp_is_written(&sp->messages, require->item.place))
            continue;
        vd_bitmap_set(seen, require->item.name);
        vd_sp_warning(&sp->messages, require->item.place,
                      vd_sp_suggest_symbol(sp, space, require->item.name),
                      "this optional block is left out: nothing declares the %s '%s'",
                      vd_sp_space_text(space), vd_sp_str(sp, require->item.name));
    }
}

void vd_sp_check_blocks(struct vd_sp *sp)
{
    for (uint32_t i = 0; i < sp->blocks.count; i++)
        sp->blocks.data[i].on = sp->blocks.data[i].rival == 0;
    settle(sp);
    warn_left_out(sp);
    for (uint32_t i = 0; i < sp->requires.count; i++) {
        const struct vd_sp_require *require = &sp->requires.data[i];

        if (require->block != 0 || is_met(sp, require))
            continue;
        if (require->perm != 0)
            vd_sp_error(&sp->messages, require->item.place,
                        "the policy requires permission '%s' of class '%s' but does not have it",
                        vd_sp_str(sp, require->perm), vd_sp_str(sp, require->item.name));
        else
            vd_sp_error_hint(
                &sp->messages, require->item.place,
                vd_sp_suggest_symbol(sp, (enum vd_sp_space)require->space, require->item.name),
                "the policy requires the %s '%s' but does not declare it",
                vd_sp_space_text((enum vd_sp_space)require->space),
                vd_sp_str(sp, require->item.name));
    }
}
