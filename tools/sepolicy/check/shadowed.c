/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rules that do nothing because one other rule says all they say. Looked for
 * only in texts that were written as they stand: macros repeat rules by nature.
 * The work is bounded: in a very large policy not every such rule is found.
 */
#include "tools/sepolicy/check/checker.h"

#define MAX_COMPARISONS (1u << 24)

struct search {
    struct vd_sp_checked *c;
    uint32_t *first; /* by class: where its vectors begin in `list` */
    uint32_t *list;  /* rows of avs */
    uint32_t left;   /* comparisons */
};

static void group_by_class(struct search *s)
{
    struct vd_sp_checked *c = s->c;
    struct vd_sp_arena *arena = &c->sp->arena;

    s->first = vd_sp_alloc_array(arena, c->classes.count + 2, sizeof(*s->first));
    s->list = vd_sp_alloc_array(arena, c->avs.count, sizeof(*s->list));
    for (uint32_t i = 0; i < c->avs.count; i++)
        s->first[c->avs.data[i].class + 2]++;
    for (uint32_t i = 2; i < c->classes.count + 2; i++)
        s->first[i] += s->first[i - 1];
    for (uint32_t i = 0; i < c->avs.count; i++)
        s->list[s->first[c->avs.data[i].class + 1]++] = i;
}

static bool set_covers(const struct vd_sp_checked *c, uint32_t large, uint32_t small)
{
    return large == small ||
           vd_bitmap_covers(c->sets.data[large].words, c->sets.data[small].words, c->type_words);
}

/* True if every target of `small` is one of `large`, for each source of `small`. */
static bool target_covers(const struct vd_sp_checked *c, const struct vd_sp_av *large,
                          const struct vd_sp_av *small)
{
    if ((large->flags & VD_SP_AV_NOT_SELF) != 0 && (small->flags & VD_SP_AV_NOT_SELF) == 0)
        return false;
    if ((small->flags & VD_SP_AV_SELF) != 0 && (large->flags & VD_SP_AV_SELF) == 0 &&
        !set_covers(c, large->target, small->source))
        return false;
    return set_covers(c, large->target, small->target);
}

/* True if `large` says all that `small` says, whenever `small` is in force. */
static bool says_all(const struct vd_sp_checked *c, const struct vd_sp_av *large,
                     const struct vd_sp_av *small)
{
    const struct vd_sp_rule *a = &c->sp->rules.data[large->rule];
    const struct vd_sp_rule *b = &c->sp->rules.data[small->rule];

    return large->kind == small->kind && (small->perms & ~large->perms) == 0 &&
           (a->cond == 0 || (a->cond == b->cond && a->otherwise == b->otherwise)) &&
           set_covers(c, large->source, small->source) && target_covers(c, large, small);
}

/* The row of another rule's vector that makes this one superfluous; UINT32_MAX: none. */
static uint32_t find_cover(struct search *s, uint32_t row)
{
    const struct vd_sp_av *avs = s->c->avs.data;

    for (uint32_t i = s->first[avs[row].class]; i < s->first[avs[row].class + 1]; i++) {
        uint32_t other = s->list[i];

        if (s->left == 0)
            return UINT32_MAX;
        s->left--;
        /* Of two that say the same the earlier one counts. */
        if (avs[other].rule != avs[row].rule && says_all(s->c, &avs[other], &avs[row]) &&
            (other < row || !says_all(s->c, &avs[row], &avs[other])))
            return other;
    }
    return UINT32_MAX;
}

void vd_sp_warn_shadowed(struct vd_sp_checked *c)
{
    struct search s = {.c = c, .left = MAX_COMPARISONS};
    struct vd_sp_messages *messages = &c->sp->messages;
    uint32_t next;

    group_by_class(&s);
    for (uint32_t i = 0; i < c->avs.count; i = next) {
        uint32_t rule = c->avs.data[i].rule, cover = i;
        uint32_t place = c->sp->rules.data[rule].place;

        for (next = i; next < c->avs.count && c->avs.data[next].rule == rule; next++)
            continue;
        if (s.left == 0 || !vd_sp_is_written(messages, place))
            continue;
        for (uint32_t row = i; row < next && cover != UINT32_MAX; row++)
            cover = find_cover(&s, row);
        if (cover != UINT32_MAX)
            vd_sp_warning(
                messages, place,
                vd_sp_text(
                    &c->sp->arena, "it is at %s",
                    vd_sp_place_text(messages, c->sp->rules.data[c->avs.data[cover].rule].place)),
                "this rule does nothing: another one says all of it");
    }
}
